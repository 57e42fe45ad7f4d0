"""A folder per emotion, holding its pictures; a folder per split above them, or none."""

import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Final

from emotion_streams.emotions import EMOTIONS, Emotion
from training.datasets.entry import Entry, InvalidDataError, hard_target

WHOLE: Final = "all"
"""The one split of a data set that is not divided."""

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
    "suprise": "surprise",
    "surprised": "surprise",
    **{emotion: emotion for emotion in EMOTIONS},
}
"""Names that such folders have in public data sets, `suprise` among them. Numbers and punctuation
around a name count for nothing: `0_angry`, `7-neutral`."""


def recognises(root: Traversable) -> bool:
    """Whether a folder of an emotion's name is there, in a split's or at the top."""
    return bool(splits(root))


def splits(root: Traversable) -> list[str]:
    """The splits that are there, `all` where emotions stand at the top."""
    children = below(root)
    if any(map(_emotion, children)):
        return [WHOLE]
    return [split for split in SPLITS if _split(children, split)]


def missing(root: Traversable) -> str | None:
    """What is wrong with folders of pictures that name no emotion, None where there are none."""
    names = sorted(child.name for child in below(root) if any(map(_is_picture, child.iterdir())))
    if not names:
        return None
    told = ", ".join(names[:8])
    if all(name.isdigit() for name in names):
        return f"folders {told} are numbers, which mean something else in each data set: name them"
    return f"none of the folders {told} names an emotion; the names are {', '.join(EMOTIONS)}"


def entries(root: Traversable, split: str) -> list[Entry]:
    """The pictures of a split, or all, in the emotions' folders and those below them.
    InvalidDataError where another folder has pictures: a misspelt emotion must not go unnoticed."""
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
        winner = EMOTIONS.index(emotion)
        found += [Entry(name, file, hard_target(winner), winner) for name, file in files]
    return found


def _pictures(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    """The pictures in a folder and below it, with their paths."""
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.name.startswith("."):  # what other systems leave beside a picture
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
    """The folders in a folder that somebody made; not `__MACOSX` and the like."""
    return [
        child
        for child in root.iterdir()
        if child.is_dir() and not child.name.startswith((".", "__"))
    ]


def _split(children: list[Traversable], split: str) -> Traversable | None:
    """The split's folder where it holds a folder of an emotion."""
    for child in children:
        if child.name.lower() in SPLITS[split] and any(map(_emotion, below(child))):
            return child
    return None
