"""`emotion-streams worker` and the like, called as a person would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_streams.process_commands import PROCESSES
from tests.servers import PATIENCE_S, eventually

ROOT = Path(__file__).parents[2]


def call(folder: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The command, in that folder, with the package of this checkout."""
    return subprocess.run(
        [sys.executable, "-m", "emotion_streams.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def hide(folder: Path, *modules: str) -> dict[str, str]:
    """An environment in which these modules are not installed."""
    (folder / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        f"hidden = {modules!r}\n"
        "PathFinder.find_spec = lambda name, *rest: None if name in hidden else find(name, *rest)\n"
    )
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_shows_its_own_help_in_an_empty_folder(name: str, tmp_path: Path) -> None:
    ended = call(tmp_path, name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.match(rf"usage: emotion-streams (training )?{name} ", ended.stdout)


def test_the_help_lists_every_process(tmp_path: Path) -> None:
    text = call(tmp_path, "--help").stdout
    assert all(f"\n    {name} " in text for name in PROCESSES)


def test_arguments_and_exit_code_are_those_of_the_process(tmp_path: Path) -> None:
    ended = call(tmp_path, "producer", "--fps", "-1", "--source", "demo", "--camera", "lobby")
    assert ended.returncode == 2
    assert "fps" in ended.stderr


def test_a_module_in_the_working_directory_does_not_run_instead(tmp_path: Path) -> None:
    (tmp_path / "gateway.py").write_text("print('not ours')")
    assert "--blur-faces" in call(tmp_path, "gateway", "--help").stdout


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("worker", "numpy", "worker"),
        ("producer", "cv2", "producer"),
        ("gateway", "starlette", "gateway"),
        ("train", "matplotlib", "training"),
        ("run", "pydantic", "local"),
    ],
)
def test_a_missing_package_is_one_line_that_names_the_extra(
    command: str, missing: str, extra: str, tmp_path: Path
) -> None:
    ended = call(tmp_path, command, **hide(tmp_path, missing))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"emotion-streams: {command} needs {missing}, not installed here: "
        f"pip install 'emotion-streams[{extra}]'\n"
    )


def test_a_password_among_the_arguments_is_hidden_as_the_process_starts(tmp_path: Path) -> None:
    url = "redis://user:geheim@127.0.0.1:1"
    options = ["--port", "0", "--metrics-port", "0", "--redis", url]
    with subprocess.Popen(
        [sys.executable, "-m", "emotion_streams.cli", "gateway", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            shown = Path(f"/proc/{process.pid}/cmdline")
            eventually(lambda: b"redis://***@127.0.0.1:1" in shown.read_bytes())
            assert b"geheim" not in shown.read_bytes()
        finally:
            process.kill()


def test_several_workers_read_a_configuration_file_of_the_working_directory(
    tmp_path: Path,
) -> None:
    (tmp_path / "workers.yaml").write_text("worker: {model: ./no-such-model}")
    options = ["--config", "workers.yaml", "--processes", "2", "--metrics-port", "0"]
    ended = call(tmp_path, "worker", *options, "--redis", "redis://127.0.0.1:1")
    assert ended.returncode == 2
    assert "no-such-model" in ended.stderr
    assert "workers.yaml" not in ended.stderr
