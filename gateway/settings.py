"""The settings of the gateway, and the values that it rejects."""

import ipaddress
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, IPvAnyNetwork, StringConstraints
from pydantic_settings import NoDecode, SettingsConfigDict

from service.settings import ServiceSettings, split_list
from service.settings_file import InvalidSettingsError

LEAST_TOKEN: Final = 16
"""Characters; a shorter token could be guessed."""


class GatewaySettings(ServiceSettings):
    """Settings of `emotion-streams gateway`; the variables' names start with EMOTION_GATEWAY_."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_GATEWAY_")

    host: str = Field(
        "127.0.0.1", description="address to listen on; beyond loopback only with a token"
    )
    port: int = Field(8080, ge=0, le=65535, description="port to listen on, 0 for a free one")
    metrics_port: int = Field(
        9103, ge=0, le=65535, description="port of /metrics, 0 for a free one"
    )
    # Files that secrets come in end with a line break.
    token: Annotated[str, StringConstraints(strip_whitespace=True)] | None = Field(
        None,
        description="what clients show, as a bearer token or as a password; refused on the "
        "command line, which every user of the machine can read: set EMOTION_GATEWAY_TOKEN",
    )
    pictures: bool = Field(True, description="serve pictures")
    blur_faces: bool = Field(False, description="pixelate every detected face")
    max_clients: int = Field(
        100, ge=1, le=10_000, description="maximum number of open streams and exports"
    )
    max_rate: float = Field(
        100,
        gt=0,
        le=100_000,
        description="requests per second from one address; bursts of twice that",
    )
    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...] | None, NoDecode, BeforeValidator(split_list)
    ] = Field(
        None,
        description="comma-separated addresses and networks whose X-Forwarded-For is trusted",
    )


def check(settings: GatewaySettings) -> None:
    """Raise InvalidSettingsError if the gateway would be open to strangers."""
    if settings.token is not None and len(settings.token) < LEAST_TOKEN:
        raise InvalidSettingsError(
            f"token: shorter than {LEAST_TOKEN} characters; generate one: openssl rand -hex 16"
        )
    if settings.token is not None and not settings.token.isprintable():
        raise InvalidSettingsError("token: contains a line break or another control character")
    if settings.token is None and not is_loopback(settings.host):
        raise InvalidSettingsError(
            f"token: required to listen on {settings.host}, which other machines can reach; "
            "set EMOTION_GATEWAY_TOKEN (generate one: openssl rand -hex 16)"
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address.

    A name other than localhost never counts: what it resolves to may change.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
