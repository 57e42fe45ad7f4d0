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
{listen}
{locations}
    }}
}}
"""


def documented() -> str:
    """Return the block of nginx's configuration in docs/gateway.md."""
    (block,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/gateway.md").read_text(), re.DOTALL)
    return str(block)


def documented_http2(program: str) -> str:
    """Return the lines for HTTP/2 in docs/gateway.md that are for this version of nginx."""
    found = re.search(
        r"`(listen 443 ssl;[^`]*)`, before version ([\d.]+) `(listen[^`]*)`",
        (ROOT / "docs/gateway.md").read_text(),
    )
    assert found
    new, since, old = found.groups()
    answer = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    version = answer.stderr.strip().rpartition("/")[2].split(" ")[0]
    return new if _number(version) >= _number(since) else old


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


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

    def __init__(self, gateway_port: int, http2: bool = False) -> None:
        """`http2`: as documented, with a certificate of its own."""
        program = require()
        self.port = free_port()
        self.root = f"https://localhost:{self.port}" if http2 else f"http://127.0.0.1:{self.port}"
        self.base = f"{self.root}/emotions/"
        self._folder = Path(tempfile.mkdtemp(prefix="es-nginx-"))
        self._folder.chmod(0o755)  # its worker is another user if it is started by root
        locations = documented()
        assert "127.0.0.1:8080" in locations
        configuration = self._folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                listen=self._encrypted(program) if http2 else f"listen 127.0.0.1:{self.port};",
                locations=locations.replace("127.0.0.1:8080", f"127.0.0.1:{gateway_port}"),
            )
        )
        self._process = subprocess.Popen(
            [program, "-p", str(self._folder), "-c", str(configuration)],
            stderr=subprocess.PIPE,
            text=True,
        )

    def _encrypted(self, program: str) -> str:
        certificate, key = self._folder / "certificate.pem", self._folder / "key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=localhost", "-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
        listen = documented_http2(program).replace("443", f"127.0.0.1:{self.port}")
        return f"{listen} ssl_certificate {certificate}; ssl_certificate_key {key};"

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
