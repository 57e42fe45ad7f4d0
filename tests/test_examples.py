"""Each example does what its first line says, against a real server."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from emotion_streams import EMOTIONS, Emotion, EpisodeType, keys
from tests import samples
from tests.emotion_streams.test_subscribe import publish
from tests.faults.processes import start_worker
from tests.people import write_episode, write_minutes
from tests.servers import PATIENCE_S, RedisProcess, eventually

EXAMPLES = Path(__file__).parent.parent / "examples"


@contextmanager
def running(name: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The example, with its output in a pipe; killed on exit."""
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip() for _ in range(count)]


def interrupt(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and errors after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, errors


def test_tail_prints_each_face_of_a_camera_until_ctrl_c(
    client: redis.Redis, redis_url: str
) -> None:
    unseen, seen = samples.event("lobby", "2-0"), samples.event("lobby", "3-0")
    steady = replace(*seen.faces, track="1-0.0", label="anger")
    publish(client, "1-0")
    # A gateway of other tests, for example, reads from this server as well.
    others = {connection["id"] for connection in client.client_list()}

    def subscribed() -> bool:
        own = (one for one in client.client_list() if one["id"] not in others)
        return any(one["cmd"] == "xread" for one in own)

    with running("tail.py", "lobby", redis_url) as process:
        eventually(subscribed, timeout_s=PATIENCE_S)
        for event in (unseen, replace(seen, faces=(steady,))):
            client.xadd(keys.emotions("lobby"), {"event": event.pack()}, id=event.frame_id)
        assert lines(process, 2) == ["lobby 2-0 - surprise", "lobby 3-0 1-0.0 anger"]
        assert interrupt(process) == (0, "")


def test_resume_goes_on_behind_the_last_event_that_it_saved(
    client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    positions = tmp_path / "positions.json"
    publish(client, "1-0", "2-0")
    with running("resume.py", str(positions), redis_url) as process:
        assert lines(process, 2) == ["lobby 1-0 1", "lobby 2-0 1"]
        eventually(lambda: json.loads(positions.read_text()) == {"lobby": "2-0"})
        assert interrupt(process) == (0, "")
    publish(client, "3-0")
    with running("resume.py", str(positions), redis_url) as process:
        assert lines(process, 1) == ["lobby 3-0 1"]


def test_people_sums_up_the_last_hour_and_follows_emotions_until_ctrl_c(
    client: redis.Redis, redis_url: str
) -> None:
    minute_ms = time.time_ns() // 60_000_000_000 * 60_000
    write_minutes(client, samples.minute("lobby", minute_ms - 2 * 3_600_000))
    unclear = samples.minute("lobby", minute_ms - 60_000)
    assert unclear.people
    nothing: dict[Emotion, int] = dict.fromkeys(EMOTIONS, 0)
    write_minutes(client, replace(unclear, people=replace(unclear.people, emotion_ms=nothing)))
    write_minutes(client, samples.minute("lobby", minute_ms))
    with running("people.py", "lobby", redis_url) as process:
        first, second = lines(process, 2)
        assert first.endswith("  0.9 people"), "the label was uncertain all the time"
        assert second.endswith("  0.9 people, mostly happiness")
        ended = samples.episode(type=EpisodeType.EMOTION_ENDED, end_ms=1, duration_ms=2500)
        with ThreadPoolExecutor() as pool:
            line = pool.submit(lines, process, 1)
            while not line.done():  # whenever it has begun to follow, the next record is its first
                write_episode(client, samples.episode())
                write_episode(client, ended)
                time.sleep(0.1)
        assert line.result() == ["1700000000000-0.0 showed happiness for 2.5 s"]
        assert interrupt(process) == (0, "")


def test_a_worker_analyses_every_frame_of_the_example_producer(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(samples.jpeg(grey=50 * number))
    with RedisProcess(port=0) as server, start_worker(tmp_path, server.url) as worker:
        with running("folder_producer.py", "porch", str(tmp_path), server.url) as process:
            _, errors = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, errors) == (0, "")
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            eventually(lambda: client.xlen(keys.emotions("porch")) == 3, timeout_s=PATIENCE_S)
            assert client.xlen(keys.dead("porch")) == 0
            assert client.hget(keys.camera_info("porch"), "state") == b"ended"
        assert not worker.ended


def test_the_notebooks_cells_run_in_order(
    client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(client, *(f"{number}-0" for number in range(1, 100)))
    last = samples.event("lobby", "100-0")
    steady = replace(*last.faces, track="1-0.0", label="anger")
    client.xadd(keys.emotions("lobby"), {"event": replace(last, faces=(steady,)).pack()}, "100-0")
    monkeypatch.setenv("EMOTION_REDIS", redis_url)
    cells = json.loads((EXAMPLES / "emotions.ipynb").read_text())["cells"]
    variables: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), variables)
    assert variables["emotions"] == {"surprise": 99, "anger": 1}


def test_the_example_producer_has_about_forty_lines() -> None:
    code = (EXAMPLES / "folder_producer.py").read_text()
    assert len(re.findall(r"\S.*\n", code)) <= 40
