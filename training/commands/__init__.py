"""The commands: each reads its arguments, does the work and prints the result."""

from typing import Final

from training.backend import BackendUnavailableError
from training.commands.data import geometry, inspect
from training.commands.evaluate import evaluate
from training.commands.release import export, quantize
from training.commands.train import summary, train
from training.datasets import InvalidDataError
from training.quantize import Int8UnavailableError
from training.run_config import InvalidConfigError
from worker.inference.detect.choose import DetectorUnavailableError
from worker.inference.engines.choose import EngineUnavailableError
from worker.model.card import InvalidReleaseError

__all__ = [
    "USER_ERRORS",
    "evaluate",
    "export",
    "geometry",
    "inspect",
    "quantize",
    "summary",
    "train",
]

USER_ERRORS: Final = (
    InvalidDataError,
    InvalidConfigError,
    InvalidReleaseError,
    BackendUnavailableError,
    DetectorUnavailableError,
    EngineUnavailableError,
    Int8UnavailableError,
)
"""Errors whose message says in one line what is wrong, where, and what to do."""
