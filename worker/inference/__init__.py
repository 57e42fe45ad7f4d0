"""Finds the faces in a picture and classifies their emotions."""

import os
import sys

# OpenVINO and NNCF use this package to report each import to a third party. They skip the report
# if the package is missing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# Keras and its backends read these when they are imported, which is later. They make a backend
# allocate GPU memory on demand, not all of it at once.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# Without a home folder, Keras would make a folder named ~ in the current one for its settings.
if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib raises RuntimeError
    os.environ.setdefault("KERAS_HOME", f"{os.devnull}/keras")
