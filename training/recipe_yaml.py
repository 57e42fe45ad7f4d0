"""The YAML of recipes: PyYAML's safe loader, except that a key may occur only once in a mapping."""

from typing import Any

import yaml


def parse(text: str) -> Any:
    """Parse one YAML document. Raises yaml.YAMLError, ValueError and RecursionError."""
    return yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping and reject equal keys; PyYAML would silently use the last one."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        # A list as a key is refused later, as it is not hashable.
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.composer.ComposerError(
                    None, None, f"{key.value} is here twice", key.start_mark
                )
            seen.add(key.value)
        return node
