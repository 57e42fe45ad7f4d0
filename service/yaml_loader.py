"""YAML as people who write settings expect it, from text that may be broken or hostile."""

import re
from typing import Any, Final

import yaml

_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 200_000
"""Counted as often as aliases repeat them: a few lines of aliases may stand for billions."""

_STR: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"

# PyYAML's messages that repeat a name from the text, such as a password that starts with * or !.
_QUOTING: Final = ("found undefined", "found duplicate", "could not determine")


class InvalidYamlError(ValueError):
    """Text that cannot be read, with line and column where they are known; none of the text."""


def parse_yaml(text: str) -> Any:
    """Parse one YAML document. Raises InvalidYamlError, and nothing else, for text that is not one.

    Every key and every value is text as it is written, `0101`, `no` and `12:30` too: settings know
    their types themselves. Only nothing at all, `~` and `null` are None, as values. Refused: a key
    that stands twice in a mapping or is not text, nesting deeper than 32, and more than 200,000
    values, aliases counted each time.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - its loader is a safe one
    except yaml.MarkedYAMLError as error:
        problem = error.problem or "damaged"
        if problem.startswith(_QUOTING):
            problem = problem.partition(" '")[0].partition(' "')[0]
        raise InvalidYamlError(_describe(problem, error.problem_mark)) from None
    except yaml.reader.ReaderError as error:
        raise InvalidYamlError(f"character {error.position} is a control character") from None
    except RecursionError:
        raise InvalidYamlError("nested too deeply") from None
    # PyYAML converts the value of an explicit tag, `!!int x`, without a check of its own.
    except Exception as error:
        raise InvalidYamlError(f"a value does not fit its tag ({type(error).__name__})") from None


def _describe(problem: str, mark: yaml.Mark | None) -> str:
    return f"{problem} at line {mark.line + 1}, column {mark.column + 1}" if mark else problem


class _Loader(yaml.SafeLoader):
    """Checks the document as it is composed, before anything is made of it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one value, and count it and all that is in it."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        is_alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and id(node) not in self._sizes:
            raise yaml.composer.ComposerError(None, None, "an alias that holds itself", mark)
        self._nodes += self._sizes[id(node)] if is_alias else 1
        if not is_alias:
            self._sizes[id(node)] = self._nodes - before
        if self._nodes > _MAX_NODES:
            raise yaml.composer.ComposerError(None, None, f"more than {_MAX_NODES} values", mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping; YAML would take the last of two equal keys, in silence."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for number, (key, value) in enumerate(node.value):
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(
                    None, None, "a key that is not text", key.start_mark
                )
            if key.value in seen:
                raise yaml.composer.ComposerError(
                    None, None, f"{key.value!r} is here twice", key.start_mark
                )
            seen.add(key.value)
            if key.tag != _MERGE:
                # Not the node itself: as an alias it may be a value elsewhere.
                as_text = yaml.ScalarNode(_STR, key.value, key.start_mark, key.end_mark)
                node.value[number] = (as_text, value)
        return node


# Its own, not SafeLoader's, by which 0101 is 65, 12:30 is 750 and `no` is False.
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])
