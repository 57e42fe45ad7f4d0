"""Small data sets in the public layouts, drawn rather than photographed."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from training.datasets.affectnet import COLUMNS as AFFECTNET_COLUMNS
from training.datasets.affectnet import EXPRESSIONS, IMAGES
from training.datasets.ferplus import COLUMNS, LABELS, SPLITS


def face(emotion: int, number: int, side: int = 48, channels: int = 1) -> NDArray[np.uint8]:
    """A picture of stripes whose direction is the emotion, with noise of its own."""
    rng = np.random.default_rng((emotion, number))
    y, x = np.mgrid[:side, :side] / side
    angle = np.pi * emotion / len(EMOTIONS)
    waves = np.sin(25 * (x * np.cos(angle) + y * np.sin(angle)))
    picture = 128 + 70 * waves + rng.normal(0, 12, (side, side))
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    return grey if channels == 1 else np.repeat(grey[:, :, np.newaxis], channels, axis=2)


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def write_ferplus(root: Path, split: str, rows: Iterable[tuple[str, Mapping[str, int]]]) -> None:
    """A FER+ split: a picture per row of (name, votes)."""
    folder = root / SPLITS[split]
    folder.mkdir(parents=True)
    lines = []
    for number, (name, votes) in enumerate(rows):
        top = max(EMOTIONS, key=lambda emotion: votes.get(emotion, 0))
        write_picture(folder / name, face(EMOTIONS.index(top), number))
        lines.append([name, "(0, 0, 48, 48)", *(votes.get(column, 0) for column in COLUMNS)])
    with (folder / LABELS).open("w", newline="") as file:
        csv.writer(file).writerows(lines)


def ferplus(root: Path, per_emotion: int = 3) -> Path:
    """FER+ with every emotion in Train and Valid, each picture voted for by at least nine."""
    for split in ("train", "valid"):
        rows: list[tuple[str, dict[str, int]]] = [
            (f"{split}{number:03}.png", {"neutral": 1, EMOTIONS[number % 8]: 9})
            for number in range(8 * per_emotion)
        ]
        write_ferplus(root, split, rows)
    return root


def affectnet_listed(root: Path, expressions: Sequence[int]) -> Path:
    """AffectNet's first layout: a face at (10, 20), 60 pixels wide, in each 100 pixel picture."""
    for listing in ("training.csv", "validation.csv"):
        stem = listing.removesuffix(".csv")
        with ((root / listing) if root.is_dir() else _made(root) / listing).open("w") as file:
            writer = csv.writer(file)
            writer.writerow([*AFFECTNET_COLUMNS[:5], "facial_landmarks", "expression", "valence"])
            for number, expression in enumerate(expressions):
                name = f"{number}/{stem}.jpg"
                picture = np.zeros((100, 100, 3), np.uint8)
                index = EMOTIONS.index(EXPRESSIONS[expression]) if expression < 8 else 0
                picture[20:80, 10:70] = face(index, number, 60, channels=3)
                write_picture(root / IMAGES / name, picture)
                writer.writerow([name, 10, 20, 60, 60, "1;2", expression, 0.0])
    return root


def affectnet_exported(root: Path, expressions: Sequence[int]) -> Path:
    """AffectNet's later export: the expression as text in an array, as it is published."""
    for folder in ("train_set", "val_set"):
        (root / folder / "annotations").mkdir(parents=True)
        for number, expression in enumerate(expressions):
            write_picture(root / folder / "images" / f"{number}.jpg", face(0, number, 64, 3))
            np.save(root / folder / "annotations" / f"{number}_exp.npy", np.array(str(expression)))
            np.save(root / folder / "annotations" / f"{number}_aro.npy", np.array("0.1"))
    return root


def folders(root: Path, names: Sequence[str], per_folder: int = 1, side: int = 48) -> Path:
    """A folder per name, with that many RGB pictures in each."""
    for index, name in enumerate(names):
        for number in range(per_folder):
            write_picture(root / name / f"{number}.png", face(index % 8, number, side, 3))
    return root


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
