"""The configuration of a training run. It decides the result, and is stored with it."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal

from training.augmentation import Augmentation, InvalidConfigError
from worker.model.architecture import ARCHITECTURES, DEFAULT_ARCHITECTURE, MIN_INPUT_SIZE
from worker.model.card import MAX_INPUT_SIZE

MAX_SEED: Final = 2**32 - 1
"""The largest seed of numpy, which Keras seeds, too."""


class DivergedError(InvalidConfigError):
    """Loss or weights are no longer finite; the message says at which step, and what to do."""


__all__ = ["DivergedError", "InvalidConfigError", "RunConfig", "RuntimeOptions", "Stage", "setting"]


def setting(default: Any, metavar: str, text: str) -> Any:
    """Return a dataclass field with its metavar and help text for the command line."""
    return field(default=default, metadata={"metavar": metavar, "help": text})


@dataclass(frozen=True)
class Stage:
    """A part of a run at one input size, with its own warm-up and cosine schedule.

    `side` is in pixels, `rate` is the peak learning rate. Raises InvalidConfigError.
    """

    side: int
    steps: int
    batch: int
    rate: float

    def __post_init__(self) -> None:
        if (
            not MIN_INPUT_SIZE <= self.side <= MAX_INPUT_SIZE
            or min(self.steps, self.batch) < 1
            or not 0 < self.rate < 1
        ):
            raise InvalidConfigError(
                f"stage {self.side}:{self.steps}:{self.batch}:{self.rate:g}: side from "
                f"{MIN_INPUT_SIZE} to {MAX_INPUT_SIZE}, steps and batch from 1, rate 0 to 1"
            )

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """Parse `SIDE:STEPS:BATCH:RATE`, such as 32:2000:48:1e-3. Raises InvalidConfigError."""
        try:
            side, steps, batch, rate = text.split(":")
            return cls(int(side), int(steps), int(batch), float(rate))
        except ValueError as error:
            raise InvalidConfigError(f"stage {text!r} is not SIDE:STEPS:BATCH:RATE") from error

    def rate_at(self, step: int) -> float:
        """Return the learning rate of the stage's step, 0 to steps - 1.

        It rises linearly over the first twentieth of the steps (at most 500), then falls as half a
        cosine to a hundredth of the peak.

        Source: Loshchilov and Hutter, "SGDR" (arXiv:1608.03983), without restarts.
        """
        warm_up = min(math.ceil(self.steps / 20), 500)
        if step < warm_up:
            return self.rate * (step + 1) / (warm_up + 1)
        done = (step - warm_up) / max(self.steps - warm_up, 1)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class RuntimeOptions:
    """Options that do not change the result of a run. Raises InvalidConfigError."""

    checkpoint_minutes: float = setting(5.0, "MINUTES", "time between checkpoints")
    workers: int = setting(2, "N", "threads that prepare batches")

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_minutes < math.inf or self.workers < 1:
            raise InvalidConfigError("workers are 1 or more, checkpoint minutes 0 or more")


@dataclass(frozen=True)
class RunConfig:
    """A training run. Raises InvalidConfigError.

    `sampling` is the power of the emotions' shares by which they are drawn: 1 leaves them as they
    are, 0 makes them equally frequent. The loss corrects for it, so that the model still learns the
    frequencies of the data. `start` names the release whose weights the run starts from; None
    starts from random weights. `teacher` names a release whose probabilities make up the share
    `distillation` of the targets; with None, the targets are the labels alone. `ema` is the decay
    of the averaged weights per step. `validations` is the number of validations per stage.
    """

    stages: tuple[Stage, ...]
    seed: int = setting(0, "N", "seed of weights, batches and dropout")
    start: str | None = setting(None, "MODEL", "begin with this release's weights")
    architecture: str = setting(
        DEFAULT_ARCHITECTURE, "NAME", "network: " + ", ".join(ARCHITECTURES)
    )
    teacher: str | None = setting(None, "MODEL", "learn from this release's probabilities, too")
    distillation: float = setting(0.5, "SHARE", "the teacher's share of the targets")
    sampling: float = setting(
        0.5, "POWER", "draw emotions by this power of their share: 1 as they come, 0 equally often"
    )
    mixup: float = setting(0.0, "ALPHA", "blend pictures by a share from Beta(ALPHA, ALPHA)")
    dropout: float = setting(0.1, "RATE", "dropout after each convolution")
    final_dropout: float = setting(0.2, "RATE", "dropout before the last layer")
    weight_decay: float = setting(0.01, "DECAY", "AdamW's decay of kernels")
    ema: float = setting(0.995, "DECAY", "decay of the averaged weights per step")
    clip_norm: float = setting(5.0, "NORM", "longest gradient")
    colour: Literal["grey", "rgb"] = setting("grey", "COLOUR", "what the network sees")
    source_size: int = setting(48, "PIXELS", "side that every face is reduced to first")
    validations: int = setting(4, "N", "validations per stage")
    precision: Literal["float32", "mixed_bfloat16"] = setting(
        "float32", "TYPE", "type of convolutions; bfloat16 is faster if the processor has it"
    )
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if not self.stages:
            raise InvalidConfigError("a run needs at least one stage")
        if not all(0 <= share < 1 for share in (self.dropout, self.final_dropout, self.ema)):
            raise InvalidConfigError("dropout, final dropout and ema are from 0 and below 1")
        if not (0 <= self.sampling <= 1 and 0 < self.distillation <= 1):
            raise InvalidConfigError("sampling is 0 to 1, distillation is above 0 and at most 1")
        if self.architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise InvalidConfigError(f"architecture {self.architecture!r} is not one of {known}")
        if min(self.mixup, self.weight_decay, self.validations, self.seed) < 0:
            raise InvalidConfigError("mixup, weight decay, validations and seed are not below 0")
        if self.clip_norm <= 0:
            raise InvalidConfigError("clip norm is over 0")
        if not all(math.isfinite(n) for n in vars(self).values() if isinstance(n, float)):
            raise InvalidConfigError("mixup, weight decay and the other numbers are finite")
        if self.seed > MAX_SEED:
            raise InvalidConfigError(f"seed {self.seed} is over {MAX_SEED}")
        if not MIN_INPUT_SIZE <= self.source_size <= MAX_INPUT_SIZE:
            raise InvalidConfigError(
                f"source size {self.source_size} is not {MIN_INPUT_SIZE} to {MAX_INPUT_SIZE}"
            )

    @property
    def steps(self) -> int:
        """Return the number of steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[int, int]:
        """Return the number of the stage of a step of the run, and the step's number in it."""
        for number, stage in enumerate(self.stages):
            if step < stage.steps:
                return number, step
            step -= stage.steps
        raise InvalidConfigError(f"the run ends {step + 1} steps before that step")

    def to_json(self) -> str:
        """Return the configuration as text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunConfig":
        """Read what `to_json` wrote. Raises InvalidConfigError if it is anything else."""
        try:
            if unknown := sorted(values.keys() - {field.name for field in fields(cls)}):
                raise InvalidConfigError(f"a run has no {', '.join(unknown)}")
            return cls(
                **{
                    **values,
                    "stages": tuple(_stage(stage) for stage in values["stages"]),
                    "augmentation": Augmentation.from_dict(values["augmentation"]),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidConfigError(f"not a run's configuration: {error}") from error


def _stage(value: Any) -> Stage:
    """Read a stage from a run's record, or from the notation of a recipe."""
    return Stage.parse(value) if isinstance(value, str) else Stage(**value)
