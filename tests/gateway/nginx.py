"""A real nginx in front of a gateway, with the configuration that docs/gateway.md shows."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

import pytest

from tests.gateway.processes import ROOT
from tests.peers.mosquitto import make_certificate
from tests.servers import PATIENCE_S, eventually, free_port

_CONFIGURATION: Final = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
{locations}
    }}
}}
"""


_TLS: Final = """ ssl http2;
        ssl_certificate {folder}/tls.crt;
        ssl_certificate_key {folder}/tls.key"""


def documented() -> str:
    """Return the block of nginx's configuration in docs/gateway.md."""
    (block,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/gateway.md").read_text(), re.DOTALL)
    return str(block)


def require() -> str:
    """Return the path of nginx. Skips without it; fails if CI is set."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail("nginx is missing (Debian: nginx-light)")
    if found is None:
        pytest.skip("nginx is missing (Debian: nginx-light)")
    return found


class Nginx:
    """nginx on a free port of the loopback, in front of the gateway at another one."""

    def __init__(self, gateway_port: int, tls: bool = False) -> None:
        """`tls`: with HTTP/2, and a certificate of its own."""
        program = require()
        self.port = free_port()
        self.root = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.base = f"{self.root}/emotions/"
        self._folder = Path(tempfile.mkdtemp(prefix="es-nginx-"))
        self._folder.chmod(0o755)  # its worker is another user if it is started by root
        if tls:
            make_certificate(self._folder)
        locations = documented()
        assert "127.0.0.1:8080" in locations
        configuration = self._folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                port=self.port,
                tls=_TLS.format(folder=self._folder) if tls else "",
                locations=locations.replace("127.0.0.1:8080", f"127.0.0.1:{gateway_port}"),
            )
        )
        self._process = subprocess.Popen(
            [program, "-p", str(self._folder), "-c", str(configuration)],
            stderr=subprocess.PIPE,
            text=True,
        )

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            assert self._process.stderr
            raise RuntimeError(f"nginx ended: {self._process.stderr.read()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        try:
            eventually(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_S)
        shutil.rmtree(self._folder, ignore_errors=True)
