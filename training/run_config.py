"""What a training run is made of: everything that decides its result, written beside it."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from training.augment import Augmentation
from worker.model.architecture import MIN_INPUT_SIZE
from worker.model.card import MAX_INPUT_SIZE

MAX_SEED: Final = 2**32 - 1
"""numpy's, which Keras seeds too."""


class InvalidConfigError(Exception):
    """A run that cannot be: what is wrong with its configuration."""


class DivergedError(InvalidConfigError):
    """A run whose loss or weights are no longer finite: at which step, and what to do."""


@dataclass(frozen=True)
class Stage:
    """A part of a run at one input size, with a warm-up and a cosine of its own.

    `rate` is the learning rate at its peak.
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
        """From `SIDE:STEPS:BATCH:RATE`, such as 32:2000:48:1e-3."""
        try:
            side, steps, batch, rate = text.split(":")
            return cls(int(side), int(steps), int(batch), float(rate))
        except ValueError as error:
            raise InvalidConfigError(f"stage {text!r} is not SIDE:STEPS:BATCH:RATE") from error

    def rate_at(self, step: int) -> float:
        """The learning rate of the stage's step 0 to steps - 1: a linear warm-up over its first
        twentieth (at most 500 steps), then half a cosine down to a hundredth of the peak."""
        warm_up = min(math.ceil(self.steps / 20), 500)
        if step < warm_up:
            return self.rate * (step + 1) / (warm_up + 1)
        done = (step - warm_up) / max(self.steps - warm_up, 1)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Pace:
    """What does not change a run's result: how often it is saved, threads that prepare batches."""

    checkpoint_minutes: float = 5.0
    workers: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_minutes < math.inf or self.workers < 1:
            raise InvalidConfigError("workers are 1 or more, checkpoint minutes 0 or more")


@dataclass(frozen=True)
class RunConfig:
    """A training run.

    `sampling` is the exponent by which rare emotions are drawn more often: 1 as they come, 0 all
    equally often; the loss corrects for it, so that the model still learns how frequent each is.
    `start` names the release whose weights a run begins from, None is from scratch. `ema` is the
    decay of the averaged weights per step; `validations` how often each stage is validated.
    """

    stages: tuple[Stage, ...]
    seed: int = 0
    start: str | None = None
    sampling: float = 0.5
    mixup: float = 0.0
    dropout: float = 0.1
    final_dropout: float = 0.2
    weight_decay: float = 0.01
    ema: float = 0.995
    clip_norm: float = 5.0
    colour: Literal["grey", "rgb"] = "grey"
    source_size: int = 48
    validations: int = 4
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if not self.stages:
            raise InvalidConfigError("a run needs at least one stage")
        if not (0 <= self.dropout < 1 and 0 <= self.ema < 1 and 0 <= self.sampling <= 1):
            raise InvalidConfigError("dropout and ema are from 0 and below 1, sampling is 0 to 1")
        if min(self.mixup, self.weight_decay, self.validations, self.seed) < 0:
            raise InvalidConfigError("mixup, weight decay, validations and seed are not below 0")
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
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[int, int]:
        """The number of the stage that a step of the run lies in, and the step's number in it."""
        for number, stage in enumerate(self.stages):
            if step < stage.steps:
                return number, step
            step -= stage.steps
        raise InvalidConfigError(f"the run ends {step + 1} steps before that step")

    def to_json(self) -> str:
        """The configuration as text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "RunConfig":
        """From what `to_json` wrote; InvalidConfigError where it is of another kind."""
        try:
            return cls(
                **{
                    **fields,
                    "stages": tuple(Stage(**stage) for stage in fields["stages"]),
                    "augmentation": Augmentation(**fields["augmentation"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise InvalidConfigError(f"not a run's configuration: {error}") from error
