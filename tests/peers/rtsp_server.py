"""A real RTSP server, run by the system's Python, which has GStreamer's bindings.

usage: rtsp_server.py PORT [USER PASSWORD [basic|digest]]

Serves /h264 and /mjpeg at 320 x 240, 15 frames a second, and prints "ready". SIGSTOP freezes it in
mid-stream, SIGKILL ends it; both are what real cameras do.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURES = "video/x-raw,format=I420,width=320,height=240,framerate=15/1"
SOURCE = f"videotestsrc is-live=true pattern=ball ! {PICTURES}"
H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15"
STREAMS = {
    "/h264": f"{H264} ! rtph264pay name=pay0 pt=96",
    "/mjpeg": "jpegenc quality=85 ! rtpjpegpay name=pay0 pt=26",
}


def main() -> None:
    port, *credentials = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    for path, encoder in STREAMS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {SOURCE} ! {encoder} )")
        factory.set_shared(True)
        if credentials:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(path, factory)
    if credentials:
        user, password, kind = (*credentials, "basic")[:3]
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth = GstRtspServer.RTSPAuth()
        if kind == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
    if not server.attach(None):
        sys.exit(f"port {port} is in use")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
