"""A picture to its faces and their emotions."""

import sys

# By this package OpenVINO and NNCF report each import to a third party, unless it is not there.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
