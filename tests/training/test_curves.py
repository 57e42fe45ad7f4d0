from pathlib import Path

import pytest

from training.curves import COLUMNS, CURVES, Curves, Row, read
from training.datasets import InvalidDataError

HEAD = ",".join(COLUMNS)


def row(step: int) -> Row:
    return Row(step, 28, 0.001, 2.0, float(step))


@pytest.mark.parametrize("torn", ["2,28,0.0", "2,28,0.001,2,1", "\0\0\0\0", "2,28,0.001,2,2,\r"])
def test_a_step_whose_line_has_no_end_is_taken_again(tmp_path: Path, torn: str) -> None:
    (tmp_path / CURVES).write_text(f"{HEAD}\r\n1,28,0.001,2,1,\r\n{torn}", newline="")
    with Curves(tmp_path, done=1) as curves:
        curves.add(row(2))
    assert read(tmp_path) == [row(1), row(2)]


def test_a_line_that_is_not_a_step_is_named(tmp_path: Path) -> None:
    (tmp_path / CURVES).write_text(f"{HEAD}\n1,28,0.001,2,1,\n2,28,much\n3,28,0.001,2,3,\n")
    with pytest.raises(InvalidDataError, match=r"curves\.csv line 3"):
        read(tmp_path)
