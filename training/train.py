"""A training run: stages of growing input size, resumable after any interruption."""

import math
import time
from threading import Event
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training import checkpoint, network
from training.batches import Batches, logit_adjustment
from training.curves import Curves, Row, plot
from training.datasets import Faces
from training.progress import Bar, Progress
from training.run_config import DivergedError, RuntimeOptions, Stage
from training.run_folder import CHECKPOINT, RunFolder
from training.teacher import open_teacher
from worker.inference.crop import preprocess

CALIBRATION_PICTURES: Final = 768
"""Number of pictures that batch norm's statistics are measured on for the averaged weights, if
there are as many."""

VALIDATED: Final = 1024
"""Number of validation pictures of a validation during training, which is for orientation."""


class Training:
    """The part of a run that one process does.

    It starts from the state of the folder. It ends with the run, or after `stop` is set (by
    SIGTERM, for example), which leaves a checkpoint.
    """

    def __init__(
        self, faces: Faces, valid: Faces | None, folder: RunFolder, options: RuntimeOptions
    ) -> None:
        self.stop = Event()
        self._faces, self._valid, self._folder, self._options = faces, valid, folder, options
        self._config = config = folder.config
        shift = logit_adjustment(faces.targets, config.sampling)
        self._model = network.build(config, shift)
        self._step = network.training_step(self._model, config, shift)
        self._teacher = open_teacher(config, shift, options.workers)
        self._progress = Progress()
        self._saved_at = time.monotonic()

    def run(self, resume: bool) -> bool:
        """Train, and return whether the run is complete.

        Each finished stage leaves a release in the run's folder: the averaged weights at the
        stage's input size. A run that stopped before its first checkpoint resumes from the
        beginning. Raises DivergedError, and leaves the last checkpoint unchanged.
        """
        if resume and (self._folder.path / CHECKPOINT).exists():
            self._progress = checkpoint.load(self._folder.path, self._model)
        done = self._progress.step
        with Curves(self._folder.path, done) as curves, Bar(self._config, done) as bar:
            while self._progress.step < self._config.steps:
                self._run_stage(curves, bar)
                self._save(curves)
                if self.stop.is_set():
                    break
            bar.say("drawing the curves ...")
        plot(self._folder.path)
        return self._progress.step == self._config.steps

    def _run_stage(self, curves: Curves, bar: Bar) -> None:
        number, first = self._config.at(self._progress.step)
        stage = self._config.stages[number]
        card = self._folder.card(stage.side)
        batches = Batches(self._faces, self._config, number, card, self._teacher)
        began, before = time.monotonic(), self._progress.seconds
        prepared = batches.from_step(first, self._options.workers)
        for step, (pictures, targets) in enumerate(prepared, start=first):
            self._model.optimizer.learning_rate = rate = stage.rate_at(step)
            loss = self._step(pictures, targets)
            if not math.isfinite(loss):
                raise self._diverged(f"the loss is {loss} at step {self._progress.step + 1}")
            seconds = before + time.monotonic() - began
            self._progress = Progress(self._progress.step + 1, seconds)
            accuracy = self._validate(stage) if self._is_due(stage, step) else None
            if accuracy is not None:
                bar.say(f"validation accuracy after step {self._progress.step}: {accuracy:.1%}")
            curves.add(Row(self._progress.step, stage.side, rate, loss, seconds, accuracy))
            bar.show(self._progress.step, loss)
            if step + 1 == stage.steps:
                break  # saved once its release is written: a checkpoint is never between the two
            if self.stop.is_set():
                return
            if time.monotonic() - self._saved_at > 60 * self._options.checkpoint_minutes:
                self._save(curves)
        self._check_weights()
        bar.say(f"stage {number + 1} is trained; averaging its weights ...")
        averaged = self._averaged(batches)
        saved = self._folder.save_stage(number, stage.side, averaged, self._progress)
        bar.say(f"wrote {saved}")

    def _is_due(self, stage: Stage, step: int) -> bool:
        """Return whether a validation is due: the stage has as many equal parts as those."""
        parts = self._config.validations
        return parts > 0 and (step + 1) * parts // stage.steps > step * parts // stage.steps

    def _validate(self, stage: Stage) -> float | None:
        if self._valid is None:
            return None
        valid = self._valid.take(
            np.linspace(0, len(self._valid) - 1, min(VALIDATED, len(self._valid))).astype(np.int64)
        )
        card = self._folder.card(stage.side)
        right = 0
        for first in range(0, len(valid), stage.batch):
            pictures = [preprocess(p, card) for p in valid.pictures[first : first + stage.batch]]
            logits = self._model.predict_on_batch(np.stack(pictures).astype(np.float32) / 255)
            truth = valid.labels[first : first + stage.batch]
            right += int((np.asarray(logits).argmax(axis=1) == truth).sum())
        return right / len(valid)

    def _averaged(self, batches: Batches) -> dict[str, NDArray[Any]]:
        size = self._config.stages[batches.number].batch
        count = max(1, min(CALIBRATION_PICTURES, len(self._faces)) // size)
        return network.averaged_weights(self._model, (batches[n][0] for n in range(count)))

    def _save(self, curves: Curves) -> None:
        self._check_weights()
        curves.sync()  # first, so that they contain every step of the checkpoint
        checkpoint.save(self._folder.path, self._model, self._progress)
        self._saved_at = time.monotonic()

    def _check_weights(self) -> None:
        """Raise DivergedError if a weight is not finite.

        The loss is that of the weights before the step; only the step itself may have damaged them.
        """
        if not network.is_finite(self._model):
            raise self._diverged(f"weights are not finite after step {self._progress.step}")

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{self._folder.path}: {what} of {self._config.steps}, and the last checkpoint "
            "is from before. Start another run with a lower rate"
        )
