"""`make images`: build the images with the engine at hand, and print their sizes."""

import subprocess
import sys

from deploy.images.dockerfiles import ROOT, Dockerfile, choose
from deploy.images.engine import ENGINES, Engine, NoEngineError, find_engine
from emotion_streams import __version__
from service.parser import Parser, exit_with_error


def main(arguments: list[str] | None = None) -> None:
    """Build every image but worker-gpu, or those that are named."""
    parser = Parser(prog="deploy.images.build", description=main.__doc__)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="worker, producer, ...")
    parser.add_argument("--tag", default="latest", help="the images' tag (default: latest)")
    parser.add_argument("--prefix", default="emotion-streams", help="REGISTRY/NAME before /IMAGE")
    parser.add_argument("--base", default="", help="base image in place of the Dockerfile's")
    parser.add_argument("--engine", default="", choices=ENGINES, help="default: the first found")
    parser.add_argument("--option", action="append", default=[], help="for the engine's build")
    options = parser.parse_args(arguments)
    try:
        engine = find_engine(options.engine)
        for dockerfile in choose(options.images):
            image = f"{options.prefix}/{dockerfile.name}:{options.tag}"
            build(engine, dockerfile, image, base=options.base, options=options.option)
            print(f"{image}: {engine.size_bytes(image) / 1e6:.0f} MB with its base", flush=True)
    except (NoEngineError, ValueError) as error:
        exit_with_error("deploy.images.build", str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


def build(
    engine: Engine, dockerfile: Dockerfile, image: str, *, base: str = "", options: list[str]
) -> None:
    """Build one image under the name `image`. CalledProcessError if the engine fails."""
    labels = {
        "org.opencontainers.image.title": f"emotion-streams {dockerfile.name}",
        "org.opencontainers.image.version": __version__,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    command = engine.build_command(
        str(dockerfile.path.relative_to(ROOT)),
        image,
        arguments={dockerfile.base_argument: base} if base else {},
        labels=labels,
        options=options,
    )
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - the engine that was found


if __name__ == "__main__":
    main()
