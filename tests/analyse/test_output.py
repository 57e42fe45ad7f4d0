"""Results that are there already: kept, continued or refused."""

from pathlib import Path

import pytest

from analyse.options import build_parser, result_options
from analyse.output import Clip, OutputError, finish, prepare
from tests.analyse.command import DETECTOR, analyse


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"one")
    return Clip(video, tmp_path / "out" / "a")


def options(*given: str) -> dict[str, str]:
    return result_options(build_parser(None).parse_args(["a.mp4", "--out", "out", *given]))


def make(clip: Clip, *given: str) -> None:
    """Finish an analysis, as the command does."""
    prepare(clip, options(*given))
    (clip.folder / "summary.json").write_text("{}")
    finish(clip)
    assert clip.is_done


OTHERS = [("--blur",), ("--show-faces",), ("--parquet",), ("--model", "other"), ("--engine", "mnn")]


def test_an_unfinished_analysis_is_resumed_with_the_same_file_only(clip: Clip) -> None:
    prepare(clip, {})
    prepare(clip, {}, resume=True)
    clip.path.write_bytes(b"another")
    with pytest.raises(OutputError, match=r"of another file: --overwrite"):
        prepare(clip, {}, resume=True)
    prepare(clip, {}, overwrite=True)


def test_finished_results_are_kept_for_the_same_file_and_options(clip: Clip) -> None:
    make(clip, "--blur")
    prepare(clip, options("--blur"), resume=True)
    assert clip.is_done
    assert not clip.work.exists()


def test_finished_results_are_not_those_of_another_file(clip: Clip) -> None:
    make(clip)
    clip.path.write_bytes(b"another")
    with pytest.raises(OutputError, match=r"of another file: --overwrite"):
        prepare(clip, options(), resume=True)
    prepare(clip, options(), overwrite=True)
    assert not clip.is_done


def test_finished_results_are_not_those_of_a_file_that_is_gone(clip: Clip) -> None:
    make(clip)
    clip.path.unlink()
    with pytest.raises(OutputError, match="cannot be found"):
        prepare(clip, options(), resume=True)


@pytest.mark.parametrize("given", OTHERS)
def test_finished_results_are_not_those_of_other_options(
    given: tuple[str, ...], clip: Clip
) -> None:
    make(clip, *given)
    with pytest.raises(OutputError, match=rf"other options \({given[0]}\)"):
        prepare(clip, options(), resume=True)
    prepare(clip, options(), overwrite=True)
    (clip.folder / "summary.json").write_text("{}")
    finish(clip)
    with pytest.raises(OutputError, match=rf"other options \({given[0]}\)"):
        prepare(clip, options(*given), resume=True)


@pytest.mark.parametrize("damaged", ["", "[]", "{}", None])
def test_results_of_unknown_origin_are_not_kept(damaged: str | None, clip: Clip) -> None:
    make(clip)
    clip.run_file.unlink()
    if damaged is not None:
        clip.run_file.write_text(damaged)
    with pytest.raises(OutputError, match="missing or damaged"):
        prepare(clip, options(), resume=True)
    prepare(clip, options(), overwrite=True)


def test_the_command_says_in_one_line_that_all_is_done(clip: Clip) -> None:
    make(clip, *DETECTOR)
    code, log = analyse(clip.path, "--out", clip.folder.parent, "--resume")
    assert (code, log) == (0, f"a: already done, {clip.folder}\n")


def test_the_command_refuses_in_one_line_what_was_made_otherwise(clip: Clip) -> None:
    make(clip, *DETECTOR)
    code, log = analyse(clip.path, "--out", clip.folder.parent, "--resume", "--blur")
    assert code == 2
    assert len(log.splitlines()) == 1
    assert "of other options (--blur)" in log
