"""Labelled faces in the layouts that the public data sets come in."""

from training.datasets.entry import (
    AMBIGUOUS,
    Entry,
    Faces,
    InvalidDataError,
    UnreadablePictureError,
    read_faces,
    target_shares,
)
from training.datasets.layouts import DataSet, open_data

__all__ = [
    "AMBIGUOUS",
    "DataSet",
    "Entry",
    "Faces",
    "InvalidDataError",
    "UnreadablePictureError",
    "open_data",
    "read_faces",
    "target_shares",
]
