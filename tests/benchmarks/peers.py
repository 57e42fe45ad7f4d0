"""The package `fer` on the same clip, interleaved with our releases; it is installed where --venv
says. With --data, how often each names a face's emotion as its annotators did: of the faces that
it finds, and of those that all find. Mind that FER+ Valid chose among the runs of ours."""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.accuracy import compare, faces_in_canvases, judge_ours
from tests.benchmarks.feed import Feed
from tests.benchmarks.fer_peer import MODES, Fer, install
from tests.benchmarks.material import BadInputError, Picture, pictures
from tests.benchmarks.reuse import PlayedClip, events
from tests.benchmarks.scatter import draw
from tests.benchmarks.system import System
from worker.inference.detect.choose import cache_folder

_REUSE: Final = "with reuse"
_PLAYED_A_S: Final = 20
"""Frames per camera and second of a round, about as many as two cores analyse."""

SHORT: Final = {"rounds": 2, "seconds": 6.0, "modes": "tflite", "beside": ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.set_defaults(model="simpnet-v2-32")
    # Not simpnet-v2, which is one of the two.
    parser.add_argument("--beside", default="simpnet-v2", help="a second release; '' for none")
    parser.add_argument("--venv", type=Path, default=cache_folder() / "peers")
    parser.add_argument("--modes", type=options.some_of(*MODES), default=",".join(MODES))
    parser.add_argument("--cameras", type=options.count, default=8)
    parser.add_argument("--rounds", type=options.count, default=4)
    parser.add_argument(
        "--seconds", type=options.at_least(1.0), default=10.0, help="of each, per round"
    )
    parser.add_argument(
        "--reuse-ms", type=options.count, help="also with this worker option, at 10 fps a camera"
    )
    parser.add_argument("--data", type=Path, help="score on its split `valid`, too")
    parser.add_argument("--plot", type=Path, help="draw accuracy over faces/s; needs --data")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alternate: each mode of fer, then each release, each with the whole machine."""
    if arguments.plot and not arguments.data:
        raise BadInputError("--plot needs --data: accuracy is one of its axes")
    modes = arguments.modes
    models = [model for model in (arguments.model, arguments.beside) if model]
    with Fer(install(arguments.venv), arguments.clip, arguments.width) as fer:
        rates, other = _rates(fer, modes, models, arguments)
        medians = {name: round(median(rate), 1) for name, rate in rates.items()}
        fastest = max(modes, key=medians.__getitem__)
        ratios = [a / b for a, b in zip(rates[arguments.model], rates[fastest], strict=True)]
        result = {
            "over_fer": round(median(ratios), 2),
            "over_fer_of_rounds": [round(ratio, 2) for ratio in ratios],
            **_with_reuse(rates, fastest),
            "faces_per_s": medians,
            "fer_fastest": fastest,
            "fer_versions": fer.versions,
            "rounds": arguments.rounds,
            "other_load_cores": other,
        }
        if not arguments.data:
            return result
        with tempfile.TemporaryDirectory(prefix="emotion-bench-") as folder:
            names = faces_in_canvases(arguments.data, Path(folder))
            judged = {fastest: fer.judge(fastest, Path(folder), names)}
    for model in models:
        judged[model] = judge_ours(model, arguments.data, arguments.detector)
    scores = compare(judged)
    if arguments.plot:
        draw(arguments.plot, medians, {name: score["accuracy"] for name, score in scores.items()})
    return {**result, "through_detection": scores}


def _rates(
    fer: Fer, modes: list[str], models: list[str], arguments: argparse.Namespace
) -> tuple[dict[str, list[float]], float]:
    """Faces per second of each, round by round, and the cores that everything else took."""
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    rates: dict[str, list[float]] = {name: [] for name in (*modes, *models)}
    for mode in modes:
        fer.faces_per_s(mode, 0.1)  # builds it
    with ExitStack() as ends:
        systems = {
            model: ends.enter_context(System(cameras, options.of_worker(arguments, model)))
            for model in models
        }
        pids = [pid for system in systems.values() for pid in system.pids]
        reusing = None
        if arguments.reuse_ms:
            own = [*options.of_worker(arguments, arguments.model), "--reuse-ms"]
            system = ends.enter_context(System(cameras, [*own, str(arguments.reuse_ms)]))
            reusing, rates[_REUSE] = _Reusing(system, frames), []
            pids += system.pids
        others = machine.OtherLoad(*pids, fer.pid)
        for _ in range(arguments.rounds):
            for mode in modes:
                rates[mode].append(fer.faces_per_s(mode, arguments.seconds))
            for model, system in systems.items():
                rates[model].append(ours(system, frames, arguments.seconds))
            if reusing:
                rates[_REUSE].append(reusing.faces_per_s(arguments.seconds))
        return rates, others.cores()


class _Reusing:
    """Our system with --reuse-ms. Each camera gets the clip in its order, at 10 frames a second by
    its capture times: otherwise there would be no tracks."""

    def __init__(self, system: System, frames: list[Picture]) -> None:
        self._system = system
        self._clip = PlayedClip(system, frames, int(time.time() * 1000), step_ms=100)
        self._frames = self._faces = 0

    def faces_per_s(self, seconds: float) -> float:
        """Play about so many seconds' work; return the faces in the events per second."""
        first, faces = self._frames, self._faces
        self._frames += round(_PLAYED_A_S * seconds)
        took_s = self._clip.play(range(first, self._frames))
        self._faces = sum(len(event.faces) for event in events(self._system).values())
        return (self._faces - faces) / took_s


def _with_reuse(rates: dict[str, list[float]], fastest: str) -> dict[str, Any]:
    if _REUSE not in rates:
        return {}
    ratios = [a / b for a, b in zip(rates[_REUSE], rates[fastest], strict=True)]
    return {"over_fer_with_reuse": round(median(ratios), 2)}


def ours(system: System, frames: list[Picture], seconds: float) -> float:
    with Feed(system, frames):
        system.await_owners()
        system.await_frames(len(system.cameras))
        rate = system.watch(seconds).faces_per_s
    system.settle()
    return rate
