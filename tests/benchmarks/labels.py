"""The steady label beside the most likely emotion of each frame: how often they flip on the clips,
and on generated faces also how long a true change takes to show.

A generated face shows the probabilities of one FER+ face and, from the middle on, of another one of
another emotion. Both are named rightly by the model. The noise on top is what the logarithms of the
clips' probabilities did around their mean, in runs of consecutive frames.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from emotion_streams.faces import Box
from tests.benchmarks import options
from tests.benchmarks.material import SHARED, YUNET, images
from training.datasets import AMBIGUOUS, open_data
from worker.inference.crop import crop_face, preprocess
from worker.inference.detect.yunet import YuNet
from worker.inference.engines import Engine
from worker.inference.engines.choose import build_engine
from worker.inference.quality import sharpness, turn_degrees
from worker.model import release
from worker.model.card import ModelCard
from worker.tracking import Policy, Sighting, TrackingState, advance, associate

SHORT: Final = {"faces": 30}

CLIPS: Final = {"classroom": 4, "face-demographics-walking-and-pause": 3}
"""How many people are in each, counted by hand."""

HELD_OUT: Final = (1, 3, 5, 6)
"""Numbers of the people whose noise played no part in choosing constants."""

CLIP_FRAME_MS: Final = 80
FPS: Final = (2.0, 5.0, 12.5, 25.0)
_HALF_S: Final = 5.0
_START_MS: Final = 1_795_346_580_000
_CLOSE: Final = Sighting(Box(0.0, 0.0, 60.0, 60.0), 0.9)

Shares = NDArray[np.float64]
"""Probabilities (frames, 8) of one face, in the order of EMOTIONS."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--model", default="simpnet-v2-32")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "ferplus-train-valid.zip")
    parser.add_argument("--faces", type=options.count, default=200, help="generated, per rate")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The clips, then the generated faces."""
    loaded = release.load(arguments.model)
    model = _Model(build_engine("openvino", loaded, 1), loaded.card)
    clips, people = {}, []
    for name, count in CLIPS.items():
        found = _watch(name, model)
        people += list(found.shares.values())
        clips[name] = {"people": count, "ids": len(found.shares), **found.flips()}
    noise = [np.log(each) - np.log(each).mean(axis=0) for each in map(np.asarray, people)]
    sure = model.named_rightly(arguments.data)
    generated = {
        f"{fps:g}fps": _follow_changes(
            [noise[n] for n in HELD_OUT], sure, fps, arguments.faces, random.Random(2)
        )
        for fps in FPS
    }
    return {"clips": clips, "generated": generated}


@dataclass(frozen=True)
class _Model:
    engine: Engine
    card: ModelCard

    def shares(self, crops: Sequence[NDArray[np.uint8]]) -> Shares:
        order = [self.card.labels.index(emotion) for emotion in EMOTIONS]
        size = self.engine.max_batch
        parts = [
            self.engine.classify(np.stack(crops[n : n + size])) for n in range(0, len(crops), size)
        ]
        return np.clip(np.concatenate(parts)[:, order], 1e-4, 1).astype(np.float64)

    def named_rightly(self, data: Path) -> list[tuple[int, Shares]]:
        """The emotion and the probabilities of FER+'s valid faces that the model names rightly."""
        entries = [e for e in open_data(data).entries("valid") if e.label != AMBIGUOUS]
        shares = self.shares([preprocess(entry.read(), self.card) for entry in entries])
        return [
            (entry.label, row)
            for entry, row in zip(entries, shares, strict=True)
            if row.argmax() == entry.label
        ]


@dataclass(frozen=True)
class _Watched:
    shares: dict[str, list[Shares]]
    labels: dict[str, list[str]]

    def flips(self) -> dict[str, float]:
        raw = sum(_flips([int(row.argmax()) for row in rows]) for rows in self.shares.values())
        steady = sum(_flips(_settled(labels)) for labels in self.labels.values())
        frames = sum(len(rows) for rows in self.shares.values())
        unsure = sum(labels.count("uncertain") for labels in self.labels.values())
        return {
            "minutes": round(frames * CLIP_FRAME_MS / 60_000, 2),
            "raw_flips": raw,
            "steady_flips": steady,
            "uncertain": round(unsure / frames, 3),
        }


def _watch(name: str, model: _Model) -> _Watched:
    """What detector, model and tracking make of a clip, per track."""
    detector = YuNet(YUNET.read_bytes())
    state, policy = TrackingState.empty(name), Policy()
    found = _Watched(defaultdict(list), defaultdict(list))
    for number, image in enumerate(images(SHARED / "clips" / f"{name}.avi")):
        faces = detector.detect(image)
        geometry = model.card.crop_for("yunet")
        crops = [preprocess(crop_face(image, face.box, geometry), model.card) for face in faces]
        shares = model.shares(crops)
        sightings = [
            Sighting(face.box, face.score, turn_degrees(face.landmarks), sharpness(crop))
            for face, crop in zip(faces, crops, strict=True)
        ]
        ms = _START_MS + CLIP_FRAME_MS * number
        association = associate(state.tracks, f"{ms}-0", ms, sightings)
        step = advance(state, association, sightings, shares.astype(np.float32), policy)
        state = step.state
        for face, row in zip(step.faces, shares, strict=True):
            if face.track and face.label:
                found.shares[face.track].append(row)
                found.labels[face.track].append(face.label)
    return found


def _follow_changes(
    noise: Sequence[Shares],
    sure: Sequence[tuple[int, Shares]],
    fps: float,
    faces: int,
    chance: random.Random,
) -> dict[str, float]:
    delays, missed, raw, steady = [], 0, 0, 0
    half = round(_HALF_S * fps)
    for _ in range(faces):
        (before, base), (after, later) = chance.sample(sure, 2)
        while before == after:
            (after, later) = chance.choice(sure)
        shares = _with_noise(np.stack([base] * half + [later] * half), noise, chance)
        labels = _labels(shares, fps)
        raw += max(0, _flips([int(row.argmax()) for row in shares]) - 1)
        steady += max(0, _flips(_settled(labels)) - 1)
        if EMOTIONS[after] in labels[half:]:
            delays.append(labels[half:].index(EMOTIONS[after]) / fps)
        else:
            missed += 1
    minutes = faces * 2 * _HALF_S / 60
    return {
        "delay_s_p50": round(median(delays), 2),
        "delay_s_p90": round(float(np.percentile(delays, 90)), 2),
        "missed": round(missed / faces, 3),
        "raw_flips_per_minute": round(raw / minutes, 1),
        "steady_flips_per_minute": round(steady / minutes, 1),
    }


def _with_noise(shares: Shares, noise: Sequence[Shares], chance: random.Random) -> Shares:
    rows: list[Shares] = []
    while len(rows) < len(shares):
        run_ = chance.choice(noise)
        start = chance.randrange(len(run_) - 10)
        rows += list(run_[start : start + 10 + chance.randrange(20)])
    odds = np.exp(np.log(shares) + np.stack(rows[: len(shares)]))
    noisy: Shares = odds / odds.sum(axis=1, keepdims=True)
    return noisy


def _labels(shares: Shares, fps: float) -> list[str]:
    state = TrackingState.empty("generated")
    found: list[str] = []
    for n, row in enumerate(shares.astype(np.float32)):
        ms = _START_MS + round(1000 * n / fps)
        association = associate(state.tracks, f"{ms}-0", ms, [_CLOSE])
        step = advance(state, association, [_CLOSE], row[np.newaxis], Policy())
        state = step.state
        found.append(step.faces[0].label or "uncertain")
    return found


def _settled(labels: list[str]) -> list[str]:
    """The labels from the first emotion on."""
    return labels[next((n for n, each in enumerate(labels) if each != "uncertain"), 0) :]


def _flips(labels: Sequence[object]) -> int:
    return sum(a != b for a, b in pairwise(labels))
