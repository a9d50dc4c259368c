"""The formats, against files that show them to the last byte.

The golden files were compared with docs/guides/predict.md when they were made; they change only
with the version of the columns.
"""

import csv
import io
import json
from pathlib import Path

import pytest

from audioclf.base.errors import ConfigError
from audioclf.predict import formats

GOLDEN = Path(__file__).parent / "golden"
CLASSES = ("barbie", "+puppy")
WINDOWS = [
    formats.Line("day 1/a.wav", 0.0, 1.5, "barbie", 0.75, (0.75, 0.25)),
    formats.Line("=cmd|' /C calc'!A0.wav", 1.5, 2.9999999, "+puppy", 0.6, (0.4, 0.6)),
    formats.Line('b,"c"\td\n.wav', 0.25, 3600.0, "", 0.5, (0.5, 0.5)),
]
EVENTS = [formats.Line("a.wav", 0.5, 2.0, "barbie", 0.9, (0.85, 3))]


def written(name: str, lines: list[formats.Line], *, events: bool = False) -> str:
    writer = formats.FORMATS[name](formats.line_columns(CLASSES, events=events), 22_050)
    return writer.header() + "".join(writer.text(iter(lines), formats.Place(4, 10.5)))


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize("what", ["windows", "events", "empty"])
def test_a_format_is_that_of_its_golden_file(name: str, what: str) -> None:
    lines = {"windows": WINDOWS, "events": EVENTS, "empty": []}[what]
    golden = GOLDEN / f"{what}.v{formats.COLUMNS_VERSION}{formats.FORMATS[name].suffixes[0]}"
    assert written(name, lines, events=what == "events").encode() == golden.read_bytes()


def test_a_spreadsheet_finds_nothing_to_execute() -> None:
    names = [f"{start}1+1.wav" for start in "=+-@\t\r"]
    text = written("csv", [formats.Line(name, 0.0, 1.0, name, 0.5, (0.5, 0.5)) for name in names])
    for row in list(csv.reader(io.StringIO(text, newline="")))[1:]:
        assert row[0][0] == row[3][0] == "'"


def test_paths_stay_as_they_are_in_json_lines() -> None:
    rows = [json.loads(line) for line in written("jsonl", WINDOWS).splitlines()]
    assert [row["path"] for row in rows] == [line.path for line in WINDOWS]


@pytest.mark.parametrize("name", ["audacity", "raven"])
def test_a_name_cannot_add_a_cell_or_a_line(name: str) -> None:
    line = formats.Line("a\tb\nc.wav", 0.0, 1.0, "x\ty\r\nz", 0.5, (0.5, 0.5))
    (row,) = written(name, [line]).splitlines()[-1:]
    assert row.count("\t") == (2 if name == "audacity" else 10)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.csv", "csv"),
        ("a.JSONL", "jsonl"),
        ("a.txt", "audacity"),
        ("folder", "audacity"),
        ("a.selections.txt", "raven"),
    ],
)
def test_the_ending_stands_for_a_format(path: str, name: str) -> None:
    assert formats.choose_format(None, Path(path)).name == name


def test_an_unknown_format_or_ending_is_refused() -> None:
    with pytest.raises(ConfigError, match="no output format is called 'xlsx'\n  Use one of csv, j"):
        formats.choose_format("xlsx", Path("a.csv"))
    with pytest.raises(ConfigError, match=r"a\.xlsx: the ending '\.xlsx' stands for no format"):
        formats.choose_format(None, Path("a.xlsx"))


def test_the_guide_lists_the_formats_as_the_table_does() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "predict.md").read_text()
    for name, output in formats.FORMATS.items():
        endings = ", ".join(
            f"`{ending}`" if ending else "or a folder" for ending in output.suffixes
        )
        assert f"| `{name}` | {endings} | {output.content} |" in guide
