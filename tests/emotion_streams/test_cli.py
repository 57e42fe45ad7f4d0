"""The command `emotion-streams`, called as a person would."""

import json
import subprocess
import sys

import pytest
import redis

from emotion_streams import keys
from emotion_streams.cli import main
from tests import samples
from tests.emotion_streams.test_subscribe import publish
from tests.servers import RedisProcess, free_port


def test_tail_prints_a_readable_line_per_event(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(client, "1700000000123-0")
    assert main(["tail", "--redis", redis_url, "--after", "start", "--count", "1"]) == 0
    line = capsys.readouterr().out
    assert "lobby  1700000000123-0  surprise 70% at 10,8 20x24  (32 ms)" in line


def test_tail_prints_json_that_parses(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(client, "1700000000123-0")
    main(["tail", "lobby", "--redis", redis_url, "--after", "start", "--count", "1", "--json"])
    assert (
        json.loads(capsys.readouterr().out) == samples.event("lobby", "1700000000123-0").to_dict()
    )


def test_cameras_shows_a_camera_whose_producer_is_gone(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    assert main(["cameras", "--redis", redis_url, "--json"]) == 0
    (camera,) = json.loads(capsys.readouterr().out)
    assert (camera["camera"], camera["state"], camera["lag"]) == ("lobby", "gone", 0)


def test_ledger_of_a_camera_never_seen_is_all_zero_and_balances(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "lobby", "--redis", redis_url, "--json"]) == 0
    (ledger,) = json.loads(capsys.readouterr().out)
    assert ledger["balanced"]
    assert ledger["added"] == 0


def test_ledger_that_does_not_balance_says_so_and_exits_3(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    client.hset(keys.ledger("lobby"), "analysed", 5)
    assert main(["ledger", "--redis", redis_url]) == 3
    assert "DOES NOT BALANCE" in capsys.readouterr().out


def test_dead_shows_reason_size_and_deliveries(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = {"frame": "5-0", "reason": "not a JPEG", "size": 17, "deliveries": 1}
    client.zadd(keys.CAMERAS, {"lobby": 1})
    client.xadd(keys.dead("lobby"), letter)  # type: ignore[arg-type]  # its types are invariant
    assert main(["dead", "--redis", redis_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"camera": "lobby", **letter}]


def test_dead_letters_cannot_be_replayed_and_it_says_why(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dead", "--replay", "--redis", redis_url]) == 2
    assert "no pixels" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
def test_an_unreachable_redis_is_one_line_and_exit_code_1(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cameras", "--redis", f"{kind}://u:hunter2@127.0.0.1:1"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "hunter2" not in error


def test_a_wrong_url_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "--redis", "box:6379"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("after", ["bogus", "$"])
def test_tail_after_what_is_no_id_is_one_line_and_exit_code_2(
    redis_url: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tail", "--redis", redis_url, "--after", after]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert repr(after) in error


def test_tail_with_a_wrong_password_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with RedisProcess("--requirepass", "right") as server:
        assert main(["tail", "--redis", f"unix://:hunter2@{server.socket}"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "hunter2" not in error


def test_tail_says_once_that_redis_is_away_and_waits_for_it() -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    command = [sys.executable, "-m", "emotion_streams.cli", "tail", "--redis", url]
    with subprocess.Popen(
        [*command, "--after", "start", "--count", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert "Redis cannot be reached" in process.stderr.readline()
        with RedisProcess(port=port) as server, redis.Redis(port=server.port) as client:
            publish(client, "1-0")
            output, errors = process.communicate(timeout=30)
    assert "lobby  1-0" in output
    assert errors == ""
