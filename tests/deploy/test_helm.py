"""The Helm chart, rendered by Helm's own library: each object against its kind's schema, and
against what the processes do. Nothing is sent to a cluster."""

import copy
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
from pydantic import BaseModel, ValidationError

from gateway.settings import GatewaySettings
from producer.config import read_cameras
from sinks.config import read_sinks
from sinks.settings import SinkSettings
from tests.deploy import promql, values_schema
from tests.deploy.helm import Helm, HelmError
from tests.deploy.processes import ROOT, Process
from tests.deploy.programs import need
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
Manifest = dict[str, Any]
VALUES: Final[dict[str, dict[str, Any]]] = {
    "as it comes": {},
    "gpu, keda and tls": {
        "worker": {
            "gpu": {"enabled": True, "resource": "nvidia.com/mig-1g.10gb"},
            "keda": {"enabled": True},
            "settings": {"in_flight": 64, "model": "simpnet-v2"},
            "runtimeClassName": "nvidia",
            "canary": {"replicas": 1, "tag": "0.2.0", "settings": {"model": "simpnet-v3"}},
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "pool", "operator": "Exists"}],
        },
        "valkey": {"tls": {"existingSecret": "valkey-tls"}},
        "gateway": {"replicas": 2, "settings": {"blur_faces": True}},
        "sink": {
            "sinks": {
                "home": {"type": "mqtt", "url": "mqtts://emotion:${MQTT_PASSWORD}@broker"},
                "archive": {"type": "sql", "url": "postgresql://db/faces", "states": False},
            },
            "existingSecret": "sinks",
        },
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
        "image": {
            "pullSecrets": [{"name": "registry"}],
            "tag": "1.2.3",
            "tags": {"gateway": "1.3.0"},
        },
        "worker": {"runtimeClassName": "nvidia"},
        "producers": {
            "desk": {
                "cameras": {"usb": {"source": 0}},
                "resources": {"limits": {"memory": "1Gi", "squat.ai/video": 1}},
                "nodeSelector": {"kubernetes.io/hostname": "desk"},
                "tolerations": [{"key": "desk", "operator": "Exists"}],
                "supplementalGroups": [44],
            }
        },
    },
}


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm(CHART) as process:
        yield process


def render(helm: Helm, values: dict[str, Any]) -> list[Manifest]:
    return [
        manifest
        for path, text in helm.render(values).items()
        if path.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest
    ]


@pytest.fixture(scope="module", params=VALUES)
def manifests(helm: Helm, request: pytest.FixtureRequest) -> list[Manifest]:
    return render(helm, VALUES[request.param])


@pytest.fixture(scope="module")
def full(helm: Helm) -> list[Manifest]:
    return render(helm, VALUES["gpu, keda and tls"])


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

    def test_runs_as_an_unprivileged_user_on_a_read_only_root(
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
            ("demo-sink", "sink"),
        ):
            environment = env(full, name)
            assert environment["EMOTION_REDIS_USERNAME"]["value"] == role
            key = environment["EMOTION_REDIS_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"]
            assert key == role
            assert role in ROLES

    def test_answer_by_the_names_of_their_metrics_service(self, full: list[Manifest]) -> None:
        for name, process in (
            ("demo-worker", "worker"),
            ("demo-gateway", "gateway"),
            ("demo-producer-north", "producer"),
            ("demo-sink", "sink"),
        ):
            service = the(full, "Service", f"demo-{process}-metrics")["metadata"]["name"]
            variable = f"EMOTION_{process.upper()}_METRICS_ALLOWED_HOSTS"
            allowed = env(full, name)[variable]["value"].split(",")
            assert {service, f"{service}.faces", f"{service}.faces.svc"} < set(allowed)

    def test_are_given_only_settings_that_exist(self, full: list[Manifest]) -> None:
        for name, kind in (("worker", WorkerSettings), ("gateway", GatewaySettings)):
            known = {f"EMOTION_{name.upper()}_{field.upper()}" for field in kind.model_fields}
            given = {one for one in env(full, f"demo-{name}") if f"_{name.upper()}_" in one}
            assert given
            assert given <= known

    def test_probes_ask_the_ports_that_answer(self, full: list[Manifest]) -> None:
        for name, kind in (
            ("worker", WorkerSettings),
            ("gateway", GatewaySettings),
            ("sink", SinkSettings),
        ):
            container = container_of(full, f"demo-{name}")
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports["metrics"] == kind.model_fields["metrics_port"].default
            assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
            # What ends it must not ask for Valkey, which that does not repair.
            for probe in ("startupProbe", "livenessProbe"):
                assert container[probe]["httpGet"] == {"path": "/healthz", "port": "metrics"}

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
        assert container["resources"]["limits"]["memory"] == "6Gi"
        assert container["resources"]["requests"] == {"cpu": "2", "memory": "6Gi"}
        assert dict(pods(full))["demo-worker"]["runtimeClassName"] == "nvidia"

    def test_a_kind_of_process_may_be_ahead_of_the_others(self, helm: Helm) -> None:
        manifests = render(helm, VALUES["a cluster elsewhere, little else"])
        tags = {
            name: pod["containers"][0]["image"].rpartition(":")[2] for name, pod in pods(manifests)
        }
        ahead = {"demo-gateway": "1.3.0"}
        assert tags == {"demo-worker": "1.2.3", "demo-producer-desk": "1.2.3", **ahead}

    def test_a_set_of_usb_cameras_goes_to_the_machine_that_has_them(self, helm: Helm) -> None:
        pod = dict(pods(render(helm, VALUES["a cluster elsewhere, little else"])))[
            "demo-producer-desk"
        ]
        assert pod["nodeSelector"] == {"kubernetes.io/hostname": "desk"}
        assert pod["tolerations"] == [{"key": "desk", "operator": "Exists"}]
        assert pod["securityContext"]["supplementalGroups"] == [44]
        assert pod["containers"][0]["resources"]["limits"]["squat.ai/video"] == 1

    def test_no_camera_runs_that_is_not_configured(self, helm: Helm) -> None:
        names = {manifest["metadata"]["name"] for manifest in render(helm, {})}
        assert not [name for name in names if "producer" in name]
        sets = [
            name
            for name, _ in pods(render(helm, VALUES["gpu, keda and tls"]))
            if "producer" in name
        ]
        assert sets == ["demo-producer-north"]

    def test_settings_arrive_as_they_were_written(self, helm: Helm) -> None:
        settings = {"keep_events": 1_000_000, "keep_hours": 0.5, "model": "simpnet-v2"}
        given = env(render(helm, {"worker": {"settings": settings}}), "demo-worker")
        assert {name: given[f"EMOTION_WORKER_{name.upper()}"]["value"] for name in settings} == {
            "keep_events": "1000000",
            "keep_hours": "0.5",
            "model": "simpnet-v2",
        }

    @pytest.mark.parametrize(("holds", "limit"), [("2gb", "2560Mi"), ("512mb", "640Mi")])
    def test_valkey_has_a_quarter_more_memory_than_it_may_fill(
        self, helm: Helm, holds: str, limit: str
    ) -> None:
        container = container_of(render(helm, {"valkey": {"maxmemory": holds}}), "demo-valkey")
        assert container["args"] == ["--maxmemory", holds]
        assert container["resources"]["limits"]["memory"] == limit

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
        self, full: list[Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATE_PASSWORD", "x")
        path = tmp_path / "cameras.yaml"
        path.write_text(the(full, "ConfigMap", "demo-producer-north")["data"]["cameras.yaml"])
        assert "gate" in read_cameras(path)

    def test_a_sink_reads_a_file_that_it_understands_and_runs_once(
        self, full: list[Manifest], tmp_path: Path
    ) -> None:
        path = tmp_path / "sinks.yaml"
        path.write_text(the(full, "ConfigMap", "demo-sink")["data"]["sinks.yaml"])
        assert set(read_sinks(path, {"MQTT_PASSWORD": "x"})) == {"home", "archive"}
        spec = the(full, "Deployment", "demo-sink")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        assert container_of(full, "demo-sink")["envFrom"] == [{"secretRef": {"name": "sinks"}}]

    def test_without_sinks_no_sink_runs(self, helm: Helm) -> None:
        assert not [one for one in render(helm, {}) if "sink" in one["metadata"]["name"]]

    def test_valkey_gets_the_very_files(self, full: list[Manifest]) -> None:
        data = the(full, "ConfigMap", "demo-valkey")["data"]
        assert set(data) == {"valkey.conf", "valkey-tls.conf", "users.acl", "start.sh"}
        for name, text in data.items():
            assert text.strip() == (FOLDER / name).read_text().strip()


class TestScaling:
    def test_replicas_are_left_to_keda(self, helm: Helm, full: list[Manifest]) -> None:
        assert "replicas" not in the(full, "Deployment", "demo-worker")["spec"]
        assert the(render(helm, {}), "Deployment", "demo-worker")["spec"]["replicas"] == 2

    def test_no_data_is_a_fault_and_never_sheds_workers(self, full: list[Manifest]) -> None:
        spec = the(full, "ScaledObject", "demo-worker")["spec"]
        assert {one["metadata"]["ignoreNullValues"] for one in spec["triggers"]} == {"false"}
        assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
        assert spec["minReplicaCount"] >= 1

    def test_asks_for_metrics_that_exist_and_in_its_own_namespace_alone(
        self, full: list[Manifest], fleet: dict[str, Process]
    ) -> None:
        exported = fleet["worker"].samples()
        for query in queries(full).values():
            assert promql.selectors(promql.parse(query)).keys() <= exported.keys()
            assert query.count("{") == query.count('{namespace="faces"')

    @pytest.mark.parametrize(
        ("shares", "ended", "expected"),
        [
            # Detection is all of the work where no camera shows a face.
            ({"threads": 0.6, "engine": 0.0}, {"analysed": 20}, 0.6),
            ({"threads": 0.3, "engine": 0.6}, {"analysed": 20}, 0.6),
            # Four times as much comes as one worker can do; its backlog stays small.
            ({"threads": 1.0, "engine": 0.0}, {"analysed": 25, "expired": 75}, 4),
            # Nothing is done at all: the workers would grow without end.
            ({"threads": 1.0, "engine": 0.0}, {"analysed": 0, "expired": 100}, 10),
            # Frames are late in coming, which more workers would not change.
            ({"threads": 0.1, "engine": 0.0}, {"analysed": 25, "expired": 25}, 0.2),
            ({"threads": 0.0, "engine": 0.0}, {"analysed": 0}, 0),
            ({"threads": 0.0, "engine": 0.0}, {}, 0),
        ],
        ids=str,
    )
    def test_a_worker_counts_for_the_work_that_it_did_and_that_it_left(
        self,
        full: list[Manifest],
        tmp_path: Path,
        shares: dict[str, float],
        ended: dict[str, int],
        expected: float,
    ) -> None:
        """Two workers of which one does nothing, as Prometheus sees them."""
        worker = 'namespace="faces", instance="w1"'
        series = {
            f'emotion_owned_cameras{{namespace="faces", instance="{one}"}}': "0x10"
            for one in ("w1", "w2")
        }
        series['emotion_busy_seconds_total{namespace="faces", instance="w2", part="x"}'] = "0x10"
        for part, share in shares.items():
            name = f'emotion_busy_seconds_total{{{worker}, part="{part}"}}'
            series[name] = f"0+{60 * share}x10"
        for outcome, rate in ended.items():
            name = f'emotion_frames_total{{{worker}, camera="a", outcome="{outcome}"}}'
            series[name] = f"0+{60 * rate}x10"
        assert_query(queries(full)["busy"], series, expected, tmp_path)

    @pytest.mark.parametrize(("backlogs", "expected"), [((3, 4), 7), ((), 0)])
    def test_workers_without_a_camera_have_no_backlog_and_no_fault(
        self, full: list[Manifest], tmp_path: Path, backlogs: tuple[int, ...], expected: int
    ) -> None:
        series = {'emotion_owned_cameras{namespace="faces", instance="w1"}': "0x10"}
        for number, frames in enumerate(backlogs):
            name = f'emotion_backlog_frames{{namespace="faces", camera="{number}"}}'
            series[name] = f"{frames}x10"
        assert_query(queries(full)["backlog"], series, expected, tmp_path)


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
            {"redis": {"url": "redis://worker:hunter2@db:6379"}},
            {"producers": {"x": {"cameras": {"a": {"source": 0, "fsp": 3}}}}},
            {"producers": {"x": {"cameras": {"a": {"source": 0}}, "defaults": {"fsp": 3}}}},
            {"producers": {"x": {"cameras": {"a": {"source": "rtsp://u:hunter2@192.0.2.1/"}}}}},
            {"worker": {"settings": {"engine": "cuda"}}},
            {"sink": {"sinks": {"x": {"type": "mqtt"}}}},
            {"sink": {"sinks": {"x": {"type": "kafka", "url": "kafka://x"}}}},
            {"sink": {"sinks": {"x": {"type": "mqtt", "url": "mqtt://u:hunter2@b"}}}},
            {"sink": {"sinks": {"x": {"type": "sql", "url": "sqlite:///f", "topic": "x"}}}},
            {"sink": {"sinks": {"x": {"type": "sql", "url": "sqlite:///f", "types": ["left"]}}}},
            {"worker": {"settings": {"threads": 0}}},
            {"worker": {"canary": {"settings": {"weight": 0}}}},
            {"gateway": {"settings": {"max_rate": "fast"}}},
        ],
        ids=str,
    )
    def test_a_slip_is_refused(self, helm: Helm, slip: dict[str, Any]) -> None:
        with pytest.raises(HelmError):
            helm.validate(slip)

    @pytest.mark.parametrize(
        "source",
        [
            "demo",
            0,
            "rtsp://viewer:${GATE_PASSWORD}@192.0.2.1/stream",
            "${GATE_URL}",
            "rtsp://viewer@192.0.2.1:554/",
            "http://192.0.2.1:8080/now@home.mjpg",
        ],
    )
    def test_a_source_without_a_plain_password_is_taken(
        self, helm: Helm, source: str | int
    ) -> None:
        helm.validate({"producers": {"x": {"cameras": {"gate": {"source": source}}}}})

    def test_a_sink_with_all_kinds_of_options_is_taken(self, helm: Helm) -> None:
        sink = {
            "type": "webhook",
            "url": "https://u:${PASSWORD}@example.org/hook",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
            "records": ["episodes", "events"],
            "types": ["emotion.started"],
            "emotions": ["happiness"],
            "cameras": ["gate"],
            "min_duration_ms": 500,
            "max_age_s": 60,
        }
        helm.validate({"sink": {"sinks": {"hook": sink}}})

    def test_takes_cameras_and_settings_as_the_processes_do(self) -> None:
        schema = json.loads(values_schema.PATH.read_text())
        assert schema["definitions"] == values_schema.definitions(), (
            "run python -m tests.deploy.values_schema"
        )

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            (
                {"producers": {one: {"cameras": {"gate": {"source": 0}}} for one in ("a", "b")}},
                r"producers\.b\.cameras\.gate: producers\.a has it too",
            ),
            (
                {"redis": {"url": "redis://elsewhere"}},
                r"redis\.url: .* set valkey\.enabled to false",
            ),
            ({"worker": {"keda": {"fallbackReplicas": 21}}}, "21 is more than maxReplicas, 20"),
            ({"worker": {"keda": {"minReplicas": 21}}}, "21 is more than maxReplicas, 20"),
        ],
        ids=str,
    )
    def test_contradictory_values_are_refused(
        self, helm: Helm, values: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(HelmError, match=reason):
            render(helm, values)

    @pytest.mark.parametrize(
        "name", ["0101", "010", "1_1", "0x1f", "0b11", "1e3", "1e-7", "1.50", "no", "on", "y", "~"]
    )
    @pytest.mark.parametrize(
        "section",
        [
            "producers: {{north: {{cameras: {{{}: {{source: demo}}}}}}}}",
            "producers: {{{}: {{cameras: {{gate: {{source: demo}}}}}}}}",
            "sink: {{sinks: {{{}: {{type: mqtt, url: 'mqtt://b'}}}}}}",
        ],
        ids=["camera", "set", "sink"],
    )
    def test_a_name_that_helm_rewrites_is_refused(
        self, helm: Helm, section: str, name: str
    ) -> None:
        with pytest.raises(HelmError, match=r"in quotes|unsupported map key|additional prop"):
            render(helm, helm.parse(section.format(name)))

    @pytest.mark.parametrize(
        "name", ['"0101"', '"010"', '"1_1"', '"1.50"', '"no"', "cam8", "2-gates", "2024-01-01"]
    )
    def test_a_name_that_helm_leaves_as_it_is_reaches_the_producer(
        self, helm: Helm, tmp_path: Path, name: str
    ) -> None:
        text = f"producers: {{north: {{cameras: {{{name}: {{source: demo}}}}}}}}"
        maps = render(helm, helm.parse(text))
        file = tmp_path / "cameras.yaml"
        file.write_text(the(maps, "ConfigMap", "demo-producer-north")["data"]["cameras.yaml"])
        assert list(read_cameras(file)) == [name.strip('"')]

    @pytest.mark.parametrize("key", ["title", "group", "mask"])
    @pytest.mark.parametrize("text", ["0101", "no"])
    def test_a_text_that_helm_rewrites_is_refused(self, helm: Helm, key: str, text: str) -> None:
        camera = f"{{source: demo, {key}: {text}}}"
        with pytest.raises(HelmError, match=f"/{key}': got (number|boolean), want"):
            helm.validate(helm.parse(f"producers: {{north: {{cameras: {{gate: {camera}}}}}}}"))

    @pytest.mark.parametrize("labels", [{"release": None}, {"release": "p", "team": "a"}], ids=str)
    def test_monitoring_takes_any_labels_or_none(
        self, helm: Helm, labels: dict[str, str | None]
    ) -> None:
        monitor = the(render(helm, {"monitoring": {"labels": labels}}), "ServiceMonitor", "demo")
        given = {name: value for name, value in labels.items() if value}
        assert given.items() <= monitor["metadata"]["labels"].items()

    def test_the_example_of_producers_is_one(self, helm: Helm) -> None:
        text = (CHART / "values.yaml").read_text()
        (example,) = re.findall(r"^#   producers:\n(?:#     .*\n)+", text, re.MULTILINE)
        values = yaml.safe_load(re.sub(r"^# ", "", example, flags=re.MULTILINE))
        assert [one for one, _ in pods(render(helm, values)) if "producer" in one] == [
            "demo-producer-north"
        ]

    def test_settings_in_the_documentation_are_allowed(self, helm: Helm) -> None:
        text = (ROOT / "docs" / "operations.md").read_text()
        commands = re.findall(r"--set ([\w.=,-]+)", text)
        assert len(commands) > 3
        for command in commands:
            helm.validate(_set(command))
        assert "--reuse-values --set" not in text, "it would keep the old chart's defaults"

    def test_helm_lints_the_chart(self, helm: Helm) -> None:
        found = helm.lint()
        assert found["errors"] == []
        assert [one["error"] for one in found["messages"]] == ["icon is recommended"]


def queries(manifests: list[Manifest]) -> dict[str, str]:
    """What KEDA asks of Prometheus, by the triggers' names."""
    triggers = the(manifests, "ScaledObject", "demo-worker")["spec"]["triggers"]
    return {one["name"]: one["metadata"]["query"] for one in triggers}


def assert_query(query: str, series: dict[str, str], expected: float, folder: Path) -> None:
    """Prometheus gives this one number for a query, of series that it saw for ten minutes."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": "10m",
                "exp_samples": [{"labels": "{}", "value": expected}],
            }
        ],
    }
    (folder / "query.yml").write_text(yaml.safe_dump({"tests": [test]}))
    command = [need("promtool", "prometheus"), "test", "rules", "query.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _set(text: str) -> dict[str, Any]:
    """What Helm makes of `--set a.b=1,c=x`."""
    values: dict[str, Any] = {}
    for path, _, value in (one.partition("=") for one in text.split(",")):
        *parents, last = path.split(".")
        at = values
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = yaml.safe_load(value)
    return values


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
