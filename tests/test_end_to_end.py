"""The real processes, from a file to the events, and what they do with bad input."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import redis

from emotion_streams import Client, EmotionEvent, Ledger, keys
from tests import samples
from tests.faults.processes import MAX_AGE_MS, ROOT, Running, start_producer, start_worker
from tests.servers import PATIENCE_S, RedisProcess, Stopwatch, eventually, free_port


def ledger_of(url: str, camera: str) -> Ledger:
    with Client(url) as streams:
        return streams.ledger(camera)


def entries(client: redis.Redis, key: str) -> list[tuple[str, dict[bytes, bytes]]]:
    reply: Any = client.xrange(key)
    return [(entry_id.decode(), fields) for entry_id, fields in reply]


def events_of(client: redis.Redis, camera: str) -> list[tuple[str, EmotionEvent]]:
    found = entries(client, keys.emotions(camera))
    return [(entry_id, EmotionEvent.unpack(fields[b"event"])) for entry_id, fields in found]


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@pytest.fixture(scope="module")
def clip_run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A clip of 480x270 with three people, played to its end through a producer and a worker."""
    clip = shared / "clips" / "face-demographics-walking-and-pause.avi"
    folder = tmp_path_factory.mktemp("clip")
    every = ("--source", str(clip), "--policy", "every")
    with (
        RedisProcess() as server,
        start_worker(folder, server.url, "--detector", "yunet"),
        start_producer(folder, server.url, "clip", *every) as producer,
    ):
        assert producer.wait(PATIENCE_S) == 0, producer.logged()

        def settled() -> bool:
            ledger = ledger_of(server.url, "clip")
            return not ledger.queued + ledger.pending

        eventually(settled)
        yield server


def test_each_frame_of_a_clip_has_one_event_with_its_id(clip_run: RedisProcess) -> None:
    with redis.Redis(unix_socket_path=str(clip_run.socket)) as client:
        events = events_of(client, "clip")
    ids = [tuple(map(int, entry_id.split("-"))) for entry_id, _ in events]
    assert ids == sorted(set(ids))
    assert all(event.frame_id == entry_id for entry_id, event in events)
    assert all((event.width, event.height) == (480, 270) for _, event in events)
    assert all(event.model.detector == "yunet" for _, event in events)


def test_three_faces_are_found_in_the_later_frames(clip_run: RedisProcess) -> None:
    with redis.Redis(unix_socket_path=str(clip_run.socket)) as client:
        events = [event for _, event in events_of(client, "clip")]
    later = events[-len(events) // 4 :]
    assert sum(len(event.faces) == 3 for event in later) >= 0.9 * len(later)
    for event in later:
        for face in event.faces:
            assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-4)
            assert face.confidence == face.probabilities[face.emotion]
            assert 0 <= face.box.x + face.box.width / 2 <= 480


def test_the_ledger_of_the_clip_balances_to_the_frame(clip_run: RedisProcess) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "emotion_streams.cli", "ledger", "--json", "--redis", clip_run.url],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    (ledger,) = json.loads(output)
    endings = (
        "analysed",
        "expired",
        "superseded",
        "dead",
        "lost",
        "pending",
        "queued",
        "trimmed",
    )
    assert ledger["added"] == sum(ledger[ending] for ending in endings)
    assert ledger["balanced"]
    # With policy `every` nothing may be left out.
    assert ledger["added"] == ledger["analysed"] == ledger["events"] > 40


def without(field: str) -> bytes:
    fields = {"schema": 1, **vars(samples.frame())}
    del fields[field]
    packed: bytes = msgpack.packb(fields)
    return packed


def oversized() -> bytes:
    blob = bytearray(samples.jpeg())
    at = blob.index(b"\xff\xc0")
    blob[at + 5 : at + 9] = (16_000).to_bytes(2) * 2
    return samples.frame(jpeg=bytes(blob)).pack()


BAD_FRAMES = {
    "not msgpack": b"\xc1\xc1",
    "not a map": msgpack.packb([1, 2]),
    "lacks a field": without("session_id"),
    "truncated message": samples.frame().pack()[:-9],
    "not a JPEG": samples.frame(jpeg=b"GIF89a").pack(),
    "truncated JPEG": samples.frame(jpeg=samples.jpeg()[:-30]).pack(),
    "claims a size above the limit": oversized(),
    "empty": b"",
}


def test_each_bad_frame_becomes_one_dead_letter_and_the_next_goes_on(
    client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": time.time() * 1000})
    number = 0
    for blob in BAD_FRAMES.values():
        for packed in (blob, samples.frame(seq=number).pack()):
            number += 1
            client.xadd(keys.frames("lobby"), {"frame": packed}, id=f"{number}-0")
    client.xadd(keys.frames("lobby"), {"picture": b""}, id=f"{number + 1}-0")
    with start_worker(tmp_path, redis_url) as worker:
        eventually(lambda: ledger_of(redis_url, "lobby").dead == len(BAD_FRAMES) + 1)
        eventually(lambda: not ledger_of(redis_url, "lobby").pending)
        assert not worker.ended
    ledger = ledger_of(redis_url, "lobby")
    assert ledger.balanced
    assert (ledger.analysed, ledger.queued) == (len(BAD_FRAMES), 0)
    letters = [fields for _, fields in entries(client, keys.dead("lobby"))]
    assert [letter[b"frame"].decode() for letter in letters] == [
        f"{number}-0" for number in range(1, 2 * len(BAD_FRAMES) + 2, 2)
    ]
    reasons = [letter[b"reason"].decode() for letter in letters]
    for reason, part in zip(
        reasons,
        ["not msgpack", "not a map", "session_id is missing", "not msgpack", "not a JPEG",
         "cut off", "claims 16000x16000", "not msgpack", "no field `frame`"],
        strict=True,
    ):  # fmt: skip
        assert part in reason
    assert [int(letter[b"size"]) for letter in letters] == [*map(len, BAD_FRAMES.values()), 0]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["worker", "--modle", "x"], "--modle"),
        (["worker", "--threads", "none"], "threads"),
        (["worker", "--in-flight", "0"], "in_flight"),
        (["worker", "--engine", "gpu"], "engine"),
        (["worker", "--redis", "redis://u:hunter2@box:port"], "not a Redis URL"),
        (["worker", "--config", "/no/such.yaml"], "/no/such.yaml: No such file"),
        (["worker", "--model", "docs"], "card.json: No such file"),
        (["worker", "--model", "simpnet-v9"], "no model 'simpnet-v9'"),
        (["worker", "--detector", "yunet", "--detector-model", "/dev/null"], "sha256"),
        (["producer", "--camera", "lobby", "--fps", "-1"], "fps"),
        (["producer", "--camera", "{lobby}"], "camera name"),
        (["producer", "--camera", "lobby", "--colour", "red"], "--colour"),
        (
            ["producer", "--camera", "a", "--source", "caf\udce9.avi"],
            r"source: caf\xe9.avi is not UTF-8",
        ),
        (["worker", "--redis", "redis://caf\udce9"], "not a Redis URL: not UTF-8"),
    ],
)
def test_a_setting_that_is_wrong_is_one_line_and_exit_code_2(command: list[str], says: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={
            **os.environ,
            "EMOTION_WORKER_METRICS_PORT": "0",
            "EMOTION_PRODUCER_METRICS_PORT": "0",
        },
    )
    assert ended.returncode == 2, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    last = lines[-1]
    assert says in last
    assert last.startswith(f"{command[0]}: ")
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize("process", ["worker", "producer"])
def test_a_process_waits_for_a_redis_that_is_not_there_and_says_so(
    process: str, tmp_path: Path
) -> None:
    port, metrics = free_port(), free_port()
    url = f"redis://:hunter2@127.0.0.1:{port}"
    own = ("--redis", url, "--metrics-port", str(metrics))
    command = ("worker", *own, "--detector", "haar", "--threads", "1")
    if process == "producer":
        command = ("producer", *own, "--camera", "demo", "--source", "demo")
    with Running(tmp_path, *command) as running:
        eventually(lambda: "Redis" in answer(metrics, "/readyz")[1])
        assert answer(metrics, "/readyz")[0] == 503
        assert answer(metrics, "/healthz")[0] == 200
        with RedisProcess("--requirepass", "hunter2", port=port):
            eventually(lambda: answer(metrics, "/readyz")[0] == 200)
            status, text = answer(metrics, "/metrics")
            assert status == 200
            assert "emotion_build_info{" in text
        running.terminate()
        running.wait()
    assert "hunter2" not in running.logged()
    assert "Redis" in running.logged()
    records = [json.loads(line) for line in running.logged().splitlines() if line[:1] == "{"]
    assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)


def test_a_process_listens_on_loopback_alone_by_default(redis_url: str, tmp_path: Path) -> None:
    metrics = free_port()
    own = ("--redis", redis_url, "--metrics-port", str(metrics))
    with Running(tmp_path, "producer", *own, "--camera", "demo", "--source", "demo"):
        eventually(lambda: answer(metrics, "/healthz")[0] == 200)
        listening = {
            line.split()[1]
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{metrics:04X}")
        }
        assert listening == {f"0100007F:{metrics:04X}"}


PATIENT = {"EMOTION_PRODUCER_MAX_AGE_MS": str(MAX_AGE_MS)}


def descendants(pid: int) -> set[int]:
    """Every process below this one."""
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), set()).add(int(stat.parent.name))
    found: set[int] = set()
    below = {pid}
    while below:
        below = {child for parent in below for child in children.get(parent, ())} - found
        found |= below
    return found


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_make_run_shows_events_and_ctrl_c_ends_all_of_it_within_3_seconds(
    ending: signal.Signals, tmp_path: Path, shared: Path
) -> None:
    model = shared / "models/yunet/face_detection_yunet_2023mar.onnx"
    command = ("deploy.local", "--detector-model", str(model))
    with (
        tempfile.TemporaryDirectory(prefix="es-") as temporary,
        Running(tmp_path, *command, environ={"TMPDIR": temporary, **PATIENT}) as launcher,
    ):
        eventually(lambda: launcher.logged().count("  demo  ") >= 5 or launcher.ended)
        assert not launcher.ended, launcher.logged()
        assert list(Path(temporary).iterdir())
        below = descendants(launcher.process.pid)
        assert len(below) >= 3
        watch = Stopwatch()
        launcher.process.send_signal(ending)
        assert launcher.wait(PATIENCE_S) == 0
        took_s = watch.read_s()
        assert list(Path(temporary).iterdir()) == []
    # What is promised; a launcher that waits for anything longer has to kill it.
    assert took_s < 3.0
    eventually(lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()])


def test_make_run_works_if_the_temporary_folder_has_a_long_name(
    tmp_path: Path, shared: Path
) -> None:
    model = shared / "models/yunet/face_detection_yunet_2023mar.onnx"
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    command = ("deploy.local", "--detector-model", str(model))
    with Running(tmp_path, *command, environ={"TMPDIR": str(deep), **PATIENT}) as launcher:
        eventually(lambda: "  demo  " in launcher.logged() or launcher.ended)
        assert not launcher.ended, launcher.logged()
        launcher.terminate()
        assert launcher.wait() == 0


def test_make_run_ends_by_itself_after_the_last_frame_of_a_file(
    tmp_path: Path, shared: Path
) -> None:
    model = shared / "models/yunet/face_detection_yunet_2023mar.onnx"
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(samples.jpeg(320, 240))
    command = ("deploy.local", "--source", str(folder), "--detector-model", str(model))
    with Running(tmp_path, *command) as launcher:
        assert launcher.wait(PATIENCE_S) == 0, launcher.logged()
    assert launcher.logged().count("no face") == 5


def test_make_run_says_which_process_crashed_and_why(tmp_path: Path) -> None:
    command = ("deploy.local", "--detector-model", "/dev/null")
    with Running(tmp_path, *command) as launcher:
        assert launcher.wait(PATIENCE_S) == 1
    assert "worker exited (exit code 2)" in launcher.logged()
    assert "sha256" in launcher.logged()
