"""The chapter of MODEL_CARD.md on how the model was trained."""

import textwrap
from collections.abc import Mapping
from typing import Any

from training import model_card_texts as texts
from training.logit_adjustment import RECORD, tau_of


def procedure(training: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """Return the chapter on how the model was trained, empty if that is not recorded."""
    if "config" not in training:
        return ""
    targets = texts.VOTES if training["data"]["layout"] == "FER+" else texts.LABELS
    resampled = [texts.RESAMPLED] if training["config"]["sampling"] < 1 else []
    method = " ".join((targets, *_distilled(training), *resampled, texts.CALIBRATION))
    parts = [_history(training), textwrap.fill(method, 100)]
    tau = tau_of(training)
    if tau or RECORD in scores:
        parts.append(_adjustment(tau, scores))
    return "## Procedure\n" + "\n\n".join(parts)


def _distilled(training: Mapping[str, Any]) -> list[str]:
    """Return a sentence about the last run's teacher, if it had one."""
    teacher, share = training.get("teacher"), training["config"].get("distillation")
    if teacher is None:
        return []
    return [texts.DISTILLED.format(share=share, name=teacher["name"], version=teacher["version"])]


def _adjustment(tau: float, scores: Mapping[str, Any]) -> str:
    text = texts.LOGIT_ADJUSTMENT.format(tau=tau) if tau else texts.NO_ADJUSTMENT
    if chosen := scores.get(RECORD):
        first, second = chosen["halves"]
        text += " " + texts.CROSSFITTED.format(tau=tau, first=first, second=second)
    else:
        text += " " + texts.NOT_CROSSFITTED
    return textwrap.fill(text, 100)


def _history(training: Mapping[str, Any]) -> str:
    """Return a list item per run of the model: data and stages, the first run first."""
    config, data, made = training["config"], training["data"], _environment(training)
    stages = "; ".join(
        f"{s['steps']:,} steps of {s['batch']} at {s['side']} pixels, rate {s['rate']:g}"
        for s in config["stages"]
    )
    start = training["start"]
    began = f"from {start['name']} {start['version']}" if start else "from scratch"
    item = (
        f"- {began}, on {data['pictures']:,} pictures of the split {data['split']}: {stages}; "
        f"{training['hours']} hours on {made['device']}, Keras {made['keras']} on {made['backend']}"
    )
    if start is None:
        return item
    before = _history(start["training"]) if "config" in start["training"] else _undocumented(start)
    return f"{before}\n{item}"


def _environment(training: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record of versions and device. Runs started earlier call it `made_with`."""
    record: Mapping[str, Any] = training.get("environment") or training["made_with"]
    return record


def _undocumented(start: Mapping[str, Any]) -> str:
    """Return the list item of a release without a record of its run."""
    words = start["training"].get("summary", "its training is not recorded")
    return f"- {start['name']} {start['version']}: {words}"
