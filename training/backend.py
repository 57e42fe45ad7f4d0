"""Keras and its backend.

Nothing here imports them before it is called, because only training needs them.
"""

import importlib.util
import os
import platform
import sys
from typing import Any, Final

TRAINING: Final = ("torch", "tensorflow", "jax")
"""Keras' backends that can train, the fastest first."""


class BackendUnavailableError(Exception):
    """Keras cannot train here; the message says why, and what to do."""


def choose() -> None:
    """Set KERAS_BACKEND to the first backend of TRAINING that is installed.

    Does nothing if it is set or Keras is imported. Keras itself would choose TensorFlow even if it
    is not installed. Without a home directory, Keras would create a folder named `~` here for its
    settings; KERAS_HOME is set so that it does not.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib raises RuntimeError
        os.environ.setdefault("KERAS_HOME", f"{os.devnull}/keras")
    installed = [name for name in TRAINING if importlib.util.find_spec(name)]
    if installed and "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", installed[0])


def require() -> None:
    """Import Keras and its backend.

    Raises BackendUnavailableError if one of them is not installed or cannot train.
    """
    choose()
    try:
        import keras
    except (ImportError, ValueError) as error:  # ValueError: unknown KERAS_BACKEND
        raise BackendUnavailableError(
            f"Keras cannot run here: {error}. Run pip install 'emotion-streams[training]' "
            f"torch (or another of {', '.join(TRAINING)}); KERAS_BACKEND must be one of those "
            "installed"
        ) from error
    if (name := keras.backend.backend()) not in TRAINING:
        raise BackendUnavailableError(
            f"KERAS_BACKEND is {name!r}, which cannot train; {', '.join(TRAINING)} can"
        )


def environment() -> dict[str, Any]:
    """Return the versions of Python and the libraries, and the device, for the run's record."""
    import cv2
    import keras
    import numpy as np

    backend = keras.backend.backend()
    gpus = _gpus(backend)
    # The version is that of the module: its distribution may be opencv-python-headless or
    # tensorflow-cpu.
    return {
        "backend": backend,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        backend: sys.modules[backend].__version__,
        "device": f"{f'{gpus} GPUs, ' if gpus else ''}{os.cpu_count()} CPU cores "
        f"({platform.machine()})",
    }


def _gpus(backend: str) -> int:
    if backend == "torch":  # Keras does not list its devices
        return int(sys.modules[backend].cuda.device_count())
    import keras

    try:
        return len(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # raised by JAX without such a platform
        return 0
