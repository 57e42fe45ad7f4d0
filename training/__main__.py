"""`python -m training`: labelled faces to a released model."""

import argparse
import signal
import sys
from pathlib import Path

from training.datasets import Faces, InvalidData, open_data, read_faces
from training.run_config import InvalidConfig, RunConfig, Stage


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 where its input is wrong, with one line that says how."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a model, or continue a run")
    train.add_argument("data", type=Path)
    train.add_argument("--out", type=Path, required=True, metavar="RUN")
    train.add_argument("--resume", action="store_true")
    train.add_argument("--stage", dest="stages", action="append", default=[], metavar="SIDE:STEPS:BATCH:RATE")
    train.add_argument("--start")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--dropout", type=float, default=0.1)
    train.add_argument("--sampling", type=float, default=0.5)
    train.add_argument("--mixup", type=float, default=0.0)
    train.add_argument("--ema", type=float, default=0.995)
    train.add_argument("--precision", default="float32")
    train.add_argument("--checkpoint-minutes", type=float, default=5.0)
    train.add_argument("--workers", type=int, default=2)
    train.set_defaults(run=_train)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (InvalidData, InvalidConfig) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _train(options: argparse.Namespace) -> int:
    from training.run_folder import RunFolder
    from training.train import Pace, Training

    if options.resume:
        folder = RunFolder.open(options.out)
    else:
        config = RunConfig(
            stages=tuple(Stage.parse(text) for text in options.stages),
            seed=options.seed, start=options.start, dropout=options.dropout,
            sampling=options.sampling, mixup=options.mixup, ema=options.ema, precision=options.precision,
        )
        folder = RunFolder(options.out, config, {})
    data = open_data(options.data)
    faces = read_faces(data.entries("train"), folder.card(folder.config.stages[0].side))
    print(f"{len(faces)} pictures", flush=True)
    if options.resume:
        if faces.sha256() != folder.data["sha256"]:
            raise InvalidData(f"{options.data}: not the data that {options.out} was begun with")
    else:
        folder = RunFolder.create(options.out, folder.config, {"name": options.data.name, "layout": data.layout, "split": "train", "pictures": len(faces), "sha256": faces.sha256()})
    training = Training(faces, folder.config, folder, Pace(options.checkpoint_minutes, options.workers))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: training.stop.set())
    finished = training.run(options.resume)
    print("finished" if finished else "stopped; continue with --resume")
    return 0


if __name__ == "__main__":
    sys.exit(main())
