"""The colours of the emotions, those of the live page."""

from typing import Final

from emotion_streams.emotions import UNCERTAIN, Label

COLOURS: Final[dict[Label, str]] = {
    "happiness": "#f5e642",
    "surprise": "#d29a00",
    "neutral": "#9393a5",
    "contempt": "#a8daee",
    "sadness": "#086592",
    "fear": "#d46be8",
    "disgust": "#0da478",
    "anger": "#c4330d",
    UNCERTAIN: "#55555f",
}
"""In the order of the live page: pleasant first."""


def bgr(label: Label) -> tuple[int, int, int]:
    """Return a label's colour as OpenCV takes it."""
    red, green, blue = bytes.fromhex(COLOURS[label][1:])
    return blue, green, red
