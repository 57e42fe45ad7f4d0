"""The Helm chart, rendered by Helm's own library: each object against its kind's schema, and
against what the processes do. Nothing is sent to a cluster."""

import copy
from collections.abc import Iterator
from typing import Any, Final

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
from pydantic import BaseModel, ValidationError

from emotion_streams.service.settings import ServiceSettings
from gateway.settings import GatewaySettings
from producer.config import read_cameras
from tests.deploy import promql
from tests.deploy.processes import ROOT
from tests.deploy.valkey import FOLDER, ROLES
from worker.app import DRAIN_S
from worker.settings import WorkerSettings

CHART: Final = ROOT / "deploy" / "helm" / "emotion-streams"
KUBERNETES: Final = "1.33"
CUSTOM: Final[dict[str, type[BaseModel]]] = {
    "ScaledObject": ScaledObject,
    "ServiceMonitor": ServiceMonitor,
    "PrometheusRule": PrometheusRule,
}
# All that a process is given by the chart itself, or by its image. A pod has one worker: each more
# would have metrics on a port of its own, where nobody looks.
FIXED: Final = {
    *ServiceSettings.model_fields,
    *("metrics_port", "detector_model", "gpus", "processes"),
    *("host", "port", "token"),
}

Manifest = dict[str, Any]
VALUES: Final[dict[str, dict[str, Any]]] = {
    "as it comes": {},
    "gpu, keda and tls": {
        "worker": {
            "gpu": {"enabled": True, "resource": "nvidia.com/mig-1g.10gb"},
            "keda": {"enabled": True},
            "settings": {"in_flight": 64, "model": "simpnet-v2"},
            "canary": {"replicas": 1, "tag": "0.2.0", "settings": {"model": "simpnet-v3"}},
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "pool", "operator": "Exists"}],
        },
        "valkey": {"tls": {"existingSecret": "valkey-tls"}},
        "gateway": {"replicas": 2, "settings": {"blur_faces": True}},
        "producers": {
            "north": {
                "cameras": {"gate": {"source": "rtsp://u:${GATE_PASSWORD}@192.0.2.1/"}},
                "existingSecret": "north-cameras",
            }
        },
    },
    "a cluster elsewhere, little else": {
        "redis": {"url": "redis+cluster://a:6379,b:6379"},
        "valkey": {"enabled": False},
        "monitoring": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "image": {"pullSecrets": [{"name": "registry"}], "tag": "1.2.3"},
    },
}


def render(values: dict[str, Any]) -> list[Manifest]:
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(copy.deepcopy(values), name="demo", namespace="faces")
    return [
        manifest
        for path, text in files.items()
        if path.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest
    ]


@pytest.fixture(scope="module", params=VALUES)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(VALUES[request.param])


@pytest.fixture(scope="module")
def full() -> list[Manifest]:
    return render(VALUES["gpu, keda and tls"])


def the(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "StatefulSet"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


class TestEverything:
    def test_meets_the_schema_of_its_kind(self, manifests: list[Manifest]) -> None:
        assert len(manifests) > 8
        for manifest in manifests:
            check(manifest)

    def test_the_schemas_would_refuse_a_slip(self, full: list[Manifest]) -> None:
        deployment = copy.deepcopy(the(full, "Deployment", "demo-worker"))
        deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 20
        with pytest.raises(kubernetes_validate.ValidationError):
            check(deployment)
        for kind, name in (("ScaledObject", "demo-worker"), ("ServiceMonitor", "demo")):
            manifest = copy.deepcopy(the(full, kind, name))
            manifest["spec"]["slip"] = 1
            with pytest.raises(ValidationError):
                check(manifest)

    def test_gets_no_variables_that_it_could_take_for_settings(
        self, manifests: list[Manifest]
    ) -> None:
        for _, pod in pods(manifests):
            assert pod["enableServiceLinks"] is False

    def test_runs_as_nobody_special_on_a_root_that_cannot_be_written(
        self, manifests: list[Manifest]
    ) -> None:
        for _, pod in pods(manifests):
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert container["resources"]["limits"]["memory"]

    def test_holds_no_secret_but_names_where_it_is(self, manifests: list[Manifest]) -> None:
        assert not [one for one in manifests if one["kind"] == "Secret"]
        for _, pod in pods(manifests):
            for container in pod["containers"]:
                for variable in container.get("env", ()):
                    if "PASSWORD" in variable["name"] or "TOKEN" in variable["name"]:
                        assert "secretKeyRef" in variable["valueFrom"]

    def test_finds_each_other(self, manifests: list[Manifest]) -> None:
        """Every selector matches a pod, and every port that is named is there."""
        labels = [
            manifest["spec"]["template"]["metadata"]["labels"].items()
            for manifest in manifests
            if manifest["kind"] in ("Deployment", "StatefulSet")
        ]
        for manifest in manifests:
            spec = manifest.get("spec", {})
            if manifest["kind"] == "Service":
                selector = spec["selector"]
            elif manifest["kind"] == "PodDisruptionBudget":
                selector = spec["selector"]["matchLabels"]
            elif manifest["kind"] == "NetworkPolicy":
                selector = spec["podSelector"]["matchLabels"]
            else:
                continue
            assert any(selector.items() <= pod for pod in labels), manifest["metadata"]["name"]


class TestProcesses:
    def test_come_as_the_role_of_their_name(self, full: list[Manifest]) -> None:
        for name, role in (
            ("demo-worker", "worker"),
            ("demo-gateway", "gateway"),
            ("demo-producer-north", "producer"),
        ):
            environment = env(full, name)
            assert environment["EMOTION_REDIS_USERNAME"]["value"] == role
            key = environment["EMOTION_REDIS_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"]
            assert key == role
            assert role in ROLES

    def test_are_given_only_settings_that_exist(self, full: list[Manifest]) -> None:
        for name, kind in (("worker", WorkerSettings), ("gateway", GatewaySettings)):
            known = {f"EMOTION_{name.upper()}_{field.upper()}" for field in kind.model_fields}
            given = {one for one in env(full, f"demo-{name}") if f"_{name.upper()}_" in one}
            assert given
            assert given <= known

    def test_are_probed_where_they_answer(self, full: list[Manifest]) -> None:
        for name, kind in (("worker", WorkerSettings), ("gateway", GatewaySettings)):
            container = container_of(full, f"demo-{name}")
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports["metrics"] == kind.model_fields["metrics_port"].default
            assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
            assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
            startup = container["startupProbe"]
            assert startup["periodSeconds"] * startup["failureThreshold"] >= 300

    def test_a_worker_is_given_the_time_to_drain(self, manifests: list[Manifest]) -> None:
        pod = dict(pods(manifests))["demo-worker"]
        assert pod["terminationGracePeriodSeconds"] >= DRAIN_S + 5

    def test_a_gateway_is_taken_out_before_it_ends(self, full: list[Manifest]) -> None:
        pod = dict(pods(full))["demo-gateway"]
        wait = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] >= wait + 3 + 5

    def test_a_gpu_worker_has_one_slice_and_the_image_for_it(self, full: list[Manifest]) -> None:
        container = container_of(full, "demo-worker")
        assert container["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == 1
        assert container["image"] == "emotion-streams/worker-gpu:0.1.0"

    def test_a_canary_differs_in_its_image_model_and_share_alone(
        self, full: list[Manifest]
    ) -> None:
        assert (
            container_of(full, "demo-worker-canary")["image"] == "emotion-streams/worker-gpu:0.2.0"
        )
        stable, canary = env(full, "demo-worker"), env(full, "demo-worker-canary")
        assert canary.pop("EMOTION_WORKER_WEIGHT")["value"] == "0.1"
        assert canary.pop("EMOTION_WORKER_MODEL")["value"] == "simpnet-v3"
        assert stable.pop("EMOTION_WORKER_MODEL")["value"] == "simpnet-v2"
        assert canary == stable
        selectors = [
            the(full, "Deployment", name)["spec"]["selector"]["matchLabels"]
            for name in ("demo-worker", "demo-worker-canary")
        ]
        assert selectors[0] != selectors[1]

    def test_a_producer_reads_a_file_that_it_understands(
        self, full: list[Manifest], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATE_PASSWORD", "x")
        path = tmp_path / "cameras.yaml"
        path.write_text(the(full, "ConfigMap", "demo-producer-north")["data"]["cameras.yaml"])
        assert "gate" in read_cameras(path)

    def test_valkey_gets_the_very_files(self, full: list[Manifest]) -> None:
        data = the(full, "ConfigMap", "demo-valkey")["data"]
        assert set(data) == {"valkey.conf", "valkey-tls.conf", "users.acl", "start.sh"}
        for name, text in data.items():
            assert text.strip() == (FOLDER / name).read_text().strip()


class TestScaling:
    def test_replicas_are_left_to_keda(self, full: list[Manifest]) -> None:
        assert "replicas" not in the(full, "Deployment", "demo-worker")["spec"]
        assert the(render({}), "Deployment", "demo-worker")["spec"]["replicas"] == 2

    def test_no_data_is_a_fault_and_never_sheds_workers(self, full: list[Manifest]) -> None:
        spec = the(full, "ScaledObject", "demo-worker")["spec"]
        assert {one["metadata"]["ignoreNullValues"] for one in spec["triggers"]} == {"false"}
        assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
        assert spec["minReplicaCount"] >= 1

    def test_asks_for_backlog_and_busy_share(self, full: list[Manifest]) -> None:
        """Metrics that tests/deploy/test_prometheus.py finds in a scrape."""
        triggers = the(full, "ScaledObject", "demo-worker")["spec"]["triggers"]
        asked = {
            metric
            for one in triggers
            for metric in promql.selectors(promql.parse(one["metadata"]["query"]))
        }
        assert asked == {"emotion_engine_busy_seconds_total", "emotion_backlog_frames"}
        assert all('{namespace="faces"}' in one["metadata"]["query"] for one in triggers)


class TestValues:
    @pytest.mark.parametrize(
        "slip",
        [
            {"worker": {"replica": 3}},
            {"worker": {"settings": {"inflight": 3}}},
            {"worker": {"resources": {"requests": {"cpu": "1"}, "limits": None}}},
            {"worker": {"gpu": {"resource": "amd.com/gpu"}}},
            {"valkey": {"enabled": False}},
            {"producers": {"x": {"cameras": {"a": {"fps": 3}}}}},
            {"redis": {"url": "localhost:6379"}},
        ],
        ids=str,
    )
    def test_a_slip_is_refused(self, slip: dict[str, Any]) -> None:
        with helm.Chart.load(str(CHART)) as chart, pytest.raises(helm.HelmError):
            chart.validate_schema(slip)

    def test_every_setting_may_be_set(self) -> None:
        with helm.Chart.load(str(CHART)) as chart:
            schema = chart.schema
        assert schema is not None
        takes: dict[str, type[ServiceSettings]] = {
            "worker": WorkerSettings,
            "gateway": GatewaySettings,
        }
        for name, kind in takes.items():
            part = schema["properties"][name]["properties"]
            allowed = part["settings"]["properties"]
            assert set(allowed) == set(kind.model_fields) - FIXED
        canary = schema["properties"]["worker"]["properties"]["canary"]["properties"]
        assert canary["settings"] == schema["properties"]["worker"]["properties"]["settings"]

    def test_helm_lints_the_chart(self) -> None:
        found = helm.lint(str(CHART))
        assert found["errors"] == []
        assert [one["error"] for one in found["messages"]] == ["icon is recommended"]


def check(manifest: Manifest) -> None:
    """Raise where the manifest is not of its kind."""
    if model := CUSTOM.get(manifest["kind"]):
        plain = copy.deepcopy(manifest)
        # Newer than these models of KEDA 2.16; TestScaling looks at it.
        plain["spec"].get("fallback", {}).pop("behavior", None)
        model.model_validate(plain, extra="forbid")
    else:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def container_of(manifests: list[Manifest], name: str) -> Manifest:
    container: Manifest = dict(pods(manifests))[name]["containers"][0]
    return container


def env(manifests: list[Manifest], name: str) -> dict[str, Manifest]:
    return {one["name"]: one for one in container_of(manifests, name)["env"]}
