"""`make sbom`: what each image holds, as CycloneDX, and a check of the licenses.

Python packages and their licenses come from the metadata in the image, by cyclonedx-bom; Debian's
packages, without licenses, from its own list.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from deploy.images.dockerfiles import ROOT, choose
from deploy.images.engine import Engine, NoEngineError, find_engine
from deploy.images.licenses import find_surprises
from service.parser import Parser, exit_with_error

_METADATA: Final = "cd /opt/venv/lib/python3*/site-packages && tar -cf - *.dist-info"
_DEBIAN: Final = r"dpkg-query --show --showformat='${Package} ${Version} ${Architecture}\n'"


def main(arguments: list[str] | None = None) -> None:
    """Write DIRECTORY/IMAGE.cdx.json for each image; exit with 1 if a license is a surprise."""
    parser = Parser(prog="deploy.images.sbom", description=main.__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="default: all but worker-gpu")
    parser.add_argument("--tag", default="latest")
    parser.add_argument("--prefix", default="emotion-streams", help="REGISTRY/NAME before /IMAGE")
    options = parser.parse_args(arguments)
    options.directory.mkdir(parents=True, exist_ok=True)
    surprises = []
    try:
        engine = find_engine()
        for dockerfile in choose(options.images):
            image = f"{options.prefix}/{dockerfile.name}:{options.tag}"
            document = describe(engine, image)
            target = options.directory / f"{dockerfile.name}.cdx.json"
            target.write_text(json.dumps(document, indent=1) + "\n")
            print(f"{target}: {len(document['components'])} components")
            surprises += [f"{dockerfile.name}: {one}" for one in find_surprises(document)]
    except (NoEngineError, ValueError, subprocess.CalledProcessError) as error:
        exit_with_error("deploy.images.sbom", str(error))
    if surprises:
        sys.exit("\n".join(["licenses to look at (deploy/images/licenses.py):", *surprises]))


def describe(engine: Engine, image: str) -> dict[str, Any]:
    """Return the image's CycloneDX document. CalledProcessError if the image does not run."""
    document = describe_python(_read(engine, image, _METADATA))
    document["metadata"]["component"] |= {"name": image, "type": "container"}
    document["components"] += _debian_packages(_read(engine, image, _DEBIAN).decode())
    return document


def describe_python(metadata: bytes) -> dict[str, Any]:
    """Return the document of a tar of `*.dist-info` folders."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    with tempfile.TemporaryDirectory() as folder:
        # cyclonedx-bom reads an environment; the metadata alone make one.
        venv.create(folder, with_pip=False, symlinks=True)
        (packages,) = Path(folder).glob("lib/python3*/site-packages")
        with tarfile.open(fileobj=BytesIO(metadata)) as tar:
            tar.extractall(packages, filter="data")
        text = subprocess.check_output(  # noqa: S603 - a program of this environment
            [shutil.which(program) or "cyclonedx-py", "environment", "--output-reproducible",
             "--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application",
             f"{folder}/bin/python"],
            text=True,
        )  # fmt: skip
    return dict(json.loads(text))


def _read(engine: Engine, image: str, command: str) -> bytes:
    """Return what a shell command prints in the image; it has no network."""
    words = ["run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", command]
    return subprocess.check_output([engine.program, *words])  # noqa: S603 - the engine that was found


def _debian_packages(listing: str) -> Iterator[dict[str, str]]:
    for line in listing.splitlines():
        name, version, architecture = line.split()
        purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
        yield {
            "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        }  # fmt: skip


if __name__ == "__main__":
    main()
