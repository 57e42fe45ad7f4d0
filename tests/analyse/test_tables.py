"""Tables as files, and the records that they are made of."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from analyse.output import clips
from analyse.spool import EPISODE, EVENT, Checkpoint, Spool
from analyse.tables import (
    EPISODE_COLUMNS,
    FACE_COLUMNS,
    episode_rows,
    face_rows,
    write_csv,
    write_parquet,
)
from emotion_streams.events import EmotionEvent
from tests import samples


def event(position_ms: int, faces: int = 1) -> EmotionEvent:
    found = samples.event(frame_id=f"{position_ms}-1", faces=faces)
    return replace(found, position_ms=position_ms)


def test_a_cell_may_hold_what_separates_cells(tmp_path: Path) -> None:
    awkward = ['a "quoted" word', "a, b", "two\r\nlines", "é"]
    write_csv(tmp_path / "a.csv", ["1", "2", "3", "4"], [awkward])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1] == awkward


def test_rows_have_a_cell_for_each_column() -> None:
    (face,) = face_rows([event(40)])
    assert len(face) == len(FACE_COLUMNS)
    cells = dict(zip(FACE_COLUMNS, face, strict=True))
    assert (cells["position_ms"], cells["frame"], cells["track"]) == (40, 0, None)
    (episode,) = episode_rows([samples.episode()])
    assert len(episode) == len(EPISODE_COLUMNS)


def test_a_frame_without_a_face_has_a_number_and_no_row() -> None:
    rows = list(face_rows([event(0), event(40, faces=0), event(80, faces=2)]))
    assert [row[FACE_COLUMNS.index("frame")] for row in rows] == [0, 2, 2]


def test_parquet_has_the_types_of_its_columns(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "faces.parquet"
    write_parquet(path, FACE_COLUMNS, face_rows([event(40)]))
    table = parquet.read_table(path)
    assert table.column_names == list(FACE_COLUMNS)
    assert table.to_pylist()[0]["position_ms"] == 40
    assert str(table.schema.field("x").type) == "double"


def test_the_spool_gives_what_was_there_at_its_checkpoint(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.open() is None
    for position_ms in (1, 2, 3):
        spool.add(EVENT, f"{position_ms}-1", event(position_ms).pack())
        spool.add(EPISODE, f"10{position_ms}-0", samples.episode(track=str(position_ms)).pack())
    spool.save(Checkpoint({b"version": b"7"}, "2-1", "2-1", "102-0"))
    spool.close()
    assert len(list(spool.events())) == 3

    again = Spool(tmp_path)
    checkpoint = again.open()
    assert checkpoint == Checkpoint({b"version": b"7"}, "2-1", "2-1", "102-0")
    again.close()
    assert [each.position_ms for each in again.events()] == [1, 2]
    assert [each.track for each in again.episodes()] == ["1", "2"]


def test_a_checkpoint_is_on_the_disk_when_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    spool = Spool(tmp_path)
    spool.open()
    assert synced == ["records.new", tmp_path.name]
    synced.clear()
    spool.save(Checkpoint({}, "2-1", "2-1", ""))
    spool.close()
    assert synced == ["records", "checkpoint.new", tmp_path.name]


def test_a_record_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.open()
    for position_ms in (1, 2):
        spool.add(EVENT, f"{position_ms}-1", event(position_ms).pack())
    spool.close()
    records = tmp_path / "records"
    records.write_bytes(records.read_bytes()[:-5])
    assert [each.position_ms for each in spool.events()] == [1]


def test_files_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    files = [Path("a/clip.mp4"), Path("b/clip.avi"), Path("c/clip.mp4")]
    folders = [clip.folder.name for clip in clips(files, tmp_path)]
    assert folders == ["clip", "clip-2", "clip-3"]
