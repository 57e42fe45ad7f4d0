"""A real Prometheus with these rules, on the real processes: nothing is empty, no alert cries."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.deploy.processes import Process
from tests.deploy.programs import need
from tests.deploy.test_prometheus import BY_OTHERS, PROMETHEUS, RULES, expressions
from tests.servers import PATIENCE_S, eventually, free_port


class Prometheus:
    """Answers queries on a port of the loopback."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **query: str) -> Any:
        url = f"{self._api}/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
            return json.load(reply)["data"]

    def has(self, expr: str) -> bool:
        return bool(self.get("query", query=expr)["result"])

    def answers(self) -> bool:
        try:
            return self.has("up")
        except OSError:
            return False


@pytest.fixture(scope="module")
def prometheus(
    fleet: dict[str, Process], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Looks every three seconds, so that rates are there soon; a look may take as long."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{process.port}"]}]}
        for name, process in fleet.items()
    ]
    config = {
        "global": {"scrape_interval": "3s", "scrape_timeout": "3s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            need("prometheus", "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Prometheus(port)
        eventually(server.answers, timeout_s=PATIENCE_S, every_s=0.2)
        yield server
    finally:
        process.terminate()
        process.wait()


def test_every_record_and_panel_shows_something(prometheus: Prometheus) -> None:
    alerts = {rule["alert"] for rule in RULES if "alert" in rule}
    waiting = {
        (where, expr.replace("$camera", ".*").replace("$worker", ".*"))
        for where, expr in expressions()
        if where not in alerts and not any(name in expr for name in BY_OTHERS)
    }
    assert len(waiting) > 50

    def all_shown() -> bool:
        for item in sorted(waiting):
            if prometheus.has(item[1].replace("$__rate_interval", "5m")):
                waiting.remove(item)
        return not waiting

    try:
        eventually(all_shown, timeout_s=PATIENCE_S, every_s=0.5)
    except AssertionError:
        pytest.fail(f"empty: {sorted(waiting)}")


def test_no_alert_cries_while_all_is_well(prometheus: Prometheus) -> None:
    def evaluated() -> bool:
        groups = prometheus.get("rules", type="alert")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return len(rules) > 10 and all(rule["health"] == "ok" for rule in rules)

    eventually(evaluated, timeout_s=PATIENCE_S, every_s=0.2)
    crying = prometheus.get("alerts")["alerts"]
    # On a loaded machine frames may well be late: that is the truth, and no fault of the rules.
    slow = {"LatencyObjectiveBurnsFast", "LatencyObjectiveBurnsSlowly", "ExpiredShareHigh"}
    names = {alert["labels"]["alertname"] for alert in crying}
    assert names - slow - {"BacklogGrows"} == set()
