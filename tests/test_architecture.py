"""The directions between folders, and what a process imports."""

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
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
WORKER_ROOMS = {
    "model": set(),
    "tracking": set(),
    "inference": {"model", "tracking"},
    "delivery": {"inference", "tracking"},
    "ownership": {"delivery"},
}


def modules(folder: str) -> list[Path]:
    """The modules of a folder; those of the worker's rooms are not its own."""
    found = (ROOT / folder).rglob("*.py")
    return [path for path in found if room_of(path.relative_to(ROOT).parts) == folder]


def room_of(parts: Sequence[str]) -> str | None:
    """The folder that a module is in; None if it is none of ours."""
    if parts[0] == "worker" and len(parts) > 1 and parts[1] in WORKER_ROOMS:
        return f"worker/{parts[1]}"
    return parts[0] if parts[0] in MAY_IMPORT or parts[0] == "tests" else None


def imports(path: Path) -> set[str]:
    """The folders of ours that a module imports from."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {room for name in names if (room := room_of(name.split(".")))}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_is_upstream(folder: str) -> None:
    for module in (ROOT / folder).rglob("*.py"):
        found = {room.partition("/")[0] for room in imports(module)}
        assert found <= MAY_IMPORT[folder] | {folder}, module


@pytest.mark.parametrize("room", WORKER_ROOMS)
def test_a_room_of_the_worker_imports_only_what_is_below_it(room: str) -> None:
    below = {f"worker/{other}" for other in {room} | WORKER_ROOMS[room]}
    for module in modules(f"worker/{room}"):
        assert {other for other in imports(module) if "/" in other} <= below, module


def test_the_documented_table_of_folders_is_true() -> None:
    rows = re.findall(
        r"^\| `([a-z_/]+)/` \| [^|]+ \| (\d+) \|(.*)\|$",
        (ROOT / "docs/architecture.md").read_text(),
        re.MULTILINE,
    )
    assert {name for name, _, _ in rows} == {*MAY_IMPORT, *(f"worker/{r}" for r in WORKER_ROOMS)}
    for name, count, imported in rows:
        own = modules(name)
        found = set[str]().union(*map(imports, own)) - {name}
        assert set(re.findall(r"`([a-z_/]+)`", imported)) == found, name
        assert len(own) == pytest.approx(int(count), rel=0.25, abs=2), name


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
def test_openvino_sends_no_telemetry(importing: str) -> None:
    script = (
        f"import sys; {importing}; assert 'openvino' in sys.modules or 'nncf' in sys.modules; "
        "modules = [m for m in sys.modules if 'openvino_telemetry' in m and sys.modules[m]]; "
        "sys.exit(f'imported {modules}' if modules else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
