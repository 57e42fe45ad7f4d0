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
        "Whether the camera delivers frames.",
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
        "The difference was skipped on purpose, dropped, or damaged.",
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
        "Skipped on purpose (rate, motion), dropped before Valkey (newer, full, refused), damaged.",
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
        "Bytes of JPEG stored in Valkey per second.",
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
        "Frames per second by outcome.",
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
        "Faces analysed",
        "Faces per second by the most likely emotion of the frame; each person counts in each.",
        f"sum by (emotion) (rate(emotion_faces_total{_CAMERA}[1m]))",
        "{{emotion}}",
        stacked=True,
    ),
    Panel(
        "Account",
        "All frames that were stored, by their outcome or state.",
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
        "Difference of the capture times from Valkey's clock.",
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
        "Episodes that started per minute, by emotion.",
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
        "Tracks that ended per minute. Discarded: the tracking state could not be read.",
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
        "Share of tracks of at most two seconds. Above a half, people often change tracks.",
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
