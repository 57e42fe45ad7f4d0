import shutil
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emotion_streams.emotions import EMOTIONS
from tests.training import generated
from training.datasets import AMBIGUOUS, Entry, InvalidDataError, open_data, read_faces
from training.datasets.affectnet import EXPRESSIONS, IMAGES, LISTS
from training.datasets.entry import hard_target
from training.datasets.ferplus import COLUMNS, EXCLUDED, LABELS
from worker.model.card import CropGeometry, ModelCard

CARD = ModelCard(
    name="test",
    version="0",
    labels=EMOTIONS,
    input_size=32,
    source_size=48,
    colour="grey",
    crop={"haar": CropGeometry(1.0)},
    temperature=1.0,
    weights_sha256="",
)


def labels(entries: list[Entry]) -> list[str]:
    return ["-" if e.label == AMBIGUOUS else EMOTIONS[e.label] for e in entries]


class TestFerPlus:
    def test_targets_are_the_shares_of_votes_without_single_ones(self, tmp_path: Path) -> None:
        votes = {"anger": 6, "disgust": 2, "fear": 1, "unknown": 1}
        generated.write_ferplus(tmp_path, "train", [("a.png", votes)])
        (entry,) = open_data(tmp_path).entries("train")
        target = dict(zip(EMOTIONS, entry.target, strict=True))
        assert target == {**dict.fromkeys(EMOTIONS, 0.0), "anger": 0.75, "disgust": 0.25}

    @pytest.mark.parametrize(
        ("votes", "label"),
        [
            ({"sadness": 5, "neutral": 4, "unknown": 1}, "sadness"),
            ({"sadness": 5, "neutral": 5}, "-"),
            ({"sadness": 4, "neutral": 3, "fear": 3}, "-"),
            ({"sadness": 5, "unknown": 5}, "sadness"),
        ],
    )
    def test_a_winner_is_unique_and_has_five_votes(
        self, tmp_path: Path, votes: dict[str, int], label: str
    ) -> None:
        generated.write_ferplus(tmp_path, "valid", [("a.png", votes)])
        assert labels(open_data(tmp_path).entries("valid")) == [label]

    @pytest.mark.parametrize(
        "votes", [{"NF": 8, "fear": 2}, {"unknown": 6, "fear": 4}, {"fear": 1}]
    )
    def test_a_picture_without_an_emotion_is_left_out(
        self, tmp_path: Path, votes: dict[str, int]
    ) -> None:
        generated.write_ferplus(tmp_path, "train", [("a.png", votes), ("b.png", {"fear": 9})])
        assert [e.name for e in open_data(tmp_path).entries("train")] == ["FER2013Train/b.png"]

    def test_excluded_pictures_are_left_out_of_their_split_only(self, tmp_path: Path) -> None:
        for split in ("train", "valid"):
            generated.write_ferplus(tmp_path, split, [("a.png", {"fear": 9})])
        (tmp_path / EXCLUDED).write_text("FER2013Train/a.png\n")
        data = open_data(tmp_path)
        assert data.entries("train") == []
        assert len(data.entries("valid")) == 1

    def test_folders_are_known_in_any_case(self, tmp_path: Path) -> None:
        generated.write_ferplus(tmp_path, "test", [("a.png", {"fear": 9})])
        (tmp_path / "FER2013Test").rename(tmp_path / "fer2013test")
        data = open_data(tmp_path)
        assert data.splits() == ["test"]
        (entry,) = data.entries("test")
        assert entry.read().shape == (48, 48, 3)

    def test_a_header_that_names_the_columns_gives_their_order(self, tmp_path: Path) -> None:
        generated.write_ferplus(tmp_path, "valid", [("a.png", {})])
        header = "Image name,Box," + ",".join(reversed(COLUMNS))
        lines = ("\ufeff" + header, "a.png,box,0,0,9,0,0,0,0,0,0,1")
        (tmp_path / "FER2013Valid" / LABELS).write_text("\n".join(lines))
        data = open_data(tmp_path)
        assert labels(data.entries("valid")) == ["contempt"]
        (tmp_path / "FER2013Valid" / LABELS).write_text("Image name,Box,joy\n")
        with pytest.raises(InvalidDataError, match="line 1: the columns are neutral, happiness"):
            data.entries("valid")

    def test_a_header_alone_is_not_a_picture(self, tmp_path: Path) -> None:
        generated.write_ferplus(tmp_path, "valid", [("a.png", {"fear": 9})])
        labels = tmp_path / "FER2013Valid" / LABELS
        labels.write_text("Image name,box,1,2,3,4,5,6,7,8,9,10\n" + labels.read_text())
        assert len(open_data(tmp_path).entries("valid")) == 1

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("a.png,box,1,2", "line 2: 4 columns, not 12"),
            ("a.png,box,x,0,0,0,0,0,0,0,0,0", "line 2: votes are whole numbers"),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, line: str, message: str) -> None:
        generated.write_ferplus(tmp_path, "valid", [("a.png", {"fear": 9})])
        with (tmp_path / "FER2013Valid" / LABELS).open("a") as file:
            file.write(line + "\n")
        with pytest.raises(InvalidDataError, match=message):
            open_data(tmp_path).entries("valid")

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
    def test_labels_in_another_encoding_are_one_error(self, tmp_path: Path, encoding: str) -> None:
        generated.write_ferplus(tmp_path, "valid", [("a.png", {"fear": 9})])
        labels = tmp_path / "FER2013Valid" / LABELS
        labels.write_text(labels.read_text().replace("a.png", "ä.png"), encoding=encoding)
        with pytest.raises(InvalidDataError, match=r"FER2013Valid/label.csv: not in UTF-8"):
            open_data(tmp_path).entries("valid")

    def test_a_zip_reads_as_its_folder_does(self, tmp_path: Path) -> None:
        root = generated.ferplus(tmp_path / "top" / "ferplus", per_emotion=1)
        archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "top"))
        folder, zipped = (
            read_faces(open_data(path).entries("train"), CARD) for path in (root, archive)
        )
        assert folder.sha256() == zipped.sha256()
        assert folder.names == zipped.names

    def test_paths_in_lists_made_on_windows_are_read(self, tmp_path: Path) -> None:
        generated.write_ferplus(tmp_path, "train", [("a.png", {"fear": 9}), ("b.png", {"fear": 9})])
        folder = tmp_path / "FER2013Train"
        (folder / "faces").mkdir()
        for name in ("a.png", "b.png"):
            (folder / name).rename(folder / "faces" / name)
        labels = folder / LABELS
        labels.write_text(labels.read_text().replace("a.png", r"faces\a.png"))
        labels.write_text(labels.read_text().replace("b.png", r"faces\b.png"))
        (tmp_path / EXCLUDED).write_text("FER2013Train\\faces\\b.png\r\n")
        (entry,) = open_data(tmp_path).entries("train")
        assert entry.name == "FER2013Train/faces/a.png"
        assert entry.read().shape == (48, 48, 3)


class TestAffectNet:
    def test_paths_in_lists_made_on_windows_are_read(self, tmp_path: Path) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [1])
        listing = root / "training.csv"
        listing.write_text(listing.read_text().replace("0/training", r"0\training"))
        (entry,) = open_data(root).entries("train")
        assert entry.read().shape == (100, 100, 3)

    def test_the_lists_numbers_are_mapped_by_name(self, tmp_path: Path) -> None:
        data = open_data(generated.affectnet_listed(tmp_path / "a", range(11)))
        assert data.splits() == ["train", "valid"]
        assert labels(data.entries("train")) == list(EXPRESSIONS)

    def test_the_lists_box_is_the_crop(self, tmp_path: Path) -> None:
        data = open_data(generated.affectnet_listed(tmp_path / "a", [1]))
        (entry,) = data.entries("valid")
        crop = entry.face(entry.read())
        assert crop.shape == (60, 60, 3)
        assert crop.mean() > 100  # the picture is black around the face

    @pytest.mark.parametrize("unpacked", ["Manually_Annotated", "Manually_Annotated_compressed"])
    def test_the_archives_own_folders_are_found(self, tmp_path: Path, unpacked: str) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [1])
        for folder, moved in ((unpacked, IMAGES), (LISTS[1], "training.csv")):
            (root / folder).mkdir()
            (root / moved).rename(root / folder / moved)
        (root / "validation.csv").unlink()
        data = open_data(root)
        assert data.splits() == ["train"]
        (entry,) = data.entries("train")
        assert entry.read().shape == (100, 100, 3)

    def test_a_byte_order_mark_and_a_decimal_point_are_read_over(self, tmp_path: Path) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [1])
        listing = root / "training.csv"
        changed = listing.read_text().replace('"1;2",1,', "1;2,1.0,").replace("1;2,1,", "1;2,1.0,")
        listing.write_text(changed, encoding="utf-8-sig")
        assert "1;2,1.0," in changed
        assert labels(open_data(root).entries("train")) == ["happiness"]

    @pytest.mark.parametrize("box", ["nan,20,60,60", "10,20,inf,60", "10,20,-5,60", "10,20,60,0"])
    def test_a_box_that_is_none_is_named(self, tmp_path: Path, box: str) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [1])
        listing = root / "training.csv"
        listing.write_text(listing.read_text().replace("10,20,60,60", box))
        with pytest.raises(InvalidDataError, match=r"training.csv line 2: no face has a box of"):
            open_data(root).entries("train")

    def test_the_export_finds_pictures_in_another_format(self, tmp_path: Path) -> None:
        root = generated.affectnet_exported(tmp_path, [1])
        (root / "val_set" / "images" / "0.jpg").unlink()
        generated.write_picture(
            root / "val_set" / "images" / "0.png", np.zeros((64, 64, 3), np.uint8)
        )
        (entry,) = open_data(root).entries("valid")
        assert entry.name == "val_set/0.png"
        assert entry.read().shape == (64, 64, 3)

    def test_the_export_reads_expressions_and_leaves_out_what_is_none(self, tmp_path: Path) -> None:
        data = open_data(generated.affectnet_exported(tmp_path, [7, 8, 0]))
        assert labels(data.entries("valid")) == ["contempt", "neutral"]

    def test_an_unknown_column_is_one_error(self, tmp_path: Path) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [0])
        (root / "training.csv").write_text("path,emotion\na.jpg,1\n")
        with pytest.raises(
            InvalidDataError, match=r"training.csv: no column subDirectory_filePath"
        ):
            open_data(root).entries("train")

    def test_a_row_that_is_left_out_needs_no_box(self, tmp_path: Path) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [0, 9])
        listing = root / "training.csv"
        rows = listing.read_text().splitlines()
        rows[-1] = rows[-1].replace(",10,20,60,60,", ",NULL,NULL,NULL,NULL,")
        listing.write_text("\n".join(rows))
        assert len(open_data(root).entries("train")) == 1
        listing.write_text("\n".join((rows[0], "0/training.jpg,10,20")))
        with pytest.raises(InvalidDataError, match="line 2: expression"):
            open_data(root).entries("train")

    def test_a_missing_picture_is_named_and_skipped(self, tmp_path: Path) -> None:
        root = generated.affectnet_listed(tmp_path / "a", [0, 1])
        (root / IMAGES / "0" / "training.jpg").unlink()
        said: list[str] = []
        faces = read_faces(open_data(root).entries("train"), CARD, said.append)
        assert faces.names == ("1/training.jpg",)
        assert "0/training.jpg" in said[0]


class TestFolders:
    def test_folders_are_named_in_any_usual_way(self, tmp_path: Path) -> None:
        names = ["Happy", "sad", "angry", "CONTEMPT", "fearful", "neutral", "surprised", "disgust"]
        data = open_data(generated.folders(tmp_path, names))
        expected = {"happiness", "sadness", "anger", "contempt"}
        expected |= {"fear", "neutral", "surprise", "disgust"}
        assert set(labels(data.entries("valid"))) == expected

    def test_splits_are_folders_above(self, tmp_path: Path) -> None:
        generated.folders(tmp_path / "training", ["happy"], per_folder=3)
        generated.folders(tmp_path / "val", ["sad"], per_folder=2)
        data = open_data(tmp_path)
        assert data.splits() == ["train", "valid"]
        assert Counter(labels(data.entries("valid"))) == {"sadness": 2}

    def test_a_data_set_that_is_not_divided_is_any_split(self, tmp_path: Path) -> None:
        data = open_data(generated.folders(tmp_path, ["fear", "anger"]))
        assert data.entries("train") == data.entries("test")
        assert len(data.entries("valid")) == 2

    def test_numbers_and_punctuation_around_a_name_count_for_nothing(self, tmp_path: Path) -> None:
        names = ["0_angry", "01-Happy", "sad ", "(4) joy", "neutral_7"]
        data = open_data(generated.folders(tmp_path, names))
        expected = {"anger": 1, "happiness": 2, "sadness": 1, "neutral": 1}
        assert Counter(labels(data.entries("test"))) == expected

    def test_a_folder_of_no_emotion_is_an_error(self, tmp_path: Path) -> None:
        data = open_data(generated.folders(tmp_path, ["fear", "boredom"]))
        with pytest.raises(InvalidDataError, match="'boredom' names no emotion"):
            data.entries("train")

    def test_a_folder_without_pictures_is_nobodys_concern(self, tmp_path: Path) -> None:
        data = open_data(generated.folders(tmp_path, ["fear"]))
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations" / "fear.csv").write_text("a.png,fear")
        assert labels(data.entries("valid")) == ["fear"]

    def test_pictures_are_found_below_an_emotion_and_in_any_usual_format(
        self, tmp_path: Path
    ) -> None:
        picture = np.full((48, 48, 3), 90, np.uint8)
        for name in ("person1/a.TIF", "person1/b.jpg", "person2/c.ppm"):
            generated.write_picture(tmp_path / "sad" / name, picture)
        (tmp_path / "sad" / "person1" / "._b.jpg").write_bytes(b"what a Mac leaves")
        faces = read_faces(open_data(tmp_path).entries("valid"), CARD)
        assert faces.names == ("sad/person1/a.TIF", "sad/person1/b.jpg", "sad/person2/c.ppm")

    def test_files_that_a_mac_adds_to_a_zip_are_not_data(self, tmp_path: Path) -> None:
        generated.folders(tmp_path / "set" / "__MACOSX", ["happy"])
        generated.folders(tmp_path / "set" / "photos", ["fear"])
        archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set"))
        assert labels(open_data(archive).entries("valid")) == ["fear"]

    def test_an_unreadable_picture_is_named_and_skipped(self, tmp_path: Path) -> None:
        generated.folders(tmp_path, ["fear", "anger"])
        (tmp_path / "fear" / "broken.png").write_bytes(b"no picture")
        (tmp_path / "fear" / "empty.png").write_bytes(b"")
        said: list[str] = []
        faces = read_faces(open_data(tmp_path).entries("train"), CARD, said.append)
        assert len(faces) == 2
        assert [line.split(":")[1].strip() for line in said] == [
            "fear/broken.png",
            "fear/empty.png",
        ]

    def test_colour_pictures_keep_their_colours_if_the_model_uses_them(
        self, tmp_path: Path
    ) -> None:
        blue = np.zeros((60, 60, 3), np.uint8)
        blue[:, :, 0] = 200
        generated.write_picture(tmp_path / "fear" / "blue.png", blue)
        rgb = ModelCard(**{**vars(CARD), "colour": "rgb"})
        faces = read_faces(open_data(tmp_path).entries("train"), rgb)
        assert faces.pictures.shape == (1, 48, 48, 3)
        assert faces.pictures[0, 0, 0].tolist() == [200, 0, 0]


def windows_zip(folder: Path, archive: Path) -> Path:
    """A zip of a folder with backslashes in its names, as .NET once wrote them."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder)).replace("/", "\\")
            if path.is_file():
                file.writestr(zipfile.ZipInfo(name), path.read_bytes())
            else:
                file.writestr(zipfile.ZipInfo(name + "\\"), b"")
    return archive


def test_a_zip_made_on_windows_reads_as_its_folder_does(tmp_path: Path) -> None:
    for root in (
        generated.ferplus(tmp_path / "1" / "ferplus", per_emotion=1),
        generated.affectnet_listed(tmp_path / "2" / "affectnet", range(8)),
        generated.folders(tmp_path / "3" / "photos", ["fear", "anger"]),
    ):
        archive = windows_zip(root.parent, root.with_suffix(".zip"))
        folder, zipped = (
            read_faces(open_data(path).entries("train"), CARD) for path in (root, archive)
        )
        assert folder.names == zipped.names
        assert folder.sha256() == zipped.sha256()


def test_a_damaged_zip_is_one_error(tmp_path: Path) -> None:
    generated.folders(tmp_path / "set", ["fear"])
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set"))
    data = bytearray(archive.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at : at + 4] = b"XXXX"
    archive.write_bytes(data)
    with pytest.raises(InvalidDataError, match="not a zip that can be read"):
        open_data(archive)


def test_a_folder_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="nowhere: not there"):
        open_data(tmp_path / "nowhere")


def test_a_folder_in_no_layout_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="in no layout that is known"):
        open_data(tmp_path)


def test_several_data_sets_in_one_folder_are_not_guessed_among(tmp_path: Path) -> None:
    generated.ferplus(tmp_path / "all" / "ferplus", per_emotion=1)
    generated.folders(tmp_path / "all" / "photos", ["fear"])
    with pytest.raises(InvalidDataError, match="several data sets, in ferplus, photos"):
        open_data(tmp_path)
    assert open_data(tmp_path / "all" / "photos").layout == "folder per emotion"


def test_a_damaged_member_of_a_zip_is_named_and_skipped(tmp_path: Path) -> None:
    generated.folders(tmp_path / "set", ["fear", "anger"])
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set"))
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("fear/0.png").header_offset + 200
    data = bytearray(archive.read_bytes())
    data[at : at + 20] = b"\xff" * 20
    archive.write_bytes(data)
    said: list[str] = []
    faces = read_faces(open_data(archive).entries("train"), CARD, said.append)
    assert len(faces) == 1
    assert len(said) == 1


def test_a_split_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    generated.write_ferplus(tmp_path, "train", [("a.png", {"fear": 9})])
    with pytest.raises(InvalidDataError, match="no split 'test', only train"):
        open_data(tmp_path).entries("test")


@pytest.mark.parametrize(
    ("made", "files", "message"),
    [
        ("FER2013Valid", ["a.png"], "FER2013Valid has no label.csv"),
        (".", ["label.csv", "a.png"], "label.csv belongs into a folder FER2013Train or"),
        ("affect", ["training.csv"], "but no folder Manually_Annotated_Images"),
        (
            "Manually_Annotated_Images",
            ["1/a.jpg"],
            "no training.csv or validation.csv beside it or in Manually_Annotated_file_lists",
        ),
        ("train_set", ["images/1.jpg"], "train_set has no folder annotations"),
        ("set", ["0/a.jpg", "7/a.jpg"], "folders 0, 7 are numbers"),
        ("set", ["boredom/a.jpg", "envy/a.jpg"], "boredom, envy names an emotion"),
    ],
)
def test_an_incomplete_layout_is_refused_with_what_it_lacks(
    tmp_path: Path, made: str, files: list[str], message: str
) -> None:
    for file in files:
        (tmp_path / made / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / made / file).write_bytes(b"")
    with pytest.raises(InvalidDataError, match=message):
        open_data(tmp_path)


def test_reading_takes_the_memory_of_the_pictures_once_and_keeps_their_order(
    tmp_path: Path,
) -> None:
    large = ModelCard(**{**vars(CARD), "source_size": 256})
    entries = []
    for number in range(400):
        path = tmp_path / f"{number}.png"
        generated.write_picture(path, np.full((8, 8, 3), number % 256, np.uint8))
        entries.append(Entry(path.name, path, hard_target(0), 0))
    for broken in (0, 7, 399):
        (tmp_path / f"{broken}.png").unlink()
    tracemalloc.start()
    faces = read_faces(entries, large, lambda _: None)
    faces.sha256()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = [number for number in range(400) if number not in (0, 7, 399)]
    assert faces.names == tuple(f"{number}.png" for number in kept)
    assert faces.pictures[:, 0, 0].tolist() == [number % 256 for number in kept]
    assert peak < 1.5 * faces.pictures.nbytes
