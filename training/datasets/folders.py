"""A folder of pictures per emotion; above these, one folder per split, or none."""

import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Final

from emotion_streams.emotions import EMOTIONS, Emotion
from training.datasets.entry import Entry, InvalidDataError, hard_target

WHOLE: Final = "all"
"""The only split of a data set that is not divided."""

SPLITS: Final = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}
PICTURES: Final = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm"),
)

SYNONYMS: Final[dict[str, Emotion]] = {
    "afraid": "fear",
    "angry": "anger",
    "calm": "neutral",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "disgusting": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "joy": "happiness",
    "joyful": "happiness",
    "mad": "anger",
    "sad": "sadness",
    "scared": "fear",
    "suprise": "surprise",  # codespell:ignore
    "surprised": "surprise",
    **{emotion: emotion for emotion in EMOTIONS},
}
"""Folder names in public data sets, some of them misspelt. Digits and punctuation around
a name are ignored: `0_angry`, `7-neutral`."""


def matches(root: Traversable) -> bool:
    """Return whether there is a folder with an emotion's name, at the top or in a split."""
    return bool(splits(root))


def splits(root: Traversable) -> list[str]:
    """Return the splits that exist: `all` if the emotions are at the top."""
    children = below(root)
    if any(map(_emotion, children)):
        return [WHOLE]
    return [split for split in SPLITS if _split(children, split)]


def missing(root: Traversable) -> str | None:
    """Return what is wrong with folders of pictures that name no emotion, None without any."""
    names = sorted(child.name for child in below(root) if any(map(_is_picture, child.iterdir())))
    if not names:
        return None
    listed = ", ".join(names[:8])
    if all(name.isdigit() for name in names):
        return f"folders {listed} are numbers, whose meaning depends on the data set: name them"
    return f"none of the folders {listed} names an emotion; the names are {', '.join(EMOTIONS)}"


def entries(root: Traversable, split: str) -> list[Entry]:
    """Return the pictures of a split, or all, in the emotions' folders and those below them.

    Raises InvalidDataError if another folder contains pictures: a misspelt emotion must be noticed.
    """
    folder = root if split == WHOLE else _split(below(root), split)
    if folder is None:
        raise InvalidDataError(f"no folder of split {split!r}")
    found = []
    for child in sorted(below(folder), key=lambda child: child.name):
        files = list(_pictures(child, child.name))
        emotion = _emotion(child)
        if not files:
            continue
        if emotion is None:
            raise InvalidDataError(
                f"folder {child.name!r} names no emotion; the names are {', '.join(EMOTIONS)}"
            )
        label = EMOTIONS.index(emotion)
        found += [Entry(name, file, hard_target(label), label) for name, file in files]
    return found


def _pictures(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    """Yield the pictures in a folder and below it, with their paths."""
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.name.startswith("."):  # files that other systems add
            continue
        if child.is_dir():
            yield from _pictures(child, f"{path}/{child.name}")
        elif _is_picture(child):
            yield f"{path}/{child.name}", child


def _is_picture(file: Traversable) -> bool:
    return file.name.lower().endswith(PICTURES)


def _emotion(folder: Traversable) -> Emotion | None:
    return SYNONYMS.get(re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folder.name.lower()))


def below(root: Traversable) -> list[Traversable]:
    """Return the folders in a folder, without those that programs create, such as `__MACOSX`."""
    return [
        child
        for child in root.iterdir()
        if child.is_dir() and not child.name.startswith((".", "__"))
    ]


def _split(children: list[Traversable], split: str) -> Traversable | None:
    """Return the split's folder if it contains a folder of an emotion."""
    for child in children:
        if child.name.lower() in SPLITS[split] and any(map(_emotion, below(child))):
            return child
    return None
