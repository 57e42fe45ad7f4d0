"""People over HTTP: pages of episodes and minutes, exports, and episodes as they come."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import redis

from emotion_streams import EMOTIONS, EndReason, Episode, EpisodeType, keys
from emotion_streams.flat import EPISODE_COLUMNS, MINUTE_COLUMNS
from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.gateway.clients import Message, attach, read, records
from tests.gateway.feeder import Feeder, event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.people import write_episode, write_minutes
from tests.servers import RedisProcess, eventually

START_MS = 1_700_000_040_000


@pytest.fixture
def episodes(gateway: Gateway, store: Any, camera: str) -> list[Episode]:
    """Twenty records, one a second: even ones of happiness, odd ones of fear."""
    attach(gateway, store, camera)
    found = []
    for n in range(20):
        episode = samples.episode(camera, f"{n}-0.0", emotion="fear" if n % 2 else "happiness")
        write_episode(store, episode, f"{START_MS + 1000 * n}-0")
        found.append(episode)
    return found


def page(gateway: Gateway, camera: str, **query: Any) -> Any:
    names = {"since": "from", "until": "to"}
    params = {names.get(name, name): value for name, value in query.items()}
    answer = gateway.get(f"/api/cameras/{camera}/episodes", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def dicts(episodes: list[Episode]) -> list[dict[str, Any]]:
    return [episode.to_dict() for episode in episodes]


def test_without_after_the_newest_records_come_oldest_first(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    found = page(gateway, camera, limit=3)
    assert found["episodes"] == dicts(episodes[-3:])
    assert found["next"] == f"{START_MS + 19_000}-0"


def test_next_leads_through_all_records_each_once(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    after, seen = "start", []
    while found := (answer := page(gateway, camera, after=after, limit=7))["episodes"]:
        seen += found
        after = answer["next"]
    assert seen == dicts(episodes)
    assert answer["next"] == after


def test_previous_leads_back_to_the_oldest_record(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    answer = page(gateway, camera, limit=7)
    seen = answer["episodes"]
    assert answer["oldest_ms"] == START_MS
    while answer["previous"] is not None:
        answer = page(gateway, camera, limit=7, before=answer["previous"])
        seen = answer["episodes"] + seen
    assert seen == dicts(episodes)
    between = page(gateway, camera, before=f"{START_MS + 5_000}-0", since=START_MS + 3_000)
    assert between["episodes"] == dicts(episodes[3:5])
    assert between["previous"] == f"{START_MS + 3_000}-0"
    bounds = {"before": f"{START_MS + 5_000}-0", "until": START_MS + 2_000}
    assert page(gateway, camera, **bounds)["episodes"] == dicts(episodes[:2])
    for nothing in ({"before": "0-0"}, {"until": 0}):
        assert page(gateway, camera, **nothing)["episodes"] == []


def test_a_compact_page_has_the_last_record_of_each_episode(
    gateway: Gateway, store: Any, camera: str
) -> None:
    """Each person is there for a minute; an emotion that lasts is reported every five seconds."""
    attach(gateway, store, camera)
    last = []
    for person in range(30):
        start = START_MS + 60_000 * person
        records = of_a_minute(camera, f"{person}-0.0", start)
        for n, record in enumerate(records):
            write_episode(store, record, f"{start + 1000 * n}-0")
        last += records[-2:]
    whole = page(gateway, camera, limit=20)["episodes"]
    assert len({record["track"] for record in whole}) == 2
    assert page(gateway, camera, limit=20, compact=True)["episodes"] == dicts(last[-20:])
    after, newest = "start", dict[str, Any]()
    while found := (answer := page(gateway, camera, after=after, compact=True, limit=7))[
        "episodes"
    ]:
        assert len({record["id"] for record in found}) == len(found)
        newest.update((record["id"], record) for record in found)
        after = answer["next"]
    assert sorted(newest) == sorted(record.id for record in last)
    assert all(record["end_ms"] for record in newest.values())
    ended = page(gateway, camera, compact=True, emotion="happiness")
    assert ended["episodes"] == dicts(last[::2])


def test_an_export_up_to_the_first_moment_is_empty(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    for kind in ("events", "episodes", "minutes"):
        assert export(gateway, camera, f"kind={kind}&format=jsonl&to=0").text == ""


def of_a_minute(camera: str, track: str, start_ms: int) -> list[Episode]:
    """All records of a person, the last two of which end the emotion and the stay."""
    whole: dict[str, Any] = {
        "id": f"{camera}/{track}/0",
        "track": track,
        "emotion": None,
        "start_ms": start_ms,
    }
    shown = whole | {"id": f"{camera}/{track}/1", "emotion": "happiness"}
    end = {"end_ms": start_ms + 60_000, "reason": EndReason.GONE}
    kinds = [
        (EpisodeType.FACE_ENTERED, whole),
        (EpisodeType.EMOTION_STARTED, shown),
        *[(EpisodeType.EMOTION_UPDATED, shown)] * 11,
        (EpisodeType.EMOTION_ENDED, shown | end),
        (EpisodeType.FACE_LEFT, whole | end),
    ]
    return [samples.episode(camera, type=kind, **fields) for kind, fields in kinds]


def test_a_range_is_read_from_its_start_and_ends_before_its_end(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    bounds = {"since": START_MS + 2_500, "until": START_MS + 6_000}
    first = page(gateway, camera, **bounds, limit=2)
    assert first["episodes"] == dicts(episodes[3:5])
    rest = page(gateway, camera, **bounds, after=first["next"])
    assert rest["episodes"] == dicts(episodes[5:6])
    newest = page(gateway, camera, until=START_MS + 6_000, limit=2)
    assert newest["episodes"] == dicts(episodes[4:6])
    late = page(gateway, camera, since=START_MS + 18_000, after=f"{START_MS}-0")
    assert late["episodes"] == dicts(episodes[18:])


def test_an_emotion_filters_and_next_goes_past_what_was_left_out(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    found = page(gateway, camera, after="start", emotion="happiness")
    assert found["episodes"] == dicts(episodes[::2])
    assert found["next"] == f"{START_MS + 19_000}-0"


def test_a_camera_without_episodes_has_an_empty_page(
    gateway: Gateway, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    places = {"next": None, "previous": None, "oldest_ms": None}
    assert page(gateway, camera) == {"camera": camera, "episodes": [], **places}


def test_minutes_are_listed_in_pages_and_ranges(gateway: Gateway, store: Any, camera: str) -> None:
    minutes = [samples.minute(camera, START_MS + n * MINUTE_MS) for n in range(100)]
    minutes[50] = replace(minutes[50], people=None)
    write_minutes(store, *minutes)
    path = f"/api/cameras/{camera}/minutes"
    shown = [json.loads(json.dumps(minute.to_dict())) for minute in minutes]
    newest = gateway.get(path).json()
    assert newest["minutes"] == shown[40:]
    assert newest["next"] == f"{minutes[-1].start_ms}-0"
    bounds = f"from={minutes[3].start_ms}&to={minutes[6].start_ms}"
    assert gateway.get(f"{path}?{bounds}").json()["minutes"] == shown[3:6]
    rest = gateway.get(f"{path}?after={minutes[97].start_ms}-0&limit=1440").json()
    assert rest["minutes"] == shown[98:]


def test_a_camera_that_is_gone_shows_the_minutes_that_are_kept(
    gateway: Gateway, store: Any, camera: str
) -> None:
    write_minutes(store, samples.minute(camera))
    store.zrem(keys.CAMERAS, camera)
    eventually(lambda: f'"{camera}"' not in gateway.get("/api/cameras").text)
    assert len(gateway.get(f"/api/cameras/{camera}/minutes").json()["minutes"]) == 1


@pytest.mark.parametrize("path", ["episodes", "minutes"])
@pytest.mark.parametrize(
    "query", ["after=x", "limit=0", "limit=9999", "from=soon", "to=-1", "colour=blue", "after="]
)
def test_a_wrong_query_is_refused(gateway: Gateway, camera: str, path: str, query: str) -> None:
    answer = gateway.get(f"/api/cameras/{camera}/{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(query.partition("=")[0])


def test_an_unknown_camera_is_not_found(gateway: Gateway) -> None:
    for path in ("episodes", "minutes", "export?kind=minutes"):
        assert gateway.get(f"/api/cameras/unknown/{path}").status_code == 404


def export(gateway: Gateway, camera: str, query: str) -> Any:
    answer = gateway.get(f"/api/cameras/{camera}/export?{query}")
    assert answer.status_code == 200, answer.text
    return answer


def test_episodes_are_exported_as_csv(
    gateway: Gateway, episodes: list[Episode], camera: str
) -> None:
    since, until = START_MS + 3_000, START_MS + 6_000
    answer = export(gateway, camera, f"kind=episodes&from={since}&to={until}")
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{camera}-episodes-from-20231114T221403Z-to-20231114T221406Z.csv"'
    )
    assert answer.headers["x-oldest-event"] == "2023-11-14T22:14:00.000+00:00"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == list(EPISODE_COLUMNS)
    assert [row["track"] for row in rows] == ["3-0.0", "4-0.0", "5-0.0"]
    assert rows[0]["emotion"] == "fear"
    assert (rows[0]["start"], rows[0]["end"]) == ("2023-11-14T22:13:20.600+00:00", "")
    assert (rows[0]["confidence_mean"], rows[0]["width"]) == ("0.7", "20.0")
    filtered = export(gateway, camera, "kind=episodes&emotion=happiness")
    assert filtered.text.count("\n") == 1 + 10


def test_exports_of_people_keep_three_decimals(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    shares = dict.fromkeys(EMOTIONS, 1 / 3)
    episode = samples.episode(camera, confidence_mean=2 / 3, probabilities_mean=shares)
    write_episode(store, episode)
    minute = replace(samples.minute(camera), coverage=0.123456)
    write_minutes(store, minute)
    (line,) = export(gateway, camera, "kind=episodes&format=jsonl").text.splitlines()
    expected = episode.to_dict()
    expected |= {"confidence_mean": 0.667, "probabilities_mean": dict.fromkeys(EMOTIONS, 0.333)}
    assert json.loads(line) == expected
    (row,) = csv.DictReader(io.StringIO(export(gateway, camera, "kind=episodes").text))
    assert (row["confidence_mean"], row["mean_fear"], row["ms_fear"]) == ("0.667", "0.333", "")
    (line,) = export(gateway, camera, "kind=minutes&format=jsonl").text.splitlines()
    assert json.loads(line)["coverage"] == 0.123


def test_minutes_are_exported_as_csv(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    minutes = [samples.minute(camera, START_MS + n * MINUTE_MS) for n in range(300)]
    write_minutes(store, *minutes)
    answer = export(gateway, camera, f"kind=minutes&from={START_MS + MINUTE_MS}")
    assert f"{camera}-minutes-from-20231114T221500Z.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (list(rows[0]), len(rows)) == (list(MINUTE_COLUMNS), 299)
    assert (rows[0]["ms_happiness"], rows[0]["episodes_happiness"]) == ("30000", "2")


def test_minutes_are_not_filtered_by_an_emotion(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    answer = gateway.get(f"/api/cameras/{camera}/export?kind=minutes&emotion=fear")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("emotion: ")


def test_events_are_exported_with_track_and_steady_label(
    gateway: Gateway, store: Any, camera: str
) -> None:
    register(store, camera)
    tracked = replace(face(), track="7-0.0", label="uncertain", label_since_ms=7)
    publish(store, event(camera, now_ms(), face("fear"), tracked))
    rows = list(csv.DictReader(io.StringIO(export(gateway, camera, "format=csv").text)))
    assert [(row["track"], row["label"]) for row in rows] == [("", ""), ("7-0.0", "uncertain")]


def tracks(messages: list[Message]) -> list[str]:
    return [message.data["track"] for message in messages]


def of(camera: str, messages: Iterator[Message]) -> Iterator[Message]:
    """The camera's episodes: a stream of all cameras has those of other tests."""
    return (each for each in messages if each.name == "episode" and each.data["camera"] == camera)


def test_episodes_come_as_they_are_decided(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    with gateway.stream(f"/api/events/stream?camera={camera}") as answer:
        messages = records(answer)
        assert next(messages).name == "position"
        episode = samples.episode(camera)
        entry_id = write_episode(store, episode)
        message = next(messages)
    assert (message.name, message.data) == ("episode", episode.to_dict())
    assert message.id == f"{camera}=0-0/{entry_id}"


@pytest.mark.parametrize("query", ["", "?camera={}", "?camera={}&kind=episode"])
def test_a_client_resumes_after_the_last_episode_it_saw(
    gateway: Gateway, store: Any, camera: str, query: str
) -> None:
    attach(gateway, store, camera)
    query = query.format(camera)
    with gateway.stream(f"/api/events/stream{query}") as answer:
        messages = records(answer)
        next(messages)
        for n in range(2):
            write_episode(store, samples.episode(camera, f"{n}-0.0"))
        seen = list(islice(of(camera, messages), 2))
    for n in range(2, 6):
        write_episode(store, samples.episode(camera, f"{n}-0.0"))
    headers = {"Last-Event-ID": seen[-1].id}
    with gateway.stream(f"/api/events/stream{query}", headers=headers) as answer:
        resumed = list(islice(of(camera, records(answer)), 4))
    assert tracks(seen + resumed) == [f"{n}-0.0" for n in range(6)]


def test_events_and_episodes_each_keep_their_own_place(
    gateway: Gateway, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    with gateway.stream(f"/api/events/stream?camera={camera}") as answer:
        messages = records(answer)
        next(messages)
        publish(store, event(camera, now_ms(), face()))
        assert next(messages).name == "emotion"
        write_episode(store, samples.episode(camera, "1-0.0"))
        last = next(messages)
    missed = event(camera, now_ms(), face())
    publish(store, missed)
    write_episode(store, samples.episode(camera, "2-0.0"))
    headers = {"Last-Event-ID": last.id}
    with gateway.stream(f"/api/events/stream?camera={camera}", headers=headers) as answer:
        messages = records(answer)
        assert next(messages).name == "position"
        resumed = [next(messages), next(messages)]
    assert {message.name for message in resumed} == {"emotion", "episode"}
    assert {message.data.get("track") for message in resumed} == {None, "2-0.0"}


def test_a_kind_alone_can_be_followed(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    with gateway.stream(f"/api/events/stream?camera={camera}&kind=episode") as answer:
        messages = records(answer)
        next(messages)
        publish(store, event(camera, now_ms(), face()))
        write_episode(store, samples.episode(camera))
        assert next(messages).name == "episode"
    assert gateway.get("/api/events/stream?kind=minute").status_code == 400


def test_an_event_s_own_id_resumes_with_the_episodes_since_its_frame(
    gateway: Gateway, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    write_episode(store, samples.episode(camera, "1-0.0"), "1000-0")
    write_episode(store, samples.episode(camera, "2-0.0"), "2000-0")
    query = f"?camera={camera}"
    assert tracks(read(gateway, 1, last_id="1500-0", query=query, name="episode")) == ["2-0.0"]


def test_no_episode_is_lost_over_a_restart_of_the_gateway(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    with Gateway(redis_server.url) as gateway:
        attach(gateway, store, camera)
        with gateway.stream("/api/events/stream?kind=episode") as answer:
            position = next(records(answer)).id
        gateway.stop()
        for n in range(3):
            write_episode(store, samples.episode(camera, f"{n}-0.0"))
        gateway.start()
        attach(gateway, store, camera)
        headers = {"Last-Event-ID": position}
        with gateway.stream("/api/events/stream?kind=episode", headers=headers) as answer:
            seen = list(islice(of(camera, records(answer)), 3))
    assert tracks(seen) == ["0-0.0", "1-0.0", "2-0.0"]


def test_events_from_before_the_start_are_not_sent_to_new_clients(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    register(store, camera)
    write_episode(store, samples.episode(camera, "1-0.0"))
    with Gateway(redis_server.url) as gateway:
        attach(gateway, store, camera)
        with gateway.stream(f"/api/events/stream?camera={camera}") as answer:
            messages = records(answer)
            next(messages)
            write_episode(store, samples.episode(camera, "2-0.0"))
            assert tracks([next(messages)]) == ["2-0.0"]


def test_one_cameras_nonsense_hides_no_other_cameras_people(
    client: redis.Redis, redis_url: str
) -> None:
    """Whether it is there when the gateway starts, or found in a request."""
    client.zadd(keys.CAMERAS, {"zz": now_ms()})
    client.set(keys.episodes("zz"), "no stream")
    client.set(keys.minutes("zz"), "no stream")
    client.xadd(keys.episodes("sound"), {"episode": b"\xc1"})
    client.xadd(keys.episodes("sound"), {"episode": samples.episode("zz").pack()})
    write_episode(client, samples.episode("sound"))
    write_minutes(client, samples.minute("sound"))
    with Feeder(redis_url, "sound"), Gateway(redis_url) as gateway:
        attach(gateway, client, "sound")
        for path in ("episodes", "minutes"):
            assert gateway.get(f"/api/cameras/zz/{path}").status_code == 502
            assert len(gateway.get(f"/api/cameras/sound/{path}").json()[path]) == 1
        hour_ms = samples.minute().start_ms // 3_600_000 * 3_600_000
        query = f"from={hour_ms}&to={hour_ms + 3_600_000}&step=60"
        eventually(lambda: "zz" in gateway.get(f"/api/trends?{query}").json()["cameras"])
        trends = gateway.get(f"/api/trends?{query}").json()["cameras"]
        assert (len(trends["sound"]), trends["zz"]) == (1, [])
        assert len(read(gateway, 1, last_id="sound=0-0", name="episode")) == 1
        assert gateway.probe("/readyz").status_code == 200
