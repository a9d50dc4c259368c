"""ESC-50 and UrbanSound8K in miniatures of their published layouts."""

import zipfile
from pathlib import Path

import pytest

from audioclf.builtin.loaders.published import Esc50, UrbanSound8K
from audioclf.plugin import Dataset, DatasetError

ESC50 = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-100032-B-0.wav,1,0,dog,True,100032,B
2-100210-A-36.wav,2,36,vacuum_cleaner,False,100210,A
5-9032-A-0.wav,5,0,dog,True,9032,A
5-9032-B-1.wav,5,1,rooster,True,9032,B
"""
NAMES = [line.partition(",")[0] for line in ESC50.splitlines()[1:]]


@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    root = tmp_path / "ESC-50-master"
    for name in NAMES:
        (root / "audio").mkdir(parents=True, exist_ok=True)
        (root / "audio" / name).write_bytes(name.encode())
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text(ESC50)
    (root / "README.md").write_text("ESC-50")
    (root / "tests").mkdir()
    (root / "tests" / "test_dataset.py").write_text("")
    return root


def zipped(root: Path) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for each in root.rglob("*.*"):
            archive.write(each, each.relative_to(root.parent).as_posix())
    return path


def facts(found: Dataset) -> list[tuple[str, str, str | None, str | None]]:
    return [(clip.id, clip.label, clip.group, clip.fold) for clip in found]


def test_classes_groups_and_folds_are_the_published_ones(esc50: Path) -> None:
    found = Esc50(path=esc50).load()
    assert facts(found) == [
        ("1-100032-A-0.wav", "dog", "100032", "1"),
        ("1-100032-B-0.wav", "dog", "100032", "1"),
        ("2-100210-A-36.wav", "vacuum_cleaner", "100210", "2"),
        ("5-9032-A-0.wav", "dog", "9032", "5"),
        ("5-9032-B-1.wav", "rooster", "9032", "5"),
    ]
    assert found.notes == ()
    for clip in found:
        with clip.source.open() as stream:
            assert stream.read().decode() == clip.id


def test_esc_10_is_a_part_of_it(esc50: Path) -> None:
    found = Esc50(path=esc50, esc10=True).load()
    assert set(found.classes) == {"dog", "rooster"}
    assert len(found) == 4


def test_the_folder_above_and_the_zip_hold_the_same(esc50: Path) -> None:
    expected = facts(Esc50(path=esc50).load())
    assert facts(Esc50(path=esc50.parent).load()) == expected
    assert facts(Esc50(path=zipped(esc50)).load()) == expected


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        Esc50(path=tmp_path).load()
    words = "expected one file meta/esc50.csv at any depth, found 0"
    assert caught.value.message == f"{tmp_path}: {words}"
    assert caught.value.hint == "Set `path` to the folder or the zip archive as it was downloaded."


def test_two_copies_are_refused(esc50: Path) -> None:
    (esc50 / "copy" / "meta").mkdir(parents=True)
    (esc50 / "copy" / "meta" / "esc50.csv").write_text(ESC50)
    with pytest.raises(DatasetError, match="at any depth, found 2"):
        Esc50(path=esc50).load()


def test_missing_audio_is_named(esc50: Path) -> None:
    (esc50 / "audio" / NAMES[1]).unlink()
    with pytest.raises(DatasetError, match=r"1 file is missing, of 5, .*/audio: 1-100032-B-0\.wav"):
        Esc50(path=esc50).load()


@pytest.mark.parametrize("column", ["filename", "fold", "category", "src_file", "esc10"])
def test_another_table_is_refused(esc50: Path, column: str) -> None:
    (esc50 / "meta" / "esc50.csv").write_text(ESC50.replace(column, "other"))
    with pytest.raises(DatasetError, match=rf"esc50\.csv: no column '{column}'; there are "):
        Esc50(path=esc50, esc10=True).load()


@pytest.mark.parametrize("name", ["gone", "gone.zip"])
def test_a_missing_download_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        Esc50(path=tmp_path / name).load()
    assert caught.value.message == f"no such folder or zip archive: {tmp_path / name}"


URBANSOUND8K = """\
slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing
100263-2-0-121.wav,100263,60.5,64.5,1,5,2,children_playing
203356-3-0-3.wav,203356,71.87,75.87,1,10,3,dog_bark
"""


@pytest.fixture
def urbansound(tmp_path: Path) -> Path:
    root = tmp_path / "UrbanSound8K"
    for line in URBANSOUND8K.splitlines()[1:]:
        cells = line.split(",")
        path = root / "audio" / f"fold{cells[5]}" / cells[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cells[0].encode())
    (root / "metadata").mkdir()
    (root / "metadata" / "UrbanSound8K.csv").write_text(URBANSOUND8K)
    (root / "audio" / ".DS_Store").write_bytes(b"\0")
    return root


def test_slices_are_looked_for_in_the_folder_of_their_fold(urbansound: Path) -> None:
    found = UrbanSound8K(path=urbansound).load()
    assert facts(found) == [
        ("fold10/203356-3-0-3.wav", "dog_bark", "203356", "10"),
        ("fold5/100032-3-0-0.wav", "dog_bark", "100032", "5"),
        ("fold5/100263-2-0-117.wav", "children_playing", "100263", "5"),
        ("fold5/100263-2-0-121.wav", "children_playing", "100263", "5"),
    ]
    for clip in found:
        with clip.source.open() as stream:
            assert stream.read().decode() == clip.id.partition("/")[2]


def test_times_within_the_original_recording_cut_nothing(urbansound: Path) -> None:
    clips = UrbanSound8K(path=urbansound).load().clips
    assert [(clip.start, clip.end) for clip in clips] == [(None, None)] * 4


def test_audio_in_another_fold_is_missing(urbansound: Path) -> None:
    (urbansound / "audio" / "fold10").rename(urbansound / "audio" / "fold9")
    message = r"1 file is missing, of 4, .*/audio: fold10/203356-3-0-3\.wav"
    with pytest.raises(DatasetError, match=message):
        UrbanSound8K(path=urbansound).load()
