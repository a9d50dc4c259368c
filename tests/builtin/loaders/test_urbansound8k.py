"""UrbanSound8K in a miniature of its published layout."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from audioclf.builtin.loaders.published import UrbanSound8K
from audioclf.plugin import Dataset, DatasetError
from tests.conftest import run_cli

TABLE = """\
slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
100263-2-0-117.wav,100263,58.5,62.5,1,5,2,children_playing
100263-2-0-121.wav,100263,60.5,64.5,1,5,2,children_playing
203356-3-0-3.wav,203356,71.87,75.87,1,10,3,dog_bark
"""


@pytest.fixture
def urbansound(tmp_path: Path) -> Path:
    root = tmp_path / "UrbanSound8K"
    for line in TABLE.splitlines()[1:]:
        cells = line.split(",")
        path = root / "audio" / f"fold{cells[5]}" / cells[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cells[0].encode())
    (root / "metadata").mkdir()
    (root / "metadata" / "UrbanSound8K.csv").write_text(TABLE)
    (root / "audio" / ".DS_Store").write_bytes(b"\0")
    return root


def facts(found: Dataset) -> list[tuple[str, str, str | None, str | None]]:
    return [(clip.id, clip.label, clip.group, clip.fold) for clip in found]


def test_classes_groups_and_folds_are_the_published_ones(urbansound: Path) -> None:
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


def test_a_zip_of_it_holds_the_same(urbansound: Path) -> None:
    path = urbansound.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for each in urbansound.rglob("*.*"):
            archive.write(each, each.relative_to(urbansound.parent).as_posix())
    assert facts(UrbanSound8K(path=path).load()) == facts(UrbanSound8K(path=urbansound).load())


def test_audio_in_another_fold_is_missing(urbansound: Path) -> None:
    (urbansound / "audio" / "fold10").rename(urbansound / "audio" / "fold9")
    message = r"1 file is missing, of 4, .*/audio: fold10/203356-3-0-3\.wav"
    with pytest.raises(DatasetError, match=message):
        UrbanSound8K(path=urbansound).load()


def test_a_table_without_folds_is_refused(urbansound: Path) -> None:
    table = urbansound / "metadata" / "UrbanSound8K.csv"
    table.write_text(TABLE.replace(",fold,", ",folder,"))
    with pytest.raises(DatasetError, match=r"UrbanSound8K\.csv: no column 'fold'; there are "):
        UrbanSound8K(path=urbansound).load()


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected one file metadata/UrbanSound8K\.csv"):
        UrbanSound8K(path=tmp_path).load()


def test_every_field_is_described() -> None:
    shown = run_cli("plugins", "show", "urbansound8k").stdout
    for name, field in UrbanSound8K.model_fields.items():
        if name != "type":
            assert " ".join((field.description or "MISSING").split()) in shown
