"""Every constant of tracking, with its reason. docs/tracking.md has the measurements."""

from typing import Final

from emotion_streams.episodes import TRACK_GAP_MS

GAP_MS: Final = TRACK_GAP_MS
"""How long a track is kept without a detection, and the longest silence of a camera that counts as
time seen. A face that is hidden for a second keeps its id."""

BIRTH_MS: Final = 1_000
"""A track needs a second detection within this time, so that a false face makes none, and a camera
of a frame a minute neither."""

MAX_TRACKS: Final = 64
"""Tracks of a camera at a time, the largest; as many faces of a frame are classified."""

SIZE_WEIGHT: Final = 2.0
"""Weight of the logarithm of the sizes' ratio beside the distance in sizes. From frame to frame
YuNet's boxes vary by 2 to 5 %."""

GATE: Final = 0.5
GATE_PER_S: Final = 1.5
"""A face may be this far from a track's predicted place, in sizes: GATE, and GATE_PER_S for each
second since its last detection."""

VELOCITY_TAU_S: Final = 0.2
"""Time over which a velocity is averaged: one frame at 2 fps, several at 25 fps, where the
detector's noise would dominate."""

COAST_S: Final = 1.0
"""How far ahead a place is predicted by the velocity: for as long as a face is usually hidden."""

SMOOTHING_TAU_S: Final = 0.25
"""Time constant of the exponential average of the probabilities. With 0.7, and a hold of 400 ms,
a true change shows after 0.9 s (median) instead of 0.3 s; labels flip 0.6 instead of 1.7 times a
minute, and the most likely emotion of a frame 43 times."""

FULL_WEIGHT_SIDE: Final = 48
"""Side in pixels from which a face has full weight: that of the training pictures."""

MIN_WEIGHT: Final = 0.001
"""Weight of a face that is too small, blurred or turned: it decides only after seconds of them."""

START_SHARE: Final = 0.5
START_LEAD: Final = 0.15
START_HOLD_MS: Final = 150
"""An emotion becomes the label after it held this smoothed probability, or this lead before the
next emotion, for this time."""

END_SHARE: Final = 0.35
END_HOLD_MS: Final = 600
"""A label becomes uncertain after its smoothed probability was below this for this time."""

MIN_SIDE: Final = 14
"""Side in pixels below which a face is too small for a label: of FER+'s faces at this size the
model names 65 % right, of those at 48 pixels 85 %, at 10 pixels 49 %."""

MIN_SHARPNESS: Final = 8.0
"""FER+'s faces were blurred: simpnet-v2-32 names 54 % right at a sharpness of 6 to 8, 73 % at 10 to
15, and 84 % of the sharp ones."""

MAX_TURN_DEGREES: Final = 50.0
"""Of FER+'s faces, simpnet-v2-32 names 86 % right up to this turn, and 64 % from 50 to 60 degrees,
of which there are only 22."""

UPDATE_MS: Final = 5_000
"""Least time between two reports of an emotion that lasts."""

STEADY_MS: Final = 1_000
"""A label that was held for this time is steady, if no other one is about to follow."""

MINUTE_GRACE_MS: Final = 2_000
"""Time after a minute's end at which the owner closes it without a frame: longer than GAP_MS, so
that a silent camera's tracks are closed before."""

MAX_LOST: Final = 2**31 - 1
"""Frames that a minute counts as lost at most."""

MAX_UNSEEN_FRAMES: Final = 250
"""Frames without a detection after which a track ends even if no time has passed by its camera's
clock, which may have stopped. In GAP_MS a camera has as many at 166 fps."""

MAX_DWELLS: Final = 256
"""Times in view that a minute keeps for their median; of more, the first ones."""

MAX_STATE_BYTES: Final = 64 << 10
"""Limit of a packed state; MAX_TRACKS tracks take about half."""
