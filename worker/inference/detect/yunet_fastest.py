"""What runs YuNet: OpenVINO where it is the faster one, OpenCV elsewhere. Both find the same."""

import logging
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Final

from worker.inference.detect import Detector
from worker.inference.detect.yunet import YuNet
from worker.inference.openvino_core import NoOpenVino

_X86_64: Final = ("x86_64", "AMD64")

log = logging.getLogger(__name__)


def fastest_yunet(model: Path, threads: int | None) -> Callable[[], Detector]:
    """A factory of YuNet detectors, one per thread, as in choose_detector. Raises OSError where the
    file cannot be read, cv2.error or ValueError where it is no YuNet."""
    if platform.machine() in _X86_64:
        try:
            from worker.inference.detect.yunet_openvino import Networks, YuNetOpenVino

            networks = Networks(model, threads or 1, patient=threads is None)
        except (ImportError, NoOpenVino) as error:
            log.info("YuNet runs on OpenCV, two to three times slower than on OpenVINO: %s", error)
        else:
            return lambda: YuNetOpenVino(networks)
    YuNet(model)
    return lambda: YuNet(model)
