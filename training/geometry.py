"""Where each detector's box lies in the training pictures, and so how a crop is cut at serving."""

from typing import Final

from worker.model.card import CropGeometry

MEASURED: Final = {"yunet": CropGeometry(1.2), "haar": CropGeometry(1.0)}
"""Per detector, on FER+ Train."""
