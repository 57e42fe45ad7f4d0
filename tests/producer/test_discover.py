"""`emotion-streams discover`: ONVIF cameras as lines of cameras.yaml, for any answer."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from producer.config import read_cameras
from producer.discovery.lines import name_cameras, secrets, stream_path, visible
from producer.discovery.probe_match import Device, parse_matches, probes
from producer.discovery.search import GROUP, own_addresses, search
from producer.discovery.xml import UnreadableXmlError, parse
from producer.settings import CameraSettings
from service.settings_file import expand
from tests.peers.onvif_camera import DeviceService, Responder, match, matches
from tests.peers.producer import ROOT
from tests.servers import PATIENCE_S, Stopwatch

WINDOW_S = 3
"""In which an answer of this process comes to it."""

SOAP = (
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>{}</e:Body></e:Envelope>'
)


Done: TypeAlias = "subprocess.CompletedProcess[str]"


def discover(
    *arguments: str, is_complete: Callable[[Done], object] = lambda done: done.returncode != 1
) -> Done:
    """Run it with a short window for answers, and with longer ones on a machine that is too busy
    for that: the answers also wait for a processor."""
    for window_s in ("0.7", "5", "30"):
        done = subprocess.run(
            [sys.executable, "-m", "producer", "discover", "--timeout-s", window_s, *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        if is_complete(done):
            break
    return done


def cameras(text: str, folder: Path) -> dict[str, CameraSettings]:
    """The output as a producer reads it, with all variables set that it names."""
    path = folder / "cameras.yaml"
    path.write_text(text)
    names = re.findall(r"\$\{(\w+)\}", text)
    return read_cameras(path, dict.fromkeys(names, "p@ss"))


def found(replies: list[bytes], folder: Path, wanted: str = "") -> dict[str, CameraSettings]:
    """The cameras that give these replies, once the output has the wanted text."""
    with Responder(replies) as responder:
        done = discover(
            "--address",
            responder.address,
            is_complete=lambda done: done.returncode == 0 and wanted in done.stdout,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    return cameras(done.stdout, folder)


def test_cameras_are_printed_as_lines_that_the_producer_reads(tmp_path: Path) -> None:
    service = "http://127.0.0.1:1/onvif/device_service"
    with Responder([matches(match("Front%20Door", "C-100", service))]) as responder:
        done = discover("--address", responder.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "cameras:\n"
        f"  # C-100, {service}\n"
        "  # /stream1 is a guess: the path is in the camera's manual.\n"
        "  front-door:\n"
        "    source: rtsp://${FRONT_DOOR_USER}:${FRONT_DOOR_PASSWORD}@127.0.0.1/stream1\n"
        '    title: "Front Door"\n'
        "# Set in the environment of the producer: FRONT_DOOR_USER, FRONT_DOOR_PASSWORD\n"
    )
    (camera,) = cameras(done.stdout, tmp_path).values()
    assert camera.source == "rtsp://p%40ss:p%40ss@127.0.0.1/stream1"


def test_probe_asks_for_cameras_and_for_all_devices_twice() -> None:
    with Responder([matches(match())]) as responder:
        before = 0

        def asked_all(_: Done) -> bool:
            nonlocal before
            before, count = len(responder.asked), len(responder.asked) - before
            return count == 4

        discover("--address", responder.address, is_complete=asked_all)
        asked = responder.asked[-4:]
    assert len(asked) == 4
    roots = [parse(content) for content in asked]
    assert all(next(root.iter("Probe")) is not None for root in roots)
    kinds = [next((one.text for one in root.iter("Types")), None) for root in roots]
    assert kinds == ["n:NetworkVideoTransmitter", None] * 2
    identifiers = [next(one.text for one in root.iter("MessageID")) for root in roots]
    assert identifiers[0] != identifiers[1]
    assert probes()[0] != probes()[0]


def test_group_is_asked_on_every_interface() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera:
        camera.bind((GROUP, 0))
        camera.settimeout(PATIENCE_S)
        membership = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        camera.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        group = (GROUP, camera.getsockname()[1])

        def answer() -> None:
            _, sender = camera.recvfrom(65535)
            camera.sendto(matches(match()), sender)

        answering = threading.Thread(target=answer)
        answering.start()
        answers = search([], WINDOW_S, interfaces=["127.0.0.1", "192.0.2.77"], group=group)
        answering.join()
    assert [device.host for device in answers.devices()] == ["127.0.0.1"]
    assert answers.asked == ["127.0.0.1"]
    assert answers.faults == ["192.0.2.77: Cannot assign requested address"]


def test_own_interfaces_are_found_without_the_loopback() -> None:
    assert not [address for address in own_addresses() if address.startswith("127.")]


def test_stream_is_asked_for_without_a_password(tmp_path: Path) -> None:
    answers: dict[str, str | bytes] = {}
    with DeviceService(answers) as service:
        media = f"<Media><XAddr>{service.url}</XAddr></Media>"
        answers |= {
            "GetCapabilities": SOAP.format(media),
            "GetProfiles": SOAP.format('<Profiles token="main"/><Profiles token="sub"/>'),
            "GetStreamUri": SOAP.format(
                "<MediaUri><Uri>rtsp://192.0.2.9:8554/live?channel=1&amp;sub=0</Uri></MediaUri>"
            ),
        }
        (camera,) = found([matches(match(services=service.url))], tmp_path, "8554").values()
        assert service.asked[-3:] == ["GetCapabilities", "GetProfiles", "GetStreamUri"]
    assert camera.source.endswith("@127.0.0.1:8554/live?channel=1&sub=0")


@pytest.mark.parametrize(
    ("request_name", "answer"),
    [
        ("GetCapabilities", b"\xff\xfe"),
        ("GetCapabilities", SOAP.format("<Media><XAddr>http://192.0.2.1/</XAddr></Media>")),
        ("GetCapabilities", SOAP.format("<Media/>")),
        ("GetProfiles", SOAP.format('<Profiles token="&lt;x/&gt;"/>')),
        ("GetProfiles", b"<a>" * 100_000),
        ("GetStreamUri", SOAP.format("<Uri>http://127.0.0.1/x</Uri>")),
        ("GetStreamUri", SOAP.format("<Uri>rtsp://[</Uri>")),
        ("GetStreamUri", SOAP.format("")),
        ("GetStreamUri", b"x" * (1 << 22)),
    ],
)
def test_camera_that_does_not_name_its_stream_gets_a_guess(
    request_name: str, answer: str | bytes, tmp_path: Path
) -> None:
    answers: dict[str, str | bytes] = {}
    with DeviceService(answers) as service:
        media = f"<Media><XAddr>{service.url}</XAddr></Media>"
        answers |= {
            "GetCapabilities": SOAP.format(media),
            "GetProfiles": SOAP.format('<Profiles token="main"/>'),
            request_name: answer,
        }
        (camera,) = found([matches(match(services=service.url))], tmp_path).values()
    assert camera.source.endswith("@127.0.0.1/stream1")


def test_camera_that_holds_its_answer_back_does_not_hold_up_the_others(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/onvif"
        watch = Stopwatch()
        result = found([matches(match("a", services=url), match("b"))], tmp_path)
        assert watch.read_s() < 20
    assert set(result) == {"a", "b"}


def test_names_are_safe_in_keys_and_unique(tmp_path: Path) -> None:
    devices = [
        match("Küche", services="http://127.0.0.1:1/a"),
        match("Küche", services="http://127.0.0.1:1/b"),
        match("%E5%A4%A7%E9%97%A8", "DS-2CD", services="http://127.0.0.1:1/c"),
        match("", "", services="http://127.0.0.1:1/d"),
        match("7", services="http://127.0.0.1:1/e"),
        match("x" * 500, services="http://127.0.0.1:1/f"),
    ]
    result = found([matches(*devices)], tmp_path)
    assert set(result) == {"kuche", "kuche-2", "ds-2cd", "camera", "7", "x" * 40}
    assert result["kuche-2"].title == "Küche"
    assert result["ds-2cd"].title == "大门"
    assert secrets("7") == ("CAMERA_7_USER", "CAMERA_7_PASSWORD")


def test_camera_that_answers_several_times_is_one(tmp_path: Path) -> None:
    reply = matches(match(services="http://127.0.0.1:1/a"), match(services="http://127.0.0.1:1/a"))
    assert list(found([reply] * 20, tmp_path)) == ["lobby"]


def test_devices_that_are_not_cameras_are_left_out() -> None:
    printer = match(types="wsdp:Device").replace("onvif://www.onvif.org", "http://printer")
    with Responder([matches(printer)]) as responder:
        done = discover("--address", responder.address, is_complete=lambda _: True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no ONVIF camera answered within 0.7 s (127.0.0.1)" in done.stderr


def test_address_that_answered_is_preferred_among_those_of_a_camera() -> None:
    services = "http://169.254.1.1/onvif http://10.0.0.5/onvif http://[fe80::1]/onvif"
    (device,) = parse_matches(matches(match(services=services)), "10.0.0.5")
    assert (device.host, device.service) == ("10.0.0.5", "http://10.0.0.5/onvif")
    (device,) = parse_matches(matches(match(services=services)), "10.0.0.9")
    assert (device.host, device.service) == ("169.254.1.1", "")
    (device,) = parse_matches(matches(match(services="")), "10.0.0.9")
    assert (device.host, device.service) == ("10.0.0.9", "")


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;">]><l>&e;</l>"""
EXTERNAL = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'


@pytest.mark.parametrize(
    "reply",
    [
        LAUGHS,
        EXTERNAL,
        b"",
        b"\x1b[2J",
        b"\xff" * 60_000,
        b"x" * 65_000,
        matches(match("\x1b]0;owned\x07")),
        matches(match()).replace(b"Lobby", b"\xff\xfe\xfd"),
        matches(match())[:-30],
        matches(*[match()] * 100),
        b"<a>" * 10_000,
        "".join(f"<a{number}/>" for number in range(8000)).encode(),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_hostile_reply_is_left_out_and_others_are_read(reply: bytes, tmp_path: Path) -> None:
    with Responder([reply, matches(match())]) as responder:
        watch = Stopwatch()
        done = discover(
            "--address",
            responder.address,
            is_complete=lambda done: "lobby" in done.stdout and ": 4 replies" in done.stderr,
        )
        assert watch.read_s() < 20
    assert done.returncode == 0
    assert list(cameras(done.stdout, tmp_path)) == ["lobby"]
    assert re.fullmatch(r"discover: 4 replies cannot be read and are left out\n", done.stderr)
    assert "\x1b" not in done.stdout + done.stderr


def test_flood_of_replies_is_bounded(tmp_path: Path) -> None:
    flood = [
        matches(match(f"n{number}", services=f"http://127.0.0.1:1/{number}"))
        for number in range(300)
    ]
    with Responder(flood) as responder:
        done = discover(
            "--address", responder.address, is_complete=lambda done: "left out" in done.stderr
        )
    assert done.returncode == 0
    assert 0 < len(cameras(done.stdout, tmp_path)) <= 128
    assert "replies cannot be read and are left out" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "%1B%5B2J%1B%5D0;owned%07",
        "a%0A%20%20evil:%0A%20%20%20%20source:%20file",
        "%22%20%23%20%5C",
        "%E2%80%AEgnp.exe",
        "$%7BHOME%7D",
        "'%7B%7D,%5B%5D&amp;*!%7C%3E%25@`",
        "%FF%FE",
        "%00",
    ],
)
def test_texts_of_strangers_cannot_leave_their_line(name: str, tmp_path: Path) -> None:
    device = match(name, hardware=name, services="http://127.0.0.1:1/$%7BHOME%7D")
    result = found([matches(device)], tmp_path)
    assert len(result) == 1
    (camera,) = result.values()
    assert camera.source.count("@") == 1
    assert camera.title.isprintable()
    assert "p@ss" not in camera.title
    assert "/root" not in camera.title + camera.source


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("rtsp://10.0.0.5/live", "/live"),
        ("rtsp://10.0.0.5:554/live", "/live"),
        ("rtsp://10.0.0.5:8554", ":8554/"),
        ("rtsp://joe:secret@10.0.0.5/live", "/live"),
        ("rtsp://10.0.0.5/${HOME}/@evil/", "/%24%7BHOME%7D/%40evil/"),
        ("rtsp://10.0.0.5/a b#c", "/a%20b"),
        ("rtsp://10.0.0.5/a?x=${HOME}&y=@z", "/a?x=%24%7BHOME%7D&y=%40z"),
        ("rtsp://10.0.0.5/\x1b[2J", "/%1B%5B2J"),
        ("rtsp://10.0.0.5:99999/", None),
        ("http://10.0.0.5/live", None),
        ("file:///etc/passwd", None),
        ("rtsp://[/", None),
        ("rtsp://10.0.0.5/" + "x" * 1000, None),
        ("", None),
        (None, None),
    ],
)
def test_stream_of_a_stranger_is_encoded(url: str | None, path: str | None) -> None:
    assert stream_path(url) == path
    if path:
        assert expand(path, {"HOME": "/root"}) == path


def test_parser_refuses_what_exceeds_its_limits() -> None:
    for content in (b"<a>" * 40 + b"</a>" * 40, b"<a>" + b"<b/>" * 6000 + b"</a>", b"x" * 300_000):
        with pytest.raises(UnreadableXmlError):
            parse(content)
    with pytest.raises(UnreadableXmlError, match="document type"):
        parse(LAUGHS)


def test_many_devices_get_different_names() -> None:
    named = name_cameras(Device(f"10.0.0.{number}", name="Cam") for number in range(200))
    assert len(named) == 200
    assert visible("a\x1b[2J\u202eb") == "a?[2J?b"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--address", "127.0.0.1:x"], "must be HOST or HOST:PORT"),
        (["--address", ":3702"], "must be HOST or HOST:PORT"),
        (["--timeout-s", "inf"], "must be above 0 and at most 60"),
        (["--speed", "3"], "--speed"),
    ],
)
def test_invalid_arguments_are_one_line(arguments: list[str], complaint: str) -> None:
    done = discover(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
