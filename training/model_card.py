"""MODEL_CARD.md: what people should know of a release, from its card.json."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from training.logit_adjustment import RECORD, tau_of
from worker.model.card import Int8Card, ModelCard

FER_PLUS: Final = """\
Trained on FER+ (Barsoum et al., 2016): 48x48 grey face pictures of FER2013, which were found by web
search and labelled anew by ten people each. The labels are under the MIT licence (Microsoft); the
pictures are for research, and are not part of this release. Pictures that stand in more than one
split are left out of training and scoring."""

VOTES: Final = "The targets are the shares of the annotators' votes, single votes dropped."
LABELS: Final = "Each picture has one label."
RESAMPLED: Final = """\
Rare emotions are drawn more often, and the loss corrects for it (logit adjustment)."""

CALIBRATION: Final = """\
AdamW, warm-up and cosine per stage, averaged weights. The temperature is fitted on the pictures
that are scored above, which may have chosen the model too; the calibration error above is
cross-fitted: each half of them is scaled by the temperature of the other."""

LOGIT_ADJUSTMENT: Final = """\
Logit adjustment: from each logit {tau:g} times the logarithm of the emotion's share of the training
targets is subtracted, so that rare emotions are named somewhat more often than the data's
frequencies say."""

NO_ADJUSTMENT: Final = "Logit adjustment: none, which was best."

NOT_CROSSFITTED: Final = """\
The pictures that are scored above may have chosen its strength."""

CROSSFITTED: Final = """\
Its strength of {tau:g} was chosen on the pictures that are scored above. Each half of them was
scored with the strength that the other half chose, {first:g} and {second:g}, so that no picture is
judged by a choice of its own. The table of corruptions is with the release's strength."""

SEEN: Final = """\
- Glasses, hands before the face and poor light cost accuracy; see the table of corruptions.
  Bars over the eyes and tilts were seen in training: real glasses may cost more."""

FER_PLUS_LIMITS: Final = """\
- FER+'s pictures come from web searches for emotion words: much stock photography and acting, few
  spontaneous expressions; mostly frontal faces. Who is in them by age, sex, skin colour or country
  was never recorded, and so neither were scores per group: measure on your own people first.
- Ten annotators agree on most of FER+'s pictures only in part. Accuracy counts pictures on which at
  least half of them did."""

UNKNOWN_LIMITS: Final = """\
- Who is in a data set by age, sex, skin colour or country is not recorded here, and neither are
  scores per group: measure on your own people first."""

POOR: Final = 0.6
"""An F1 below this is called poor."""


def render(card: ModelCard) -> str:
    """The whole document, Markdown."""
    parts = [
        f"# {card.name} {card.version}",
        "SimpNet V2 (arXiv:1802.06205), 5,482,903 parameters: face crop to eight emotions.\n"
        f"Input {card.input_size}x{card.input_size} {card.colour}, crops reduced to "
        f"{card.source_size}x{card.source_size} first; temperature {card.temperature}.\n"
        f"weights.npz sha256 `{card.weights_sha256}`.",
        _scores(card.scores),
        _int8(card.int8),
        _data(card.training),
        _procedure(card.training, card.scores),
        _crop(card),
        _limits(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _runs(training: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The records of a model's runs, the last one first."""
    while "config" in training:
        yield training
        training = (training.get("start") or {}).get("training", {})


def _data(training: Mapping[str, Any]) -> str:
    told = dict.fromkeys(_told_of(run["data"]) for run in _runs(training))
    return "## Data and terms\n" + "\n\n".join(told or ["What it was trained on is not recorded."])


def _told_of(data: Mapping[str, Any]) -> str:
    if data["layout"] == "FER+":
        return FER_PLUS
    return (
        f"Trained on {data['pictures']:,} pictures of a data set in the layout {data['layout']}, "
        "whose terms apply to this model too."
    )


def _limits(card: ModelCard) -> str:
    on_fer_plus = [run["data"]["layout"] == "FER+" for run in _runs(card.training)]
    pictures = f"{'Grey pictures' if card.colour == 'grey' else 'Pictures'} of {card.source_size}"
    unused = "colour and finer detail are" if card.colour == "grey" else "finer detail is"
    limits = [
        "- It reads what a face shows, not what a person feels. Do not decide about people by it.",
        f"- {pictures} pixels: {unused} not used.\n"
        "  Faces of fewer pixels show less than the training pictures did.",
        *([FER_PLUS_LIMITS] if any(on_fer_plus) else []),
        *([UNKNOWN_LIMITS] if not on_fer_plus or not all(on_fer_plus) else []),
        *_weak(card.scores),
        SEEN,
    ]
    return "## Limits\n" + "\n".join(limits)


def _weak(scores: Mapping[str, Any]) -> list[str]:
    """What the rows per emotion say of those that are hardly recognised."""
    rows = scores.get("per_class", {})
    unseen = [name for name, row in rows.items() if not row["count"]]
    poor = [name for name, row in rows.items() if row["count"] and row["f1"] < POOR]
    told = []
    if poor:
        told.append(f"- Poorly recognised (F1 under {POOR:g}): {', '.join(poor)}.")
    if unseen:
        told.append(f"- Not scored, for want of a picture: {', '.join(unseen)}.")
    return told


def _scores(scores: Mapping[str, Any]) -> str:
    if not scores:
        return ""
    low, high = scores["accuracy_interval"]
    f1_low, f1_high = scores["macro_f1_interval"]
    text = (
        f"## Scores\nOn {_scored_on(scores)} ({scores['count']:,} pictures with a winner), 95 % "
        f"intervals by bootstrap: accuracy **{scores['accuracy']:.1%}** ({low:.1%} to {high:.1%}), "
        f"macro F1 **{scores['macro_f1']:.3f}** ({f1_low:.3f} to {f1_high:.3f}), expected "
        f"calibration error {scores['ece_before']:.3f} before temperature scaling and "
        f"{scores['ece_crossfitted']:.3f} after (cross-fitted).\n\n"
    )
    rows = [
        (
            name,
            f"{row['precision']:.2f}",
            _with_interval(row, "recall"),
            _with_interval(row, "f1"),
            f"{row['count']:,}",
        )
        for name, row in scores["per_class"].items()
    ]
    text += _table(("emotion", "precision", "recall", "F1", "pictures"), rows)
    if corrupted := scores.get("robustness"):
        accuracies = [(name, f"{value:.1%}") for name, value in corrupted.items()]
        text += "\n\n" + _table(("corruption", "accuracy"), accuracies)
    return text


def _int8(quantized: Int8Card | None) -> str:
    if quantized is None:
        return ""
    told, made = quantized.scores, quantized.made_with
    return (
        f"## In int8\nint8.npz sha256 `{quantized.sha256}`, made by NNCF {made['nncf']} on "
        f"{made['pictures']} training pictures, for engine openvino. On the pictures of above: "
        f"accuracy **{told['accuracy']:.1%}** (float32 {told['accuracy_float32']:.1%}), macro F1 "
        f"**{told['macro_f1']:.3f}** ({told['macro_f1_float32']:.3f}), expected calibration error "
        f"{told['ece']:.3f} with the temperature above; the same emotion as float32 for "
        f"{told['same_emotion']:.1%}."
    )


def _with_interval(row: Mapping[str, Any], score: str) -> str:
    """A score, and its 95 % interval in cards that have it."""
    if f"{score}_interval" not in row:
        return f"{row[score]:.2f}"
    low, high = row[f"{score}_interval"]
    return f"{row[score]:.2f} ({low:.2f} to {high:.2f})"


def _scored_on(scores: Mapping[str, Any]) -> str:
    data = scores.get("data", {"layout": "FER+", "split": "valid"})
    pictures = "all pictures" if data["split"] == "all" else f"the split {data['split']}"
    layout = data["layout"]
    return f"{pictures} of {layout if layout == 'FER+' else f'a data set in the layout {layout}'}"


def _adjustment(tau: float, scores: Mapping[str, Any]) -> str:
    text = LOGIT_ADJUSTMENT.format(tau=tau) if tau else NO_ADJUSTMENT
    if chosen := scores.get(RECORD):
        first, second = chosen["halves"]
        text += " " + CROSSFITTED.format(tau=tau, first=first, second=second)
    else:
        text += " " + NOT_CROSSFITTED
    return textwrap.fill(text, 100)


def _procedure(training: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    if "config" not in training:
        return ""
    targets = VOTES if training["data"]["layout"] == "FER+" else LABELS
    resampled = [RESAMPLED] if training["config"]["sampling"] < 1 else []
    method = " ".join((targets, *resampled, CALIBRATION))
    parts = [_history(training), textwrap.fill(method, 100)]
    tau = tau_of(training)
    if tau or RECORD in scores:
        parts.append(_adjustment(tau, scores))
    return "## Procedure\n" + "\n\n".join(parts)


def _history(training: Mapping[str, Any]) -> str:
    """What was trained on what, the first run first: a list item per run."""
    config, data, made = training["config"], training["data"], training["made_with"]
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
    before = _history(start["training"]) if "config" in start["training"] else _told(start)
    return f"{before}\n{item}"


def _told(start: Mapping[str, Any]) -> str:
    """A release of before these records, in the words of its card."""
    words = start["training"].get("summary", "its training is not recorded")
    return f"- {start['name']} {start['version']}: {words}"


def _crop(card: ModelCard) -> str:
    title = "## Crop at serving\n"
    if not card.crop:
        return f"{title}Not measured: no detector's boxes can be cut for this model yet."
    rows = [
        (name, f"{crop.scale:g}", f"{crop.shift_x:g}", f"{crop.shift_y:g}")
        for name, crop in card.crop.items()
    ]
    head = ("detector", "side, in box sides", "shift right", "shift down")
    measured = [
        f"{name} found {found['detected']:,} of {found['pictures']:,} faces, scales spread by "
        f"{found['spread']:g}"
        for name, found in card.training.get("crop", {}).items()
    ]
    told = f"\n\nMeasured on training pictures: {'; '.join(measured)}." if measured else ""
    return title + _table(head, rows) + told


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
