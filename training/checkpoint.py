"""A run's whole state on disk, written atomically."""

import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np

from training.datasets.entry import InvalidDataError
from training.network import variables
from training.progress import Progress
from training.run_folder import CHECKPOINT


def save(folder: Path, model: keras.Model, progress: Progress) -> None:
    """Write every variable of the model and of its optimizer, and the progress."""
    arrays = {f"{n:04}": v.numpy() for n, v in enumerate(variables(model))}
    partial = folder / f"{CHECKPOINT}.partial"
    with partial.open("wb") as file:
        np.savez(file, progress=np.array(json.dumps(vars(progress))), allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / CHECKPOINT)


def load(folder: Path, model: keras.Model) -> Progress:
    """Set the variables of the model and of its optimizer from a checkpoint.

    Raises InvalidDataError if the checkpoint is missing, damaged or that of another model.
    """
    path = folder / CHECKPOINT
    try:
        with np.load(path, allow_pickle=False) as arrays:
            progress = Progress(**json.loads(str(arrays["progress"])))
            for number, variable in enumerate(variables(model)):
                variable.assign(arrays[f"{number:04}"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"{path}: no checkpoint of this model: {error}") from error
    return progress
