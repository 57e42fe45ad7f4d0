"""The wheel: what is in it, and that it runs everything where only it is installed."""

import importlib.util
import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emotion_streams import __version__
from emotion_streams.process_commands import PROCESSES
from tests.servers import PATIENCE_S, eventually, free_port

ROOT = Path(__file__).parent.parent
CLIENT = ("redis", "hiredis", "msgpack")
FOLDERS = ("service", "producer", "worker", "gateway", "sinks", "training", "deploy", "analyse")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without network."""
    if importlib.util.find_spec("hatchling") is None:
        assert "CI" not in os.environ, "hatchling is missing: the extra `test` installs it"
        pytest.skip("hatchling is not installed (pip install 'emotion-streams[test]')")
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(ROOT)],
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def install(wheel: Path, folder: Path) -> tuple[Path, Path]:
    """Make an environment in which the wheel alone is installed: its programs, its packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    bin_folder = folder / "bin"
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--python", str(bin_folder / "python"),
         "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
    )  # fmt: skip
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return bin_folder, folder / "lib" / version / "site-packages"


@pytest.fixture(scope="module")
def with_client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and what the client needs: no extra."""
    programs, packages = install(wheel, tmp_path_factory.mktemp("client"))
    for name in CLIENT:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (packages / name).symlink_to(Path(spec.origin).parent)
    return programs


@pytest.fixture(scope="module")
def with_all(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and every extra: this environment's packages,
    but for the checkout, since Python reads no .pth file of a folder that a .pth file names."""
    programs, packages = install(wheel, tmp_path_factory.mktemp("all"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def bare_environment() -> dict[str, str]:
    """This process' variables without those that would lead to the checkout, or to a server."""
    ours = ("EMOTION_", "PYTHON", "SOURCE", "MAKELEVEL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def call(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env=bare_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_the_wheel_holds_every_module_and_nothing_else_of_ours(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    outside = {name.partition("/")[0] for name in names}
    assert outside == {"emotion_streams", f"emotion_streams-{__version__}.dist-info"}
    private = "emotion_streams/processes/"
    assert {
        name.removeprefix(private).partition("/")[0] for name in names if name.startswith(private)
    } == set(FOLDERS)
    needed = [
        path.relative_to(ROOT)
        for folder in FOLDERS
        for path in ((ROOT / folder).glob("*.py" if folder == "deploy" else "**/*"))
        if path.suffix in {".py", ".lua", ".sql", ".npz", ".json", ".js", ".css", ".html", ".svg"}
    ]
    assert needed
    assert [path for path in needed if f"{private}{path}" not in names] == []
    assert "emotion_streams/py.typed" in names


def test_the_wheel_holds_no_secret_no_cache_and_no_deployment_and_stays_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    deploy = [name for name in names if name.startswith("emotion_streams/processes/deploy/")]
    assert {Path(name).suffix for name in deploy} == {".py"}
    assert wheel.stat().st_size < 50_000_000


def test_the_client_alone_is_importable_and_no_process_is(
    with_client: Path, tmp_path: Path
) -> None:
    python = str(with_client / "python")
    assert call(tmp_path, python, "-c", "import emotion_streams.cli").stderr == ""
    for folder in FOLDERS:
        ended = call(tmp_path, python, "-c", f"import {folder}")
        assert f"No module named '{folder}'" in ended.stderr


def test_the_command_says_its_version(with_client: Path, tmp_path: Path) -> None:
    ended = call(tmp_path, str(with_client / "emotion-streams"), "--version")
    assert ended.stdout == f"emotion-streams {__version__}\n"


@pytest.mark.parametrize("name", PROCESSES)
def test_without_its_extra_each_process_says_what_to_install(
    name: str, with_client: Path, tmp_path: Path
) -> None:
    ended = call(tmp_path, str(with_client / "emotion-streams"), name)
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert line.endswith(f"pip install 'emotion-streams[{PROCESSES[name].extra}]'")


@pytest.mark.parametrize("name", PROCESSES)
def test_with_its_extra_each_process_starts(name: str, with_all: Path, tmp_path: Path) -> None:
    ended = call(tmp_path, str(with_all / "emotion-streams"), name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture
def running(
    with_all: Path, tmp_path: Path, shared: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """`emotion-streams run` in an empty folder, and the file of what it prints."""
    empty, output = tmp_path / "empty", tmp_path / "output"
    empty.mkdir()
    yunet = shared / "models/yunet/face_detection_yunet_2023mar.onnx"
    command = [str(with_all / "emotion-streams"), "run", "--port", str(free_port())]
    with (
        output.open("wb") as out,
        subprocess.Popen(
            [*command, "--detector-model", str(yunet)],
            cwd=empty,
            env={**bare_environment(), "TMPDIR": str(tmp_path)},
            stdout=out,
            stderr=out,
        ) as process,
    ):
        try:
            yield process, output
        finally:
            process.terminate()


def test_run_in_an_empty_folder_shows_events_within_a_minute_and_ends_on_ctrl_c(
    running: tuple["subprocess.Popen[bytes]", Path], tmp_path: Path
) -> None:
    process, output = running
    eventually(lambda: b"  demo  " in output.read_bytes(), timeout_s=PATIENCE_S, every_s=0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0, output.read_text()
    assert list((tmp_path / "empty").iterdir()) == []
