"""A folder per emotion, holding its pictures; a folder per split above them, or none."""

from importlib.resources.abc import Traversable
from typing import Final

from emotion_streams.emotions import EMOTIONS, Emotion
from training.datasets.entry import Entry, InvalidData, hard_target

WHOLE: Final = "all"
"""The one split of a data set that is not divided."""

SPLITS: Final = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}
PICTURES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

SYNONYMS: Final[dict[str, Emotion]] = {
    "afraid": "fear",
    "angry": "anger",
    "calm": "neutral",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "suprise": "surprise",
    "surprised": "surprise",
    **{emotion: emotion for emotion in EMOTIONS},
}
"""Names that such folders have in public data sets, `suprise` among them."""


def recognises(root: Traversable) -> bool:
    """Whether a folder of an emotion's name is there, in a split's or at the top."""
    return bool(splits(root))


def splits(root: Traversable) -> list[str]:
    """The splits that are there, `all` where emotions stand at the top."""
    children = _folders(root)
    if any(child.name.lower() in SYNONYMS for child in children):
        return [WHOLE]
    return [split for split in SPLITS if _split(children, split)]


def entries(root: Traversable, split: str) -> list[Entry]:
    """The pictures of a split, or all."""
    folder = root if split == WHOLE else _split(_folders(root), split)
    if folder is None:
        raise InvalidData(f"no folder of split {split!r}")
    found = []
    for child in sorted(_folders(folder), key=lambda child: child.name):
        if child.name.startswith((".", "__")):
            continue
        emotion = SYNONYMS.get(child.name.lower())
        if emotion is None:
            raise InvalidData(
                f"folder {child.name!r} names no emotion; the names are {', '.join(EMOTIONS)}"
            )
        winner = EMOTIONS.index(emotion)
        found += [
            Entry(f"{child.name}/{file.name}", file, hard_target(winner), winner)
            for file in sorted(child.iterdir(), key=lambda file: file.name)
            if file.name.lower().endswith(PICTURES)
        ]
    return found


def _folders(root: Traversable) -> list[Traversable]:
    return [child for child in root.iterdir() if child.is_dir()]


def _split(children: list[Traversable], split: str) -> Traversable | None:
    """The split's folder where it holds a folder of an emotion."""
    for child in children:
        if child.name.lower() in SPLITS[split] and any(
            inner.name.lower() in SYNONYMS for inner in _folders(child)
        ):
            return child
    return None
