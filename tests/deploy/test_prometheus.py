"""Rules and dashboards: true for promtool, and for what the processes really export."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from deploy.grafana.build import DASHBOARDS, FOLDER, to_text
from tests.deploy import promql
from tests.deploy.processes import ROOT, Process
from tests.deploy.programs import need

PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULES: Final = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS: Final = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS: Final = ("rules_test.yml", "rules_slow_test.yml")

BY_OTHERS: Final = {
    # redis_exporter's, of the server itself; its documentation is the source, no scrape of it.
    "redis_memory_used_bytes": set[str](),
    "redis_memory_max_bytes": set[str](),
    "redis_evicted_keys_total": set[str](),
    "up": set[str](),
}
TARGET: Final = {"job", "instance"}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression under deploy/, with its place. (The chart's are in its own test.)"""
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for name in DASHBOARDS:
        board: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                if "expr" in target:  # the others are SQL; see test_audience.py
                    yield f"{name}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["datasource"]["type"] != "prometheus":
                continue
            metric, label = re.fullmatch(
                r"label_values\((\w+), (\w+)\)", variable["definition"]
            ).groups()  # type: ignore[union-attr]  # None fails the test as it should
            yield f"{name}: ${variable['name']}", f"sum by ({label}) ({metric})"


class TestPromtool:
    def test_finds_the_rules_sound(self) -> None:
        self._run("check", "rules", "rules.yml")

    def test_finds_the_configuration_sound(self) -> None:
        self._run("check", "config", "--syntax-only", "prometheus.yml")

    def test_sees_every_alert_fire_and_not_fire(self) -> None:
        self._run("test", "rules", *TESTS)

    def test_would_see_a_wrong_rule(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("wrong")
        wrong = (PROMETHEUS / "rules.yml").read_text().replace("camera_up == 0", "camera_up == 1")
        (folder / "rules.yml").write_text(wrong)
        tests = yaml.safe_load((PROMETHEUS / TESTS[0]).read_text())
        tests["tests"] = [one for one in tests["tests"] if one["name"].startswith("CameraDown")]
        (folder / TESTS[0]).write_text(yaml.safe_dump(tests))
        done = subprocess.run(
            [need("promtool", "prometheus"), "test", "rules", TESTS[0]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "CameraDown" in done.stdout + done.stderr

    def _run(self, *arguments: str) -> None:
        command = [need("promtool", "prometheus"), *arguments]
        done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
class TestAlerts:
    def test_has_a_test_that_fires_it_and_one_that_does_not(self, alert: str) -> None:
        expected = [
            case["exp_alerts"]
            for name in TESTS
            for test in yaml.safe_load((PROMETHEUS / name).read_text())["tests"]
            for case in test["alert_rule_test"]
            if case["alertname"] == alert
        ]
        assert any(expected)
        assert not all(expected)

    def test_says_how_urgent_it_is_and_where_to_read_on(self, alert: str) -> None:
        rule = ALERTS[alert]
        assert rule["labels"]["severity"] in ("page", "ticket")
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert anchor == alert.lower()
        assert alert in headings


class TestExpressions:
    @pytest.fixture(scope="class")
    @classmethod
    def known(cls, fleet: dict[str, Process]) -> dict[str, set[str]]:
        """Every metric that there is, with its labels: scraped, recorded, or by others."""
        known = {name: set(labels) for name, labels in BY_OTHERS.items()}
        for process in fleet.values():
            for name, labels in process.samples().items():
                known.setdefault(name, set()).update(labels)
        for rule in RULES:
            if "record" in rule:
                tree = promql.parse(rule["expr"])
                by = [labels for labels, _ in promql.groupings(tree)]
                of_all = [known.get(metric, set()) for metric in promql.selectors(tree)]
                known[rule["record"]] = set().union(*(by or of_all))
        return known

    def test_name_only_metrics_and_labels_that_exist(self, known: dict[str, set[str]]) -> None:
        wrong = []
        for where, expr in expressions():
            tree = promql.parse(expr)
            for metric, labels in promql.selectors(tree).items():
                if metric not in known:
                    wrong.append(f"{where}: no metric {metric}")
                elif unknown := labels - known[metric] - TARGET:
                    wrong.append(f"{where}: {metric} has no label {sorted(unknown)}")
            for labels, metrics in promql.groupings(tree):
                has = set().union(*(known.get(metric, set()) for metric in metrics))
                if unknown := labels - has - TARGET:
                    wrong.append(f"{where}: nothing under it has the label {sorted(unknown)}")
        assert wrong == []

    def test_are_many(self) -> None:
        assert len(list(expressions())) > 80


class TestDashboards:
    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_files_are_what_the_code_says(self, name: str) -> None:
        written = (FOLDER / f"{name}.json").read_text()
        assert written == to_text(DASHBOARDS[name]), "run python -m deploy.grafana.build"

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_panels_do_not_overlap(self, name: str) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in DASHBOARDS[name].to_json()["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken
            assert at["x"] + at["w"] <= 24
            taken |= cells

    def test_no_file_is_left_over(self) -> None:
        assert {path.stem for path in FOLDER.glob("*.json")} == set(DASHBOARDS)
