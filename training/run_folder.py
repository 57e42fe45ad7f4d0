"""A run's folder: configuration, curves, checkpoint, and a release per finished stage.

run.json          configuration, versions, data, device
curves.csv, .png  loss and learning rate by step
checkpoint.npz    the whole state, to resume from
stage-1-32/       the release of the first stage, at 32 pixels; and so on
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from training.backend import environment
from training.datasets.entry import InvalidDataError
from training.geometry import MEASURED
from training.progress import Progress
from training.run_config import InvalidConfigError, RunConfig
from worker.model import release
from worker.model.card import ModelCard

RUN: Final = "run.json"
CHECKPOINT: Final = "checkpoint.npz"


@dataclass(frozen=True)
class RunFolder:
    """A run on disk.

    `data` describes the training data: path, layout, split, pictures, sha256, and each emotion's
    share of the targets. `start` describes the release that the run started from, as it was then:
    name, version, weights_sha256, training. `teacher` describes the run's teacher likewise.
    """

    path: Path
    config: RunConfig
    data: Mapping[str, Any]
    start: Mapping[str, Any] | None = None
    teacher: Mapping[str, Any] | None = None

    @classmethod
    def create(cls, path: Path, config: RunConfig, data: Mapping[str, Any]) -> "RunFolder":
        """Create a run.

        Raises InvalidDataError if the folder already contains one, InvalidConfigError if the start
        is another network or the teacher needs other pictures, and InvalidReleaseError.
        """
        if (path / RUN).exists():
            raise InvalidDataError(f"{path} already contains a run: continue it with --resume")
        _check_releases(config)
        start, teacher = _record(config.start), _record(config.teacher)
        run = {
            "config": asdict(config),
            "data": dict(data),
            "start": start,
            "teacher": teacher,
            "environment": environment(),
        }
        path.mkdir(parents=True, exist_ok=True)
        (path / RUN).write_text(json.dumps(run, indent=2) + "\n")
        return cls(path, config, data, start, teacher)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open an existing run. Raises InvalidDataError if there is none."""
        try:
            run = json.loads((path / RUN).read_text())
            config = RunConfig.from_dict(run["config"])
            return cls(path, config, run["data"], run["start"], run.get("teacher"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidDataError(f"{path / RUN}: not a run: {error}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the run. Raises InvalidDataError if another process holds it."""
        with (self.path / RUN).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InvalidDataError(
                    f"{self.path}: another process is training this run"
                ) from error
            yield  # closing the file, or the end of the process, releases the lock

    def card(self, side: int) -> ModelCard:
        """Return the card of this run's model at that input size, before scoring.

        Its crop is empty if the data set has not been measured.
        """
        return ModelCard(
            name=self.config.architecture,
            version="0.0.0",
            labels=EMOTIONS,
            input_size=side,
            source_size=self.config.source_size,
            colour=self.config.colour,
            crop=MEASURED.get(self.data.get("layout", ""), {}),
            temperature=1.0,
            weights_sha256="",
            architecture=self.config.architecture,
        )

    def save_stage(
        self, number: int, side: int, weights: Mapping[str, NDArray[Any]], progress: Progress
    ) -> Path:
        """Write the release of stage `number`, counted from 0, and return its folder."""
        folder = self.path / f"stage-{number + 1}-{side}"
        stages = self.config.stages[: number + 1]
        # Start and teacher are recorded below as what they were, not as names or paths.
        so_far = replace(self.config, start=None, teacher=None, stages=stages)
        training = {
            "start": self.start,
            "teacher": self.teacher,
            "config": asdict(so_far),
            "data": {key: value for key, value in self.data.items() if key != "path"},
            "environment": environment(),
            "steps": progress.step,
            "hours": round(progress.seconds / 3600, 2),
        }
        release.save(folder, replace(self.card(side), training=training), weights)
        return folder

    def check_start(self) -> None:
        """Raise InvalidDataError if the release that the run started from has changed."""
        self._check(self.start, self.config.start, "started from")

    def check_teacher(self) -> None:
        """Raise InvalidDataError if the teacher has changed."""
        self._check(self.teacher, self.config.teacher, "has the teacher")

    def _check(self, then: Mapping[str, Any] | None, model: str | None, verb: str) -> None:
        now = _record(model)
        if then and now and then["weights_sha256"] != now["weights_sha256"]:
            raise InvalidDataError(
                f"{self.path} {verb} {then['name']} {then['version']}, which has been replaced "
                "since: start another run"
            )

    def last_stage(self) -> Path:
        """Return the release folder of the last finished stage.

        Raises InvalidDataError if no stage is finished.
        """
        finished = sorted(
            self.path.glob("stage-*-*"), key=lambda stage: int(stage.name.split("-")[1])
        )
        if not finished:
            raise InvalidDataError(f"{self.path}: no stage of this run is finished yet")
        return finished[-1]


def _check_releases(config: RunConfig) -> None:
    if config.start:
        network = release.load(config.start).card.architecture
        if network != config.architecture:
            raise InvalidConfigError(
                f"{config.start} is a {network}, and the run's architecture is "
                f"{config.architecture}: give another --start or --architecture"
            )
    if config.teacher:
        card = release.load(config.teacher).card
        if (card.colour, card.source_size) != (config.colour, config.source_size):
            raise InvalidConfigError(
                f"the teacher {config.teacher} is for {card.colour} pictures of {card.source_size} "
                f"pixels, the run has {config.colour} ones of {config.source_size}"
            )


def _record(model: str | None) -> dict[str, Any] | None:
    """Return the record of a release that a run uses, including its training."""
    if model is None:
        return None
    card = release.load(model).card
    return {
        "name": card.name,
        "version": card.version,
        "weights_sha256": card.weights_sha256,
        "training": dict(card.training),
    }
