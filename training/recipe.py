"""Recipes: runs worth repeating, a YAML file each in recipes/, with every setting written out so
that later defaults do not change them."""

from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from training.run_config import InvalidConfigError, RunConfig

FOLDER: Final = Path(__file__).parent / "recipes"


def names() -> list[str]:
    """The recipes that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(recipe: str) -> RunConfig:
    """The configuration in a recipe, by name or by a path to a YAML file. Raises
    InvalidConfigError, and OSError for a file that cannot be read."""
    import yaml

    path = Path(recipe) if recipe.endswith((".yaml", ".yml")) else FOLDER / f"{recipe}.yaml"
    if path.parent == FOLDER and path.stem not in names():
        raise InvalidConfigError(f"no recipe {recipe!r}, only {', '.join(names())}; or a YAML file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise InvalidConfigError(f"{path}: not YAML: {problem}") from error
    if not isinstance(values, dict):
        raise InvalidConfigError(f"{path}: not a mapping")
    try:
        return RunConfig.from_dict({"augmentation": {}, **_numbers(values)})
    except InvalidConfigError as error:
        raise InvalidConfigError(f"{path}: {error}") from error


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """YAML 1.1 takes 1e-3 for a text: settings that are numbers are read as such."""
    kinds = {field.name: field.type for field in fields(RunConfig)}
    read = dict(values)
    for name, value in values.items():
        if kinds.get(name) in (float, int) and not isinstance(value, int | float):
            try:
                read[name] = float(value) if kinds[name] is float else int(value)
            except (TypeError, ValueError):
                raise InvalidConfigError(f"{name} is {value!r}, not a number") from None
    return read
