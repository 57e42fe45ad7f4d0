"""Files as they come: each gives a right result, or one clear line."""

import csv
import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

from tests.analyse.command import Command, analyse
from tests.homeless import HOMELESS, require_homeless
from tests.peers.pictures import interlaced_avi, turn_mp4

pytestmark = pytest.mark.timeout(1800)

FRAMES = 10
SIDE = 240
"""Of a face, upright and square where the file is shown as it asks to be."""


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def still(path: Path, *options: str | Path) -> None:
    """A second of the picture face.png beside `path`, encoded as the options say."""
    face = path.with_name("face.png")
    ffmpeg("-loop", "1", "-framerate", "10", "-t", "1", "-i", face, *options, path)


def timed(path: Path, tenths: str) -> None:
    """Frame N is shown after so many tenths of a second."""
    times = f"settb=1/1000,setpts='100*({tenths})'"
    encoding = ("-enc_time_base", "1:1000", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    still(path, "-vf", times, "-fps_mode", "passthrough", *encoding)


def vfr(path: Path) -> None:
    timed(path, "if(lt(N,5),N,3*N-8)")


def with_gap(path: Path) -> None:
    """Two recordings joined, with two hours between them."""
    timed(path, "if(lt(N,5),N,N+72000)")


def rotated(path: Path) -> None:
    still(path, "-vf", "transpose=cclock", "-c:v", "mpeg4")
    turn_mp4(path)


def wide_pixels(path: Path) -> None:
    still(path, "-vf", f"scale={SIDE // 2}:{SIDE},setsar=2", "-c:v", "libx264")


def interlaced(path: Path) -> None:
    face = cv2.imread(str(path.with_name("face.png")))
    assert face is not None
    interlaced_avi(path, np.asarray(face, np.uint8), FRAMES)


def hevc_10_bit(path: Path) -> None:
    still(path, "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none")


def av1(path: Path) -> None:
    still(path, "-c:v", "libaom-av1", "-cpu-used", "8", "-crf", "30")


def cut_off(path: Path) -> None:
    whole = path.with_name("whole.avi")
    still(whole, "-c:v", "mjpeg", "-q:v", "3")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])


def without_index(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    still(whole, "-c:v", "mpeg4")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def sound(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)


def subtitles(path: Path) -> None:
    text = path.with_suffix(".srt")
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    ffmpeg("-i", text, path)


@dataclass(frozen=True)
class Good:
    """A file that is analysed: its frames' positions (ms)."""

    make: Callable[[Path], None]
    positions: tuple[int, ...] = tuple(range(0, 1000, 100))


GOOD = {
    "vfr.mp4": Good(vfr, (0, 100, 200, 300, 400, 700, 1000, 1300, 1600, 1900)),
    "gap.mp4": Good(with_gap, (0, 100, 200, 300, 400, *range(7_200_500, 7_201_000, 100))),
    "rotated.mp4": Good(rotated),
    "wide pixels.mkv": Good(wide_pixels),
    "interlaced.avi": Good(interlaced, tuple(range(0, 400, 40))),
    "hevc 10 bit.mkv": Good(hevc_10_bit),
    "av1.mp4": Good(av1),
}
BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "sound.m4a": (sound, "not a video"),
    "subtitles.mkv": (subtitles, "not a video"),
    "without index.mp4": (without_index, "not a video"),
    "empty.mp4": (Path.touch, "the file is empty"),
    "text.mp4": (lambda path: path.write_text("not a video"), "not a video"),
    "folder.mp4": (Path.mkdir, "not a file"),
    "playlist.avi": (
        lambda path: path.write_text("ffconcat version 1.0\nfile vfr.mp4\n"),
        "a playlist",
    ),
    "missing.mp4": (lambda path: None, "no such file"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str], Path]:
    """All of them in one run: its exit code, its lines, and the folder of its results."""
    folder = tmp_path_factory.mktemp("files")
    portrait: Any = data.astronaut()  # type: ignore[no-untyped-call]  # it has no types
    astronaut = cv2.cvtColor(portrait[0:SIDE, 100 : 100 + SIDE], cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "face.png"), astronaut)
    for name, good in GOOD.items():
        good.make(folder / name)
    for name, (make, _) in BAD.items():
        make(folder / name)
    cut_off(folder / "cut off.avi")
    files = [folder / name for name in (*BAD, *GOOD, "cut off.avi")]
    code, log = analyse(*files, "--out", folder / "out")
    # A slow machine also says how far it is.
    lines = [line for line in log.splitlines() if not re.search(r": \w+  \[[#-]+\]", line)]
    return code, lines, folder / "out"


def test_the_exit_code_says_that_some_files_failed(run: tuple[int, list[str], Path]) -> None:
    assert run[0] == 1


@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_analysed_as_it_is_shown(name: str, run: tuple[int, list[str], Path]) -> None:
    _, lines, out = run
    folder = out / Path(name).stem
    summary = json.loads((folder / "summary.json").read_text())
    positions = GOOD[name].positions
    assert summary["frames"] == len(positions)
    assert (summary["width"], summary["height"]) == (SIDE, SIDE)
    with (folder / "faces.csv").open(newline="") as file:
        faces = list(csv.DictReader(file))
    assert tuple(int(row["position_ms"]) for row in faces) == positions, "a face in each frame"
    for row in faces:
        assert 0.6 < float(row["width"]) / float(row["height"]) < 1.1, "of a face's shape"
    assert times(folder / "annotated.mp4") == list(positions)
    assert [line for line in lines if line.startswith(f"{Path(name).stem}: ")] == [
        f"{Path(name).stem}: done, {folder}"
    ]


@pytest.mark.parametrize("name", BAD)
def test_a_file_without_a_picture_gives_one_line(
    name: str, run: tuple[int, list[str], Path]
) -> None:
    _, lines, out = run
    (line,) = [line for line in lines if name in line]
    assert BAD[name][1] in line
    assert line.count(name) == 1
    assert not (out / Path(name).stem).exists()


def test_a_file_that_is_cut_off_gives_what_is_there_and_says_so(
    run: tuple[int, list[str], Path],
) -> None:
    _, lines, out = run
    summary = json.loads((out / "cut off" / "summary.json").read_text())
    assert 3 <= summary["frames"] < FRAMES
    assert len(times(out / "cut off" / "annotated.mp4")) == summary["frames"]
    assert [line for line in lines if "the file ends early" in line]


def test_a_file_that_may_not_be_read_gives_one_line(tmp_path: Path) -> None:
    behind: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may read every file, a user in a namespace of its own may not
        require_homeless()
        behind = HOMELESS
    (tmp_path / "secret.mp4").touch(mode=0)
    with Command(tmp_path / "secret.mp4", "--out", tmp_path / "out", behind=behind) as command:
        assert command.wait() == 1
        (line,) = command.log().splitlines()
    assert "secret.mp4: " in line
    assert not (tmp_path / "out" / "secret").exists()


def times(path: Path) -> list[int]:
    """The times of a video's frames (ms), by another FFmpeg than ours."""
    command = ["ffprobe", "-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    printed = subprocess.run([*command, path], capture_output=True, text=True, check=True).stdout
    return [round(1000 * float(line.split(",")[0])) for line in printed.split()]
