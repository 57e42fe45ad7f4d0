"""Renders MODEL_CARD.md, what people should know about a release, from its card.json."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from training import model_card_texts as texts
from training.model_card_procedure import procedure
from worker.model.architecture import parameters
from worker.model.card import Int8Card, ModelCard

POOR: Final = 0.6
"""An F1 score below this is called poor."""


def render(card: ModelCard) -> str:
    """Return the whole document as Markdown."""
    parts = [
        f"# {card.name} {card.version}",
        f"{texts.NETWORKS[card.architecture]} (arXiv:1802.06205), {parameters(card.blocks):,} "
        "parameters: face crop to eight emotions.\n"
        f"Input {card.input_size}x{card.input_size} {card.colour}, crops reduced to "
        f"{card.source_size}x{card.source_size} first; temperature {card.temperature}.\n"
        f"weights.npz sha256 `{card.weights_sha256}`.",
        _scores(card.scores),
        _int8(card.int8),
        _data(card.training),
        procedure(card.training, card.scores),
        _crop(card),
        _limits(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _runs(training: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a model's runs, the last one first."""
    while "config" in training:
        yield training
        training = (training.get("start") or {}).get("training", {})


def _data(training: Mapping[str, Any]) -> str:
    terms = dict.fromkeys(_terms(run["data"]) for run in _runs(training))
    return "## Data and terms\n" + "\n\n".join(terms or ["The training data is not recorded."])


def _terms(data: Mapping[str, Any]) -> str:
    if data["layout"] == "FER+":
        return texts.FER_PLUS
    return (
        f"Trained on {data['pictures']:,} pictures of a data set in the layout {data['layout']}, "
        "whose terms apply to this model too."
    )


def _limits(card: ModelCard) -> str:
    on_fer_plus = [run["data"]["layout"] == "FER+" for run in _runs(card.training)]
    pictures = f"{'Grey pictures' if card.colour == 'grey' else 'Pictures'} of {card.source_size}"
    unused = "colour and finer detail are" if card.colour == "grey" else "finer detail is"
    limits = [
        "- It classifies the expression of a face, not what a person feels. Do not base decisions\n"
        "  about people on it.",
        f"- {pictures} pixels: {unused} not used.\n"
        "  Smaller faces contain less than the training pictures did.",
        *([texts.FER_PLUS_LIMITS] if any(on_fer_plus) else []),
        *([texts.UNKNOWN_LIMITS] if not on_fer_plus or not all(on_fer_plus) else []),
        *_weak(card.scores),
        texts.SEEN,
    ]
    return "## Limits\n" + "\n".join(limits)


def _weak(scores: Mapping[str, Any]) -> list[str]:
    """Return the limits that follow from low scores per emotion."""
    rows = scores.get("per_class", {})
    unseen = [name for name, row in rows.items() if not row["count"]]
    poor = [name for name, row in rows.items() if row["count"] and row["f1"] < POOR]
    limits = []
    if poor:
        limits.append(f"- Poorly recognised (F1 under {POOR:g}): {', '.join(poor)}.")
    if unseen:
        limits.append(f"- Not scored, because the data has no picture: {', '.join(unseen)}.")
    return limits


def _scores(scores: Mapping[str, Any]) -> str:
    if not scores:
        return ""
    low, high = scores["accuracy_interval"]
    f1_low, f1_high = scores["macro_f1_interval"]
    text = (
        f"## Scores\n"
        f"On {_scored_on(scores)} ({scores['count']:,} pictures that are not ambiguous), "
        f"with 95 % bootstrap intervals: accuracy **{scores['accuracy']:.1%}** "
        f"({low:.1%} to {high:.1%}), "
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
    scores, made = quantized.scores, quantized.quantization
    return (
        f"## In int8\nint8.npz sha256 `{quantized.sha256}`, made by NNCF {made['nncf']} on "
        f"{made['pictures']} training pictures, for engine openvino. On the pictures "
        f"of the scores above: accuracy **{scores['accuracy']:.1%}** "
        f"(float32 {scores['accuracy_float32']:.1%}), macro F1 **{scores['macro_f1']:.3f}** "
        f"({scores['macro_f1_float32']:.3f}), expected calibration error "
        f"{scores['ece']:.3f} with the temperature above; the same emotion as float32 for "
        f"{scores['same_emotion']:.1%}."
    )


def _with_interval(row: Mapping[str, Any], score: str) -> str:
    """Return a score, with its 95 % interval if the card contains one."""
    if f"{score}_interval" not in row:
        return f"{row[score]:.2f}"
    low, high = row[f"{score}_interval"]
    return f"{row[score]:.2f} ({low:.2f} to {high:.2f})"


def _scored_on(scores: Mapping[str, Any]) -> str:
    data = scores.get("data", {"layout": "FER+", "split": "valid"})
    pictures = "all pictures" if data["split"] == "all" else f"the split {data['split']}"
    layout = data["layout"]
    return f"{pictures} of {layout if layout == 'FER+' else f'a data set in the layout {layout}'}"


def _crop(card: ModelCard) -> str:
    title = "## Crop at serving\n"
    if not card.crop:
        return f"{title}Not measured: no detector's boxes can be cropped for this model yet."
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
    statistics = f"\n\nMeasured on training pictures: {'; '.join(measured)}." if measured else ""
    return title + _table(head, rows) + statistics


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
