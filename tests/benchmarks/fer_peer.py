"""The package `fer`: its own environment, and a process in it."""

import json
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from tests.benchmarks.accuracy import Judged

# fer asks for pkg_resources, which later versions of setuptools no longer have.
MODES: Final = ("tflite", "keras", "mtcnn")
_PACKAGES: Final = ("fer==25.10.3", "setuptools<80")


def install(folder: Path) -> Path:
    """The interpreter of fer's environment, made where it is missing."""
    python = folder / "bin" / "python"
    if not python.is_file():
        print(f"installing fer into {folder}: some minutes, 3 GB", file=sys.stderr)
        venv.create(folder, with_pip=True)
    check = [str(python), "-c", "import fer.fer, pkg_resources"]
    if subprocess.run(check, capture_output=True, check=False).returncode:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_PACKAGES], check=True)
    return python


class Fer:
    """fer in a process of its own. `mode` is tflite, keras or mtcnn."""

    def __init__(self, python: Path, clip: Path, width: int | None) -> None:
        script = Path(__file__).with_name("fer_process.py")
        self._process = subprocess.Popen(
            [str(python), str(script), str(clip), str(width or 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.pid = self._process.pid
        _, fer, tensorflow = self._read().split()
        self.versions = {"fer": fer, "tensorflow": tensorflow}

    def faces_per_s(self, mode: str, seconds: float) -> float:
        """Let it run for so long, over and over the clip."""
        faces, _, elapsed = self._ask("clip", mode, f"{seconds}")
        return int(faces) / float(elapsed)

    def judge(self, mode: str, folder: Path, names: Mapping[str, str]) -> Judged:
        """What it makes of the faces in a folder, as accuracy.faces_in_canvases fills it; `names`
        are what that returned. It knows no contempt."""
        _, found, count = map(int, self._ask("faces", mode, f"{folder}"))
        named: dict[str, bool] = json.loads((folder / "named.json").read_text())
        return Judged({names[file]: right for file, right in named.items()}, count - found)

    def _ask(self, *question: str) -> list[str]:
        assert self._process.stdin
        print(*question, sep="\t", file=self._process.stdin, flush=True)
        return self._read().split()

    def _read(self) -> str:
        assert self._process.stdout
        while line := self._process.stdout.readline():
            if line.startswith("ready") or len(line.split()) == 3:  # it prints other things too
                return line
        raise RuntimeError("fer ended; run fer_process.py with its python to see why")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
