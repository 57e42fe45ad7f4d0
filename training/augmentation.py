"""The settings of augmentation, as a run's configuration contains them. augment.py applies them."""

import math
from dataclasses import dataclass, fields
from typing import Any


class InvalidConfigError(Exception):
    """The configuration of a run is invalid; the message says what is wrong."""


@dataclass(frozen=True)
class Augmentation:
    """How far a picture may be changed. Each change is drawn per picture and step.

    `scale`, `gain` are logarithms of factors, `shift` is in sides, `offset` in parts of the grey
    range; `p_` are probabilities. 0 switches a change off. Those from `p_low_light` on imitate
    webcams.

    Raises InvalidConfigError if a value is out of range.
    """

    p_flip: float = 0.5
    rotation_degrees: float = 15.0
    scale: float = 0.15
    shift: float = 0.07
    gain: float = 0.3
    offset: float = 0.15
    p_blur: float = 0.1
    p_low_resolution: float = 0.1
    p_jpeg: float = 0.05
    p_bar: float = 0.08
    p_cutout: float = 0.25
    p_low_light: float = 0.08
    p_motion_blur: float = 0.08
    p_colour_cast: float = 0.1
    p_partial: float = 0.08
    p_head_turn: float = 0.15

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            highest = 1.0 if name.startswith("p_") else math.inf
            if not (0 <= value <= highest and math.isfinite(value)):
                kind = "a probability, 0 to 1" if highest == 1 else "a number not below 0"
                raise InvalidConfigError(f"augmentation {name} is {value}, not {kind}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Augmentation":
        """Read the augmentation from a run's record. A change that is not in it is off.

        Raises InvalidConfigError for a value that is not a number, and for an unknown name, unless
        its value is 0 (off).
        """
        known = {field.name: 0.0 for field in fields(cls)}
        for name, value in values.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InvalidConfigError(f"augmentation {name} is {value!r}, not a number")
            if name not in known and value != 0:
                raise InvalidConfigError(f"augmentation {name} is unknown, only {', '.join(known)}")
        return cls(**{name: values.get(name, off) for name, off in known.items()})
