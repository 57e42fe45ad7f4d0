"""The dashboard Fleet: whether all is well with cameras, workers, frames and sinks."""

from typing import Final

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.panel import Panel, per_second
from deploy.grafana.queries import Query, quantiles

_NOW: Final = (
    Panel(
        "Cameras up",
        "Cameras that deliver frames.",
        (Query("sum(emotion_camera_up)"),),
        kind="stat", width=4, height=4,
    ),
    Panel(
        "Cameras down",
        "Cameras that are configured, and that their producer cannot reach.",
        (Query("count(emotion_camera_up == 0) or vector(0)"),),
        kind="stat", width=4, height=4, bad_above=1,
    ),
    Panel(
        "Workers",
        "Workers that answer Prometheus.",
        (Query("count(emotion_owned_cameras) or vector(0)"),),
        kind="stat", width=4, height=4, bad_below=1,
    ),
    Panel(
        "Accounts that do not balance",
        "Cameras with a frame that is missing or counted twice. Always 0.",
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
)  # fmt: skip

_FRAMES: Final = (
    per_second(
        "What became of frames",
        "Frames per second by outcome; an analysed frame has an event.",
        "sum by (outcome) (camera_outcome:emotion_frames:rate5m)",
        "{{outcome}}",
        stacked=True,
    ),
    Panel(
        "Lost before Valkey",
        "Frames that were captured and not stored, by reason: a newer one replaced it, "
        "Valkey was full, or Valkey refused it.",
        (Query("sum by (reason) (rate(emotion_capture_drops_total[5m]))", "{{reason}}"),),
        unit="cps",
    ),
    Panel(
        "People in view",
        "Tracks that are open, over all cameras.",
        (Query("sum(max by (camera) (emotion_people_in_view))", "people"),),
    ),
    Panel(
        "Backlog",
        "Frames that are queued or pending, over all cameras.",
        (Query("fleet:emotion_backlog_frames:sum", "frames"),),
    ),
    Panel(
        "Emotion episodes",
        "Episodes that started per minute, by emotion.",
        (Query("60 * sum by (emotion) (rate(emotion_episodes_total[5m]))", "{{emotion}}"),),
        stacked=True,
    ),
)  # fmt: skip

_LATENCY: Final = (
    Panel(
        "Capture to event",
        "Latency of frames that have an event. Objective: 99 % of all frames within a second.",
        quantiles("emotion_end_to_end_seconds"),
        unit="s", bad_above=1,
    ),
    Panel(
        "Frames without an event within a second",
        "Share of all frames that ended. Above 1 %, the objective is missed.",
        tuple(
            Query(f"fleet:emotion_objective_missed:ratio_rate{window}", window)
            for window in ("5m", "1h", "6h", "3d")
        ),
        unit="percentunit", bad_above=0.01,
    ),
)  # fmt: skip

_SERVERS: Final = (
    Panel(
        "Requests",
        "Requests that the gateway answered, by status.",
        (Query("sum by (status) (rate(emotion_gateway_requests_total[5m]))", "{{status}}"),),
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
        "From redis_exporter. At the limit, Valkey refuses frames.",
        (
            Query("redis_memory_used_bytes", "used"),
            Query("redis_memory_max_bytes", "limit"),
        ),
        unit="bytes", width=6,
    ),
    Panel(
        "Failed calls to Valkey",
        "By kind of process. Each call is retried.",
        (
            Query("sum(rate(emotion_redis_errors_total[5m]))", "workers"),
            Query("sum(rate(emotion_producer_redis_errors_total[5m]))", "producers"),
            Query("sum(rate(emotion_gateway_redis_errors_total[5m]))", "gateways"),
            Query("sum(rate(emotion_sink_redis_errors_total[5m]))", "sinks"),
        ),
        unit="cps", width=6,
    ),
)  # fmt: skip

_SINKS: Final = (
    Panel(
        "Delivers",
        "Whether the target accepts records.",
        (Query("emotion_sink_up", "{{sink}}"),),
        kind="state-timeline", width=6, bad_below=1, most=1,
    ),
    Panel(
        "Records",
        "Records delivered per second.",
        (Query("sum by (sink) (rate(emotion_sink_records_total[5m]))", "{{sink}}"),),
        unit="cps", width=6,
    ),
    Panel(
        "Behind",
        "Age of the oldest record that is not delivered.",
        (Query("emotion_sink_lag_seconds", "{{sink}}"),),
        unit="s", width=6, bad_above=300,
    ),
    Panel(
        "Failures",
        "Attempts that failed, each retried; and refused records, which become dead letters.",
        (
            Query("sum by (sink) (increase(emotion_sink_failures_total[5m]))", "{{sink}} failed"),
            Query(
                "sum by (sink) (increase(emotion_sink_dead_letters_total[5m]))",
                "{{sink}} refused",
            ),
        ),
        width=6,
    ),
)  # fmt: skip

FLEET: Final = Dashboard(
    "emotion-fleet",
    "Fleet",
    "Whether all is well: cameras, workers, latency, and what becomes of frames.",
    (
        ("Now", _NOW),
        ("Frames", _FRAMES),
        ("Latency", _LATENCY),
        ("Gateway and Valkey", _SERVERS),
        ("Sinks", _SINKS),
    ),
)
