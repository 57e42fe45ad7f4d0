"""docs/cameras.md against the code."""

from pathlib import Path
from urllib.parse import quote

import redis
import yaml
from prometheus_client import CollectorRegistry

from emotion_streams import keys
from producer.config import read_cameras
from producer.polygons import parse_polygons
from producer.settings import CameraSettings
from service.metrics import ProducerMetrics
from tests.peers.pictures import write_video
from tests.peers.producer import PASSWORD, Producer
from tests.servers import RedisProcess, free_port

TEXT = (Path(__file__).parent.parent.parent / "docs" / "cameras.md").read_text()


def block(language: str, containing: str) -> str:
    blocks = [text.partition("```")[0] for text in TEXT.split(f"```{language}\n")[1:]]
    (found,) = [text for text in blocks if containing in text]
    return found


def test_every_setting_is_documented() -> None:
    settings = TEXT.partition("| setting |")[2].partition("\n\n")[0]
    assert {name for name in CameraSettings.model_fields if f"`{name}`" not in settings} == set()


def test_every_metric_of_a_camera_is_documented() -> None:
    registry = CollectorRegistry()
    ProducerMetrics(registry)
    names = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    assert {name for name in names if f"`{name}" not in TEXT} == set()


def test_documented_example_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(block("yaml", "cameras:"))
    secrets = {"LOBBY_PASSWORD": "p@ss", "YARD_URL": "rtsp://yard/1"}
    assert set(read_cameras(path, secrets)) == set(yaml.safe_load(path.read_text())["cameras"])


def test_documented_mask_is_the_same_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text("cameras:\n" + block("yaml", "mask:"))
    option = TEXT.partition("`--mask '")[2].partition("'`")[0]
    assert read_cameras(path, {})["entrance"].mask == parse_polygons(option)


def test_documented_rights_are_sufficient(tmp_path: Path) -> None:
    rule = block("", "ACL SETUSER").removeprefix("ACL SETUSER producer on >... ").split()
    with RedisProcess(port=free_port()) as server, redis.Redis(port=server.port) as client:
        client.execute_command("ACL", "SETUSER", "producer", "on", f">{PASSWORD}", *rule)
        url = f"redis://producer:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}"
        clip = write_video(tmp_path / "clip.avi", "MJPG", frames=15)
        with Producer(url, "--camera", "clip", "--source", str(clip), "--policy", "every") as done:
            assert done.wait() == 0
            assert "permission" not in done.log().lower()
        assert client.xlen(keys.frames("clip")) == 15
        assert client.hget(keys.camera_info("clip"), "state") == b"ended"
        assert client.zscore(keys.CAMERAS, "clip") is not None
