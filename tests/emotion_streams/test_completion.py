"""`emotion-streams completion`: the scripts for shells, and what to install for them."""

import importlib.util
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emotion_streams.cli import main
from emotion_streams.process_commands import PROCESSES
from tests.servers import PATIENCE_S

needs_shtab = pytest.mark.skipif(
    importlib.util.find_spec("shtab") is None,
    reason="shtab is not installed (pip install 'emotion-streams[completion]')",
)


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def complete(script: str, folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    listed = " ".join(f"'{word}'" for word in words)
    asking = (
        f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; "
        f"_shtab_emotion_streams emotion-streams '{words[-1]}' '{words[-2]}'; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{asking}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(ended.stdout.split())


@needs_shtab
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_their_options_and_files_of_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interview.mp4").touch()
    of_bash = script("bash", capsys)
    assert complete(of_bash, tmp_path, "emotion-streams", "p") == ["probe", "producer"]
    assert complete(of_bash, tmp_path, "emotion-streams", "minutes", "--c") == ["--csv"]
    assert complete(of_bash, tmp_path, "emotion-streams", "completion", "") == [
        "bash", "fish", "zsh",
    ]  # fmt: skip
    assert complete(of_bash, tmp_path, "emotion-streams", "analyse", "int") == ["interview.mp4"]


@needs_shtab
@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_completes_commands_their_options_and_files_of_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interview.mp4").touch()
    (tmp_path / "script.fish").write_text(script("fish", capsys))

    def offered(line: str) -> list[str]:
        asking = f"source script.fish; complete --do-complete '{line}'"
        ended = subprocess.run(
            ["fish", "--no-config", "--command", asking],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split("\t")[0] for line in ended.stdout.splitlines()]

    assert offered("emotion-streams p") == ["probe", "producer"]
    assert offered("emotion-streams minutes --c") == ["--csv"]
    assert sorted(offered("emotion-streams completion ")) == ["bash", "fish", "zsh"]
    assert offered("emotion-streams analyse int") == ["interview.mp4"]


@needs_shtab
@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("emotion-streams epi", "emotion-streams episodes"),
        ("emotion-streams minutes --cs", "--csv"),
        ("emotion-streams completion fi", "emotion-streams completion fish"),
        ("emotion-streams analyse int", "emotion-streams analyse interview.mp4"),
    ],
)
def test_zsh_completes_commands_their_options_and_files_of_processes(
    typed: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a terminal completes in zsh: the test presses the tabulator and reads the screen."""
    (tmp_path / "interview.mp4").touch()
    (tmp_path / "_emotion-streams").write_text(script("zsh", capsys))
    prepare = f"fpath=('{tmp_path}' $fpath); autoload -U compinit; compinit -u -D; print REA''DY\n"
    terminal, its_end = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"],
        cwd=tmp_path,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    try:
        os.write(terminal, prepare.encode())
        read_until(terminal, "READY")
        os.write(terminal, f"{typed}\t".encode())
        read_until(terminal, shown)
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)


def read_until(terminal: int, text: str) -> None:
    """Read what a terminal shows until the text is in it."""
    screen, began = b"", time.monotonic()
    while text.encode() not in screen:
        assert time.monotonic() - began < PATIENCE_S, f"no {text!r} in {screen!r}"
        if select.select([terminal], [], [], 1.0)[0]:
            screen += os.read(terminal, 65536)


@needs_shtab
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_names_every_command_and_is_valid(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = script(shell, capsys)
    for name in (*PROCESSES, "tail", "episodes", "minutes", "cameras", "ledger", "dead"):
        assert name in printed
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=printed, text=True, check=True)


def test_completion_without_shtab_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    error = capsys.readouterr().err
    assert error.endswith("pip install 'emotion-streams[completion]'\n")


def test_other_commands_do_not_import_shtab() -> None:
    done = "import sys; from emotion_streams.cli.options import build_parser; build_parser(); "
    subprocess.run([sys.executable, "-c", f"{done}sys.exit('shtab' in sys.modules)"], check=True)
