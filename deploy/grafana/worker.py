"""The dashboard Worker and GPU: a worker's engine, and where a frame's time goes."""

from typing import Final

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.panel import Panel
from deploy.grafana.queries import Query, quantiles

_WORKER: Final = '{instance=~"$worker"}'
_ENGINE_BUSY: Final = 'emotion_busy_seconds_total{instance=~"$worker", part="engine"}'

_ENGINE: Final = (
    Panel(
        "Busy",
        "Share of time in which a part works: threads (they decode and detect) and "
        "engine (a GPU, or the CPU's). Either above 0.8: add workers.",
        (Query(f"instance_part:emotion_busy:ratio_rate2m{_WORKER}", "{{instance}} {{part}}"),),
        unit="percentunit", most=1, bad_above=0.8,
    ),
    Panel(
        "Faces per second",
        "Faces that the engine classified.",
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
        "Share of faces that kept an earlier frame's probabilities because faces waited "
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
        "Engine time per face; it falls as batches grow.",
        (
            Query(
                f"sum by (instance) (rate({_ENGINE_BUSY}[2m])) / "
                f"sum by (instance) (rate(emotion_batch_faces_sum{_WORKER}[2m]) > 0)",
                "{{instance}}",
            ),
        ),
        unit="s",
    ),
)  # fmt: skip

_WORK: Final = (
    Panel(
        "Cameras",
        "Cameras that the worker owns.",
        (Query(f"emotion_owned_cameras{_WORKER}", "{{instance}}"),),
    ),
    Panel(
        "Backlog",
        "Frames that are queued or pending, of the worker's cameras.",
        (Query(f"sum by (instance) (emotion_backlog_frames{_WORKER})", "{{instance}}"),),
    ),
    Panel(
        "Stages, 95 %",
        "Processing time of a frame in each stage.",
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
        "Latency of the worker's cameras.",
        quantiles("emotion_end_to_end_seconds", _WORKER),
        unit="s", bad_above=1,
    ),
    Panel(
        "Fenced commits",
        "Commits refused because another worker owns the camera, after a pause or an outage.",
        (Query(f"increase(emotion_fenced_total{_WORKER}[5m])", "{{instance}}"),),
    ),
    Panel(
        "What runs",
        "Versions, models and engines in use.",
        (Query('emotion_build_info{process="worker"}'),),
        kind="table",
    ),
)  # fmt: skip

WORKER: Final = Dashboard(
    "emotion-worker",
    "Worker and GPU",
    "Whether a worker's engine is at work, and where a frame's time goes.",
    (
        ("Engine", _ENGINE),
        ("Work", _WORK),
    ),
    ("worker", "label_values(emotion_owned_cameras, instance)"),
)
