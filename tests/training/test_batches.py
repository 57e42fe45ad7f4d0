from dataclasses import replace
from pathlib import Path

import numpy as np

from emotion_streams.emotions import EMOTIONS
from tests.training.generated import face
from tests.training.test_datasets import CARD
from training import metrics
from training.batches import Batches, logit_adjustment, sampling_weights
from training.datasets import Faces
from training.run_config import RunConfig, Stage
from training.teacher import Teacher
from worker.model.release import load

CONFIG = RunConfig(stages=(Stage(32, 6, 5, 1e-3),), mixup=0.2)


def faces(counts: list[int]) -> Faces:
    labels = np.repeat(np.arange(len(counts)), counts)
    pictures = np.stack([face(emotion, n) for n, emotion in enumerate(labels.tolist())])
    return Faces(tuple(map(str, labels)), pictures, np.eye(8, dtype=np.float32)[labels], labels)


def test_a_batch_depends_on_its_step_and_the_seed_alone() -> None:
    data = faces([4, 4])
    straight = list(Batches(data, CONFIG, 0, CARD).from_step(0, workers=3))
    resumed = list(Batches(data, CONFIG, 0, CARD).from_step(4, workers=1))
    for one, other in zip(straight[4:], resumed, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    another = Batches(data, replace(CONFIG, seed=1), 0, CARD)[4]
    assert not np.array_equal(another[0], straight[4][0])


def test_inputs_are_what_the_engines_feed_the_network() -> None:
    pictures, targets = Batches(faces([4, 4]), CONFIG, 0, CARD)[0]
    assert pictures.shape == (5, 32, 32, 3)
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() < 0.4 < pictures.max() <= 1
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


def test_a_teacher_changes_its_share_of_the_targets_and_no_picture() -> None:
    data, config = faces([4, 4]), replace(CONFIG, distillation=0.25)
    shift = np.linspace(-1, 1, 8, dtype=np.float32)
    teacher = Teacher(load("simpnet-v2-32"), shift, threads=1)
    pictures, labels = Batches(data, config, 0, CARD)[0]
    seen, targets = Batches(data, config, 0, CARD, teacher)[0]
    np.testing.assert_array_equal(seen, pictures)
    taught = teacher.targets(pictures)  # the teacher's input has the same size
    np.testing.assert_allclose(targets, 0.75 * labels + 0.25 * taught, atol=1e-6)


def test_the_probabilities_of_a_teacher_are_shifted_as_the_loss_is() -> None:
    model = load("simpnet-v2-32")
    shift = np.linspace(-1, 1, 8, dtype=np.float32)
    pictures, _ = Batches(
        faces([4, 4]), replace(CONFIG, stages=(Stage(32, 1, 20, 1e-3),)), 0, CARD
    )[0]
    plain = Teacher(model, np.zeros(8, np.float32), threads=1).targets(pictures)
    shifted = Teacher(model, shift, threads=1).targets(pictures)
    assert shifted.shape == (20, 8)
    logits = np.log(plain) + shift
    np.testing.assert_allclose(shifted, metrics.softmax(logits, 1.0), atol=1e-5)


def test_rare_emotions_are_drawn_by_the_square_root_of_their_share() -> None:
    targets = faces([81, 9]).targets
    drawn = sampling_weights(targets, 0.5) @ targets
    np.testing.assert_allclose(drawn[:2], [0.75, 0.25], rtol=1e-6)


def test_the_loss_is_shifted_by_how_much_oftener_an_emotion_is_drawn() -> None:
    shift = logit_adjustment(faces([81, 9]).targets, 0.5)
    np.testing.assert_allclose(shift[:2], np.log([0.75 / 0.9, 0.25 / 0.1]), rtol=1e-5)
    assert (shift[2:] == 0).all(), "emotions without a picture have no prior to correct"
    assert len(shift) == len(EMOTIONS)


def test_the_sheet_and_counts_of_a_small_set(tmp_path: Path) -> None:
    from training.commands.data import counts, write_sheet

    data = faces([2, 1])
    write_sheet(data, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    table = [line.split() for line in counts({"train": data}).splitlines()]
    assert ["fear", "2"] in table
    assert ["pictures", "3"] in table
