"""First configs for tables with several labels per clip."""

from pathlib import Path

import pytest

from audioclf.starters.first_config import ConfigDraft, draft_config
from tests.conftest import tone, write_wav

CELLS = ("robin;wren", "robin", "wren", "", "owl;robin", "?wren;owl")


def drafted(folder: Path, header: str, cells: tuple[str, ...], name: str = "m.csv") -> ConfigDraft:
    """Return the draft for two clips with each of these cells, by two recorders."""
    lines = [header]
    for number, cell in enumerate(cells * 2):
        write_wav(folder / f"{number:02}.wav", tone(300.0 + number, 0.1, 8000, number), 8000)
        lines.append(f"{number:02}.wav,{cell},{'ab'[number % 2]}")
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return draft_config(folder / name, folder / "c.yaml")


@pytest.mark.parametrize("sign", [";", "|"])
def test_a_column_of_several_labels_is_proposed_with_the_reason(tmp_path: Path, sign: str) -> None:
    cells = tuple(cell.replace(";", sign) for cell in CELLS)
    draft = drafted(tmp_path, "path,label,recorder", cells)
    assert draft.layout.dataset.class_counts == {"owl": 4, "robin": 6, "wren": 4}
    assert "  labels: several\n" in draft.text
    assert "metrics: [average_precision_macro, f1_macro, lwlrap]" in draft.text
    note = f"'label' holds several labels per clip, such as 'robin{sign}wren'"
    assert note in " ".join(draft.layout.notes)


def test_columns_of_1_and_0_are_classes(tmp_path: Path) -> None:
    draft = drafted(tmp_path, "path,robin,wren,recorder", ("1,0", "0,1", "1,1", "0,0", ",1"))
    assert draft.layout.dataset.class_counts == {"robin": 4, "wren": 6}
    assert "  labels: {columns: [robin, wren]}\n" in draft.text
    assert "robin, wren hold 1 and 0" in " ".join(draft.layout.notes)


def test_a_named_class_takes_precedence_over_columns_of_1_and_0(tmp_path: Path) -> None:
    cells = ("cat,1,0", "dog,0,1", "cat,1,1", "dog,0,0")
    draft = drafted(tmp_path, "path,label,indoor,clean,recorder", cells)
    assert draft.layout.dataset.classes == ("cat", "dog")
    assert "labels:" not in draft.text


def test_metadata_with_lists_are_several_labels(tmp_path: Path) -> None:
    lines = []
    for number, names in enumerate(['["a", "b"]', '["a"]', '["b"]', "[]"] * 2):
        write_wav(tmp_path / f"{number}.wav", tone(300.0 + number, 0.1, 8000, number), 8000)
        lines.append(f'{{"file_name": "{number}.wav", "label": {names}}}')
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    draft = draft_config(tmp_path, tmp_path / "c.yaml")
    assert "  type: audiofolder\n" in draft.text
    assert "  labels: several\n" in draft.text
    assert draft.layout.dataset.class_counts == {"a": 4, "b": 4}


@pytest.mark.parametrize("text", ["wren;robin", "?wren"])
def test_annotations_of_several_labels_are_cut_into_windows(tmp_path: Path, text: str) -> None:
    for name in ("a", "b"):
        write_wav(tmp_path / f"{name}.wav", tone(300.0, 12.0, 8000, 0), 8000)
        rows = [(0, 2, "robin"), (3, 5, "wren"), (6, 8, text), (9, 11, "robin")]
        track = "".join(f"{start}\t{end}\t{label}\n" for start, end, label in rows)
        (tmp_path / f"{name}.txt").write_text(track, encoding="utf-8")
    draft = draft_config(tmp_path, tmp_path / "c.yaml")
    assert "  window: 3.0\n" in draft.text
    assert "  labels: several\n" in draft.text
    assert draft.layout.dataset.classes == ("robin", "wren")
    assert "several labels or an unsure one" in draft.text


@pytest.mark.parametrize(
    ("header", "cells", "lines", "note"),
    [
        (
            "path,arousal,recorder",
            ("1.5", "2.25", "4", "-3", "2", "5.5"),
            [
                "columns: {label: arousal, group: recorder}",
                "target: number",
                "ridge: {type: ridge}",
            ],
            "holds numbers to be predicted",
        ),
        (
            "path,label,recorder",
            ("Severe", "none", "Severe", "mild", "mild", "none"),
            ["target: {ordered: [none, mild, Severe]}", "metrics: [quadratic_kappa, mae"],
            "have the order none, mild, Severe",
        ),
        ("path,label,recorder", ("1", "2", "3", "1", "2", "3"), ["svm"], "whole numbers 1, 2, 3"),
    ],
)
def test_numbers_and_degrees_are_proposed_with_the_reason(
    tmp_path: Path, header: str, cells: tuple[str, ...], lines: list[str], note: str
) -> None:
    draft = drafted(tmp_path, header, cells)
    assert [line for line in lines if line in draft.text] == lines
    assert note in " ".join(draft.layout.notes)
    assert ("target" in draft.layout.fields) == ("1" not in cells)
