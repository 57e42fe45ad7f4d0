"""The sources of pictures: one module per kind."""

from pathlib import Path

from producer.native import NativeStderr
from producer.settings import DEFAULT_FPS, CameraSettings
from producer.source import Source
from producer.source_kind import SourceKind, source_kind
from producer.sources.demo import DemoSource
from producer.sources.file import FileSource
from producer.sources.folder import FolderSource
from producer.sources.network import NetworkSource
from producer.sources.stream_reader import Decoding
from producer.sources.v4l2 import V4l2Source


def make_source(settings: CameraSettings, errors: NativeStderr) -> Source:
    """Create the source that a camera's settings name. It is not open yet."""
    source = settings.source
    fps = settings.fps or DEFAULT_FPS
    decoding = Decoding(settings.max_fps, settings.decode == "keyframes", settings.hwaccel)
    timeouts = (settings.open_timeout_s, settings.read_timeout_s)
    match source_kind(source):
        case SourceKind.DEMO:
            return DemoSource()
        case SourceKind.V4L2:
            device = f"/dev/video{int(source)}" if source.isdecimal() else source
            size = settings.capture_size or (settings.width, round(settings.width * 3 / 4))
            return V4l2Source(device, size, fps, settings.read_timeout_s)
        case SourceKind.NETWORK:
            verify = settings.tls_verify
            stream = NetworkSource(
                source, settings.transport, *timeouts, errors, tls_verify=verify, decoding=decoding
            )
            if source.lower().startswith("rtsp"):
                return stream
            # The modules of HTTP are not needed by the processes of other cameras.
            from producer.sources.http_camera import HttpSource
            from producer.sources.snapshot import SnapshotSource

            snapshots = SnapshotSource(source, fps, *timeouts, tls_verify=verify)
            return HttpSource(stream, snapshots, *timeouts)
        case SourceKind.FOLDER:
            return FolderSource(Path(source), fps, settings.loop)
        case SourceKind.FILE:
            return FileSource(Path(source), settings.loop, *timeouts, decoding)
