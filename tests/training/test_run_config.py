import json

import pytest

from training.run_config import InvalidConfigError, RunConfig, RuntimeOptions, Stage

STAGE = Stage(side=32, steps=400, batch=48, rate=1e-3)


def test_the_rate_warms_up_then_falls_to_a_hundredth() -> None:
    rates = [STAGE.rate_at(step) for step in range(STAGE.steps)]
    peak = rates.index(max(rates))
    assert peak == 20
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) == pytest.approx(1e-3, rel=1e-3)
    assert rates[-1] == pytest.approx(1e-5, rel=0.01)


def test_steps_are_counted_over_all_stages() -> None:
    config = RunConfig(stages=(Stage(32, 3, 1, 1e-3), Stage(64, 2, 1, 1e-3)))
    assert [config.at(step) for step in range(5)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    with pytest.raises(InvalidConfigError):
        config.at(5)


def test_a_configuration_survives_being_written() -> None:
    config = RunConfig(stages=(STAGE,), start="simpnet-v2", mixup=0.1)
    assert RunConfig.from_dict(json.loads(config.to_json())) == config


def test_a_stage_is_parsed_from_one_word() -> None:
    assert Stage.parse("32:400:48:1e-3") == STAGE


@pytest.mark.parametrize(
    "change",
    [
        {"stages": ()},
        {"dropout": 1.0},
        {"sampling": -1.0},
        {"mixup": float("nan")},
        {"weight_decay": float("inf")},
        {"clip_norm": float("nan")},
        {"seed": -1},
        {"seed": 2**32},
        {"source_size": 600},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidConfigError):
        RunConfig(**{"stages": (STAGE,), **change})  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize("stage", [(600, 1, 1, 1e-3), (32, 0, 1, 1e-3), (32, 1, 1, float("nan"))])
def test_a_stage_that_cannot_be_is_refused_wherever_it_comes_from(
    stage: tuple[int, int, int, float],
) -> None:
    with pytest.raises(InvalidConfigError):
        Stage(*stage)


@pytest.mark.parametrize("options", [(5.0, 0), (-1.0, 2), (float("nan"), 2)])
def test_a_pace_that_cannot_be_is_refused(options: tuple[float, int]) -> None:
    with pytest.raises(InvalidConfigError):
        RuntimeOptions(*options)
