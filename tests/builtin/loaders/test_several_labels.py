"""Several labels per clip in a manifest."""

from pathlib import Path
from typing import Any

import pytest

from audioclf.base.errors import ConfigError
from audioclf.builtin.loaders.audiofolder import AudioFolder
from audioclf.builtin.loaders.manifest import Manifest
from audioclf.components.fields import validate_component
from audioclf.config.loading import config_of
from audioclf.dataset.label_cells import OrderedClasses, SeveralLabels
from audioclf.plugin import Dataset, DatasetError
from tests.builtin.loaders.files import fill

FILES = ("1.wav", "2.wav", "3.wav", "4.wav")


def load(folder: Path, text: str, name: str = "m.csv", **fields: Any) -> Dataset:
    fill(folder, *FILES)
    (folder / name).write_text(text, encoding="utf-8")
    data = {"path": str(folder / name), **fields}
    component = validate_component(Manifest, data, {"base_dir": folder})
    assert isinstance(component, Manifest)
    return component.load()


def table(*cells: str) -> str:
    rows = zip(FILES, cells, strict=False)
    return "path,label\n" + "".join(f'{path},"{cell}"\n' for path, cell in rows)


def labels(dataset: Dataset) -> list[str]:
    return [clip.label for clip in dataset]


@pytest.mark.parametrize("separator", [";", ",", "|"])
def test_a_cell_holds_several_labels(tmp_path: Path, separator: str) -> None:
    cells = [text.replace(";", separator) for text in ("wren; robin", "", "?wren;owl", "owl")]
    dataset = load(tmp_path, table(*cells), labels="several")
    assert labels(dataset) == ["robin;wren", "", "owl;?wren", "owl"]
    assert dataset.is_several
    assert dataset.class_counts == {"owl": 2, "robin": 1, "wren": 1}


def test_a_given_separator_leaves_the_others_to_the_names(tmp_path: Path) -> None:
    text = table("owl, barn;wren", "wren")
    with pytest.raises(DatasetError, match="more than one separator: ; in 1 and , in 1"):
        load(tmp_path, text, labels="several")
    assert load(tmp_path, text, labels={"separator": ";"}).classes == ("owl, barn", "wren")


def test_one_column_for_each_class(tmp_path: Path) -> None:
    text = "path,robin,wren,other\n1.wav,1,0,x\n2.wav,,1.0,\n3.wav,0,FALSE,\n"
    dataset = load(tmp_path, text, labels={"columns": ["robin", "wren"]})
    assert labels(dataset) == ["robin", "?robin;wren", ""]
    assert dataset.notes == ("columns that are not used: other",)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["owl", "wren;wren"], "line 3: label is 'wren;wren', which names 'wren' twice"),
        (["owl", "wren;?wren"], "line 3: label is 'wren;?wren', which names 'wren' twice"),
        (["robin;;wren"], "line 2: label is 'robin;;wren', which has no name beside ';'"),
        (["robin;"], "line 2: label is 'robin;', which has no name beside ';'"),
        (["?;owl"], "line 2: label is '?;owl', which has no name after '?'"),
        (["??owl"], "line 2: label is '??owl', which names '?owl': the name of a class has no"),
    ],
)
def test_an_invalid_cell_is_named(tmp_path: Path, cells: list[str], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load(tmp_path, table(*cells), labels="several")
    assert message in str(caught.value)


def test_a_column_of_0_alone_is_noted(tmp_path: Path) -> None:
    text = "path,robin,owl\n1.wav,1,0\n2.wav,0,0\n"
    dataset = load(tmp_path, text, labels={"columns": ["robin", "owl"]})
    assert dataset.classes == ("robin",)
    assert dataset.notes == ("columns of 0 alone, which are no classes: owl",)


def test_another_value_than_1_or_0_is_named(tmp_path: Path) -> None:
    text = "path,robin,wren\n1.wav,1,2\n"
    with pytest.raises(DatasetError, match="line 2: wren is '2', not 1, 0 or blank"):
        load(tmp_path, text, labels={"columns": ["robin", "wren"]})
    with pytest.raises(DatasetError, match="no column 'owl'"):
        load(tmp_path, text, labels={"columns": ["robin", "owl"]})


@pytest.mark.parametrize(
    "cells",
    [("robin;wren", "wren;owl", "owl;robin", "owl"), ("robin", "wren", "owl", "robin|wren")],
)
def test_single_labels_that_look_like_several_are_refused(
    tmp_path: Path, cells: tuple[str, ...]
) -> None:
    with pytest.raises(DatasetError, match="seems to hold several labels") as caught:
        load(tmp_path, table(*cells))
    assert caught.value.hint is not None
    assert "`labels: several`, or `labels: single`" in caught.value.hint
    assert labels(load(tmp_path, table(*cells), labels="single")) == list(cells)


@pytest.mark.parametrize(
    "cells",
    [("Smith, Ann", "Smith, Bob", "Lee, Cy", "Ann"), ("a;b", "c", "d", "e"), ("3,5", "3", "5")],
)
def test_other_labels_with_a_separator_are_names(tmp_path: Path, cells: tuple[str, ...]) -> None:
    dataset = load(tmp_path, table(*cells))
    assert labels(dataset) == list(cells)
    assert not dataset.is_several


def test_an_unsure_label_in_a_single_set_is_refused(tmp_path: Path) -> None:
    text = table("owl", "?wren")
    with pytest.raises(DatasetError, match=r"line 3: label is '\?wren', which marks an unsure"):
        load(tmp_path, text)
    assert labels(load(tmp_path, text, labels="single")) == ["owl", "?wren"]


LISTS = '{"%s": "1.wav", "label": ["wren", "robin"]}\n{"%s": "2.wav", "label": []}\n'


def test_json_lines_and_audiofolder_hold_lists(tmp_path: Path) -> None:
    lines = LISTS % ("path", "path")
    assert labels(load(tmp_path, lines, "m.jsonl", labels="several")) == ["robin;wren", ""]
    with pytest.raises(DatasetError, match=r"line 1: label .* a list of labels needs `labels: sev"):
        load(tmp_path, lines, "m.jsonl")
    (tmp_path / "metadata.jsonl").write_text(LISTS % ("file_name", "file_name"))
    dataset = AudioFolder(path=tmp_path, labels="several").load()
    assert (labels(dataset), dataset.is_several) == (["robin;wren", ""], True)


def test_audiofolder_needs_metadata_for_several_labels(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.wav", "b/2.wav")
    with pytest.raises(DatasetError, match=r"no metadata.csv .* which several labels need"):
        AudioFolder(path=tmp_path, labels="several").load()


def test_parquet_holds_lists_and_columns_of_classes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="reading Parquet needs pyarrow")
    fill(tmp_path, *FILES)
    data = {
        "path": ["1.wav", "2.wav"],
        "label": [["wren", "robin"], None],
        "robin": [True, False],
        "wren": [1.0, None],
    }
    parquet.write_table(pyarrow.table(data), tmp_path / "m.parquet")
    path = tmp_path / "m.parquet"
    assert labels(Manifest(path=path, labels="several").load()) == ["robin;wren", ""]
    columns = SeveralLabels(columns=("robin", "wren"))
    assert labels(Manifest(path=path, labels=columns).load()) == ["robin;wren", "?wren"]


def test_audiofolder_has_numbers_and_ordered_classes(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.wav", "b/2.wav")
    lines = "file_name,label,degree\na/1.wav,2.50,mild\nb/2.wav,-1,none\n"
    (tmp_path / "metadata.csv").write_text(lines, encoding="utf-8")
    numbers = AudioFolder(path=tmp_path, target="number").load()
    assert (labels(numbers), numbers.is_numbers) == (["2.5", "-1"], True)
    ordered = OrderedClasses(ordered=("none", "mild"))
    degrees = AudioFolder(path=tmp_path, label="degree", target=ordered).load()
    assert (degrees.classes, degrees.notes) == (("none", "mild"), ())


@pytest.mark.parametrize("key", ["labels", "target"])
def test_other_loaders_have_one_class_per_clip(key: str) -> None:
    config = {"dataset": {"type": "folder", "path": "clips", key: "several"}}
    with pytest.raises(ConfigError, match=rf"unknown key '{key}' in dataset.*have one class each"):
        config_of(config)
