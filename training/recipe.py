"""Recipes: runs that can be repeated, one YAML file each in recipes/.

Each contains every setting, so that later defaults do not change it.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from training.run_config import InvalidConfigError, RunConfig

FOLDER: Final = Path(__file__).parent / "recipes"


def names() -> list[str]:
    """Return the names of the recipes that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(recipe: str) -> RunConfig:
    """Return the configuration in a recipe, given by its name or the path of a YAML file.

    Raises InvalidConfigError, and OSError if the file cannot be read.
    """
    import yaml

    from training.recipe_yaml import parse

    path = Path(recipe) if recipe.endswith((".yaml", ".yml")) else FOLDER / f"{recipe}.yaml"
    if path.parent == FOLDER and path.stem not in names():
        raise InvalidConfigError(f"no recipe {recipe!r}, only {', '.join(names())}; or a YAML file")
    try:
        values = parse(path.read_text(encoding="utf-8"))
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
    """Convert text to numbers for numeric settings: YAML 1.1 reads 1e-3 as text."""
    kinds = {field.name: field.type for field in fields(RunConfig)}
    read = dict(values)
    for name, value in values.items():
        if kinds.get(name) in (float, int) and not isinstance(value, int | float):
            try:
                read[name] = float(value) if kinds[name] is float else int(value)
            except (TypeError, ValueError):
                raise InvalidConfigError(f"{name} is {value!r}, not a number") from None
    return read
