"""One suite for every engine, against the plain Keras model in float32 as the reference."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

import worker.inference.engines
from tests.homeless import HOMELESS, require_homeless
from tests.servers import PATIENCE_S, eventually
from worker.inference.devices import has_bfloat16, has_int8, visible_gpus
from worker.inference.engines import Engine, probabilities
from worker.inference.engines.choose import ENGINES, EngineUnavailableError, build_engine, prefer
from worker.inference.engines.keras import KerasEngine
from worker.inference.engines.mnn import MAX_INSTANCES, MnnEngine, open_sessions
from worker.inference.engines.openvino import OpenVinoEngine
from worker.inference.openvino_core import OpenVinoUnavailableError, compile_on, open_core
from worker.model import simpnet
from worker.model.keras_weights import import_weights
from worker.model.release import Release, load

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def release() -> Release:
    return load("simpnet-v2-32")


@pytest.fixture(scope="module")
def sample(release: Release) -> NDArray[np.uint8]:
    return pictures(release, 1000, seed=1)


@pytest.fixture(scope="module")
def expected(release: Release, sample: NDArray[np.uint8]) -> NDArray[np.float32]:
    return plainly(release, sample)


def float32(release: Release) -> Release:
    return replace(release, int8=None)


CONTENDERS: dict[str, Callable[[Release], Engine]] = {
    "keras": lambda release: KerasEngine(release, 2),
    "openvino": lambda release: OpenVinoEngine(float32(release), 2),
    "openvino in int8": lambda release: OpenVinoEngine(release, 2),
    "mnn": lambda release: MnnEngine(release, 2),
}


@pytest.fixture(scope="module", params=CONTENDERS)
def engine(request: pytest.FixtureRequest, release: Release) -> Engine:
    built = CONTENDERS[request.param](release)
    built.warm()
    return built


def tolerance(engine: Engine) -> float:
    """How far a probability may be from Keras' own. In int8 it is measured on noise here, which
    the ranges were not; on faces the released files are held to their emotions."""
    return 0.2 if getattr(engine, "precision", "float32") == "int8" else 1e-3


def plainly(release: Release, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the plain model says of them, layer by layer as Keras builds it."""
    model = simpnet.build(len(release.card.labels), release.card.input_size)
    import_weights(model, release.weights)
    parts = np.array_split(crops, max(1, len(crops) // 20))
    logits = [model(part / np.float32(255), training=False) for part in parts]
    return probabilities(np.concatenate(logits), release.card.temperature)


def test_an_engine_that_says_so_gives_the_same_bits_in_every_batch(
    engine: Engine, sample: NDArray[np.uint8]
) -> None:
    crops = sample[:24]
    alone = np.concatenate([engine.classify(crops[n : n + 1]) for n in range(len(crops))])
    assert (engine.classify(crops[:1]) == alone[:1]).all(), "in any case if it is alone"
    if engine.is_batch_invariant:
        for size in range(2, engine.max_batch + 1):
            parts = np.array_split(crops, range(size, len(crops), size))
            assert (np.concatenate([engine.classify(part) for part in parts]) == alone).all()


def pictures(release: Release, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise over gradients: neither constant nor without structure."""
    side = release.card.input_size
    noise = np.random.default_rng(seed)
    base = np.linspace(0, 200, side)[np.newaxis, :, np.newaxis, np.newaxis]
    slopes = noise.random((count, 1, 1, 1))
    grey = base * slopes + noise.integers(0, 56, (count, side, side, 1))
    return np.repeat(grey.astype(np.uint8), 3, axis=3)


def test_no_engine_is_left_out() -> None:
    folder = Path(worker.inference.engines.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "choose"}
    assert modules == set(ENGINES) == {name.split()[0] for name in CONTENDERS}


def test_a_row_of_probabilities_per_crop(engine: Engine, release: Release) -> None:
    for count in (1, 3, engine.max_batch):
        rows = engine.classify(pictures(release, count))
        assert rows.shape == (count, 8)
        assert rows.dtype == np.float32
        assert np.allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_the_place_in_a_batch_changes_nothing(engine: Engine, release: Release) -> None:
    crops = pictures(release, engine.max_batch)
    together = engine.classify(crops)
    alone = np.concatenate([engine.classify(crop[np.newaxis]) for crop in crops])
    assert np.abs(together - alone).max() < 1e-4


def test_every_engine_answers_as_keras_does(
    engine: Engine, sample: NDArray[np.uint8], expected: NDArray[np.float32]
) -> None:
    found = in_batches(engine, sample)
    assert np.abs(expected - found).max() < tolerance(engine)
    assert_same_choice(expected, found, tie=2 * tolerance(engine))


@pytest.mark.parametrize("side", [48, 64])
def test_mnn_answers_as_keras_does_at_sizes_that_its_tiles_were_not_chosen_for(
    release: Release, side: int
) -> None:
    larger = replace(release, card=replace(release.card, input_size=side))
    crops = pictures(larger, 100, seed=2)
    found = in_batches(build_engine("mnn", larger, threads=1), crops)
    assert np.abs(plainly(larger, crops) - found).max() < 1e-3


@pytest.mark.parametrize("threads", [1, 2, 4, 6, 7, 11])
def test_every_thread_that_was_granted_computes(
    release: Release, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = []
    monkeypatch.setattr(
        "worker.inference.engines.mnn.open_session", lambda _, share: granted.append(share)
    )
    open_sessions(release, threads, min(threads, MAX_INSTANCES))
    assert sum(granted) == threads
    assert max(granted) - min(granted) <= 1


def open_files() -> set[str]:
    """What the descriptors of this process refer to, but for that of the listing itself."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(descriptor.readlink()))
    return found


def test_mnn_is_built_without_a_file_that_a_signal_could_leave_behind(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    before = open_files()
    MnnEngine(release, threads=1)
    assert open_files() <= before  # garbage of other tests may have been closed


def test_mnn_writes_nothing_to_standard_output() -> None:
    code = (
        "from worker.inference.engines.mnn import MnnEngine; from worker.model.release import load;"
        "MnnEngine(load(), threads=2).warm(); print('ready')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ready\n"


def test_lanes_work_side_by_side_and_do_not_mix_faces_up(
    engine: Engine, sample: NDArray[np.uint8], expected: NDArray[np.float32]
) -> None:
    parts = [sample[start : start + 5] for start in range(0, 100, 5)]
    with ThreadPoolExecutor(engine.instances) as threads:
        found = np.concatenate(list(threads.map(engine.classify, parts)))
    assert np.abs(expected[:100] - found).max() < tolerance(engine)


def test_a_face_in_one_lane_does_not_wait_for_a_batch_in_another(release: Release) -> None:
    engine = build_engine("mnn", release, threads=2)
    face, batch = pictures(release, 1), pictures(release, 256)

    def face_ends_first() -> bool:
        ended, begun = list[int](), threading.Event()

        def classify(crops: NDArray[np.uint8]) -> None:
            begun.set()
            engine.classify(crops)
            ended.append(len(crops))

        with ThreadPoolExecutor(engine.instances) as threads:
            threads.submit(classify, batch)
            assert begun.wait(PATIENCE_S)
            threads.submit(classify, face)
        return ended == [1, 256]

    engine.warm()
    eventually(face_ends_first)  # unless the thread of the face waited for a processor


def test_other_threads_run_while_an_engine_computes(engine: Engine, release: Release) -> None:
    """The event loop reads from Redis meanwhile: an engine that holds the GIL stops the worker."""
    crops = pictures(release, engine.max_batch)
    done = threading.Event()
    ticks = list[float]()

    def tick() -> None:
        while not done.wait(0.002):
            ticks.append(time.perf_counter())

    def ticked_within() -> bool:
        start = time.perf_counter()
        engine.classify(crops)
        end = time.perf_counter()
        return sum(start < at < end for at in ticks) >= 3

    with ThreadPoolExecutor(1) as thread:
        thread.submit(tick)
        try:
            eventually(ticked_within)  # unless that thread waited for a processor
        finally:
            done.set()


def test_the_crops_given_are_not_changed(engine: Engine, release: Release) -> None:
    crops = pictures(release, 2)
    before = crops.copy()
    engine.classify(crops)
    assert np.array_equal(crops, before)


def test_temperature_softens_and_keeps_the_order() -> None:
    logits = np.array([[1.0, 3.0, 2.0]], np.float32)
    sharp, soft = probabilities(logits, 0.5), probabilities(logits, 2.0)
    assert sharp.max() > soft.max()
    assert sharp.argsort().tolist() == soft.argsort().tolist()


def test_huge_logits_do_not_overflow() -> None:
    assert np.isfinite(probabilities(np.array([[1e4, -1e4]], np.float32), 0.7)).all()


def test_keras_traces_each_bucket_once_while_it_warms_up_and_never_again(release: Release) -> None:
    engine = KerasEngine(release, threads=2)
    engine.max_batch = 4
    engine.warm()
    assert engine.traces == len(engine.buckets) == 3
    for count in (1, 2, 3, 4, 3, 1):
        engine.classify(pictures(release, count))
    assert engine.traces == 3


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_float16", 0.01), ("mixed_bfloat16", 0.1)]
)
def test_half_precision_keeps_a_float32_softmax(
    release: Release,
    sample: NDArray[np.uint8],
    expected: NDArray[np.float32],
    policy: str,
    tolerance: float,
) -> None:
    engine = KerasEngine(release, threads=2, policy=policy)
    engine.max_batch = 8
    found = in_batches(engine, sample[:16])
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.abs(expected[:16] - found).max() < tolerance
    assert_same_choice(expected[:16], found, tie=2 * tolerance)


def test_keras_says_what_to_do_on_a_backend_that_it_cannot_serve_on(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    advice = r"KERAS_BACKEND=torch: set KERAS_BACKEND=tensorflow or jax, or install MNN"
    with pytest.raises(EngineUnavailableError, match=advice) as refused:
        build_engine("keras", release, 1)
    assert "pip install" not in str(refused.value)  # it is installed


def test_keras_leaves_no_folder_behind_for_a_user_without_a_home_folder(tmp_path: Path) -> None:
    require_homeless()
    command = [*HOMELESS, sys.executable, "-c", "import worker.inference.engines.keras"]
    environ = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=tmp_path, env=environ)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_is_survived_after_the_last_network_was_dropped_in_another_thread() -> None:
    script = (
        "import os, signal, threading; from worker.inference.openvino_core import open_core; "
        "cores = [open_core()]; cores[0].get_property('CPU', 'FULL_DEVICE_NAME'); "
        "thread = threading.Thread(target=cores.clear); thread.start(); thread.join(); "
        "signal.signal(signal.SIGUSR1, lambda *_: None); os.kill(os.getpid(), signal.SIGUSR1)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT)
    assert done.returncode == 0


def test_keras_runs_on_jax_as_well(
    release: Release,
    sample: NDArray[np.uint8],
    expected: NDArray[np.float32],
    tmp_path: Path,
) -> None:
    pytest.importorskip("jax", reason="the JAX backend is not installed")
    np.save(tmp_path / "crops.npy", sample[:3])
    script = (
        "import sys, numpy as np; from worker.inference.engines.keras import KerasEngine; "
        "from worker.model.release import load; folder = sys.argv[1]; "
        "engine = KerasEngine(load('simpnet-v2-32'), 2); engine.max_batch = 2; engine.warm(); "
        "crops = np.load(folder + '/crops.npy'); "
        "rows = np.concatenate([engine.classify(crops[:2]), engine.classify(crops[2:])]); "
        "np.save(folder + '/rows.npy', rows); "
        "sys.exit(engine.traces != 2 or 'tensorflow' in sys.modules)"
    )
    environ = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, cwd=ROOT, env=environ)
    assert np.abs(expected[:3] - np.load(tmp_path / "rows.npy")).max() < 1e-3


@pytest.mark.parametrize("engine", ["mnn", "openvino"])
@pytest.mark.parametrize("input_size", [32, 64])
def test_a_worker_on_two_cores_stays_under_400_megabytes(input_size: int, engine: str) -> None:
    script = (
        "import worker.__main__; from worker.inference.engines.choose import build_engine; "
        "from dataclasses import replace; from worker.model.release import load; release = load(); "
        f"release = replace(release, card=replace(release.card, input_size={input_size})); "
        f"engine = build_engine('{engine}', release, 2); engine.warm(); "
        "print(open('/proc/self/status').read())"
    )
    status = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    assert int(line.split()[1]) < 400 * 1024


def test_keras_that_cannot_use_the_gpu_that_is_there_does_not_take_its_place(
    release: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("worker.inference.engines.choose.visible_gpus", lambda: ("0",))
    monkeypatch.setattr("worker.inference.keras_backend._TensorFlow.gpus", lambda _: 0)
    with pytest.raises(
        EngineUnavailableError, match=r"GPU 0 is visible, but .* CPU: install it with CUDA"
    ):
        build_engine("keras", release, threads=1)
    assert build_engine("auto", float32(release), threads=1).name == "mnn"
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "engine mnn: GPU 0 is visible, but" in warning.getMessage()


@pytest.mark.parametrize("backend", ["torch", "none-such"])
def test_auto_runs_on_the_cpu_if_keras_cannot_serve_on_its_backend(backend: str) -> None:
    """In a process of its own: Keras has one backend a process."""
    code = (
        "from worker.inference.engines import choose; from worker.model.release import load; "
        "choose.visible_gpus = lambda: ('0',); release = load('simpnet-v2-32'); "
        "print(choose.build_engine('auto', release, 1).name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() in ("openvino", "mnn")
    assert "engine keras cannot run" in done.stderr


def test_auto_takes_mnn_if_openvino_cannot_run(
    release: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def too_old(_: str) -> None:
        raise OpenVinoUnavailableError("OpenVINO 2024 is too old")

    monkeypatch.setattr("worker.inference.engines.choose.visible_gpus", tuple)
    monkeypatch.setattr("worker.inference.engines.choose.has_int8", lambda: True)
    monkeypatch.setattr("worker.inference.engines.openvino.open_core", too_old)
    assert build_engine("auto", release, 1).name == "mnn"
    assert "engine mnn: engine openvino cannot run here: OpenVINO 2024 is too old" in caplog.text
    with pytest.raises(EngineUnavailableError, match="too old"):
        build_engine("openvino", release, 1)


def test_auto_takes_openvino_in_float32_if_nothing_else_is_installed(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.engines.choose.visible_gpus", tuple)
    monkeypatch.setitem(sys.modules, "worker.inference.engines.mnn", None)
    monkeypatch.setattr("worker.inference.engines.choose.is_usable", lambda engine, _: False)
    assert build_engine("auto", float32(release), 1).name == "openvino"


def test_auto_warns_if_a_gpu_stays_idle_because_keras_is_missing(
    release: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("worker.inference.engines.choose.visible_gpus", lambda: ("0",))
    monkeypatch.setattr(
        "worker.inference.engines.choose.is_usable", lambda engine, _: engine == "mnn"
    )
    assert build_engine("auto", release, threads=1).name == "mnn"
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "GPU 0 is visible, but keras is not installed" in warning.getMessage()


@pytest.mark.parametrize(
    ("gpus", "usable", "engine", "missing"),
    [
        ((), ("keras", "openvino", "mnn"), "openvino", None),
        ((), ("keras", "mnn"), "mnn", None),
        (("0",), ("keras", "openvino", "mnn"), "keras", None),
        (("0",), ("openvino", "mnn"), "openvino", "keras"),
        (("0",), ("mnn",), "mnn", "keras"),
        ((), ("keras",), "keras", "mnn"),
        ((), (), "mnn", None),
    ],
)
def test_auto_chooses_keras_if_a_gpu_is_visible_else_the_fastest_and_says_why(
    gpus: tuple[str, ...], usable: tuple[str, ...], engine: str, missing: str | None
) -> None:
    name, reason = prefer(gpus, usable)
    assert name == engine
    assert reason.startswith("GPU 0 is visible" if gpus else "no GPU is visible")
    assert reason.endswith(f"but {missing} is not installed" if missing else "is visible")


def test_auto_chooses_openvino_if_cpu_and_release_support_int8(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.engines.choose.visible_gpus", tuple)
    for fast in (True, False):
        monkeypatch.setattr("worker.inference.engines.choose.has_int8", lambda fast=fast: fast)
        assert build_engine("auto", release, 1).name == ("openvino" if fast else "mnn")
        assert build_engine("auto", float32(release), 1).name == "mnn"


@pytest.mark.parametrize(
    ("flags", "int8", "bfloat16"),
    [
        ("fpu avx2 avx512_vnni avx512_bf16", True, True),
        ("fpu avx2 avx_vnni", True, False),
        ("fpu avx2 avx512f", False, False),
        ("", False, False),
    ],
)
def test_a_cpu_is_asked_for_what_it_does_fast(
    flags: str, int8: bool, bfloat16: bool, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: avx_vnni\n" * 2)
    assert (has_int8(cpuinfo), has_bfloat16(cpuinfo)) == (int8, bfloat16)
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd\n")  # an ARM
    assert not has_int8(cpuinfo)
    assert not has_bfloat16(tmp_path / "missing")


@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_a_device_that_openvino_does_not_have_is_named_in_one_line(
    engine: str, release: Release
) -> None:
    with pytest.raises(
        EngineUnavailableError, match=r"sees no device GPU\.7, only .*CPU"
    ) as refused:
        build_engine(engine, release, 1, "GPU.7")
    assert "\n" not in str(refused.value)


def test_a_device_is_for_openvino_alone(release: Release) -> None:
    with pytest.raises(
        EngineUnavailableError, match="--device GPU is OpenVINO's: take --engine openvino"
    ):
        build_engine("mnn", release, 1, "GPU")


def test_an_openvino_that_is_missing_or_too_old_is_said_in_one_line(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openvino.__version__", "2024.6.0-17404")
    with pytest.raises(
        EngineUnavailableError, match=r"OpenVINO 2024\.6\.0-17404 is too old: 2025 or later"
    ):
        build_engine("openvino", release, 1)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'emotion-streams\[openvino\]'"):
        build_engine("openvino", release, 1)


def test_a_device_that_refuses_the_model_is_named_in_one_line() -> None:
    class Core:
        def compile_model(self, *_: object) -> None:
            raise RuntimeError("Exception from src/inference:\nCheck failed:\nno such kernel\n")

    with pytest.raises(OpenVinoUnavailableError, match=r"NPU refuses the model: no such kernel$"):
        compile_on(Core(), None, "NPU", {})


def test_devices_other_than_cpus_are_given_batches_of_few_sizes(
    release: Release,
    sample: NDArray[np.uint8],
    expected: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = []

    def on_the_cpu(core: Any, model: Any, device: str, options: dict[str, Any]) -> Any:
        shapes.append(tuple(model.input(0).get_shape()))
        assert device == "GPU"
        return core.compile_model(model, "CPU", options)

    monkeypatch.setattr("worker.inference.engines.openvino.MAX_BATCH_GPU", 4)
    monkeypatch.setattr("worker.inference.engines.openvino.compile_on", on_the_cpu)
    monkeypatch.setattr("worker.inference.engines.openvino.open_core", lambda _: open_core())
    engine = OpenVinoEngine(float32(release), 2, "GPU")
    engine.warm()
    assert shapes == [(n, 32, 32, 3) for n in (1, 2, 4)]
    for count in (1, 3, 4):  # in the device's own precision
        assert np.abs(expected[:count] - engine.classify(sample[:count])).max() < 0.02


@pytest.mark.parametrize(
    ("files", "variable", "expected"),
    [
        ([], None, ()),
        ([], "0", ()),
        (["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], None, ("0", "1")),
        (["nvidia0", "nvidia1"], "1", ("1",)),
        (["nvidia0"], "", ()),
        (["nvidia0"], "-1", ()),
        (["nvidia0", "nvidia1"], "1,-1,0", ("1",)),
        (["nvidia3"], "GPU-8f2383e4", ("GPU-8f2383e4",)),
    ],
)
def test_gpus_are_seen_as_cuda_sees_them(
    tmp_path: Path, files: list[str], variable: str | None, expected: tuple[str, ...]
) -> None:
    for name in files:
        (tmp_path / name).touch()
    environ = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}
    assert visible_gpus(environ, tmp_path) == expected


def in_batches(engine: Engine, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    starts = range(0, len(crops), engine.max_batch)
    return np.concatenate([engine.classify(crops[s : s + engine.max_batch]) for s in starts])


def assert_same_choice(
    expected: NDArray[np.float32], found: NDArray[np.float32], tie: float
) -> None:
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] > tie
    assert clear.any()
    assert np.array_equal(expected.argmax(1)[clear], found.argmax(1)[clear])
