"""The options of each type of sink, as they are in the settings file."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from emotion_streams import Emotion, EpisodeType, keys
from emotion_streams.redaction import register_secret
from sinks.records import Kind

CameraName = Annotated[str, AfterValidator(keys.check_camera)]
Topic = Annotated[str, StringConstraints(pattern=r"^[^+#/\x00\s]+(/[^+#/\x00\s]+)*$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$")]

_MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_LONG_SEGMENT: Final = 12
"""A part of a path that is at least so long may be a secret."""
_SQL_SCHEMES: Final = ("postgresql", "postgres", "sqlite")


class SinkOptions(BaseModel):
    """Options of every sink: which records it gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    # Of which cameras; None: all.
    cameras: tuple[CameraName, ...] | None = None
    records: tuple[Kind, ...] = (Kind.EPISODES, Kind.MINUTES)
    # Whether the cameras' states are delivered.
    states: bool = True
    # Where a new sink begins: with what happens from now on, or with all that Redis keeps.
    start: Literal["now", "beginning"] = "now"
    # Filters of episodes; None: no filter.
    types: tuple[EpisodeType, ...] | None = None
    emotions: tuple[Emotion, ...] | None = None
    min_duration_ms: int = Field(0, ge=0)
    # Records that are older when they can be delivered are left out; None: none are.
    max_age_s: float | None = Field(None, gt=0)


def check_mqtt_url(url: str) -> str:
    """Return the URL. Raises ValueError if it is not mqtt(s)://[user[:password]@]host[:port]."""
    parts = _split(url, tuple(_MQTT_PORTS), "mqtt://host or mqtts://user:${PASSWORD}@host")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("an MQTT URL has no path: give the topic as `topic`")
    return url


class MqttOptions(SinkOptions):
    """Options of `type: mqtt`."""

    type: Literal["mqtt"]
    url: Annotated[str, AfterValidator(check_mqtt_url)]
    # The first part of every topic. Two sinks on one broker need two.
    topic: Topic = "emotion-streams"
    # Home Assistant's prefix of discovery topics; "" announces nothing.
    discovery: Annotated[str, StringConstraints(pattern=r"^[^+#\x00\s]*$")] = "homeassistant"
    client_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")] | None = None
    # Files in PEM: the broker's authority [the system's], and a client's certificate and key.
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the broker."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or _MQTT_PORTS[parts.scheme]

    @property
    def credentials(self) -> tuple[str | None, str | None]:
        """User and password, None if the URL has none."""
        parts = urlsplit(self.url)
        return (
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
        )

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"


def check_http_url(url: str) -> str:
    """Return the URL, and register what may be secret in it.

    Any client that knows the path of a webhook may use it. Raises ValueError if it is not a URL of
    http or https.
    """
    import httpx  # here, because only processes that have a webhook need it

    form = "https://host/path"
    parts = _split(url, ("http", "https"), form)
    register_secret(parts.query)
    for segment in parts.path.split("/"):
        if len(segment) >= _LONG_SEGMENT:
            register_secret(segment)
    try:
        httpx.URL(url)
    except httpx.InvalidURL:  # such as a host name that IDNA does not know
        raise ValueError(f"a URL as in {form}") from None
    return url


class WebhookOptions(SinkOptions):
    """Options of `type: webhook`."""

    type: Literal["webhook"]
    url: Annotated[str, AfterValidator(check_http_url)]
    records: tuple[Kind, ...] = (Kind.EPISODES,)
    # Signs every request; see cloudevents.sign.
    secret: Annotated[str, StringConstraints(min_length=16)] | None = None
    headers: Mapping[HeaderName, HeaderValue] = Field(default_factory=dict)
    timeout_s: float = Field(10, gt=0, le=120)
    # Requests at once, each of another camera.
    parallel: int = Field(4, ge=1, le=64)
    # The server's authority, in PEM [the system's].
    ca_file: str | None = None


def check_sql_url(url: str) -> str:
    """Return the URL. Raises ValueError if it is not one of PostgreSQL or SQLite."""
    scheme = url.partition("://")[0]
    if scheme not in _SQL_SCHEMES:
        raise ValueError("a URL as in postgresql://user:${PASSWORD}@host/name or sqlite:///file")
    if scheme == "sqlite":
        if len(url) <= len("sqlite:///") or not url.startswith("sqlite:///"):
            raise ValueError("sqlite:///FILE; an absolute path begins with a fourth slash")
    elif password := urlsplit(url).password:
        register_secret(password)
        register_secret(unquote(password))
    return url


class SqlOptions(SinkOptions):
    """Options of `type: sql`."""

    type: Literal["sql"]
    url: Annotated[str, AfterValidator(check_sql_url)]
    start: Literal["now", "beginning"] = "beginning"

    @property
    def sqlite_file(self) -> str | None:
        """The path of SQLite's file; None for PostgreSQL."""
        return self.url.removeprefix("sqlite:///") if self.url.startswith("sqlite:") else None


AnyOptions = MqttOptions | WebhookOptions | SqlOptions

TYPES: Final[Mapping[str, type[AnyOptions]]] = {
    "mqtt": MqttOptions,
    "webhook": WebhookOptions,
    "sql": SqlOptions,
}


def _split(url: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    """Split a URL, and register its password. Raises ValueError, which shows nothing of it."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"a URL as in {form}")
    if parts.password:
        register_secret(parts.password)
        register_secret(unquote(parts.password))
    return parts
