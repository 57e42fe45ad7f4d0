"""The eight emotions, in the order in which every probability vector on the wire lists them."""

from typing import Final, Literal, get_args

Emotion = Literal[
    "fear", "anger", "happiness", "disgust", "contempt", "neutral", "sadness", "surprise"
]

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)
