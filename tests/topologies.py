"""Real clusters, sentinels and TLS on loopback, for the tests."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import redis
from redis.crc import key_slot

from deploy.redis_server import find_server
from tests.proxy import CuttingProxy
from tests.servers import RedisProcess, eventually, free_port

NODE_TIMEOUT_MS = 1_000
"""Without a sign of life for so long a primary counts as lost, once one was killed. Before, nodes
may be as slow as a busy machine makes them: none takes over from another."""

_PATIENT_NODE_TIMEOUT_MS = 60_000
_SLOTS = 16_384


class Cluster:
    """Three primaries, and a replica for the first of them."""

    def __init__(self, *options: str) -> None:
        timeout = ("--cluster-node-timeout", str(_PATIENT_NODE_TIMEOUT_MS))
        own = ("--cluster-enabled", "yes", *timeout)
        quick = ("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
        with ExitStack() as ends:
            self._buses = [free_port() for _ in range(4)]
            self.nodes = [
                ends.enter_context(RedisProcess(*own, *quick, *options, *bus, port=free_port()))
                for bus in (("--cluster-port", str(port)) for port in self._buses)
            ]
            self.url = f"redis+cluster://127.0.0.1:{self.nodes[1].port}"
            self._join()
            self._ends = ends.pop_all()

    def _join(self) -> None:
        *primaries, replica = self.nodes
        for number, node in enumerate(primaries):
            first, after = (_SLOTS * n // 3 for n in (number, number + 1))
            self._tell(node, "ADDSLOTSRANGE", first, after - 1)
        for node, bus in zip(self.nodes[1:], self._buses[1:], strict=True):
            self._tell(self.nodes[0], "MEET", "127.0.0.1", node.port, bus)
        eventually(lambda: all(self._ok(node) for node in self.nodes))
        self._tell(replica, "REPLICATE", self._tell(self.nodes[0], "MYID").decode())
        eventually(lambda: self._info(replica).get("master_link_status") == "up")
        eventually(lambda: all(self._ok(node) for node in self.nodes))

    def kill_first(self) -> None:
        """Kill the primary that has the replica, which takes over then."""
        for node in self.nodes[1:]:
            with redis.Redis(unix_socket_path=str(node.socket)) as client:
                client.config_set("cluster-node-timeout", NODE_TIMEOUT_MS)
        self.nodes[0].kill()

    def first_slots_are_served(self) -> bool:
        """Whether the replica has taken over, and the others know."""
        return self._info(self.nodes[3])["role"] == "master" and self._ok(self.nodes[1])

    def camera_on(self, node: int, prefix: str) -> str:
        """A camera name whose keys live on this primary."""
        names = (f"{prefix}{number}" for number in range(1000))
        return next(name for name in names if self.shard(name) == node)

    def shard(self, name: str) -> int:
        """Which primary has this key, or this camera's keys."""
        return key_slot(name.encode()) * 3 // _SLOTS

    def _tell(self, node: RedisProcess, *words: object) -> Any:
        with redis.Redis(unix_socket_path=str(node.socket)) as client:
            # Not parsed: redis-py would make other things of these replies.
            return client.execute_command("CLUSTER", *words, NEVER_DECODE=True)

    def _info(self, node: RedisProcess) -> dict[str, Any]:
        with redis.Redis(unix_socket_path=str(node.socket)) as client:
            info: dict[str, Any] = client.info("replication")
            return info

    def _ok(self, node: RedisProcess) -> bool:
        with redis.Redis(unix_socket_path=str(node.socket)) as client:
            info = client.cluster("INFO")
            known = int(info["cluster_known_nodes"])
            return info["cluster_state"] == "ok" and known == len(self.nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


class SentinelPair:
    """A primary and its replica, and a pair of sentinels that watch them as `cameras`."""

    def __init__(self, *options: str) -> None:
        self._ends = ExitStack()
        self.primary = self._ends.enter_context(RedisProcess(*options, port=free_port()))
        follow = ("--replicaof", f"127.0.0.1 {self.primary.port}")
        self.replica = self._ends.enter_context(
            RedisProcess(*options, *follow, "--repl-diskless-sync-delay", "0", port=free_port())
        )
        self._ports = [free_port(), free_port()]
        self._sentinels = [self._start_sentinel(port) for port in self._ports]
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self.url = f"redis+sentinel://{hosts}/cameras"
        eventually(lambda: all(map(self._knows_all, self._ports)))

    def kill_primary(self) -> None:
        """Kill the primary; the replica takes over then."""
        for port in self._ports:
            with redis.Redis(port=port) as client:
                client.sentinel_set("cameras", "down-after-milliseconds", NODE_TIMEOUT_MS)
        self.primary.kill()

    def replica_is_primary(self) -> bool:
        """Whether the replica has taken over, and the sentinels say so."""
        with redis.Redis(port=self._ports[0]) as client:
            _, port = client.sentinel_get_master_addr_by_name("cameras")
        return bool(port == self.replica.port)

    def _start_sentinel(self, port: int) -> "subprocess.Popen[bytes]":
        config = self.primary.folder / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self.primary.folder}\n"
            f"sentinel monitor cameras 127.0.0.1 {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds cameras {_PATIENT_NODE_TIMEOUT_MS}\n"
            "sentinel failover-timeout cameras 4000\n"
        )
        return subprocess.Popen(
            [str(find_server()), str(config), "--sentinel"], stdout=subprocess.DEVNULL
        )

    def _knows_all(self, port: int) -> bool:
        try:
            with redis.Redis(port=port) as client:
                state = client.sentinel_master("cameras")
                return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == 1)
        except redis.exceptions.RedisError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        self._ends.close()


@contextmanager
def tls_front(port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    """A TLS endpoint before a server, as stunnel is one: its port, and the certificate that its
    clients must trust."""
    certificate, key = folder / "front.crt", folder / "front.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with CuttingProxy(port, {}, tls=tls) as proxy:
        yield proxy.port, certificate
