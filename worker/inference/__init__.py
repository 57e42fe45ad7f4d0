"""Finds the faces in a picture and classifies their emotions."""

import sys

# OpenVINO and NNCF use this package to report each import to a third party. They skip the report
# if the package is missing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
