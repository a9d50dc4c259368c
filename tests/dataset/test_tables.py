import os
import re
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioclf.builtin.loaders.selections import read_selections
from audioclf.dataset import tables
from audioclf.dataset.archive import open_archive
from audioclf.dataset.tables import Table, read_table
from audioclf.plugin import DatasetError, EnvironmentMissingError, FileSource, ZipSource
from tests.hostile.files import MemorySource

WANTED = ("path", "label")


def read(path: Path, content: str | bytes) -> Table:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_table(FileSource(path), WANTED)
    table.problems.check()
    return table


def cells(table: Table) -> list[tuple[str | None, ...]]:
    return [tuple(row.cells.get(column, "") for column in WANTED) for row in table.rows]


def error(path: Path, content: str | bytes) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read(path, content)
    assert str(path) in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        "path,label\na.wav,dog\nb.wav,cat\n",
        "path,label\r\na.wav,dog\r\nb.wav,cat\r\n",
        "path,label\ra.wav,dog\rb.wav,cat",
        "\ufeffpath,label\na.wav,dog\nb.wav,cat\n",
        "\npath,label\n\na.wav,dog\n,\nb.wav,cat\n\n",
        ' path , label\n a.wav ,"dog"\nb.wav, cat ',
        "path;label\na.wav;dog\nb.wav;cat\n",
        "path\tlabel\na.wav\tdog\nb.wav\tcat\n",
        "label,x,path\ndog,1,a.wav\ncat,2,b.wav\n",
    ],
)
def test_csv_is_read_however_it_was_saved(content: str, tmp_path: Path) -> None:
    assert cells(read(tmp_path / "t.csv", content)) == [("a.wav", "dog"), ("b.wav", "cat")]


def test_rows_have_their_lines_even_after_line_ends_in_quotes(tmp_path: Path) -> None:
    table = read(tmp_path / "t.csv", 'path,label\na,"x\ny"\n\nb,z\n')
    assert [row.line for row in table.rows] == [2, 5]


def test_a_row_may_be_shorter_than_the_header(tmp_path: Path) -> None:
    assert cells(read(tmp_path / "t.csv", "path,label,x\na,b\nc\n")) == [("a", "b"), ("c", "")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path,label\na,b\nc,d,e\n", "line 3: 3 cells, more than the 2 columns"),
        ('path,label\na,b\nc,"d\ne,f\n', "line 3: not CSV: unexpected end of data"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line(
    content: str, words: str, tmp_path: Path
) -> None:
    assert error(tmp_path / "t.csv", content).message.endswith(f"t.csv, {words}")


def test_a_wanted_column_stands_there_once(tmp_path: Path) -> None:
    assert "two columns are named 'label'" in str(error(tmp_path / "t.csv", "label,label\na,b\n"))
    assert read(tmp_path / "t.csv", "path,label,,,x,x\na,b\n").columns == (
        "path",
        "label",
        "x",
        "x",
    )


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl"])
@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \r\n"])
def test_an_empty_table_is_refused(name: str, content: str, tmp_path: Path) -> None:
    assert ": empty; " in error(tmp_path / name, content).message


SAVE_AS = "Save it again as UTF-8; spreadsheets call that CSV UTF-8."
UTF_16 = {
    encoding: ("path,label\na,b\n".encode(encoding), ": UTF-16 text; expected UTF-8", SAVE_AS)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be")
}
NO_TABLES = {
    **UTF_16,
    "latin-1": (b"path,label\na,b\ncaf\xe9,c\n", ", line 3: not valid UTF-8", SAVE_AS),
    "nul": (b"path,label\na\0b,c\n", ": binary data, not a text table", None),
    "spreadsheet": (b"PK\3\4\0", ": a zip archive or a spreadsheet, not a text table", None),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        ": a Git LFS pointer, not the table itself",
        "Run `git lfs pull`.",
    ),
}


@pytest.mark.parametrize(("content", "words", "hint"), NO_TABLES.values(), ids=NO_TABLES)
def test_what_is_no_text_is_named(
    content: bytes, words: str, hint: str | None, tmp_path: Path
) -> None:
    found = error(tmp_path / "t.csv", content)
    assert found.message.endswith(f"t.csv{words}")
    assert found.hint == hint


def test_a_missing_table_is_named_in_full(tmp_path: Path) -> None:
    for path in (tmp_path / "x" / ".." / "t.csv", tmp_path / "t.csv"):
        message = re.escape(f"no such file: {tmp_path / 't.csv'}")
        with pytest.raises(DatasetError, match=message):
            read_table(FileSource(path), WANTED)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DatasetError, match=r"t\.csv is a folder; expected a table"):
        read_table(FileSource(tmp_path / "t.csv"), WANTED)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a fifo")
def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match="is not a regular file; expected a table"):
        read_table(FileSource(tmp_path / "t.csv"), WANTED)


def test_a_name_with_a_nul_byte_is_an_error() -> None:
    with pytest.raises(DatasetError, match=r"null (byte|character)"):
        read_table(FileSource(Path("a\0.csv")), WANTED)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    found = error(tmp_path / "t.xlsx", "")
    assert found.message.endswith("t.xlsx: unsupported table format")
    assert found.hint == "Use a file that ends in .csv, .tsv, .jsonl or .parquet."


def test_a_table_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as stream:
        stream.truncate(tables.MAX_BYTES + 1)
    monkeypatch.setattr(FileSource, "open", lambda self: pytest.fail("it was opened"))
    with pytest.raises(DatasetError, match=r"t\.csv: a table of more than 64 MiB"):
        read_table(FileSource(path), WANTED)


def test_a_table_that_is_too_large_in_a_zip_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", bytes(tables.MAX_BYTES + 1))
    (member,) = open_archive(tmp_path / "t.zip").members
    monkeypatch.setattr(ZipSource, "open", lambda self: pytest.fail("it was opened"))
    with pytest.raises(DatasetError, match=r"t\.csv: a table of more than 64 MiB"):
        read_table(ZipSource(member), WANTED)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_the_number_of_rows_is_limited(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 3)
    line = "a,b\n" if name == "t.csv" else '{"path": 1}\n'
    header = "path,label\n" if name == "t.csv" else ""
    assert len(read(tmp_path / name, header + 3 * line).rows) == 3
    assert error(tmp_path / name, header + 4 * line).message.endswith("more than 3 rows")


def test_json_lines_become_text(tmp_path: Path) -> None:
    lines = '{"path": "a", "label": 7}\r\n\n{"label": true, "path": 1.5, "x": [1]}\n{"path": null}'
    table = read(tmp_path / "t.jsonl", lines)
    assert cells(table) == [("a", "7"), ("1.5", "true"), ("", "")]
    assert [row.line for row in table.rows] == [1, 3, 4]
    assert table.columns == ("path", "label", "x")


@pytest.mark.parametrize(("value", "cell"), [("NaN", ""), ('["b"]', None)])
def test_a_cell_without_text_is_missing_or_no_text(
    value: str, cell: str | None, tmp_path: Path
) -> None:
    assert cells(read(tmp_path / "t.jsonl", f'{{"path": "a", "label": {value}}}')) == [("a", cell)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "not a JSON object, as in {...}"),
        ('{"path": ', "not JSON: Expecting value"),
        ("[" * 100_000, "not JSON: "),
        ('{"path": ' + "9" * 5000 + "}", "not JSON: "),
    ],
)
def test_lines_that_are_no_objects_are_named(line: str, words: str, tmp_path: Path) -> None:
    found = error(tmp_path / "t.jsonl", f'{{"path": "a"}}\n{line}\n')
    assert f"t.jsonl, line 2: {words}" in found.message


def test_all_problems_are_counted_and_five_are_shown(tmp_path: Path) -> None:
    found = error(tmp_path / "t.jsonl", "1\n" * 7)
    lines = found.message.split("\n")
    assert lines[0] == f"{tmp_path / 't.jsonl'}: 7 invalid rows:"
    assert lines[1] == "  line 1: not a JSON object, as in {...}"
    assert lines[5].startswith("  line 5: ")
    assert lines[6:] == ["  and 2 more"]


def test_without_pyarrow_a_parquet_table_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentMissingError, match="pyarrow is needed for Parquet") as caught:
        read_table(FileSource(tmp_path / "t.parquet"), WANTED)
    assert caught.value.hint == "Run: pip install pyarrow"


def test_parquet_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="reading Parquet needs pyarrow")
    data = {"path": ["a", "b", None], "x": [[1], [2], [3]], "label": [1, 2, None]}
    parquet.write_table(pyarrow.table(data), tmp_path / "t.parquet")
    table = read_table(FileSource(tmp_path / "t.parquet"), WANTED)
    assert cells(table) == [("a", "1"), ("b", "2"), ("", "")]
    assert table.columns == ("path", "x", "label")
    assert table.problems.unit == "row"


def test_a_parquet_table_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="reading Parquet needs pyarrow")
    monkeypatch.setattr(tables, "MAX_BYTES", 1 << 20)
    data = {"path": ["a"] * 5000, "label": ["x" * 2000] * 5000}
    parquet.write_table(pyarrow.table(data), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 17
    with pytest.raises(DatasetError, match=r"t\.parquet: a table of more than 1 MiB"):
        read_table(FileSource(tmp_path / "t.parquet"), WANTED)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"path,label"])
def test_a_damaged_parquet_table_is_refused(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match=r"t\.parquet: not a readable Parquet file: "):
        read_table(FileSource(tmp_path / "t.parquet"), WANTED)


PIECES = 'path,label|\n|\r|,|"|;|{|}|"path":|[|null|1e999|Begin Time (s)|End Time (s)|Annotation|\\'
pieces = st.sampled_from([piece.encode() for piece in PIECES.split("|")]) | st.sampled_from(
    [b"\t", b"\0", b"\xff", b"\xef\xbb\xbf"]
)


@given(st.lists(pieces | st.binary(max_size=4), max_size=30).map(b"".join))
def test_whatever_a_table_holds_it_is_read_or_refused(data: bytes) -> None:
    for name in ("t.csv", "t.tsv", "t.jsonl"):
        with suppress(DatasetError):
            read_table(MemorySource(data, name), WANTED)
    with suppress(DatasetError):
        read_selections(MemorySource(data, "t.txt"), "Annotation")
