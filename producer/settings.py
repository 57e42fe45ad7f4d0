"""Settings of the producer's process."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from emotion_streams import keys
from producer.camera_settings import CameraOptions
from service import settings as service


class ProducerSettings(service.ServiceSettings, CameraOptions):
    """Settings of `python -m producer`: those of the process, and those of one camera."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, env_prefix="EMOTION_PRODUCER_"
    )

    camera: str | None = Field(None, description="name of the camera, as it stands in Redis")
    metrics_port: int = Field(
        9102, ge=0, le=65535, description="port of /metrics, /healthz, /readyz; 0 takes a free one"
    )

    @field_validator("camera")
    @classmethod
    def _camera_is_a_name(cls, camera: str | None) -> str | None:
        return camera if camera is None else keys.check_camera(camera)
