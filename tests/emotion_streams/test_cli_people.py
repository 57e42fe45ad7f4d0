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

from emotion_streams import EMOTIONS, EndReason, Episode, EpisodeType, keys
from emotion_streams.cli import main
from emotion_streams.cli.output import describe
from emotion_streams.flat import MINUTE_COLUMNS
from tests import samples
from tests.people import write_episode, write_minutes

TRACK = "1700000000000-0.0"
OTHER = "1700000123456-2.1"


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


def entered(track: str = TRACK, **changed: Any) -> Episode:
    face: dict[str, Any] = {"emotion": None, "confidence_mean": None, "confidence_peak": None}
    record_id = f"lobby/{track}/0"
    return samples.episode(
        track=track, id=record_id, type=EpisodeType.FACE_ENTERED, **face | changed
    )


def left(track: str = TRACK, **changed: Any) -> Episode:
    ended: dict[str, Any] = {
        "end_ms": 1_700_000_005_600,
        "duration_ms": 5_000,
        "reason": EndReason.GONE,
    }
    return replace(entered(track), type=EpisodeType.FACE_LEFT, **ended | changed)


def show(client: redis.Redis, captured_ms: int, *seen: tuple[str, str, int]) -> None:
    """An event of the lobby: of each face the track, the label and since when it is the label."""
    event = samples.event("lobby", f"{captured_ms}-0")
    fields: list[dict[str, Any]] = [
        {"track": track, "label": label, "label_since_ms": since_ms}
        for track, label, since_ms in seen
    ]
    faces = tuple(replace(*event.faces, **each) for each in fields)
    client.xadd(
        keys.emotions("lobby"), {"event": replace(event, faces=faces).pack()}, id=event.frame_id
    )


def shown(url: str, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The rows that the command prints, with single blanks."""
    assert main(["episodes", "--redis", url, *options]) == 0
    return [" ".join(row.split()) for row in capsys.readouterr().out.splitlines()[1:]]


def write_history(client: redis.Redis) -> None:
    """A person who came and was happy for five seconds, and one who is there."""
    client.zadd(keys.CAMERAS, {"lobby": 1})
    started = samples.episode()
    ended = samples.episode(
        type=EpisodeType.EMOTION_ENDED,
        end_ms=1_700_000_005_600,
        duration_ms=5_000,
        reason=EndReason.GONE,
    )
    for episode in (entered(), started, ended):
        write_episode(client, episode)
    write_episode(client, samples.episode(track=OTHER, id="lobby/other/1"))


def test_a_row_per_episode_says_from_when_to_when_an_emotion_showed(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_history(client)
    since_ms = samples.episode().start_ms
    show(client, since_ms + 59_900, (TRACK, "neutral", since_ms + 5_000), (OTHER, "anger", 0))
    show(client, since_ms + 60_000, (OTHER, "happiness", since_ms))
    assert main(["episodes", "--redis", redis_url]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "camera", "track", "shows", "from", "to", "for", "confidence", "ended",
    ]  # fmt: skip
    assert [" ".join(row.split()) for row in rows] == [
        "lobby #000000.0 in view 2023-11-14 22:13:20 - 59.9 s - -",
        "lobby #000000.0 happiness 2023-11-14 22:13:20 2023-11-14 22:13:25 5.0 s 70% gone",
        "lobby #123456-2.1 happiness 2023-11-14 22:13:20 - 60.0 s 70% -",
    ]


def test_rows_are_in_the_order_in_which_episodes_began(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the first person nothing but the end is kept."""
    client.zadd(keys.CAMERAS, {"lobby": 1})
    write_episode(client, left(OTHER, start_ms=1_700_000_009_000, end_ms=1_700_000_014_000))
    write_episode(client, left(TRACK))
    assert [row.split()[1] for row in shown(redis_url, capsys)] == ["#000000.0", "#123456-2.1"]


def test_who_came_long_ago_and_is_still_there_is_shown_and_who_left_is_not(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    start_ms = now_ms() - 2 * 3_600_000
    there, gone = f"{start_ms}-0.0", f"{start_ms}-0.1"
    for number, record in enumerate((entered(there), entered(gone), left(gone))):
        times: dict[str, Any] = {"start_ms": start_ms, "decided_ms": start_ms, "duration_ms": 0}
        write_episode(client, replace(record, **times), f"{start_ms}-{number}")
    show(client, start_ms + 7_000_000, (there, "neutral", start_ms))
    (row,) = shown(redis_url, capsys)
    assert row.split()[1] == f"#{start_ms % 1_000_000:06d}.0"
    assert " 7000.0 s " in row


def test_an_end_that_was_not_recorded_is_unknown_and_not_open(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tracking state was lost: the person has another track now."""
    client.zadd(keys.CAMERAS, {"lobby": 1})
    records = [
        entered(),
        samples.episode(),
        samples.episode(type=EpisodeType.EMOTION_UPDATED, duration_ms=5_400),
        entered(OTHER, start_ms=1_700_000_123_456, decided_ms=1_700_000_123_556, duration_ms=100),
    ]
    for record in records:
        write_episode(client, record)
    show(client, 1_700_000_123_656, (OTHER, "uncertain", 1_700_000_123_556))
    assert shown(redis_url, capsys) == [
        "lobby #000000.0 in view 2023-11-14 22:13:20 after 2023-11-14 22:13:26 - - unknown",
        "lobby #000000.0 happiness 2023-11-14 22:13:20 after 2023-11-14 22:13:26 - 70% unknown",
        "lobby #123456-2.1 in view 2023-11-14 22:15:23 - 0.2 s - -",
    ]


def test_an_emotion_whose_end_was_lost_is_over_though_the_person_is_there(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    write_episode(client, samples.episode())
    show(client, 1_700_000_060_500, (TRACK, "happiness", 1_700_000_050_000))
    (row,) = shown(redis_url, capsys)
    assert row.endswith(" - 70% unknown")


def test_no_person_is_there_of_a_camera_that_was_removed(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_episode(client, entered())
    (row,) = shown(redis_url, capsys, "lobby")
    assert row.endswith(" unknown")


def test_without_the_right_to_read_events_what_is_recorded_is_shown(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A start says nothing about how long an emotion lasts."""
    client.zadd(keys.CAMERAS, {"lobby": 1})
    client.set(keys.emotions("lobby"), "no stream")
    write_episode(client, samples.episode())
    write_episode(client, samples.episode(track=OTHER, id="b", type=EpisodeType.EMOTION_UPDATED))
    assert shown(redis_url, capsys) == [
        "lobby #000000.0 happiness 2023-11-14 22:13:20 - - 70% -",
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
    entry_id = records[1].pop("entry_id")
    assert records[1] == samples.episode().to_dict()
    entries: Any = client.xrange(keys.episodes("lobby"))
    assert entry_id == entries[1][0].decode()


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
    record = samples.episode(
        type=EpisodeType.FACE_LEFT, end_ms=1_700_000_009_000, duration_ms=8_400, emotion=None,
        reason=EndReason.CAMERA_DOWN, confidence_mean=None,
        emotion_ms=dict.fromkeys(EMOTIONS, 0) | {"happiness": 5_000, "anger": 900},
    )  # fmt: skip
    with following(redis_url) as process, ThreadPoolExecutor() as pool:
        assert process.stdout is not None
        line = pool.submit(process.stdout.readline)
        while not line.done():  # whenever it has begun to follow, the next record is its first
            write_episode(client, record)
            time.sleep(0.1)
    assert line.result() == (
        "2023-11-14 22:13:21  lobby  #000000.0  face.left        "
        "happiness 5.0 s, anger 0.9 s  8.4 s  (camera_down)\n"
    )


def test_follow_after_a_record_resumes_behind_it(client: redis.Redis, redis_url: str) -> None:
    write_history(client)
    with following(redis_url, "lobby", "--after", "start", "--json") as process:
        assert process.stdout is not None
        records = [json.loads(process.stdout.readline()) for _ in range(4)]
    with following(redis_url, "--after", records[1]["entry_id"], "--json") as process:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline()) for _ in range(2)] == records[2:]


@pytest.mark.parametrize(
    "options", [["--after", "1-0"], ["--follow", "--after", "1-0", "--since", "1h"]]
)
def test_options_of_episodes_that_contradict_each_other_are_refused(
    options: list[str], redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["episodes", "--redis", redis_url, *options]) == 2
    assert "--after" in capsys.readouterr().err


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

    def line(**fields: object) -> str:
        return describe(replace(event, faces=(replace(face, **fields),)))  # type: ignore[arg-type]

    assert "  surprise 70% at 10,8 20x24  " in line()
    assert "  #599061.0 surprise 70% at 10,8 20x24  " in line(track="1795346599061-0.0")
    assert "  #599061-3.2 uncertain (surprise 70%) at 10,8 20x24  " in line(
        track="1795346599061-3.2", label="uncertain"
    )
    assert "  #599061.0 surprise 70% at " in line(track="1795346599061-0.0", label="surprise")
    assert line(track="\x1b[2J\x07").isprintable()
