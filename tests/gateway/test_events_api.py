"""Cameras, pages of events, history and exports."""

import csv
import io
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from emotion_streams import EMOTIONS, Box, Emotion, EmotionEvent
from gateway.follow import EventFilter
from tests.gateway.feeder import CALM, event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.servers import eventually


@pytest.fixture
def events(gateway: Gateway, store: Any, camera: str) -> list[EmotionEvent]:
    """Twenty, a second apart: even ones show happiness, odd ones fear, the last no face."""
    register(store, camera)
    start = now_ms() - 20_000
    made = [
        event(camera, start + 1000 * n, face("fear" if n % 2 else "happiness")) for n in range(19)
    ]
    made.append(event(camera, start + 19_000))
    for each in made:
        publish(store, each)
    eventually(lambda: camera in listed(gateway))
    return made


def listed(gateway: Gateway) -> dict[str, Any]:
    return {item["camera"]: item for item in gateway.get("/api/cameras").json()["cameras"]}


def stamp(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y%m%dT%H%M%SZ}"


def ids(answer: Any) -> list[str]:
    return [item["frame_id"] for item in answer.json()["events"]]


def test_a_camera_is_listed_with_its_state(gateway: Gateway, store: Any, camera: str) -> None:
    register(store, camera, state="down", error="no route to host", lasting=True)
    eventually(lambda: camera in listed(gateway))
    status = listed(gateway)[camera]
    assert status["state"] == "down"
    assert (status["width"], status["height"], status["fps"]) == (640, 480, 10.0)


def test_credentials_in_a_camera_s_error_are_never_shown(
    gateway: Gateway, store: Any, camera: str
) -> None:
    register(
        store, camera, state="down", error="rtsp://admin:hunter2@10.0.0.7/1?token=abcd: no", **CALM
    )
    eventually(lambda: camera in listed(gateway))
    text = gateway.get("/api/cameras").text
    assert "10.0.0.7" in text
    assert "hunter2" not in text
    assert "abcd" not in text


def test_without_after_the_newest_events_come_oldest_first(
    gateway: Gateway, events: list[EmotionEvent], camera: str
) -> None:
    answer = gateway.get(f"/api/cameras/{camera}/events?limit=3")
    assert answer.json()["events"] == [each.to_dict() for each in events[-3:]]
    assert answer.json()["next"] == events[-1].frame_id


def test_next_leads_through_all_events_each_once(
    gateway: Gateway, events: list[EmotionEvent], camera: str
) -> None:
    after, seen = "start", []
    while True:
        page = gateway.get(f"/api/cameras/{camera}/events?after={after}&limit=7")
        if not ids(page):
            break
        seen += ids(page)
        after = page.json()["next"]
    assert seen == [each.frame_id for each in events]


def test_an_emotion_filters_and_next_goes_past_what_was_left_out(
    gateway: Gateway, events: list[EmotionEvent], camera: str
) -> None:
    answer = gateway.get(f"/api/cameras/{camera}/events?after=start&emotion=fear")
    assert ids(answer) == [each.frame_id for each in events[:19] if each.faces[0].emotion == "fear"]
    assert answer.json()["next"] == events[-1].frame_id
    newest = gateway.get(f"/api/cameras/{camera}/events?limit=2&emotion=happiness")
    assert ids(newest) == [events[16].frame_id, events[18].frame_id]


def test_an_unknown_camera_is_not_found(gateway: Gateway) -> None:
    for path in ("events", "history", "export", "frame.jpg", "live.mjpeg"):
        answer = gateway.get(f"/api/cameras/unknown/{path}")
        assert answer.status_code == 404
        assert "unknown camera 'unknown'" in answer.json()["error"]
    assert gateway.get("/api/events/stream?camera=unknown").status_code == 404
    assert gateway.get("/api/pictures/stream?camera=unknown").status_code == 404


def test_the_history_sums_up_seconds(
    gateway: Gateway, events: list[EmotionEvent], camera: str
) -> None:
    eventually(
        lambda: gateway.get(f"/api/cameras/{camera}/history").json()["last"] == events[-1].frame_id
    )
    seconds = gateway.get(f"/api/cameras/{camera}/history").json()["seconds"]
    assert [second["at"] for second in seconds] == [each.captured_ms // 1000 for each in events]
    assert seconds[1]["counts"] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert seconds[1]["means"][0] == pytest.approx(0.86)
    assert seconds[-1]["faces"] == 0
    few = gateway.get(f"/api/cameras/{camera}/history?seconds=5").json()["seconds"]
    assert 1 <= len(few) <= 6


def test_the_history_counts_people_by_their_tracks_and_emotions_by_their_labels(
    gateway: Gateway, store: Any, camera: str
) -> None:
    """The second frame misses a person, and a false face is in it."""
    smoothed = dict.fromkeys(EMOTIONS, 0.1) | {"happiness": 0.3}
    tracked = replace(face("fear"), track="1-0.0", label="happiness", smoothed=smoothed)
    unsure = replace(tracked, track="1-0.1", label="uncertain")
    start = now_ms() // 1000 * 1000 - 5000
    seen = ((tracked, unsure), (unsure, face("anger")), (tracked, unsure), ())
    for number, faces in enumerate(seen):
        publish(store, event(camera, start + 200 * number, *faces))
    register(store, camera)
    path = f"/api/cameras/{camera}/history"
    eventually(lambda: gateway.get(path).json().get("last") == f"{start + 600}-0")
    (second,) = gateway.get(path).json()["seconds"]
    assert (second["faces"], second["people"]) == (6, 6 / 4)
    counts = dict(zip(EMOTIONS, second["counts"], strict=True))
    assert {name: count for name, count in counts.items() if count} == {"happiness": 2, "anger": 1}
    means = dict(zip(EMOTIONS, second["means"], strict=True))
    assert means["happiness"] == pytest.approx((5 * 0.3 + 0.02) / 6, abs=1e-4)


def test_json_lines_hold_exactly_the_events_of_the_range(
    gateway: Gateway, events: list[EmotionEvent], camera: str
) -> None:
    since, until = events[3].captured_ms, events[7].captured_ms
    answer = gateway.get(f"/api/cameras/{camera}/export?format=jsonl&from={since}&to={until}")
    name = f"{camera}-events-from-{stamp(since)}-to-{stamp(until)}.jsonl"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == [each.to_dict() for each in events[3:7]]


def test_csv_has_a_row_per_face_and_one_for_a_picture_without(
    gateway: Gateway, events: list[EmotionEvent], camera: str
) -> None:
    moment = datetime.fromtimestamp(events[17].captured_ms / 1000, UTC)
    query = {"from": moment.isoformat(timespec="milliseconds")}
    answer = gateway.get(f"/api/cameras/{camera}/export", params=query)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["frame_id"] for row in rows] == [each.frame_id for each in events[17:]]
    assert (rows[0]["emotion"], rows[0]["x"], rows[0]["face_width"]) == ("fear", "238.0", "100.0")
    assert float(rows[0]["fear"]) == pytest.approx(0.86)
    assert (rows[2]["faces"], rows[2]["emotion"]) == ("0", "")


def test_csv_of_events_has_three_decimals_and_json_lines_are_as_stored(
    gateway: Gateway, store: Any, camera: str
) -> None:
    register(store, camera)
    box, shares = Box(1 / 3, 2 / 3, 200 / 3, 70), dict.fromkeys(EMOTIONS, 1 / 7)
    exact = replace(face("fear"), box=box, score=2 / 3, confidence=6 / 7, probabilities=shares)
    made = event(camera, now_ms(), exact)
    publish(store, made)
    eventually(lambda: camera in listed(gateway))
    (row,) = csv.DictReader(io.StringIO(gateway.get(f"/api/cameras/{camera}/export").text))
    columns = ("x", "y", "face_width", "face_height", "score", "confidence", "fear")
    assert [row[column] for column in columns] == [
        "0.333", "0.667", "66.667", "70.0", "0.667", "0.857", "0.143",
    ]  # fmt: skip
    (line,) = gateway.get(f"/api/cameras/{camera}/export?format=jsonl").text.splitlines()
    assert json.loads(line) == made.to_dict()


def test_unreadable_entries_are_skipped(
    gateway: Gateway, events: list[EmotionEvent], store: Any, camera: str
) -> None:
    store.xadd(f"emotions:{{{camera}}}", {"event": b"\xc1"}, id=f"{now_ms()}-0")
    store.xadd(f"emotions:{{{camera}}}", {"other": b""}, id=f"{now_ms() + 1}-0")
    last = event(camera, now_ms() + 2, face())
    publish(store, last)
    expected = [each.frame_id for each in (*events, last)]
    assert ids(gateway.get(f"/api/cameras/{camera}/events")) == expected
    assert ids(gateway.get(f"/api/cameras/{camera}/events?after=start")) == expected
    eventually(
        lambda: gateway.get(f"/api/cameras/{camera}/history").json()["last"] == last.frame_id
    )


def test_a_camera_is_exported_whose_clock_is_far_ahead(
    gateway: Gateway, store: Any, camera: str
) -> None:
    register(store, camera)
    far = event(camera, 7_000_000_000_000)
    publish(store, far)
    answer = gateway.get(f"/api/cameras/{camera}/export?format=csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["frame_id"], row["captured"]) == (far.frame_id, "2191-10-27T12:26:40.000+00:00")


def test_exports_and_history_say_how_far_back_they_reach(
    gateway: Gateway, events: list[EmotionEvent], store: Any, camera: str
) -> None:
    """As after trimming: what was asked for from an earlier time is not there."""
    kept = events[4].captured_ms
    store.xtrim(f"emotions:{{{camera}}}", minid=f"{kept}-0", approximate=False)
    answer = gateway.get(f"/api/cameras/{camera}/export?from={events[0].captured_ms}")
    assert datetime.fromisoformat(answer.headers["x-oldest-event"]).timestamp() * 1000 == kept
    assert gateway.get(f"/api/cameras/{camera}/history").json()["oldest_ms"] == kept
    store.delete(f"emotions:{{{camera}}}")
    assert "x-oldest-event" not in gateway.get(f"/api/cameras/{camera}/export").headers
    assert gateway.get(f"/api/cameras/{camera}/history").json()["oldest_ms"] is None


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_events_without_the_emotion_asked_for_are_not_unpacked(
    monkeypatch: pytest.MonkeyPatch, emotion: Emotion
) -> None:
    """A rare emotion in thousands of events costs little; each one that shows it is found."""
    unpacked: list[bytes] = []
    unpack = EmotionEvent.unpack

    def counting(blob: bytes) -> EmotionEvent:
        unpacked.append(blob)
        return unpack(blob)

    monkeypatch.setattr(EmotionEvent, "unpack", counting)
    wanted = EventFilter(emotion)
    shown = [
        event("lobby", 1, *map(face, names)) for names in itertools.product(EMOTIONS, repeat=2)
    ]
    found = [wanted.read("lobby", b"1-0", {b"event": each.pack()}) for each in shown]
    expected = [each for each in shown if any(f.emotion == emotion for f in each.faces)]
    assert [item.event for item in found if item] == expected
    assert len(unpacked) == len(expected)
