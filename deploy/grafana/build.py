"""Write the dashboards: `python -m deploy.grafana.build`. A test compares the files with it."""

import json
from pathlib import Path
from typing import Final

from deploy.grafana.audience import AUDIENCE
from deploy.grafana.panels import Dashboard, Panel, Query

FOLDER: Final = Path(__file__).parent / "dashboards"

_CAMERA: Final = '{camera=~"$camera"}'
_WORKER: Final = '{instance=~"$worker"}'
_SHORT_TRACKS: Final = 'emotion_track_seconds_bucket{camera=~"$camera", le="2.0"}'
_ENGINE_BUSY: Final = 'emotion_busy_seconds_total{instance=~"$worker", part="engine"}'


def _per_second(title: str, about: str, expr: str, legend: str, stacked: bool = False) -> Panel:
    return Panel(title, about, (Query(expr, legend),), unit="cps", stacked=stacked)


def _quantiles(name: str, by: str = "") -> tuple[Query, ...]:
    """Return the queries of the 50th, 95th and 99th percentile of a histogram over 5 minutes."""
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by (le) (rate({name}_bucket{by}[5m])))",
            f"{round(q * 100)} %",
        )
        for q in (0.5, 0.95, 0.99)
    )


FLEET: Final = Dashboard(
    "emotion-fleet",
    "Fleet",
    "Whether all is well: cameras, workers, latency, and what becomes of frames.",
    (
        (
            "Now",
            (
                Panel(
                    "Cameras up",
                    "Cameras that give frames.",
                    (Query("sum(emotion_camera_up)"),),
                    kind="stat", width=4, height=4,
                ),
                Panel(
                    "Cameras down",
                    "Cameras that a producer has, and cannot reach.",
                    (Query("count(emotion_camera_up == 0) or vector(0)"),),
                    kind="stat", width=4, height=4, bad_above=1,
                ),
                Panel(
                    "Workers",
                    "Workers that answer.",
                    (Query("count(emotion_owned_cameras) or vector(0)"),),
                    kind="stat", width=4, height=4, bad_below=1,
                ),
                Panel(
                    "Accounts that do not balance",
                    "Cameras of whose frames one is missing or counted twice. Always 0.",
                    (Query("count(emotion_ledger_balanced == 0) or vector(0)"),),
                    kind="stat", width=4, height=4, bad_above=1,
                ),
                Panel(
                    "Latency, 99 %",
                    "From a frame's capture to its event.",
                    (Query("fleet:emotion_end_to_end_seconds:p99_5m"),),
                    unit="s", kind="stat", width=4, height=4, bad_above=1,
                ),
                Panel(
                    "Expired",
                    "Share of frames that were too old when a worker got to them.",
                    (
                        Query(
                            'sum(camera_outcome:emotion_frames:rate5m{outcome="expired"})'
                            " / sum(camera:emotion_frames:rate5m)"
                        ),
                    ),
                    unit="percentunit", kind="stat", width=4, height=4, bad_above=0.05,
                ),
            ),
        ),
        (
            "Frames",
            (
                _per_second(
                    "What became of frames",
                    "Frames per second by outcome; analysed is what an event came of.",
                    "sum by (outcome) (camera_outcome:emotion_frames:rate5m)",
                    "{{outcome}}",
                    stacked=True,
                ),
                Panel(
                    "Lost before Valkey",
                    "Frames captured, not stored, by reason: newer ones came first, Valkey was "
                    "full, or refused.",
                    (
                        Query(
                            "sum by (reason) (rate(emotion_capture_drops_total[5m]))", "{{reason}}"
                        ),
                    ),
                    unit="cps",
                ),
                Panel(
                    "People in view",
                    "Tracks that are open, over all cameras.",
                    (Query("sum(max by (camera) (emotion_people_in_view))", "people"),),
                ),
                Panel(
                    "Backlog",
                    "Frames that wait or are being worked on, over all cameras.",
                    (Query("fleet:emotion_backlog_frames:sum", "frames"),),
                ),
                _per_second(
                    "Emotions",
                    "Faces per second by emotion.",
                    "sum by (emotion) (rate(emotion_faces_total[5m]))",
                    "{{emotion}}",
                    stacked=True,
                ),
            ),
        ),
        (
            "Latency",
            (
                Panel(
                    "Capture to event",
                    "Of frames that have an event. The objective: 99 % of all within a second.",
                    _quantiles("emotion_end_to_end_seconds"),
                    unit="s", bad_above=1,
                ),
                Panel(
                    "Frames without an event within a second",
                    "Share of all that ended. 1 % uses the budget up as fast as it comes.",
                    tuple(
                        Query(f"fleet:emotion_objective_missed:ratio_rate{window}", window)
                        for window in ("5m", "1h", "6h", "3d")
                    ),
                    unit="percentunit", bad_above=0.01,
                ),
            ),
        ),
        (
            "Gateway and Valkey",
            (
                Panel(
                    "Requests",
                    "Answered by the gateway, by status.",
                    (
                        Query(
                            "sum by (status) (rate(emotion_gateway_requests_total[5m]))",
                            "{{status}}",
                        ),
                    ),
                    unit="reqps", width=6,
                ),
                Panel(
                    "Open streams",
                    "Clients that follow events or pictures.",
                    (Query("sum by (route) (emotion_gateway_streams)", "{{route}}"),),
                    width=6,
                ),
                Panel(
                    "Memory of Valkey",
                    "By redis_exporter. At its limit, producers are refused.",
                    (
                        Query("redis_memory_used_bytes", "used"),
                        Query("redis_memory_max_bytes", "limit"),
                    ),
                    unit="bytes", width=6,
                ),
                Panel(
                    "Failed calls to Valkey",
                    "By process. Each is tried again.",
                    (
                        Query("sum(rate(emotion_redis_errors_total[5m]))", "workers"),
                        Query("sum(rate(emotion_producer_redis_errors_total[5m]))", "producers"),
                        Query("sum(rate(emotion_gateway_redis_errors_total[5m]))", "gateways"),
                        Query("sum(rate(emotion_sink_redis_errors_total[5m]))", "sinks"),
                    ),
                    unit="cps", width=6,
                ),
            ),
        ),
        (
            "Sinks",
            (
                Panel(
                    "Delivers",
                    "Whether the target takes records.",
                    (Query("emotion_sink_up", "{{sink}}"),),
                    kind="state-timeline", width=6, bad_below=1, most=1,
                ),
                Panel(
                    "Records",
                    "Delivered per second.",
                    (
                        Query(
                            "sum by (sink) (rate(emotion_sink_records_total[5m]))", "{{sink}}"
                        ),
                    ),
                    unit="cps", width=6,
                ),
                Panel(
                    "Behind",
                    "Age of the oldest record that waits.",
                    (Query("emotion_sink_lag_seconds", "{{sink}}"),),
                    unit="s", width=6, bad_above=300,
                ),
                Panel(
                    "Failures",
                    "Attempts that failed, each tried again; refused records, which are dead "
                    "letters.",
                    (
                        Query(
                            "sum by (sink) (increase(emotion_sink_failures_total[5m]))",
                            "{{sink}} failed",
                        ),
                        Query(
                            "sum by (sink) (increase(emotion_sink_dead_letters_total[5m]))",
                            "{{sink}} refused",
                        ),
                    ),
                    width=6,
                ),
            ),
        ),
    ),
)  # fmt: skip

CAMERA: Final = Dashboard(
    "emotion-camera",
    "Camera",
    "A camera from its lens to its events.",
    (
        (
            "Camera",
            (
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
            ),
        ),
        (
            "Analysis",
            (
                _per_second(
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
                _per_second(
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
                    (
                        Query(
                            f"max by (camera) (abs(emotion_clock_skew_seconds{_CAMERA}))",
                            "{{camera}}",
                        ),
                    ),
                    unit="s", bad_above=1,
                ),
            ),
        ),
        (
            "People",
            (
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
            ),
        ),
    ),
    ("camera", "label_values(emotion_camera_up, camera)"),
)  # fmt: skip

WORKER: Final = Dashboard(
    "emotion-worker",
    "Worker and GPU",
    "Whether a worker's engine is at work, and where a frame's time goes.",
    (
        (
            "Engine",
            (
                Panel(
                    "Busy",
                    "Share of time in which a part works: threads (they decode and detect) and "
                    "engine (a GPU, or the CPU's). Either above 0.8: add workers.",
                    (
                        Query(
                            f"instance_part:emotion_busy:ratio_rate2m{_WORKER}",
                            "{{instance}} {{part}}",
                        ),
                    ),
                    unit="percentunit", most=1, bad_above=0.8,
                ),
                Panel(
                    "Faces per second",
                    "That the engine classified.",
                    (
                        Query(
                            "sum by (instance) "
                            f"(rate(emotion_batch_faces_sum{_WORKER}[2m]))",
                            "{{instance}}",
                        ),
                    ),
                    unit="cps",
                ),
                Panel(
                    "Faces per batch",
                    "How many faces one call of the engine gets; it grows with the load.",
                    (
                        Query(
                            "sum by (le) "
                            f"(increase(emotion_batch_faces_bucket{_WORKER}[$__rate_interval]))",
                            "{{le}}",
                        ),
                    ),
                    kind="heatmap",
                ),
                Panel(
                    "Classifications reused",
                    "Share of faces that kept an earlier frame's probabilities since faces waited "
                    "for the engine; see --reuse-ms.",
                    (
                        Query(
                            "sum by (instance) "
                            f"(rate(emotion_classifications_reused_total{_WORKER}[2m])) / ("
                            "sum by (instance) "
                            f"(rate(emotion_classifications_reused_total{_WORKER}[2m])) + "
                            "sum by (instance) "
                            f"(rate(emotion_batch_faces_sum{_WORKER}[2m])) > 0)",
                            "{{instance}}",
                        ),
                    ),
                    unit="percentunit", most=1,
                ),
                Panel(
                    "Time per face",
                    "Of the engine's time; falls as batches fill.",
                    (
                        Query(
                            f"sum by (instance) (rate({_ENGINE_BUSY}[2m])) / "
                            f"sum by (instance) (rate(emotion_batch_faces_sum{_WORKER}[2m]) > 0)",
                            "{{instance}}",
                        ),
                    ),
                    unit="s",
                ),
            ),
        ),
        (
            "Work",
            (
                Panel(
                    "Cameras",
                    "That the worker owns.",
                    (Query(f"emotion_owned_cameras{_WORKER}", "{{instance}}"),),
                ),
                Panel(
                    "Backlog",
                    "Of the worker's cameras.",
                    (
                        Query(
                            f"sum by (instance) (emotion_backlog_frames{_WORKER})", "{{instance}}"
                        ),
                    ),
                ),
                Panel(
                    "Stages, 95 %",
                    "A frame's time at work in each stage.",
                    (
                        Query(
                            "histogram_quantile(0.95, sum by (le, stage) "
                            f"(rate(emotion_stage_seconds_bucket{_WORKER}[5m])))",
                            "{{stage}}",
                        ),
                    ),
                    unit="s",
                ),
                Panel(
                    "Capture to event",
                    "Of the worker's cameras.",
                    _quantiles("emotion_end_to_end_seconds", _WORKER),
                    unit="s", bad_above=1,
                ),
                Panel(
                    "FencedError",
                    "Commits refused since another worker has the camera: after a pause or a cut.",
                    (Query(f"increase(emotion_fenced_total{_WORKER}[5m])", "{{instance}}"),),
                ),
                Panel(
                    "What runs",
                    "Version, model and engine.",
                    (Query('emotion_build_info{process="worker"}'),),
                    kind="table",
                ),
            ),
        ),
    ),
    ("worker", "label_values(emotion_owned_cameras, instance)"),
)  # fmt: skip

DASHBOARDS: Final = {"fleet": FLEET, "camera": CAMERA, "worker": WORKER, "audience": AUDIENCE}


def to_text(dashboard: Dashboard) -> str:
    """Return the content of a dashboard's file."""
    return json.dumps(dashboard.to_json(), indent=1) + "\n"


def main() -> None:
    """Write the dashboards' files."""
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(to_text(dashboard))


if __name__ == "__main__":
    main()
