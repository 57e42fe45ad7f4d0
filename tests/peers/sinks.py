"""The real process of the sinks, and what is put into Redis for it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import redis
import yaml
from prometheus_client.parser import text_string_to_metric_families

from emotion_streams import Episode, EpisodeType, Minute, keys
from tests.peers.producer import ROOT, within
from tests.samples import episode, minute
from tests.servers import PATIENCE_S, Stopwatch

PASSWORD: Final = "p@ss/w0rd-Zq7"
"""Of every peer that wants one. No log may hold it."""

START_MS: Final = 1_700_000_000_000


class Sinks:
    """`python -m sinks` with these sinks; killed at the end if it still runs."""

    def __init__(self, redis_url: str, sinks: Mapping[str, Any], folder: Path) -> None:
        self.config = folder / "sinks.yaml"
        self.configure(sinks)
        self._redis_url = redis_url
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self.start()

    def configure(self, sinks: Mapping[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump({"sinks": dict(sinks)}))

    def start(self) -> None:
        self._port = 0
        self._log.truncate(0)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sinks", "--config", self.config),
                *("--redis", self._redis_url, "--metrics-port", "0"),
            ],
            cwd=ROOT,
            stderr=self._log,
            start_new_session=True,
            env={
                **os.environ,
                **dict.fromkeys(("MQTT_PASSWORD", "PG_PASSWORD", "HOOK_SECRET"), PASSWORD),
            },
        )

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """Ask it to end; how long it took in seconds (Stopwatch)."""
        watch = Stopwatch()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.log()
        return watch.read_s()

    def log(self) -> str:
        return os.pread(self._log.fileno(), 1 << 24, 0).decode().replace("\0", "")

    def entries(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if message in line["message"]]

    def get(self, path: str) -> str:
        if not self._port:
            within(lambda: self.process.poll() is not None or self.entries("metrics are served"))
            assert self.process.poll() is None, self.log()
            self._port = self.entries("metrics are served")[0]["port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}") as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())

    def metric(self, name: str, sink: str, **labels: str) -> float:
        wanted = {"sink": sink, **labels}
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                if sample.name == name and wanted.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    def is_up(self, sink: str) -> bool:
        return self.metric("emotion_sink_up", sink) == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        log = self.log()
        self._log.close()
        assert PASSWORD not in log
        assert "w0rd-Zq7" not in log
        assert "Traceback" not in log, log


def attach(client: "redis.Redis", camera: str = "lobby", state: str = "up") -> None:
    """Register a camera whose heartbeat is good for most of a minute."""
    client.zadd(keys.CAMERAS, {camera: time.time() * 1000 + 50_000})
    client.hset(keys.camera_info(camera), mapping={"state": state, "width": 640, "height": 480})


def visit(number: int, camera: str = "lobby", emotion: str = "happiness") -> list[Episode]:
    """All records of a person who came, was happy, and left; `number` distinguishes people."""
    start = START_MS + number * 1000
    track = f"{start}-0.0"
    of_track = episode(
        camera, track, id=f"{camera}/{track}/0", start_ms=start, emotion=None,
        confidence_mean=None, confidence_peak=None, peak_ms=None, peak_frame_id=None,
    )  # fmt: skip
    of_emotion = episode(camera, track, id=f"{camera}/{track}/1", start_ms=start, emotion=emotion)
    end = {"end_ms": start + 900, "duration_ms": 900}

    def decided(record: Episode, kind: EpisodeType, after_ms: int, **changed: Any) -> Episode:
        at = start + after_ms
        return replace(record, type=kind, decided_ms=at, frame_id=f"{at}-0", **changed)

    return [
        decided(of_track, EpisodeType.FACE_ENTERED, 100),
        decided(of_emotion, EpisodeType.EMOTION_STARTED, 400),
        decided(of_emotion, EpisodeType.EMOTION_UPDATED, 600, duration_ms=600),
        decided(of_emotion, EpisodeType.EMOTION_UPDATED, 800, duration_ms=800),
        decided(of_emotion, EpisodeType.EMOTION_ENDED, 950, **end),
        decided(of_track, EpisodeType.FACE_LEFT, 950, **end),
    ]


def add(client: "redis.Redis", *records: Episode | Minute) -> None:
    """Append records to their cameras' streams; minutes under their own ids."""
    with client.pipeline(transaction=False) as pipe:
        for record in records:
            if isinstance(record, Minute):
                pipe.xadd(
                    keys.minutes(record.camera), {"minute": record.pack()}, f"{record.start_ms}-0"
                )
            else:
                pipe.xadd(keys.episodes(record.camera), {"episode": record.pack()})
        pipe.execute()


def minutes(camera: str, count: int) -> list[Minute]:
    """Consecutive minutes."""
    return [minute(camera, START_MS // 60_000 * 60_000 + n * 60_000) for n in range(count)]


def dead_letters(client: "redis.Redis", sink: str) -> list[dict[str, str]]:
    """The fields of the sink's dead letters."""
    entries: Any = client.xrange(keys.sink_dead(sink))
    return [
        {name.decode(): text.decode() for name, text in fields.items()} for _, fields in entries
    ]
