"""Generated faces on known paths, and how well a tracker keeps their identities.

A scene is what a detector would report of people who walk across the picture, stop, turn round and
leave: boxes with noise, a tenth of them missing, a few false ones, faces hidden behind nearer ones,
and each person hidden for a second now and then.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from emotion_streams.faces import Box
from worker.tracking import Sighting, Tracks, associate

WIDTH, HEIGHT = 1280, 720
START_MS = 1_795_346_599_061


@dataclass(frozen=True)
class SceneFrame:
    """`people`: who each box is, None for a false one."""

    captured_ms: int
    boxes: tuple[Box, ...]
    people: tuple[int | None, ...]

    @property
    def frame_id(self) -> str:
        return f"{self.captured_ms}-0"

    @property
    def sightings(self) -> list[Sighting]:
        return [Sighting(box, 0.9) for box in self.boxes]


@dataclass(frozen=True)
class _Visit:
    """A person's way through the picture: from one side to a turning point, a stop, and out."""

    begins: float
    entry_x: float
    stop_x: float
    exit_x: float
    y: float
    size: float
    speed: float
    stops_s: float
    hidden_at: float
    phase: float

    @property
    def ends(self) -> float:
        way = abs(self.stop_x - self.entry_x) + abs(self.exit_x - self.stop_x)
        return self.begins + way / self.speed + self.stops_s

    def place(self, now: float) -> tuple[float, float, float] | None:
        """Centre and size at a time, None if the person is out of sight."""
        if not self.begins <= now < self.ends or self.hidden_at <= now < self.hidden_at + 1.0:
            return None
        since = now - self.begins
        first = abs(self.stop_x - self.entry_x) / self.speed
        if since < first:
            x = self.entry_x + math.copysign(since * self.speed, self.stop_x - self.entry_x)
        elif since < first + self.stops_s:
            x = self.stop_x
        else:
            since -= first + self.stops_s
            x = self.stop_x + math.copysign(since * self.speed, self.exit_x - self.stop_x)
        bob = 0.15 * self.size * math.sin(5 * now + self.phase)
        return x + 0.5 * bob, self.y + bob, self.size * (1 + 0.1 * math.sin(0.8 * now + self.phase))


def scene(
    seed: int,
    fps: float,
    seconds: float = 60,
    people: int = 6,
    missing: float = 0.1,
    false: float = 0.02,
) -> list[SceneFrame]:
    """A scene with about `people` in the picture at a time."""
    chance = random.Random(seed)
    visits: list[_Visit] = []
    for _ in range(people):
        now = chance.uniform(-4, 4)
        while now < seconds:
            visits.append(_visit(chance, now))
            now = visits[-1].ends + chance.uniform(2, 5)
    frames, now = [], 0.0
    while now < seconds:
        frames.append(_frame(chance, visits, now, missing, false))
        now += chance.uniform(0.9, 1.1) / fps
    return frames


def _visit(chance: random.Random, begins: float) -> _Visit:
    size = chance.uniform(50, 130)
    left, right = -size / 2, WIDTH + size / 2
    entry, exit_ = chance.choice([(left, right), (right, left), (left, left), (right, right)])
    speed = size * chance.uniform(1, 3)
    return _Visit(
        begins=begins,
        entry_x=entry,
        stop_x=chance.uniform(0.2, 0.8) * WIDTH,
        exit_x=exit_,
        y=HEIGHT * chance.uniform(0.35, 0.65),
        size=size,
        speed=speed,
        stops_s=chance.choice([0.0, chance.uniform(1, 5)]),
        hidden_at=begins + chance.uniform(1.5, 12),
        phase=chance.uniform(0, 6),
    )


def _frame(
    chance: random.Random, visits: Sequence[_Visit], now: float, missing: float, false: float
) -> SceneFrame:
    shown: list[tuple[int | None, float, float, float]] = []
    in_sight = [(n, *place) for n, visit in enumerate(visits) if (place := visit.place(now))]
    for n, x, y, size in sorted(in_sight, key=lambda each: -each[3]):  # nearest first
        is_covered = any(math.hypot(x - a, y - b) < 0.5 * c for _, a, b, c in shown)
        shown.append((None if is_covered else n, x, y, size))
    boxes: list[Box] = []
    who: list[int | None] = []
    for person, x, y, size in shown:
        if person is not None and 0 <= x < WIDTH and chance.random() >= missing:
            seen_x, seen_y = chance.gauss(x, 0.03 * size), chance.gauss(y, 0.03 * size)
            boxes.append(_box(seen_x, seen_y, size * math.exp(chance.gauss(0, 0.04))))
            who.append(person)
    if chance.random() < false:
        boxes.append(_box(chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT), 60))
        who.append(None)
    return SceneFrame(START_MS + round(1000 * now), tuple(boxes), tuple(who))


def _box(x: float, y: float, size: float) -> Box:
    width, height = 0.85 * size, 1.15 * size
    return Box(x - width / 2, y - height / 2, width, height)


Ids = Sequence[Sequence[int | str | None]]
"""Per frame and box, the id that a tracker gave it."""


def tracked(frames: Sequence[SceneFrame]) -> Ids:
    """What our tracker makes of a scene."""
    tracks = Tracks()
    ids: list[tuple[str | None, ...]] = []
    for frame in frames:
        association = associate(tracks, frame.frame_id, frame.captured_ms, frame.sightings)
        tracks = association.after
        ids.append(association.tracks)
    return ids


@dataclass(frozen=True)
class Quality:
    """`switches`: how often a person's id differs from the last one that the person had.

    `idf1`: 2 x true / (boxes of people + boxes with an id), where true are the boxes whose id is
    that of their person in the best one-to-one assignment of ids to people (Ristani et al., 2016).
    `mota`: 1 - (boxes of people without an id + false boxes with one + switches) / boxes of people
    (CLEAR MOT: Bernardin and Stiefelhagen, 2008); it may be negative.
    Only detected boxes count, so no tracker is blamed for what the detector misses. `named`: share
    of the boxes of people that have an id: a tracker that names few cannot switch often.
    """

    switches: int
    idf1: float
    mota: float
    named: float
    ids: int
    people: int


def quality(frames: Sequence[SceneFrame], ids: Ids) -> Quality:
    """How well ids name people."""
    last: dict[int, int | str] = {}
    together: Counter[tuple[int, int | str]] = Counter()
    switches = given = real = 0
    for frame, row in zip(frames, ids, strict=True):
        for person, name in zip(frame.people, row, strict=True):
            real += person is not None
            given += name is not None
            if person is not None and name is not None:
                switches += last.get(person, name) != name
                last[person] = name
                together[person, name] += 1
    people = sorted({person for person, _ in together})
    names = sorted({name for _, name in together}, key=str)
    table = np.zeros((len(people), len(names)))
    for (person, name), count in together.items():
        table[people.index(person), names.index(name)] = count
    true = table[linear_sum_assignment(-table)].sum()
    found = sum(together.values())
    wrong = (real - found) + (given - found) + switches
    return Quality(
        switches,
        idf1=float(2 * true / max(1, real + given)),
        mota=1 - wrong / max(1, real),
        named=found / max(1, real),
        ids=len(names),
        people=len(people),
    )
