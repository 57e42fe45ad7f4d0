"""Videos with key frames at chosen places, encoded by ffmpeg."""

import subprocess
from pathlib import Path


def encode(
    path: Path,
    seconds: float = 8,
    key_frames: str = "expr:gte(t,n_forced)",
    codec: str = "libx264",
    b_frames: int = 0,
    fps: int = 10,
) -> Path:
    """Write a moving test picture of 160x120.

    `key_frames`: where they are, as ffmpeg's -force_key_frames has it; by default one a second.
    """
    rare = ["-g", "1000", "-keyint_min", "1000", "-sc_threshold", "0", "-bf", str(b_frames)]
    if codec == "libx265":
        own = f"log-level=none:keyint=1000:min-keyint=1:scenecut=0:bframes={b_frames}:open-gop=0"
        rare = ["-x265-params", own]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=size=160x120:rate={fps}",
         "-t", str(seconds), "-c:v", codec, "-preset", "veryfast", "-pix_fmt", "yuv420p", *rare,
         "-force_key_frames", key_frames, str(path)],
        check=True,
    )  # fmt: skip
    return path
