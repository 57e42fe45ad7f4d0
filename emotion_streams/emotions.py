"""The eight emotions, in the order of every probability vector on the wire."""

from typing import Final, Literal, get_args

Emotion = Literal[
    "fear", "anger", "happiness", "disgust", "contempt", "neutral", "sadness", "surprise"
]

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)
