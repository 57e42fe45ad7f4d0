"""The proxy of the environment."""

from urllib.parse import SplitResult
from urllib.request import getproxies, proxy_bypass

from emotion_streams.redaction import redact_url


def environment_proxy(url: SplitResult) -> str | None:
    """Return the proxy for a camera, as FFmpeg chooses it: http_proxy, for https too."""
    host = url.hostname
    if not url.scheme.lower().startswith("http") or host is None or proxy_bypass(host):
        return None
    return getproxies().get("http")


def through_proxy(url: SplitResult) -> str:
    """Return the words that name the proxy of a camera in an error, empty if it has none."""
    proxy = environment_proxy(url)
    return f" (through the proxy {redact_url(proxy)} of the environment)" if proxy else ""
