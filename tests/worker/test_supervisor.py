"""Several workers on one machine, watched by one process."""

import os
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import redis

from emotion_streams import keys
from service.settings import load
from tests.faults.processes import Running, start_worker
from tests.servers import PATIENCE_S, eventually, free_port
from worker.model.release import locate
from worker.settings import WorkerSettings
from worker.supervisor import Placement, PlacementError, plan_placements


def given(**values: Any) -> WorkerSettings:
    return WorkerSettings(**values)


def started(placement: Placement, *argv: str) -> WorkerSettings:
    """The settings of the worker that is started there."""
    return load(WorkerSettings, "worker", [*argv, *placement.options])


def test_a_worker_per_gpu_each_with_a_port_of_its_own() -> None:
    found = plan_placements(given(gpus="0,2", metrics_port=9101), ("0", "1", "2"), cores=16)
    assert [placement.gpu for placement in found] == ["0", "2"]
    # Between them are the producer's and the gateway's.
    assert [started(placement).metrics_port for placement in found] == [9101, 9111]


def test_a_worker_for_a_gpu_has_the_engine_that_runs_on_it_or_not_at_all() -> None:
    (placement,) = plan_placements(given(gpus="0"), ("0",), cores=2)
    assert started(placement, "--gpus", "0").engine == "keras"
    assert started(placement, "--gpus", "0").gpus == ""
    (placement,) = plan_placements(given(processes=1), (), cores=2)
    assert started(placement).engine == "auto"


def test_processes_are_workers_per_gpu() -> None:
    found = plan_placements(given(gpus="0,2", processes=2), ("0", "2"), cores=16)
    assert [placement.gpu for placement in found] == ["0", "2", "0", "2"]
    assert {started(placement).processes for placement in found} == {1}
    assert [started(placement).threads for placement in found] == [4] * 4
    assert len({started(placement).metrics_port for placement in found}) == 4


def test_all_gpus_are_those_visible() -> None:
    found = plan_placements(given(gpus="all"), ("3", "GPU-8f2383e4"), cores=4)
    assert [placement.gpu for placement in found] == ["3", "GPU-8f2383e4"]


def test_workers_share_the_cores_unless_threads_are_given() -> None:
    (first, *_) = plan_placements(given(processes=2), (), cores=8)
    assert first.gpu is None
    assert first.options[-2:] == ("--threads", "4")
    (first, *_) = plan_placements(given(processes=2, threads=3), (), cores=8)
    assert "--threads" not in first.options


def test_free_ports_stay_free_ports() -> None:
    found = plan_placements(given(processes=3, metrics_port=0), (), cores=8)
    assert [started(placement).metrics_port for placement in found] == [0] * 3


def test_a_port_beyond_the_last_is_refused_before_anything_is_started() -> None:
    assert len(plan_placements(given(processes=3, metrics_port=65_515), (), cores=2)) == 3
    with pytest.raises(PlacementError, match=r"--metrics-port 65516: 3 workers .* up to 65536"):
        plan_placements(given(processes=3, metrics_port=65_516), (), cores=2)


@pytest.mark.parametrize(("asked", "visible"), [("all", ()), ("1", ("0",)), ("0,7", ("0", "1"))])
def test_a_gpu_that_is_not_there_is_named(asked: str, visible: tuple[str, ...]) -> None:
    with pytest.raises(PlacementError, match=f"--gpus {asked}.*visible"):
        plan_placements(given(gpus=asked), visible, cores=2)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"gpus": "0,1,0"}, "named twice"),
        ({"gpus": "all", "engine": "mnn"}, "mnn runs on CPUs"),
        ({"gpus": "all", "engine": "openvino"}, "openvino runs on CPUs"),
    ],
)
def test_settings_that_contradict_a_worker_per_gpu_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(PlacementError, match=complaint):
        plan_placements(given(**settings), ("0", "1"), cores=2)


def test_without_a_gpu_the_process_says_so_and_ends(tmp_path: Path) -> None:
    with start_worker(tmp_path, "redis://127.0.0.1:1", "--gpus", "63") as worker:
        assert worker.wait() == 2
        assert "--gpus 63:" in worker.logged()


def test_a_device_that_is_not_there_ends_the_process_with_one_line(tmp_path: Path) -> None:
    with start_worker(tmp_path, "redis://127.0.0.1:1", "--device", "GPU.63") as worker:
        assert worker.wait() == 2
        assert "sees no device GPU.63, only CPU" in worker.logged()
        assert "Traceback" not in worker.logged()


def test_an_int8_file_that_is_not_the_cards_ends_the_process_with_one_line(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(locate("simpnet-v2-32"), model)
    (model / "int8.npz").write_bytes(b"another")
    with start_worker(tmp_path, "redis://127.0.0.1:1", "--model", str(model)) as worker:
        assert worker.wait() == 2
        assert f"{model}/int8.npz: sha256 is" in worker.logged()
        assert "Traceback" not in worker.logged()


def test_two_processes_are_started_watched_restarted_and_stopped(
    redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    port = free_port(further=10)
    options = ("--processes", "2", "--metrics-port", str(port))
    with start_worker(tmp_path, redis_url, *options) as supervisor:
        eventually(lambda: ready(port) and ready(port + 10))
        eventually(lambda: client.zcard(keys.WORKERS) == 2)
        victim, other = sorted(children(supervisor))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(children(supervisor) - {victim}) == 2)
        assert other in children(supervisor)
        eventually(lambda: ready(port) and ready(port + 10))
        supervisor.terminate()
        assert supervisor.wait() == 0
        # It waits until they have signed off in good order. The fallen one's entry runs out.
        eventually(lambda: client.zcard(keys.WORKERS) <= 1)
        assert "restarting worker: worker exited (signal SIGKILL)" in supervisor.logged()
        assert not ready(port)


def test_workers_whose_settings_are_wrong_are_not_started_again(tmp_path: Path) -> None:
    options = ("--processes", "2", "--model", "nothing-of-that-name")
    with start_worker(tmp_path, "redis://127.0.0.1:1", *options) as supervisor:
        assert supervisor.wait(PATIENCE_S) == 2
        assert "no model" in supervisor.logged()


def children(process: Running) -> set[int]:
    pid = process.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=PATIENCE_S) as reply:
            return bool(reply.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False
