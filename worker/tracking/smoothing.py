"""The steady label of a track: probabilities averaged over time, and hysteresis in seconds."""

import math

from emotion_streams.emotions import EMOTIONS, UNCERTAIN, Label
from worker.tracking.constants import (
    END_HOLD_MS,
    END_SHARE,
    FULL_WEIGHT_SIDE,
    MAX_TURN_DEGREES,
    MIN_SHARPNESS,
    MIN_SIDE,
    MIN_WEIGHT,
    SMOOTHING_TAU_S,
    START_HOLD_MS,
    START_LEAD,
    START_SHARE,
)
from worker.tracking.parts import Eight, Steady
from worker.tracking.types import Sighting


def begin(sighting: Sighting, raw: Eight, now_ms: int, raw_ms: int) -> Steady:
    """Return the state of a new track. Its label is uncertain at first."""
    weight, clear = _weight(sighting)
    rival = _target(UNCERTAIN, raw) if clear else UNCERTAIN
    return Steady(UNCERTAIN, now_ms, raw, weight, raw, raw_ms, rival, now_ms)


def follow(
    steady: Steady, sighting: Sighting, raw: Eight, now_ms: int, last_ms: int, raw_ms: int
) -> Steady:
    """Return the state after a further sighting; the one before was at `last_ms`."""
    weight, clear = _weight(sighting)
    keep = math.exp((last_ms - now_ms) / 1000 / SMOOTHING_TAU_S)
    old, new = keep * steady.weight, (1 - keep) * weight
    total = old + new
    old, new = old / total, new / total
    smoothed = tuple([min(1.0, old * a + new * b) for a, b in zip(steady.smoothed, raw)])  # noqa: B905
    label, since_ms, rival, rival_ms = steady.label, steady.since_ms, steady.rival, steady.rival_ms
    target = _target(label, smoothed) if clear else UNCERTAIN
    if target != rival:
        rival, rival_ms = target, now_ms
    hold_ms = END_HOLD_MS if target == UNCERTAIN else START_HOLD_MS
    if target != label and now_ms - rival_ms >= hold_ms:
        label, since_ms = target, now_ms
    return Steady(label, since_ms, smoothed, total, raw, raw_ms, rival, rival_ms)


def _target(label: Label, smoothed: Eight) -> Label:
    """Return the label that these probabilities speak for, if the present one is `label`."""
    top = max(smoothed)
    emotion = EMOTIONS[smoothed.index(top)]
    if top >= START_SHARE or emotion == label:
        return emotion if top >= END_SHARE else UNCERTAIN
    second = sorted(smoothed)[-2]
    if top - second >= START_LEAD:
        return emotion
    if label != UNCERTAIN and smoothed[EMOTIONS.index(label)] >= END_SHARE:
        return label
    return UNCERTAIN


def _weight(sighting: Sighting) -> tuple[float, bool]:
    """Return the weight of a face in the average, and whether it is clear enough for a label."""
    side = max(sighting.box.width, sighting.box.height)
    turn, sharpness = sighting.turn_degrees, sighting.sharpness
    is_turned = turn is not None and abs(turn) > MAX_TURN_DEGREES
    is_blurred = sharpness is not None and sharpness < MIN_SHARPNESS
    if side < MIN_SIDE or is_turned or is_blurred:
        return MIN_WEIGHT, False
    return max(MIN_WEIGHT, min(1.0, sighting.score) * min(1.0, side / FULL_WEIGHT_SIDE)), True
