"""The run folder: whole files, nothing overwritten."""

import csv
import json
import os
from pathlib import Path

import pytest

from audioclf.base.errors import ResultError
from audioclf.runs.folder import RunFolder
from audioclf.runs.working_folder import working_folder

CONFIG = "name: toy\n"


def use(path: Path, config: str = CONFIG) -> None:
    """Lock a folder for a run that is stopped before it writes results."""
    with working_folder(path, "toy", config):
        pass


def stopped_run(path: Path, *names: str) -> None:
    """Make the folder of a run that was stopped after it had written these files."""
    with working_folder(path, "toy", CONFIG) as folder:
        for name in names:
            folder.write_text(name, "of the run")


def content(path: Path) -> dict[str, str]:
    files = (file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): file.read_text() for file in files}


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    stopped_run(tmp_path, "record.json")
    assert set(content(tmp_path)) == {"config.yaml", "record.json"}
    with pytest.raises(ResultError, match="holds a finished run, which is not overwritten"):
        use(tmp_path)


def test_only_files_of_the_unfinished_run_are_removed(tmp_path: Path) -> None:
    stopped_run(tmp_path, "ledger.csv", "plots/classes.png", "plots/confusion-f--svm.png")
    mine = {"plots/thesis.png": "mine", "notes.txt": "mine", ".x.wav.77.tmp": "mine"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    (tmp_path / ".metrics.json.77.tmp").write_text("half")
    (tmp_path / "plots" / ".classes.png.77.tmp").write_text("half")
    use(tmp_path, "name: other\n")
    left = content(tmp_path)
    assert left.pop(".audioclf-unfinished").startswith("config.yaml\n")
    assert left == {**mine, "config.yaml": "name: other\n"}


@pytest.mark.parametrize("name", ["report.html", "audit.json", "plots/classes.png"])
def test_a_result_that_the_unfinished_run_did_not_write_is_an_error(
    tmp_path: Path, name: str
) -> None:
    stopped_run(tmp_path, "ledger.csv", "plots/examples.png")
    (tmp_path / name).write_text("mine")
    before = content(tmp_path)
    with pytest.raises(ResultError, match=f"files that do not belong to a run: {name}"):
        use(tmp_path)
    assert content(tmp_path) == before


def test_a_config_that_was_edited_in_the_folder_is_not_replaced(tmp_path: Path) -> None:
    stopped_run(tmp_path, "ledger.csv")
    use(tmp_path, "name: other\n")
    (tmp_path / "config.yaml").write_text("# my comments\nname: other\n")
    before = content(tmp_path)
    with pytest.raises(ResultError, match=r"files that do not belong to a run: config\.yaml"):
        use(tmp_path)
    assert content(tmp_path) == before


def test_a_list_with_other_names_removes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    out = tmp_path / "out"
    stopped_run(out, "ledger.csv")
    (out / "thesis.tex").write_text("mine")
    with (out / ".audioclf-unfinished").open("a") as stream:
        stream.write("thesis.tex\n../thesis.tex\nplots/../thesis.tex\n")
    use(out)
    assert (out / "thesis.tex").exists()
    assert (tmp_path / "thesis.tex").exists()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": "mine"},
        {"config.yaml": "# my comments\n" + CONFIG, "report.html": "mine", "plots/a.png": "mine"},
        {"config.yaml": CONFIG},
        {"config.yaml": CONFIG, ".running": "7\n", "audit.json": "mine"},
        {"config.yaml": "# other\n", ".running": "7\n"},
        {".running": "a longer text that is no number of a process"},
    ],
)
def test_a_folder_without_the_list_of_a_run_is_left_alone(
    tmp_path: Path, files: dict[str, str]
) -> None:
    write(tmp_path, files)
    with pytest.raises(ResultError, match="holds files that do not belong to a run"):
        use(tmp_path)
    assert content(tmp_path) == files


@pytest.mark.parametrize("more", [{}, {"ledger.csv": "path\n", f".fits/{'a' * 64}.fit": "fit"}])
def test_a_run_that_an_earlier_version_left_is_resumed(
    tmp_path: Path, more: dict[str, str]
) -> None:
    write(tmp_path, {"config.yaml": CONFIG, ".running": "7\n", **more})
    use(tmp_path)
    left = content(tmp_path)
    assert left.pop(".audioclf-unfinished").startswith("config.yaml\n")
    more.pop("ledger.csv", None)
    assert left == {"config.yaml": CONFIG, **more}


def test_names_that_are_taken_get_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "20260101-000000")
    paths = [RunFolder.create_named(tmp_path, "a").path.name for _ in range(3)]
    assert paths == ["a-20260101-000000", "a-20260101-000000-2", "a-20260101-000000-3"]


@pytest.mark.parametrize("target", ["file/run", "file"])
def test_a_path_that_cannot_be_a_folder_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot be written") as caught:
        RunFolder.create(tmp_path / target)
    assert caught.value.exit_code == 6
    assert "file" in caught.value.message


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path)
    folder.write_text("metrics.json", "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultError, match=r"metrics\.json: cannot be written: No space left"):
        folder.write_text("metrics.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text() == "old"


def test_json_and_tables_have_no_nan_and_always_a_header(tmp_path: Path) -> None:
    path = RunFolder.create(tmp_path).write_json("m.json", {"a": [float("nan"), 1.0]})
    assert json.loads(path.read_text()) == {"a": [None, 1.0]}
    path = RunFolder.create(tmp_path).write_csv("t.csv", ["a", "b"], [])
    assert path.read_text() == "a,b\n"


@pytest.mark.parametrize("name", ["a\rb.wav", "a\nb.wav", "a\r\nb.wav", 'a,"b".wav'])
def test_a_name_with_line_breaks_stays_in_its_row(tmp_path: Path, name: str) -> None:
    path = RunFolder(tmp_path).write_csv("t.csv", ("path", "label"), [(name, "x"), ("c", "y")])
    with path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["path", "label"], [name, "x"], ["c", "y"]]
