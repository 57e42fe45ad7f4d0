"""Associates the faces of a frame with tracks."""

from collections.abc import Sequence

from worker.tracking.state import Tracks
from worker.tracking.types import Association, Sighting


def associate(
    before: Tracks, frame_id: str, captured_ms: int, sightings: Sequence[Sighting]
) -> Association:
    """Return the tracks of a frame's faces, and the tracker's state after it.

    Called in frame order; it may run ahead of commits: `before` is the `after` of the camera's
    previous association, or `state.tracks` after a start, a takeover or `close_silent`. A frame that
    is not newer than `before` has no tracks and changes nothing.
    """
    raise NotImplementedError
