"""Helm's own library, in a process of its own: `python -m tests.deploy.helm CHART`.

The library is written in Go. Go's runtime takes over signals of the process that loads it, SIGPIPE
among them, which Python ignores: each write to a server that is gone would run its handler.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parent.parent.parent


class HelmError(Exception):
    """Helm refuses the values; the text is its own."""


class Helm:
    """A chart in Helm's hands. Use it as a context manager."""

    def __init__(self, chart: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.deploy.helm", str(chart)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def render(self, values: dict[str, Any]) -> dict[str, str]:
        """The files, by path. Raises HelmError."""
        files: dict[str, str] = self._ask("render", values)
        return files

    def parse(self, text: str) -> dict[str, Any]:
        """Read a file of values as `--values` does. Raises HelmError."""
        values: dict[str, Any] = self._ask("parse", text)
        return values

    def validate(self, values: dict[str, Any]) -> None:
        """Hold the values against the chart's schema. Raises HelmError."""
        self._ask("validate", values)

    def lint(self) -> dict[str, Any]:
        """What `helm lint` finds."""
        found: dict[str, Any] = self._ask("lint", {})
        return found

    def _ask(self, what: str, values: dict[str, Any] | str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, values]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise HelmError(answer["error"])
        return answer["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input ends it


def main(chart: str) -> None:
    """Answer each line of standard input by a line."""
    import helm_python

    def result(what: str, values: Any) -> Any:
        if what == "lint":
            return helm_python.lint(chart)
        if what == "parse":
            return helm_python.values_from_yaml(values)
        with helm_python.Chart.load(chart) as loaded:
            if what == "render":
                return loaded.render(values, name="demo", namespace="faces")
            return loaded.validate_schema(values)

    for line in sys.stdin:
        try:
            answer = {"result": result(*json.loads(line))}
        except helm_python.HelmError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
