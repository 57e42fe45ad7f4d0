"""A YAML loader for settings: literal keys and values, safe for broken or hostile text."""

import re
from typing import Any, Final

import yaml

_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 200_000
"""Maximum nodes, counted for each alias too: a few lines of aliases may expand to billions."""

_STR: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"

# By an escape such as "\0" or "\ud800". No path, header or URL may have a NUL, and half of a pair
# cannot be encoded: both would be errors in many places.
_UNUSABLE: Final = re.compile(r"[\0\ud800-\udfff]")

# PyYAML's messages that quote a name from the text, e.g. a password that starts with * or !.
_QUOTING: Final = ("found undefined", "found duplicate", "could not determine")


class InvalidYamlError(ValueError):
    """Invalid YAML; the message has line and column if known, and quotes none of the text."""


def parse_yaml(text: str) -> Any:
    """Parse one YAML document. Raises only InvalidYamlError if the text is not valid.

    Every key and every value is text as it is written, `0101`, `no` and `12:30` too: the settings
    define their own types. An empty value, `~` and `null` are None, but only as values. Rejected
    are: a key that occurs twice in a mapping or is not text, a NUL or half of a surrogate pair,
    nesting deeper than 32, and more than 200,000 values, with aliases counted each time.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        problem = error.problem or "damaged"
        if problem.startswith(_QUOTING):
            problem = problem.partition(" '")[0].partition(' "')[0]
        raise InvalidYamlError(_describe(problem, error.problem_mark)) from None
    except yaml.reader.ReaderError as error:
        raise InvalidYamlError(f"character {error.position} is a control character") from None
    except RecursionError:
        raise InvalidYamlError("nested too deeply") from None
    # PyYAML converts the value of an explicit tag, `!!int x`, without checking it.
    except Exception as error:
        raise InvalidYamlError(f"a value does not fit its tag ({type(error).__name__})") from None


def _describe(problem: str, mark: yaml.Mark | None) -> str:
    return f"{problem} at line {mark.line + 1}, column {mark.column + 1}" if mark else problem


class _Loader(yaml.SafeLoader):
    """Checks the document while it is composed, before values are constructed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one value, and count it and all values in it."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        is_alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and _UNUSABLE.search(node.value):
            raise yaml.composer.ComposerError(
                None, None, "a NUL or half of a surrogate pair", node.start_mark
            )
        if is_alias and id(node) not in self._sizes:
            raise yaml.composer.ComposerError(None, None, "an alias that holds itself", mark)
        self._nodes += self._sizes[id(node)] if is_alias else 1
        if not is_alias:
            self._sizes[id(node)] = self._nodes - before
        if self._nodes > _MAX_NODES:
            raise yaml.composer.ComposerError(None, None, f"more than {_MAX_NODES} values", mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping and reject equal keys; PyYAML would silently use the last one."""
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
                # The node itself is not changed: by an alias it may be a value elsewhere.
                as_text = yaml.ScalarNode(_STR, key.value, key.start_mark, key.end_mark)
                node.value[number] = (as_text, value)
        return node


# _Loader's own resolvers; by those of SafeLoader 0101 is 65, 12:30 is 750 and `no` is False.
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])
