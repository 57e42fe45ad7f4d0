"""Chooses what runs YuNet: OpenVINO if it is faster, else OpenCV. Both find the same faces."""

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
"""Largest side in pixels for OpenVINO. For every picture at once, OpenVINO keeps a network of
side x side pixels. It takes 40 MB at 640, and beyond that in proportion to its pixels."""


def fastest_yunet(weights: bytes, threads: int | None, side: int) -> Callable[[], Detector]:
    """Return a factory of YuNet detectors, one per thread.

    `weights` is the content of the ONNX file. `threads` and `side` are those of choose_detector.
    Raises cv2.error or ValueError if the file is not YuNet.
    """
    if side <= MAX_OPENVINO_SIDE and platform.machine() in _X86_64:
        try:
            from worker.inference.detect.yunet_compiler import NetworkCompiler
            from worker.inference.detect.yunet_openvino import Networks, YuNetOpenVino

            networks = Networks(
                NetworkCompiler(weights, threads or 1), side, patient=threads is None
            )
        except (ImportError, OpenVinoUnavailableError) as error:
            log.info("YuNet runs on OpenCV, two to three times slower than on OpenVINO: %s", error)
        else:
            return lambda: YuNetOpenVino(networks)
    YuNet(weights, side)
    return lambda: YuNet(weights, side)
