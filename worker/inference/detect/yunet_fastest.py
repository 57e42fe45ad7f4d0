"""What runs YuNet: OpenVINO where it is the faster one, OpenCV elsewhere. Both find the same."""

import logging
import platform
from collections.abc import Callable
from typing import Final

from worker.inference.detect import Detector
from worker.inference.detect.yunet import YuNet
from worker.inference.openvino_core import OpenVinoUnavailableError

_X86_64: Final = ("x86_64", "AMD64")

log = logging.getLogger(__name__)


MAX_OPENVINO_SIDE: Final = 1280
"""OpenVINO keeps a network of side by side pixels for every picture at once: 40 MB at 640, and in
proportion to its pixels beyond that."""


def fastest_yunet(weights: bytes, threads: int | None, side: int) -> Callable[[], Detector]:
    """Return a factory of YuNet detectors, one per thread.

    `weights`: the content of the ONNX file. `threads`, `side`: as in choose_detector. Raises
    cv2.error or ValueError if it is not YuNet.
    """
    if side <= MAX_OPENVINO_SIDE and platform.machine() in _X86_64:
        try:
            from worker.inference.detect.yunet_openvino import Networks, YuNetOpenVino

            networks = Networks(weights, threads or 1, side, patient=threads is None)
        except (ImportError, OpenVinoUnavailableError) as error:
            log.info("YuNet runs on OpenCV, two to three times slower than on OpenVINO: %s", error)
        else:
            return lambda: YuNetOpenVino(networks)
    YuNet(weights, side)
    return lambda: YuNet(weights, side)
