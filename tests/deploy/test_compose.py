"""deploy/compose.yaml: against its specification, and against what the files beside it say."""

import re
from typing import Any, Final

import pytest
import yaml
from compose_spec.models import ComposeSpecification
from pydantic import ValidationError

from producer.config import read_cameras
from sinks.config import read_sinks
from tests.deploy.processes import ROOT
from tests.deploy.valkey import ROLES
from worker.app import DRAIN_S

DEPLOY: Final = ROOT / "deploy"
TEXT: Final = (DEPLOY / "compose.yaml").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(TEXT)
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
OURS: Final = ("producer", "worker", "worker-gpu", "gateway", "sink")


def test_it_meets_the_compose_specification() -> None:
    document = {name: part for name, part in COMPOSE.items() if not name.startswith("x-")}
    ComposeSpecification.model_validate(document, extra="forbid")


def test_the_specification_would_refuse_a_slip() -> None:
    document = {"services": {"worker": {"image": "x", "read_onyl": True}}}
    with pytest.raises(ValidationError):
        ComposeSpecification.model_validate(document, extra="forbid")


def test_every_variable_is_in_the_example_and_every_secret_is_asked_for() -> None:
    example = re.findall(r"^(\w+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE)
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT)) & set(re.findall(r"\$\{(\w+)[:?}-]", TEXT))
    assert used == set(example)
    assert not re.search(r"\$\{\w*(PASSWORD|TOKEN)\w*\}", TEXT), "without :? it would start empty"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def _mebibytes(size: str) -> int:
    return int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_take_the_memory_of_the_machine(name: str) -> None:
    assert _mebibytes(SERVICES[name]["mem_limit"]) <= 8192


def test_valkey_gets_what_it_may_hold_and_a_quarter_more() -> None:
    conf = (DEPLOY / "valkey" / "valkey.conf").read_text()
    (holds_gb,) = re.findall(r"^maxmemory (\d+)gb$", conf, re.MULTILINE)
    assert _mebibytes(SERVICES["valkey"]["mem_limit"]) == int(holds_gb) * 1024 * 5 // 4


@pytest.mark.parametrize("name", OURS)
def test_our_processes_answer_by_the_name_of_their_service(name: str) -> None:
    variable = f"EMOTION_{name.partition('-')[0].upper()}_METRICS_ALLOWED_HOSTS"
    assert name in SERVICES[name]["environment"][variable].split(",")


@pytest.mark.parametrize("name", OURS)
def test_our_images_are_built_from_a_dockerfile_of_their_name(name: str) -> None:
    build = SERVICES[name]["build"]
    assert build == {"context": "..", "dockerfile": f"deploy/Dockerfile.{name}"}
    assert (ROOT / build["dockerfile"]).is_file()


@pytest.mark.parametrize("name", OURS)
def test_our_processes_come_as_the_role_of_their_name(name: str) -> None:
    environment = SERVICES[name]["environment"]
    role = environment["EMOTION_REDIS_USERNAME"]
    assert role == name.partition("-")[0]
    assert role in ROLES
    variable = f"VALKEY_{role.upper()}_PASSWORD"
    assert f"${{{variable}:?" in environment["EMOTION_REDIS_PASSWORD"]
    assert variable in SERVICES["valkey"]["environment"]


def test_a_worker_is_given_the_time_to_drain() -> None:
    for name in ("worker", "worker-gpu"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= DRAIN_S + 4


def test_mounts_are_folders_so_that_a_replaced_file_is_seen() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).is_dir()


def test_prometheus_scrapes_the_port_of_every_process() -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    scraped = {
        name: config["port"]
        for job in yaml.safe_load(text)["scrape_configs"]
        for config in job.get("dns_sd_configs", ())
        for name in config["names"]
    }
    assert scraped == {
        "producer": 9102,
        "worker": 9101,
        "worker-gpu": 9101,
        "gateway": 9103,
        "sink": 9104,
    }
    for name in (*scraped, "valkey-exporter"):
        assert set(SERVICES["prometheus"]["networks"]) & set(SERVICES[name]["networks"])


def test_the_producer_reads_the_file_that_is_mounted() -> None:
    producer = SERVICES["producer"]
    (folder,) = [one.rpartition(":")[0].rpartition(":")[2] for one in producer["volumes"]]
    assert producer["command"] == ["--config", f"{folder}/cameras.yaml"]


def test_the_sink_reads_the_file_that_is_mounted_and_has_its_secrets() -> None:
    sink = SERVICES["sink"]
    (folder,) = [one.rpartition(":")[0].rpartition(":")[2] for one in sink["volumes"]]
    assert sink["command"] == ["--config", f"{folder}/sinks.yaml"]
    options = read_sinks(DEPLOY / "sinks" / "sinks.yaml", {"DATABASE_PASSWORD": "x y"})["archive"]
    assert "DATABASE_PASSWORD" in sink["environment"]
    database = SERVICES["postgresql"]["environment"]
    user, name = database["POSTGRES_USER"], database["POSTGRES_DB"]
    assert options.url == f"postgresql://{user}:x%20y@postgresql/{name}"


def test_the_cameras_file_is_one() -> None:
    assert set(read_cameras(DEPLOY / "cameras" / "cameras.yaml")) == {"demo"}
