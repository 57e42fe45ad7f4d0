"""deploy/valkey: what each role may and may not do, on a real server with these very files."""

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.retry import Retry

from emotion_streams import (
    CameraStatus,
    Client,
    EmotionEvent,
    Ledger,
    connect_async,
    keys,
    list_cameras,
    read_ledger,
    subscribe_async,
)
from emotion_streams.connection import connect
from tests import samples
from tests.deploy.processes import CAMERA, ROOT, Process, start
from tests.deploy.programs import need
from tests.deploy.valkey import FOLDER, ROLES, Valkey, password, passwords
from tests.people import write_episode
from tests.servers import PATIENCE_S, eventually, free_port

FRAMES, EVENTS = keys.frames(CAMERA), keys.emotions(CAMERA)
LEASE, LEDGER, DEAD = keys.lease(CAMERA), keys.ledger(CAMERA), keys.dead(CAMERA)
INFO = keys.camera_info(CAMERA)
TRACKS, EPISODES, MINUTES = keys.tracks(CAMERA), keys.episodes(CAMERA), keys.minutes(CAMERA)

NEVER = Retry(NoBackoff(), 0)
CALL = re.compile(r"redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?")
CONTAINERS = ("XGROUP", "XINFO", "MEMORY")


class TestRealProcesses:
    """Producer, worker, gateway and sink run under their roles; see tests/deploy/processes.py."""

    def test_do_all_that_they_do_without_being_refused_once(
        self, valkey: Valkey, fleet: dict[str, Process]
    ) -> None:
        assert set(fleet) >= {"producer", "worker"}
        with valkey.client("admin") as admin:
            ours = {role for role in ROLES if role in fleet}
            refused = [entry for entry in admin.acl_log() if str(entry["username"]) in ours]
        assert refused == []

    async def test_a_subscriber_gets_events_and_sees_the_cameras(
        self, valkey: Valkey, fleet: dict[str, Process], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _become("subscriber", monkeypatch)
        assert (await _first_event(valkey.url)).camera == CAMERA
        async with asyncio.timeout(PATIENCE_S):
            # A worker that waits for a processor loses its lease, and takes it again.
            while not (camera := (await _cameras(valkey.url))[0]).owner:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert camera.camera == CAMERA

    def test_a_subscriber_reads_episodes_and_minutes(
        self, valkey: Valkey, fleet: dict[str, Process], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        episode, minute = samples.episode("past"), samples.minute("past")
        with valkey.client("worker") as worker:
            write_episode(worker, episode)
            worker.xadd(keys.minutes("past"), {"minute": minute.pack()}, id=f"{minute.start_ms}-0")
        _become("subscriber", monkeypatch)
        with Client(valkey.url) as client:
            assert [each.id for each in client.read_episodes("past")] == [episode.id]
            assert list(client.read_minutes("past")) == [minute]
            assert next(client.subscribe_episodes("past", after="start")).id == episode.id

    def test_invalid_reports_of_a_producer_hold_up_no_gateway(
        self,
    ) -> None:
        port = free_port()

        def listed() -> bytes:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/api/cameras", timeout=PATIENCE_S
                ) as reply:
                    return bytes(reply.read())
            except OSError:
                return b""

        with Valkey() as valkey, start("gateway", valkey, "--port", str(port)) as gateway:
            eventually(gateway.ready, timeout_s=PATIENCE_S)
            with valkey.client("producer") as producer:
                producer.hset(keys.camera_info("hostile"), "error", "/key" * 4_000)
                producer.zadd(keys.CAMERAS, {"hostile": 1})
            eventually(lambda: b"hostile" in listed(), timeout_s=PATIENCE_S, every_s=0.2)
            eventually(gateway.ready)
            gateway.popen.terminate()
            assert gateway.popen.wait(PATIENCE_S) == 0

    def test_answer_no_page_whose_name_was_pointed_at_them(self, fleet: dict[str, Process]) -> None:
        for process in fleet.values():
            url = f"http://127.0.0.1:{process.port}/metrics"
            rebound = urllib.request.Request(url, headers={"Host": f"evil.example:{process.port}"})
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(rebound, timeout=PATIENCE_S)

    async def test_an_operator_reads_the_ledger_and_a_subscriber_does_not(
        self, valkey: Valkey, fleet: dict[str, Process], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _become("operator", monkeypatch)
        assert (await _ledger(valkey.url)).analysed > 0
        _become("subscriber", monkeypatch)
        with pytest.raises(NoPermissionError):
            await _ledger(valkey.url)


def _become(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTION_REDIS_USERNAME", role)
    monkeypatch.setenv("EMOTION_REDIS_PASSWORD", password(role))


async def _first_event(url: str) -> EmotionEvent:
    async with asyncio.timeout(PATIENCE_S), aclosing(subscribe_async(url, after="start")) as events:
        return await anext(events)


async def _cameras(url: str) -> list[CameraStatus]:
    async with connect_async(url) as client:
        return await list_cameras(client)


async def _ledger(url: str) -> Ledger:
    async with connect_async(url) as client:
        return await read_ledger(client, CAMERA)


MAY = [
    ("producer", ("XADD", FRAMES, "MAXLEN", "=", "20", "*", "frame", "x")),
    ("producer", ("XTRIM", FRAMES, "MAXLEN", "=", "19")),
    ("producer", ("XLEN", FRAMES)),
    ("producer", ("ZADD", keys.CAMERAS, "1", CAMERA)),
    ("producer", ("HSET", INFO, "state", "up")),
    ("worker", ("XADD", EVENTS, "*", "event", "x")),
    ("worker", ("ZRANGE", keys.CAMERAS, "0", "-1")),
    ("worker", ("ZADD", keys.ANALYSED, "1", CAMERA)),
    ("worker", ("HGETALL", LEDGER)),
    ("worker", ("HGET", TRACKS, "open")),
    ("worker", ("HSET", TRACKS, "version", "1", "state", "x", "open", "1")),
    ("worker", ("XADD", EPISODES, "MAXLEN", "~", "9", "*", "episode", "x")),
    ("worker", ("XADD", MINUTES, "60000-0", "minute", "x")),
    ("worker", ("XTRIM", MINUTES, "MINID", "60000")),
    ("worker", ("PEXPIRE", EPISODES, "86400000")),
    ("subscriber", ("XRANGE", EVENTS, "-", "+")),
    *(
        (role, command)
        for role in ("subscriber", "gateway", "sink", "operator")
        for command in (("HMGET", INFO, "state"), ("HSTRLEN", INFO, "state"))
    ),
    ("subscriber", ("XLEN", FRAMES)),
    *(
        (role, ("ZINTER", "2", keys.ANALYSED, keys.CAMERAS))
        for role in ("worker", "subscriber", "gateway", "sink", "operator")
    ),
    *(
        (role, command)
        for role in ("subscriber", "gateway")
        for command in (
            ("XREAD", "COUNT", "1", "STREAMS", EPISODES, "0"),
            ("XREVRANGE", EPISODES, "+", "-", "COUNT", "1"),
            ("XRANGE", MINUTES, "-", "+", "COUNT", "1"),
        )
    ),
    ("gateway", ("XREAD", "COUNT", "1", "STREAMS", FRAMES, "0")),
    ("gateway", ("XREVRANGE", EVENTS, "+", "-", "COUNT", "1")),
    ("sink", ("XREAD", "COUNT", "1", "STREAMS", keys.episodes(CAMERA), "0")),
    ("sink", ("XRANGE", keys.minutes(CAMERA), "-", "+")),
    ("sink", ("HSET", keys.sink_places("home"), keys.episodes(CAMERA), "1-0")),
    ("sink", ("XADD", keys.sink_dead("home"), "MAXLEN", "~", "9", "*", "reason", "x")),
    ("operator", ("XRANGE", DEAD, "-", "+")),
    ("operator", ("XRANGE", keys.sink_dead("home"), "-", "+")),
    ("operator", ("XPENDING", FRAMES, keys.GROUP)),
    ("metrics", ("INFO",)),
    ("admin", ("CONFIG", "GET", "maxmemory")),
]

MAY_NOT = [
    ("producer", ("XRANGE", FRAMES, "-", "+")),
    ("producer", ("XREAD", "STREAMS", FRAMES, "0")),
    ("producer", ("XINFO", "STREAM", FRAMES)),
    ("producer", ("XADD", EVENTS, "*", "event", "x")),
    ("producer", ("XDEL", FRAMES, "1-1")),
    # Other fields than those that are shown may be of any size.
    *((role, ("HGETALL", INFO)) for role in ("producer", "subscriber", "gateway", "sink")),
    # Keys of a wrong type, which no process could read any more.
    ("producer", ("XADD", keys.camera_info("zz"), "*", "a", "b")),
    ("producer", ("HSET", keys.frames("new"), "a", "b")),
    ("producer", ("ZADD", keys.frames("new"), "1", "a")),
    ("producer", ("ZADD", keys.camera_info("zz"), "1", "a")),
    ("producer", ("HSET", keys.CAMERAS, "a", "b")),
    *(
        (role, ("ZADD", keys.ANALYSED, "1", "fake"))
        for role in ROLES
        if role not in ("worker", "admin")
    ),
    ("producer", ("XADD", keys.CAMERAS, "*", "a", "b")),
    ("producer", ("EVAL", "return 1", "0")),
    ("producer", ("FLUSHALL",)),
    ("worker", ("ZADD", keys.CAMERAS, "1", CAMERA)),
    ("worker", ("RENAME", EVENTS, "else")),
    ("worker", ("SET", "else", "1")),
    ("worker", ("CONFIG", "GET", "*")),
    ("subscriber", ("XRANGE", FRAMES, "-", "+")),
    ("subscriber", ("XINFO", "STREAM", FRAMES)),
    ("subscriber", ("XADD", EVENTS, "*", "event", "x")),
    ("subscriber", ("XRANGE", DEAD, "-", "+")),
    ("subscriber", ("HSET", LEASE, "owner", "me")),
    ("subscriber", ("KEYS", "*")),
    ("gateway", ("XADD", FRAMES, "*", "frame", "x")),
    ("gateway", ("HSET", INFO, "state", "up")),
    ("gateway", ("EVAL_RO", "return 1", "0")),
    ("sink", ("XRANGE", FRAMES, "-", "+")),
    ("sink", ("XREAD", "STREAMS", FRAMES, "0")),
    ("sink", ("XADD", keys.episodes(CAMERA), "*", "episode", "x")),
    ("sink", ("XADD", keys.sink_places("home"), "*", "a", "b")),
    ("sink", ("HSET", keys.camera_info(CAMERA), "state", "up")),
    ("sink", ("SADD", keys.CAMERAS, "x")),
    ("sink", ("DEL", keys.minutes(CAMERA))),
    ("operator", ("XDEL", DEAD, "1-1")),
    ("operator", ("EVAL", "return 1", "0")),
    ("operator", ("CONFIG", "SET", "maxmemory", "0")),
    ("metrics", ("XLEN", FRAMES)),
    ("metrics", ("SLOWLOG", "GET")),
    ("metrics", ("CONFIG", "GET", "*")),
    ("replica", ("GET", "x")),
    *((role, ("XRANGE", EPISODES, "-", "+")) for role in ("producer", "metrics", "replica")),
    *((role, ("XRANGE", MINUTES, "-", "+")) for role in ("producer", "metrics", "replica")),
    *(
        (role, ("XADD", key, "*", "episode", "x"))
        for role in ROLES
        if role not in ("worker", "admin")
        for key in (EPISODES, MINUTES)
    ),
    *((role, ("HSET", TRACKS, "open", "1")) for role in ROLES if role not in ("worker", "admin")),
    *((role, ("HGETALL", TRACKS)) for role in ("producer", "subscriber", "gateway")),
    *((role, ("CLIENT", "LIST")) for role in ROLES if role != "admin"),
    *((role, ("ACL", "LIST")) for role in ROLES if role != "admin"),
    *((role, ("CLIENT", "TRACKING", "ON")) for role in ROLES if role != "admin"),
    *((role, ("SELECT", "0")) for role in ROLES if role != "admin"),
]


def _say(value: object) -> str:
    return value if isinstance(value, str) else " ".join(value) if isinstance(value, tuple) else ""


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """Another than the real processes', who must not meet what is tried here."""
    with Valkey() as server:
        with server.client("worker") as worker:
            worker.xgroup_create(FRAMES, keys.GROUP, "0", mkstream=True)
        yield server


class TestRoles:
    @pytest.mark.parametrize(("role", "command"), MAY, ids=_say)
    def test_may(self, server: Valkey, role: str, command: tuple[str, ...]) -> None:
        with server.client(role) as client:
            client.execute_command(*command)

    @pytest.mark.parametrize(("role", "command"), MAY_NOT, ids=_say)
    def test_may_not(self, server: Valkey, role: str, command: tuple[str, ...]) -> None:
        with server.client(role) as client, pytest.raises(NoPermissionError):
            client.execute_command(*command)

    def test_a_worker_may_do_what_its_scripts_call(self, server: Valkey) -> None:
        called: set[str] = set()
        for script in (*ROOT.glob("worker/*/*.lua"), ROOT / "emotion_streams/ledger.lua"):
            for command, sub in CALL.findall(script.read_text()):
                called.add(f"{command}|{sub}" if command in CONTAINERS else command)
        rules = (server.folder / "users.acl").read_text().splitlines()
        (allowed,) = [set(rule.split()) for rule in rules if rule.startswith("user worker ")]
        assert len(called) > 10
        assert {f"+{name.lower()}" for name in called} - allowed == set()

    def test_a_worker_may_clear_away_a_camera_that_is_gone(self, server: Valkey) -> None:
        script = (ROOT / "worker/ownership/retire.lua").read_text()
        with server.client("producer") as producer, server.client("worker") as worker:
            producer.zadd(keys.CAMERAS, {"gone": 1})
            producer.hset(keys.camera_info("gone"), "state", "ended")
            names = keys.camera_keys("gone")
            assert worker.register_script(script)(keys=names, args=[0, 0, 1_000]) == 1
            assert worker.zrem(keys.CAMERAS, "gone") == 1

    def test_are_all_tried(self) -> None:
        assert {role for role, _ in MAY} | {"replica"} == set(ROLES)
        assert {role for role, _ in MAY_NOT} | {"admin"} == set(ROLES)

    def test_clients_without_a_name_or_with_a_wrong_password_are_refused(
        self, server: Valkey
    ) -> None:
        stranger = redis.Redis(unix_socket_path=str(server.socket), retry=NEVER)
        with stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        wrong = server.client("worker", password("producer"))
        with wrong, pytest.raises(AuthenticationError):
            wrong.ping()

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
    def test_a_password_from_a_file_is_valid_with_and_without_its_line_break(
        self, end: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = password("metrics") + end
        with Valkey(environ={"VALKEY_METRICS_PASSWORD": given}) as server:
            for accepted in (password("metrics"), given):
                with server.client("metrics", accepted) as client:
                    assert client.ping()
            wrong = server.client("metrics", password("metrics") + "x")
            with wrong, pytest.raises(AuthenticationError):
                wrong.ping()
            monkeypatch.setenv("EMOTION_REDIS_USERNAME", "metrics")
            monkeypatch.setenv("EMOTION_REDIS_PASSWORD", given)
            with connect(server.url) as client:
                assert client.ping()

    def test_a_password_is_in_no_file_and_on_no_command_line(self, server: Valkey) -> None:
        acl = (server.folder / "users.acl").read_text()
        assert password("worker") not in acl
        assert (server.folder / "users.acl").stat().st_mode & 0o077 == 0
        process = Path(f"/proc/{server.process.pid}")
        for part in ("cmdline", "environ"):
            assert password("worker").encode() not in (process / part).read_bytes()


class TestStart:
    def _start(self, tmp_path: Path, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [FOLDER / "start.sh"],
            env={
                "PATH": os.environ["PATH"],
                "VALKEY_RUN": str(tmp_path),
                "VALKEY_SERVER": "true",  # in place of the server: it would run
                **environ,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def test_refuses_a_short_password(self, tmp_path: Path) -> None:
        done = self._start(tmp_path, {"VALKEY_WORKER_PASSWORD": "short"})
        assert done.returncode == 2
        assert "VALKEY_WORKER_PASSWORD is shorter than 16" in done.stderr

    def test_does_not_count_a_line_break_as_part_of_a_password(self, tmp_path: Path) -> None:
        done = self._start(tmp_path, {"VALKEY_WORKER_PASSWORD": "fifteen letters\n"})
        assert done.returncode == 2
        assert "VALKEY_WORKER_PASSWORD is shorter than 16" in done.stderr

    def test_refuses_to_run_without_any_role(self, tmp_path: Path) -> None:
        done = self._start(tmp_path, {})
        assert done.returncode == 2
        assert "no role has a password" in done.stderr

    def test_says_where_it_cannot_write(self, tmp_path: Path) -> None:
        gone = str(tmp_path / "gone")
        done = self._start(tmp_path, {"VALKEY_RUN": gone, **passwords("worker")})
        assert done.returncode == 2
        assert f"start.sh: cannot write {gone}/users.acl" in done.stderr

    def test_leaves_out_a_role_without_a_password(self, tmp_path: Path) -> None:
        done = self._start(tmp_path, passwords("worker"))
        assert done.returncode == 0
        rules = (tmp_path / "users.acl").read_text().splitlines()
        assert [rule.split()[1] for rule in rules] == ["default", "worker"]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("maxmemory-policy", "noeviction"),
            ("maxmemory", str(2 << 30)),
            ("save", ""),
            ("appendonly", "no"),
            ("repl-diskless-load", "swapdb"),
            ("io-threads", "4"),
            ("databases", "1"),
        ],
    )
    def test_is_in_force(self, valkey: Valkey, name: str, value: str) -> None:
        with valkey.client("admin") as admin:
            assert admin.config_get(name) == {name: value}

    def test_a_deleted_frame_gives_its_memory_back_at_once(self) -> None:
        with Valkey() as server, server.client("worker") as worker, server.client("admin") as admin:
            before = admin.info("memory")["used_memory"]
            ids = [worker.xadd(FRAMES, {"frame": os.urandom(100_000)}) for _ in range(50)]
            full = admin.info("memory")["used_memory"]
            worker.xdel(FRAMES, *ids[:49])
            after = admin.info("memory")["used_memory"]
        assert full - before > 5_000_000
        assert after - before < 0.1 * (full - before)

    def test_a_replica_is_filled_without_a_file_on_either_side(self) -> None:
        with Valkey("--replica-announce-ip", "127.0.0.1") as first:
            with first.client("producer") as producer:
                producer.xadd(FRAMES, {"frame": b"pixels"})
            port = free_port()
            with first.client("admin") as admin:
                admin.config_set("port", port)
            replica = ("--replicaof", f"127.0.0.1 {port}", "--masteruser", "replica")
            with Valkey(*replica, "--masterauth", password("replica")) as second:
                with second.client("operator") as operator:

                    def is_filled() -> bool:
                        with suppress(redis.RedisError):  # it says so while it loads
                            return bool(operator.xlen(FRAMES) == 1)
                        return False

                    eventually(is_filled)
                assert [path.name for path in second.folder.glob("*.rdb")] == []
            assert [path.name for path in first.folder.glob("*.rdb")] == []


class TestCluster:
    """Clients of a cluster ask for its layout first, which a role must allow too."""

    @pytest.fixture
    def url(self) -> Iterator[str]:
        """A cluster of one node that has all slots."""
        port = free_port()
        ports = ("--port", str(port), "--cluster-port", str(free_port()))
        options = ("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
        with Valkey(*ports, *options) as node:
            with node.client("admin") as admin:
                admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                eventually(lambda: admin.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
            yield f"redis+cluster://127.0.0.1:{port}"

    async def test_processes_work_on_it_under_their_roles(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _become("producer", monkeypatch)
        with connect(url) as producer:
            producer.xadd(FRAMES, {"frame": b"x"}, id="1-0")
            producer.zadd(keys.CAMERAS, {CAMERA: 1})
        _become("worker", monkeypatch)
        script = (ROOT / "worker/ownership/acquire.lua").read_text()
        with connect(url) as worker:
            names = keys.camera_keys(CAMERA)
            assert worker.register_script(script)(keys=names, args=["me", 60_000, 60_000]) == 1
        _become("subscriber", monkeypatch)
        (camera,) = await _cameras(url)
        assert (camera.owner, camera.backlog) == ("me", 1)


def _debian_server(folder: Path) -> Path:
    """redis-server as Debian builds it, with TLS. Its binary goes by the name of redis-check-rdb in
    redis-tools, and its name decides what it is."""
    if found := shutil.which("redis-server"):
        return Path(found)
    link = folder / "redis-server"
    link.symlink_to(need("redis-check-rdb", "redis-tools"))
    return link


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    subprocess.run(
        [
            *(need("openssl", "openssl"), "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", *subject),
            *("-keyout", folder / "tls.key", "-out", folder / "tls.crt"),
        ],
        check=True,
        capture_output=True,
    )
    shutil.copy(folder / "tls.crt", folder / "ca.crt")
    return folder


class TestTls:
    @contextmanager
    def _serve(self, certificates: Path, tmp_path: Path, port: int) -> Iterator[Valkey]:
        """The files refer to each other and to the certificates where the image has them."""
        for name in ("valkey.conf", "valkey-tls.conf"):
            text = (FOLDER / name).read_text()
            text = text.replace("/etc/valkey/tls", str(certificates))
            (tmp_path / name).write_text(text.replace("/etc/valkey", str(tmp_path)))
        conf = {"VALKEY_CONF": str(tmp_path / "valkey-tls.conf")}
        server = _debian_server(tmp_path)
        with Valkey("--tls-port", str(port), server=server, environ=conf) as valkey:
            yield valkey

    async def test_serves_rediss_only_to_clients_that_trust_its_authority(
        self, certificates: Path, tmp_path: Path
    ) -> None:
        port = free_port()
        secrets = f"subscriber:{password('subscriber').replace(' ', '%20')}"
        with self._serve(certificates, tmp_path, port):
            url = f"rediss://{secrets}@localhost:{port}"
            assert await _cameras(f"{url}?ssl_ca_certs={certificates / 'ca.crt'}") == []
            with pytest.raises((redis.exceptions.ConnectionError, ssl.SSLError)) as refusal:
                await _cameras(url)
            assert "CERTIFICATE_VERIFY_FAILED" in str(refusal.value)
            with (
                redis.Redis(port=port, retry=NEVER) as plain,
                pytest.raises(redis.exceptions.ConnectionError),
            ):
                plain.ping()
