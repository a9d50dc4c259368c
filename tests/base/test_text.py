"""Text from strangers, and what a terminal, a spreadsheet and a file system make of it."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioclf.base.text import csv_cell, csv_text, file_name, one_line, printable
from audioclf.runs.folder import RunFolder

ANY = st.text(st.characters(), max_size=12)
NASTY = st.text("'=+-@\t\r\n\uff1d1.eE\x1b\u202e,\"", max_size=6)


@given(ANY | NASTY)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert one_line(text).isprintable()
    assert all(line.isprintable() for line in printable(text).split("\n"))


@pytest.mark.parametrize(
    "text", ["\x1b]0;title\x07", "a\u202egpj.wav", "a\u200b", "\x9b31m", "a\rb", "\ud800"]
)
def test_what_does_not_print_is_spelled_out(text: str) -> None:
    assert one_line(text) == text.encode("unicode_escape").decode()


def test_only_what_does_not_print_is_spelled_out() -> None:
    text = "caf\u00e9 \u732b\n\x1b[1m\t\u202e."
    assert printable(text) == "caf\u00e9 \u732b\n\\x1b[1m\\t\\u202e."
    assert one_line(text) == "caf\u00e9 \u732b\\n\\x1b[1m\\t\\u202e."


@pytest.mark.parametrize("text", ["dog", "caf\u00e9", "\u732b", "\U0001f436", "a b'c", ""])
def test_what_prints_stays(text: str) -> None:
    assert one_line(text) == printable(text) == csv_text(csv_cell(text)) == text


@given(ANY | NASTY)
def test_a_cell_gives_its_text_back(text: str) -> None:
    assert csv_text(csv_cell(text)) == text


@given(ANY | NASTY)
def test_no_cell_begins_as_a_formula_does_unless_it_is_a_number(text: str) -> None:
    cell = csv_cell(text)
    if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")):
        float(cell)


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
)
def test_formulas_are_marked(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-0.5", "+1e-9", "-1", "0", "-.5"])
def test_numbers_are_numbers(text: str) -> None:
    assert csv_cell(text) == text


def test_tables_of_a_run_hold_no_formula(tmp_path: Path) -> None:
    path = RunFolder.create(tmp_path / "run").write_csv("t.csv", ["a"], [["=1+1"], [-0.5], ["-1"]])
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert rows == [["a"], ["'=1+1"], ["-0.5"], ["-1"]]


@given(
    ANY | NASTY | st.sampled_from(["con", "NUL.txt", "COM1", "..", ".", "x" * 999, "\u732b" * 99])
)
def test_a_file_name_is_one_that_every_system_takes(text: str) -> None:
    name = file_name(text)
    assert name
    assert name.isprintable()
    assert not set(name) & set('<>:"|?*\\/')
    assert name == name.rstrip(". ")
    assert len(name.encode()) <= 201
    assert name.split(".")[0].lower() not in {"con", "nul", "com1"}


def test_a_plain_file_name_stays() -> None:
    for name in ("dog_1", "caf\u00e9 2", ".hidden", "console.wav", "a.b"):
        assert file_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dog:1\n", "dog_1_"),
        ('<>:"|?*\\/', "_" * 9),
        ("\ud800\u202e\0", "___"),
        ("", "_"),
        ("..", "__"),
        ("a. .", "a___"),
        (" a", " a"),
        ("NUL.wav", "_NUL.wav"),
        ("lpt9", "_lpt9"),
        ("com", "com"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200),
        ("x" * 199 + "\u00e9", "x" * 199),
        ("\u732b" * 99, "\u732b" * 66),
        ("x" * 199 + ". ", "x" * 199 + "_"),
    ],
)
def test_a_file_name_keeps_what_it_can(text: str, name: str) -> None:
    assert file_name(text) == name


def test_tables_are_those_of_the_csv_module(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["a,b", 'say "x"', "two\nlines", "lone\rreturn", "", None],
        [1, 1.0, True, -0.0, float("nan"), np.float64(1 / 3)],
        ["a,b", 1e-300, 10**20, "ä猫", " ", "x;y"],
    ]
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerows([["n"] * 6, *rows])
    path = RunFolder(tmp_path).write_csv("t.csv", ["n"] * 6, rows)
    assert path.read_bytes().decode() == stream.getvalue().replace("\r\n", "\n")
    assert RunFolder(tmp_path).write_csv("one.csv", ["n"], [[""]]).read_bytes() == b'n\n""\n'
