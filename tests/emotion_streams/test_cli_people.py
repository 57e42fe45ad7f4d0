"""`emotion-streams episodes` and `minutes`, called as a person would."""

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis

from emotion_streams import EMOTIONS, EndReason, EpisodeType, keys
from emotion_streams.cli import main
from emotion_streams.cli.output import describe
from emotion_streams.flat import MINUTE_COLUMNS
from tests import samples
from tests.people import write_episode, write_minutes

TRACK = "1700000000000-0.0"


def now_ms() -> int:
    """Not as this module is imported: the other tests of a run may take hours."""
    return time.time_ns() // 1_000_000


def this_minute() -> int:
    return now_ms() // 60_000 * 60_000


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def write_history(client: redis.Redis) -> None:
    """A person who came and was happy for five seconds, and one who is there."""
    client.zadd(keys.CAMERAS, {"lobby": 1})
    face: dict[str, Any] = {"emotion": None, "confidence_mean": None, "confidence_peak": None}
    entered = samples.episode(id=f"lobby/{TRACK}/0", type=EpisodeType.FACE_ENTERED, **face)
    started = samples.episode()
    ended = samples.episode(
        type=EpisodeType.EMOTION_ENDED,
        end_ms=1_700_000_005_600,
        duration_ms=5_000,
        reason=EndReason.GONE,
    )
    for episode in (entered, started, ended):
        write_episode(client, episode)
    write_episode(client, samples.episode(track="1700000123456-2.1", id="lobby/other/1"))


def test_a_row_per_episode_says_from_when_to_when_an_emotion_showed(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_history(client)
    assert main(["episodes", "--redis", redis_url]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "camera", "track", "shows", "from", "to", "for", "confidence", "ended",
    ]  # fmt: skip
    assert [" ".join(row.split()) for row in rows] == [
        "lobby #000000.0 in view 2023-11-14 22:13:20 - - - -",
        "lobby #000000.0 happiness 2023-11-14 22:13:20 2023-11-14 22:13:25 5.0 s 70% gone",
        "lobby #123456-2.1 happiness 2023-11-14 22:13:20 - 0.4 s 70% -",
    ]


def test_json_is_every_record_a_line(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_history(client)
    assert main(["episodes", "lobby", "--redis", redis_url, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["type"] for record in records] == [
        "face.entered", "emotion.started", "emotion.ended", "emotion.started",
    ]  # fmt: skip
    assert records[1] == samples.episode().to_dict()


def test_since_leaves_out_what_is_older(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    write_episode(client, samples.episode(id="old"), f"{now_ms() - 2 * 3_600_000}-0")
    write_episode(client, samples.episode(id="new"))
    write_minutes(client, samples.minute("lobby", this_minute() - 3 * 86_400_000))
    write_minutes(client, samples.minute("lobby", this_minute()))
    for call, known in ((["episodes"], 1), (["episodes", "--since", "3h"], 2),
                        (["minutes"], 1), (["minutes", "--since", "7d"], 2)):  # fmt: skip
        assert main([*call, "--redis", redis_url, "--json"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == known


@contextmanager
def following(url: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "emotion_streams.cli", "episodes", "--follow", "--redis", url]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_follow_prints_records_as_they_come(client: redis.Redis, redis_url: str) -> None:
    write_history(client)
    left = samples.episode(
        type=EpisodeType.FACE_LEFT, end_ms=1_700_000_009_000, duration_ms=8_400, emotion=None,
        reason=EndReason.CAMERA_DOWN, confidence_mean=None,
        emotion_ms=dict.fromkeys(EMOTIONS, 0) | {"happiness": 5_000, "anger": 900},
    )  # fmt: skip
    with following(redis_url) as process, ThreadPoolExecutor() as pool:
        assert process.stdout is not None
        line = pool.submit(process.stdout.readline)
        while not line.done():  # whenever it has begun to follow, the next record is its first
            write_episode(client, left)
            time.sleep(0.1)
    assert line.result() == (
        "2023-11-14 22:13:21  lobby  #000000.0  face.left        "
        "happiness 5.0 s, anger 0.9 s  8.4 s  (camera_down)\n"
    )


def test_follow_since_begins_with_what_is_kept(client: redis.Redis, redis_url: str) -> None:
    write_history(client)
    with following(redis_url, "lobby", "--since", "1h", "--json") as process:
        assert process.stdout is not None
        records = [json.loads(process.stdout.readline()) for _ in range(4)]
    assert [record["emotion"] for record in records] == [None, *["happiness"] * 3]


def test_a_row_per_minute_says_how_many_people_and_which_emotions(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_minutes(client, samples.minute("lobby", this_minute()))
    assert main(["minutes", "--redis", redis_url]) == 0
    (row,) = capsys.readouterr().out.splitlines()[1:]
    assert row.split()[3:-6] == ["600", "3", "98%", "0.9", "1", "1", "0", "-"]
    assert row.endswith("  happiness 30.0 s, neutral 20.0 s")


def test_a_minute_with_too_few_people_shows_only_its_frames(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_minutes(client, replace(samples.minute("lobby", this_minute()), people=None))
    assert main(["minutes", "--redis", redis_url]) == 0
    (row,) = capsys.readouterr().out.splitlines()[1:]
    assert row.split()[3:] == ["600", "3", "98%", *["-"] * 6]
    assert main(["minutes", "--redis", redis_url, "--csv"]) == 0
    (cells,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (cells["frames"], cells["faces_mean"], cells["ms_happiness"]) == ("600", "", "")


def test_csv_has_every_column_with_three_decimals(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_minutes(client, replace(samples.minute("lobby", 60_000), coverage=2 / 3))
    assert main(["minutes", "lobby", "--redis", redis_url, "--csv", "--since", "99999d"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(row) == list(MINUTE_COLUMNS)
    assert (row["start"], row["coverage"]) == ("1970-01-01T00:01:00.000+00:00", "0.667")
    assert (row["ms_happiness"], row["mean_fear"], row["episodes_happiness"]) == (
        "30000", "0.1", "2",
    )  # fmt: skip


@pytest.mark.parametrize("command", ["episodes", "minutes"])
def test_a_camera_that_redis_does_not_know_is_named(
    command: str, client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    assert main([command, "typo", "--redis", redis_url]) == 1
    assert capsys.readouterr().err == "emotion-streams: no camera typo; there are: lobby\n"


def test_a_camera_that_is_gone_is_known_while_its_minutes_are_kept(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_minutes(client, samples.minute("gone", this_minute()))
    client.zrem(keys.CAMERAS, "gone")
    assert main(["minutes", "gone", "--redis", redis_url]) == 0
    assert "gone" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["episodes", "minutes"])
def test_one_cameras_nonsense_hides_no_other_cameras_people(
    command: str, client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"bad": 1})
    client.set(keys.episodes("bad"), "no stream")
    client.set(keys.minutes("bad"), "no stream")
    write_history(client)
    write_minutes(client, samples.minute("lobby", this_minute()))
    assert main([command, "--redis", redis_url]) == 1
    said = capsys.readouterr()
    assert "lobby" in said.out
    assert "camera bad: " in said.err


def test_text_of_other_clients_is_escaped(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    write_episode(client, samples.episode(track="\x1b[2J-\x07.\x1b]0;x"))
    for form in ([], ["--json"]):
        assert main(["episodes", "--redis", redis_url, *form]) == 0
        assert capsys.readouterr().out.replace("\n", "").isprintable()


@pytest.mark.parametrize("since", ["", "1", "h", "-1h", "1w", "1.5h", "9999999d"])
def test_a_time_that_is_none_is_refused(
    since: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["minutes", "--redis", redis_url, f"--since={since}"])
    assert exit_.value.code == 2
    assert "a time such as 90s, 15m, 2h or 7d" in capsys.readouterr().err


def test_a_line_of_an_event_shows_the_track_and_the_steady_label() -> None:
    event = samples.event("lobby", "1700000000123-0")
    (face,) = event.faces

    def shown(**fields: object) -> str:
        return describe(replace(event, faces=(replace(face, **fields),)))  # type: ignore[arg-type]

    assert "  surprise 70% at 10,8 20x24  " in shown()
    assert "  #599061.0 surprise 70% at 10,8 20x24  " in shown(track="1795346599061-0.0")
    assert "  #599061-3.2 uncertain (surprise 70%) at 10,8 20x24  " in shown(
        track="1795346599061-3.2", label="uncertain"
    )
    assert "  #599061.0 surprise 70% at " in shown(track="1795346599061-0.0", label="surprise")
    assert shown(track="\x1b[2J\x07").isprintable()
