import numpy as np
import pytest

from training import metrics


def test_scores_follow_from_the_confusion_matrix() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 2])
    matrix = metrics.confusion(predicted, truth, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert metrics.accuracy(matrix) == pytest.approx(4 / 6)
    first = metrics.class_scores(matrix)[0]
    assert first.precision == pytest.approx(2 / 3)
    assert first.recall == pytest.approx(2 / 3)
    assert first.count == 3


def test_macro_f1_leaves_out_classes_that_do_not_occur() -> None:
    matrix = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 0]])
    assert metrics.macro_f1(matrix) == 1.0


def test_macro_f1_leaves_out_classes_that_are_only_predicted() -> None:
    matrix = np.array([[4, 0, 2], [0, 3, 0], [0, 0, 0]])
    assert metrics.macro_f1(matrix) == pytest.approx((0.8 + 1) / 2)


def test_a_class_that_is_never_found_counts_zero() -> None:
    matrix = np.array([[2, 0], [2, 0]])
    assert metrics.macro_f1(matrix) == pytest.approx((2 * 2 / 6) / 2)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.tile([0.9, 0.1], (10, 1))
    truth = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(probabilities, truth) == pytest.approx(0.3)


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 8))
    truth = np.array([rng.choice(8, p=row) for row in metrics.softmax(logits, 1.0)])
    assert metrics.fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.08)
    assert metrics.crossfitted_error(logits * 3, truth) < 0.03
    raw = metrics.softmax(logits * 3, 1.0)
    assert metrics.expected_calibration_error(raw, truth) > 0.1


def test_the_interval_holds_the_score_and_narrows_with_pictures() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (100, 2500):
        truth = rng.integers(0, 3, count)
        predicted = np.where(rng.random(count) < 0.8, truth, (truth + 1) % 3)
        matrix = metrics.confusion(predicted, truth, 3)
        found = metrics.bootstrap(metrics.accuracy, matrix)
        assert found.low < metrics.accuracy(matrix) < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 3
