from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from tests.training.test_augment import BEFORE_WEBCAMS
from training import recipe
from training.augmentation import Augmentation
from training.run_config import InvalidConfigError, RunConfig, Stage
from worker.model import release


@pytest.mark.parametrize("name", recipe.names())
def test_a_recipe_states_every_setting(name: str) -> None:
    """So that a later default does not change it."""
    stated = yaml.safe_load((recipe.FOLDER / f"{name}.yaml").read_text())
    assert set(stated) == {field.name for field in fields(RunConfig)}
    assert set(stated["augmentation"]) == {field.name for field in fields(Augmentation)}
    assert recipe.read(name).stages


@pytest.mark.parametrize(("name", "model"), [("long32", "simpnet-v2-32"), ("rel4", "simpnet-v2")])
def test_the_recipe_of_a_release_is_what_its_card_records(name: str, model: str) -> None:
    recorded = release.load(model).card.training["config"]
    config = recipe.read(name)
    assert config.stages[0] == Stage(**recorded["stages"][0])
    assert vars(config.augmentation) == vars(Augmentation.from_dict(recorded["augmentation"]))
    left = set(recorded) - {"start", "teacher", "stages", "augmentation"}
    assert {key: getattr(config, key) for key in left} == {key: recorded[key] for key in left}


def test_a_recipe_of_ones_own_needs_no_more_than_its_stages(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("stages: ['32:10:8:1e-3']\nweight_decay: 3e-2\naugmentation: {p_blur: 0.5}\n")
    config = recipe.read(str(file))
    assert config.stages == (Stage(32, 10, 8, 1e-3),)
    assert config.weight_decay == 0.03
    assert config.dropout == RunConfig(stages=config.stages).dropout
    assert {k: v for k, v in vars(config.augmentation).items() if v} == {"p_blur": 0.5}
    assert BEFORE_WEBCAMS["p_blur"] != 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: [", "not YAML"),
        ("- 1", "not a mapping"),
        ("seed: 1\nstages: ['32:10:8:1e-3']\nseed: 2", "not YAML: seed is here twice.* line 3"),
        ("stages: []\naugmentation: {p_blur: 0.1, p_blur: 0.5}", "p_blur is here twice"),
        ("[a]: 1\n[b]: 2", "not YAML"),
        ("seed: 1", "not a run's configuration: 'stages'"),
        ("stages: [32:10:48:0.001]", "not a run's configuration"),
        ("stages: ['32:10:8:1e-3']\nmixupp: 0.1", "a run has no mixupp"),
        ("stages: ['32:10:8:1e-3']\nmixup: much", "mixup is 'much', not a number"),
        ("stages: ['32:10:8:1e-3']\naugmentation: 3", "not a run's configuration"),
    ],
)
def test_a_recipe_that_cannot_be_is_one_line_with_its_file(
    text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(InvalidConfigError, match=message) as raised:
        recipe.read(str(file))
    assert str(raised.value).startswith(str(file))
    assert "\n" not in str(raised.value)
