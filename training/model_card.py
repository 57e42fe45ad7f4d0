"""MODEL_CARD.md: what people should know of a release, from its card.json."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from worker.model.card import ModelCard

FER_PLUS: Final = """\
Trained on FER+ (Barsoum et al., 2016): 48x48 grey face pictures of FER2013, which were found by web
search and labelled anew by ten people each. The labels are under the MIT licence (Microsoft); the
pictures are for research, and are not part of this release. Pictures that stand in more than one
split are left out of training and scoring."""

PROCEDURE: Final = """\
The targets are the shares of the annotators' votes, single votes dropped. Rare emotions are drawn
more often, and the loss corrects for it (logit adjustment). AdamW, warm-up and cosine per stage,
averaged weights. The temperature is fitted on the validation split, which also chose the model; the
calibration error above is cross-fitted: each half of the split is scaled by the temperature of the
other."""

FAVOUR_RARE: Final = """\
From each logit {strength:g} times the logarithm of the emotion's share of the training targets was
taken off: rare emotions are named somewhat oftener than the data's frequencies say. The strength
was chosen on the validation split."""

LIMITS: Final = """\
## Limits
- It reads what a face shows, not what a person feels. Do not decide about people by it.
- Grey pictures of 48 pixels: colour and finer detail are not used. Faces under about 40 pixels wide
  show less than the training pictures did.
- The pictures come from web searches for emotion words: much stock photography and acting, few
  spontaneous expressions; mostly frontal faces. Who is in them by age, sex, skin colour or country
  was never recorded, and so neither were scores per group: measure on your own people first.
- Contempt, disgust and fear are rare in the data, and poorly recognised; see their rows above.
- Glasses, hands before the face and poor light cost accuracy; see the table of disturbances.
  Bars over the eyes and tilts were seen in training: real glasses may cost more.
- Ten annotators agree on most of these pictures only in part. Accuracy counts pictures on which at
  least half of them did."""


def render(card: ModelCard) -> str:
    """The whole document, Markdown."""
    parts = [
        f"# {card.name} {card.version}",
        "SimpNet V2 (arXiv:1802.06205), 5,482,903 parameters: face crop to eight emotions.\n"
        f"Input {card.input_size}x{card.input_size} {card.colour}, crops reduced to "
        f"{card.source_size}x{card.source_size} first; temperature {card.temperature}.\n"
        f"weights.npz sha256 `{card.weights_sha256}`.",
        _scores(card.scores),
        _data(card.training),
        _procedure(card.training),
        _crop(card),
        LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _data(training: Mapping[str, Any]) -> str:
    data = training.get("data", {})
    layout = data.get("layout", "FER+")
    text = FER_PLUS
    if layout != "FER+":
        text = (
            f"Trained on {data['pictures']:,} pictures of a data set in the layout {layout}, whose "
            "terms apply to this model too."
        )
    return f"## Data and terms\n{text}"


def _scores(scores: Mapping[str, Any]) -> str:
    if not scores:
        return ""
    low, high = scores["accuracy_interval"]
    f1_low, f1_high = scores["macro_f1_interval"]
    text = (
        f"## Scores\nOn the validation split ({scores['count']:,} pictures with a winner), 95 % "
        f"intervals by bootstrap: accuracy **{scores['accuracy']:.1%}** ({low:.1%} to {high:.1%}), "
        f"macro F1 **{scores['macro_f1']:.3f}** ({f1_low:.3f} to {f1_high:.3f}), expected "
        f"calibration error {scores['ece_before']:.3f} before temperature scaling and "
        f"{scores['ece_crossfitted']:.3f} after (cross-fitted).\n\n"
    )
    rows = [
        (name, *(f"{row[key]:.2f}" for key in ("precision", "recall", "f1")), f"{row['count']:,}")
        for name, row in scores["per_class"].items()
    ]
    text += _table(("emotion", "precision", "recall", "F1", "pictures"), rows)
    if disturbed := scores.get("robustness"):
        rows = [(name, f"{value:.1%}") for name, value in disturbed.items()]
        text += "\n\n" + _table(("disturbance", "accuracy"), rows)
    return text


def _procedure(training: Mapping[str, Any]) -> str:
    if not training:
        return ""
    text = f"## Procedure\n{_history(training)}\n\n{PROCEDURE}"
    if strength := training.get("favour_rare"):
        text += "\n\n" + FAVOUR_RARE.format(strength=strength)
    return text


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
    rows = [
        (name, f"{crop.scale:g}", f"{crop.shift_x:g}", f"{crop.shift_y:g}")
        for name, crop in card.crop.items()
    ]
    head = ("detector", "side, in box sides", "shift right", "shift down")
    return "## Crop at serving\n" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
