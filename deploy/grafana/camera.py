"""The dashboard Camera: a camera from its lens to its events."""

from typing import Final

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.panel import Panel, per_second
from deploy.grafana.queries import Query

_CAMERA: Final = '{camera=~"$camera"}'
_SHORT_TRACKS: Final = 'emotion_track_seconds_bucket{camera=~"$camera", le="2.0"}'

_CAPTURE: Final = (
    Panel(
        "Up",
        "Whether frames come.",
        (Query(f"emotion_camera_up{_CAMERA}", "{{camera}}"),),
        kind="state-timeline", bad_below=1, most=1,
    ),
    Panel(
        "Age of the newest frame",
        "Grows while the camera is down.",
        (Query(f"emotion_camera_frame_age_seconds{_CAMERA}", "{{camera}}"),),
        unit="s",
    ),
    Panel(
        "Frames captured and stored",
        "The difference was skipped on purpose or lost.",
        (
            Query(
                f"sum by (camera) (rate(emotion_captured_frames_total{_CAMERA}[1m]))",
                "{{camera}} captured",
            ),
            Query(
                f"sum by (camera) (rate(emotion_published_frames_total{_CAMERA}[1m]))",
                "{{camera}} stored",
            ),
        ),
        unit="cps",
    ),
    Panel(
        "Left out",
        "On purpose (rate, motion), lost before Valkey (newer, full, refused), broken.",
        (
            Query(
                "sum by (camera, reason) "
                f"(rate(emotion_skipped_frames_total{_CAMERA}[1m]))",
                "{{camera}} {{reason}}",
            ),
            Query(
                "sum by (camera, reason) "
                f"(rate(emotion_capture_drops_total{_CAMERA}[1m]))",
                "{{camera}} {{reason}}",
            ),
            Query(
                "sum by (camera) "
                f"(rate(emotion_capture_decode_errors_total{_CAMERA}[1m]))",
                "{{camera}} damaged",
            ),
        ),
        unit="cps",
    ),
    Panel(
        "Reconnects and restarts",
        "The camera failed and was opened again; its process hung or crashed.",
        (
            Query(
                "sum by (camera) "
                f"(increase(emotion_camera_reconnects_total{_CAMERA}[5m]))",
                "{{camera}} reconnects",
            ),
            Query(
                "sum by (camera) "
                f"(increase(emotion_camera_restarts_total{_CAMERA}[5m]))",
                "{{camera}} restarts",
            ),
        ),
    ),
    Panel(
        "Bytes stored",
        "Frames as JPEG, to Valkey.",
        (
            Query(
                "sum by (camera) "
                f"(rate(emotion_published_bytes_total{_CAMERA}[1m]))",
                "{{camera}}",
            ),
        ),
        unit="Bps",
    ),
)  # fmt: skip

_ANALYSIS: Final = (
    per_second(
        "What became of frames",
        "By outcome.",
        f"sum by (outcome) (rate(emotion_frames_total{_CAMERA}[1m]))",
        "{{outcome}}",
        stacked=True,
    ),
    Panel(
        "Backlog",
        "Frames that are queued or pending; by default at most 20 per camera.",
        (Query(f"max by (camera) (emotion_backlog_frames{_CAMERA})", "{{camera}}"),),
        bad_above=5,
    ),
    per_second(
        "Emotions",
        "Faces per second by emotion.",
        f"sum by (emotion) (rate(emotion_faces_total{_CAMERA}[1m]))",
        "{{emotion}}",
        stacked=True,
    ),
    Panel(
        "Account",
        "Frames ever stored, and where each is now.",
        (
            Query(
                f"max by (camera, state) (emotion_ledger_frames{_CAMERA})",
                "{{camera}} {{state}}",
            ),
        ),
        kind="table",
    ),
    Panel(
        "Clock",
        "How far capture times are from Valkey's clock.",
        (Query(f"max by (camera) (abs(emotion_clock_skew_seconds{_CAMERA}))", "{{camera}}"),),
        unit="s", bad_above=1,
    ),
)  # fmt: skip

_PEOPLE: Final = (
    Panel(
        "People in view",
        "Tracks that are open.",
        (Query(f"max by (camera) (emotion_people_in_view{_CAMERA})", "{{camera}}"),),
    ),
    Panel(
        "Emotion episodes",
        "That started, per minute, by emotion.",
        (
            Query(
                "60 * sum by (emotion) "
                f"(rate(emotion_episodes_total{_CAMERA}[5m]))",
                "{{emotion}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "Tracks",
        "That ended, per minute. Lost: with a tracking state that could not be read.",
        (
            Query(
                "60 * sum by (outcome) "
                f"(rate(emotion_tracks_total{_CAMERA}[5m]))",
                "{{outcome}}",
            ),
        ),
    ),
    Panel(
        "Short tracks",
        "Share of those of two seconds or less. Above a half, people lose their names.",
        (
            Query(
                "sum by (camera) "
                f"(rate({_SHORT_TRACKS}[15m])) / clamp_min(sum by (camera) "
                f"(rate(emotion_track_seconds_count{_CAMERA}[15m])), 1e-9)",
                "{{camera}}",
            ),
        ),
        unit="percentunit", most=1, bad_above=0.5,
    ),
)  # fmt: skip

CAMERA: Final = Dashboard(
    "emotion-camera",
    "Camera",
    "A camera from its lens to its events.",
    (
        ("Camera", _CAPTURE),
        ("Analysis", _ANALYSIS),
        ("People", _PEOPLE),
    ),
    ("camera", "label_values(emotion_camera_up, camera)"),
)
