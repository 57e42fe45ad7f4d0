"""The metrics of every process: each name, unit and meaning, in a module per process.

Labels are a camera's name, an outcome, a stage or a reason: never a URL, a track or a pid.
"""

from service.metrics.factory import build_info
from service.metrics.gateway import GatewayMetrics
from service.metrics.producer import ProducerMetrics
from service.metrics.sinks import SinkMetrics
from service.metrics.worker import WorkerMetrics

__all__ = ["GatewayMetrics", "ProducerMetrics", "SinkMetrics", "WorkerMetrics", "build_info"]
