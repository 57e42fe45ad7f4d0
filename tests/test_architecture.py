"""The directions between folders, and what a process imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "emotion_streams": set(),
    "service": {"emotion_streams"},
    "producer": {"emotion_streams", "service"},
    "worker": {"emotion_streams", "service"},
    "gateway": {"emotion_streams", "service"},
    "sinks": {"emotion_streams", "service"},
    "training": {"emotion_streams", "worker"},
    "deploy": {"emotion_streams", "service", "producer"},
    "analyse": {"emotion_streams", "service", "producer", "gateway", "deploy"},
}
FOLDERS = {*MAY_IMPORT, "tests"}


def imports(path: Path) -> set[str]:
    """The project's folders that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found & FOLDERS


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_is_upstream(folder: str) -> None:
    modules = list((ROOT / folder).rglob("*.py"))
    assert modules
    for module in modules:
        assert imports(module) <= MAY_IMPORT[folder] | {folder}, module


WORKER_ROOMS = {
    "model": set(),
    "tracking": set(),
    "inference": {"model", "tracking"},
    "delivery": {"inference", "tracking"},
    "ownership": {"delivery"},
}


@pytest.mark.parametrize("room", WORKER_ROOMS)
def test_a_room_of_the_worker_imports_only_what_is_below_it(room: str) -> None:
    modules = list((ROOT / "worker" / room).rglob("*.py"))
    assert modules
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("worker."):
                other = str(node.module).split(".")[1]
                if (ROOT / "worker" / other).is_dir():
                    assert other in WORKER_ROOMS[room] | {room}, module


def test_the_client_needs_nothing_but_redis_and_msgpack() -> None:
    script = (
        "import sys; import emotion_streams, emotion_streams.cli; "
        "heavy = {'numpy', 'cv2', 'pydantic', 'prometheus_client', 'yaml'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@pytest.mark.parametrize("engine", ["mnn", "openvino"])
def test_the_worker_on_a_cpu_never_imports_tensorflow_or_what_quantizes(engine: str) -> None:
    script = (
        "import sys; import worker.__main__; "
        "from worker.inference.engines.choose import build_engine; "
        "from worker.model.release import load; "
        f"build_engine('{engine}', load(), 1); "
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'nncf'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    "importing",
    [
        "from worker.inference.engines.openvino import OpenVinoEngine",
        "from worker.inference.openvino_core import open_core; open_core()",
        "from training.quantize import import_nncf; import_nncf()",
    ],
)
def test_nobody_is_told_that_openvino_is_used(importing: str) -> None:
    script = (
        f"import sys; {importing}; assert 'openvino' in sys.modules or 'nncf' in sys.modules; "
        "told = [m for m in sys.modules if 'openvino_telemetry' in m and sys.modules[m]]; "
        "sys.exit(f'imported {told}' if told else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
