"""The eight emotions, in the order of every probability vector on the wire."""

from typing import Final, Literal, get_args

from emotion_streams.fields import MalformedMessageError

Emotion = Literal[
    "fear", "anger", "happiness", "disgust", "contempt", "neutral", "sadness", "surprise"
]

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)

UNCERTAIN: Final = "uncertain"
"""The steady label of a face that shows no clear emotion, or is too small, blurred or turned."""

Label = Emotion | Literal["uncertain"]


def parse_emotion(text: str) -> Emotion:
    """Return the emotion of this name. Raises MalformedMessageError."""
    if text not in EMOTIONS:
        raise MalformedMessageError(f"emotion {text[:40]!r} is not one of {', '.join(EMOTIONS)}")
    return text
