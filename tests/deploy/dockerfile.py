"""As much of a Dockerfile as the tests need: its stages, and each one's instructions in order."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str


@dataclass(frozen=True)
class Stage:
    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[str]:
        return [one.rest for one in self.instructions if one.word == word]


def read(path: Path) -> list[Stage]:
    """Comments left out, continuation lines joined, ARGs before the first FROM filled in."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(None, joined.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "ARG" and not stages:
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            base, _, name = rest.partition(" AS ")
            for argument, value in arguments.items():
                base = base.replace(f"${{{argument}}}", value)
            stages.append(Stage(base, name, ()))
        else:
            last = stages[-1]
            made = (*last.instructions, Instruction(word, rest))
            stages[-1] = Stage(last.base, last.name, made)
    return stages
