"""The model card: what the worker must know of a released model, and what people should."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from emotion_streams.emotions import EMOTIONS
from worker.model.architecture import MIN_INPUT_SIZE

FORMAT: Final = 1
CARD_FILE: Final = "card.json"
MAX_INPUT_SIZE: Final = 512
"""A larger side is a mistake in the card: no face in a frame is worth as many pixels."""


class InvalidRelease(Exception):
    """A released model that cannot be served: what is wrong, and in which file."""


@dataclass(frozen=True)
class CropGeometry:
    """How a detector's box becomes the square that the model was trained on.

    The square's side is `scale` times the mean of the box's width and height; its centre is the
    box's centre moved by `shift_x` and `shift_y` sides (right and down are positive).
    """

    scale: float
    shift_x: float = 0.0
    shift_y: float = 0.0

    def __post_init__(self) -> None:
        if not 0.2 <= self.scale <= 5 or max(abs(self.shift_x), abs(self.shift_y)) > 1:
            raise ValueError(f"crop geometry out of range: {self}")


@dataclass(frozen=True)
class ModelCard:
    """A released model's metadata.

    `labels` name the network's outputs in order. `input_size` is the side of its input in pixels;
    `source_size` the side of the training pictures, to which every crop is reduced first so that
    serving sees no finer detail than training did. `temperature` divides the logits. `training`
    and `scores` are for people, and are not interpreted.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    input_size: int
    source_size: int
    colour: Literal["grey", "rgb"]
    crop: Mapping[str, CropGeometry]
    temperature: float
    weights_sha256: str
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sorted(self.labels) != sorted(EMOTIONS):
            raise ValueError(f"labels must be the eight emotions, not {list(self.labels)}")
        if not MIN_INPUT_SIZE <= self.input_size <= MAX_INPUT_SIZE:
            raise ValueError(
                f"input_size {self.input_size} is not {MIN_INPUT_SIZE} to {MAX_INPUT_SIZE}"
            )
        if not 16 <= self.source_size <= MAX_INPUT_SIZE:
            raise ValueError(f"source_size {self.source_size} is not 16 to {MAX_INPUT_SIZE}")
        if self.colour not in ("grey", "rgb"):
            raise ValueError(f"colour {self.colour!r} is neither grey nor rgb")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature {self.temperature} is not above 0")

    def crop_for(self, detector: str) -> CropGeometry:
        """The crop geometry of that detector's boxes; InvalidRelease where the card has none."""
        try:
            return self.crop[detector]
        except KeyError:
            raise InvalidRelease(
                f"the card of model {self.name} has no crop geometry for detector {detector!r}, "
                f"only for {sorted(self.crop)}"
            ) from None

    def to_json(self) -> str:
        """The card as the text of card.json."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Parse card.json; ValueError says what is wrong with it."""
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        found = fields.pop("format", None)
        if found != FORMAT:
            raise ValueError(f"card format {found!r}, this worker understands {FORMAT}")
        try:
            fields["labels"] = tuple(fields["labels"])
            fields["crop"] = {name: CropGeometry(**crop) for name, crop in fields["crop"].items()}
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"field missing, unknown or of a wrong type: {error}") from error


def read_card(folder: Path) -> ModelCard:
    """The card in a release folder; InvalidRelease where it is missing or not understood."""
    path = folder / CARD_FILE
    try:
        return ModelCard.from_json(path.read_text())
    except OSError as error:
        raise InvalidRelease(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidRelease(f"{path}: {error}") from error
