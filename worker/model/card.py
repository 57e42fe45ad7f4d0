"""The model card: what the worker must know about a released model, and what people should."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from emotion_streams.emotions import EMOTIONS
from emotion_streams.fields import Fields
from worker.model.architecture import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    MIN_INPUT_SIZE,
    Blocks,
)

FORMAT: Final = 1
CARD_FILE: Final = "card.json"
MAX_INPUT_SIZE: Final = 512
"""A larger side is an error in the card: no face in a frame needs so many pixels."""

Colour = Literal["grey", "rgb"]
COLOURS: Final[tuple[Colour, ...]] = ("grey", "rgb")


class InvalidReleaseError(Exception):
    """A released model cannot be served; the message names the file and the error."""


@dataclass(frozen=True)
class CropGeometry:
    """How to turn a detector's box into the square that the model was trained on.

    The square's side is `scale` times the mean of the box's width and height; its centre is the
    box's centre moved by `shift_x` and `shift_y` sides (right and down are positive).
    """

    scale: float
    shift_x: float = 0.0
    shift_y: float = 0.0


@dataclass(frozen=True)
class Int8Card:
    """The part of a card about the release's int8 file.

    `sha256` is that of the file. `scores` and `quantization` are for people and are not
    interpreted: its scores on the same pictures as the float32 scores, and how it was made.
    """

    sha256: str
    scores: Mapping[str, Any]
    quantization: Mapping[str, Any]


@dataclass(frozen=True)
class ModelCard:
    """A released model's metadata.

    `labels` name the network's outputs in order. `input_size` is the side of its input in pixels.
    `source_size` is the side of the training pictures. Every crop is first reduced to this size,
    so that serving sees no finer detail than training did. `temperature` divides the logits.
    `architecture` names the network, a key of ARCHITECTURES. `training` and `scores` are for people
    and are not interpreted. `int8` is None if the release has no int8 file.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    input_size: int
    source_size: int
    colour: Colour
    crop: Mapping[str, CropGeometry]
    temperature: float
    weights_sha256: str
    architecture: str = DEFAULT_ARCHITECTURE
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    int8: Int8Card | None = None

    @property
    def blocks(self) -> Blocks:
        """Return the blocks of the network."""
        return ARCHITECTURES[self.architecture]

    def crop_for(self, detector: str) -> CropGeometry:
        """Return the crop geometry for the boxes of `detector`.

        Raises InvalidReleaseError if the card has none.
        """
        try:
            return self.crop[detector]
        except KeyError:
            raise InvalidReleaseError(
                f"the card of model {self.name} has no crop geometry for detector {detector!r}, "
                f"only for {sorted(self.crop)}"
            ) from None

    def to_json(self) -> str:
        """Return the card as the text of card.json."""
        document = {"format": FORMAT, **asdict(self)}
        if self.int8 is None:
            del document["int8"]
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Parse the text of card.json. Raises ValueError if it is invalid."""
        try:
            document = json.loads(text)
        except RecursionError:
            raise ValueError("not JSON: nested too deeply") from None
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
        found = document.pop("format", None)
        if found != FORMAT:
            raise ValueError(f"card format {found!r}, this worker understands {FORMAT}")
        known = cls.__dataclass_fields__.keys()
        if unknown := sorted(document.keys() - known):
            raise ValueError(f"fields unknown: {', '.join(unknown)}")
        fields = Fields(document)
        labels = tuple(fields.texts("labels", len(EMOTIONS)))
        if sorted(labels) != sorted(EMOTIONS):
            raise ValueError(f"labels must be the eight emotions, not {list(labels)}")
        colour = fields.text("colour")
        if colour not in COLOURS:
            raise ValueError(f"colour {colour!r} is neither grey nor rgb")
        crop = fields.map("crop")
        for for_people in ("training", "scores"):
            if for_people in document:
                fields.map(for_people)
        return cls(
            name=_printable(fields, "name"),
            version=_printable(fields, "version"),
            labels=labels,
            input_size=fields.integer("input_size", MIN_INPUT_SIZE, MAX_INPUT_SIZE),
            source_size=fields.integer("source_size", 16, MAX_INPUT_SIZE),
            colour=colour,
            crop={detector: _geometry(crop.map(detector)) for detector in crop},
            temperature=fields.number("temperature", 0.01, 100),
            weights_sha256=fields.text("weights_sha256"),
            architecture=_architecture(document),
            training=document.get("training", {}),
            scores=document.get("scores", {}),
            int8=_int8(fields.map("int8"), document["int8"]) if "int8" in document else None,
        )


def _architecture(document: Mapping[str, Any]) -> str:
    name = document.get("architecture", DEFAULT_ARCHITECTURE)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ValueError(f"architecture {name!r} is unknown, only {', '.join(ARCHITECTURES)}")
    return name


def _int8(fields: Fields, document: Mapping[str, Any]) -> Int8Card:
    if unknown := sorted(set(fields) - Int8Card.__dataclass_fields__.keys()):
        raise ValueError(f"fields unknown in int8: {', '.join(unknown)}")
    for for_people in ("scores", "quantization"):
        fields.map(for_people)
    return Int8Card(fields.text("sha256"), document["scores"], document["quantization"])


def _geometry(fields: Fields) -> CropGeometry:
    return CropGeometry(
        scale=fields.number("scale", 0.2, 5),
        **{
            shift: fields.number(shift, -1, 1)
            for shift in ("shift_x", "shift_y")
            if fields.has(shift)
        },
    )


def _printable(fields: Fields, name: str) -> str:
    """Return a text that is safe to include in every event and metric. Raises ValueError."""
    text = fields.text(name)
    if not (text and text.isprintable()):
        raise ValueError(f"{name} {text!r} is not printable")
    return text


def read_card(folder: Path) -> ModelCard:
    """Return the card in a release folder.

    Raises InvalidReleaseError if the card is missing or invalid.
    """
    path = folder / CARD_FILE
    try:
        return ModelCard.from_json(path.read_text())
    except OSError as error:
        raise InvalidReleaseError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidReleaseError(f"{path}: {error}") from error
