"""Settings of the process that runs the sinks."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from service.settings import ServiceSettings


class SinkSettings(ServiceSettings):
    """Settings of `emotion-streams sink`; the variables' names start with EMOTION_SINK_."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_SINK_")

    metrics_port: int = Field(
        9104, ge=0, le=65535, description="port of /metrics, /healthz, /readyz; 0 takes a free one"
    )
