"""`audioclf configs`: the recipes that come along."""

import json
import shutil
from pathlib import Path

import pytest

from audioclf.starters import recipes
from audioclf.starters.recipes import Recipe
from tests.conftest import REPO, run_cli

NAMES = sorted(path.stem for path in (REPO / "configs").glob("*.yaml"))


def test_every_config_of_the_repository_is_listed_with_its_own_words() -> None:
    done = run_cli("configs", code=0)
    rows = done.stdout.split("\n\n")[0].splitlines()[1:]
    assert [row.split()[0] for row in rows] == NAMES
    for name, row in zip(NAMES, rows, strict=True):
        line = row.removeprefix(name).strip()
        comment = (REPO / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
        assert line
        assert line in comment.replace("\n# ", " ")
        assert len(line) <= 110
    found = json.loads(run_cli("configs", "--json").stdout)
    assert [recipe["name"] for recipe in found] == NAMES
    assert all(recipe["line"] for recipe in found)


@pytest.mark.parametrize("name", ["quickstart", "quickstart.yaml"])
def test_one_is_printed_as_it_is(name: str) -> None:
    done = run_cli("configs", "show", name)
    assert done.stdout == (REPO / "configs" / "quickstart.yaml").read_text(encoding="utf-8")


def test_a_copy_is_the_same_and_says_what_to_change(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    done = run_cli("configs", "show", "quickstart", "--out", target, code=0)
    assert target.read_bytes() == (REPO / "configs" / "quickstart.yaml").read_bytes()
    assert "change dataset.path: '../data/barbie_puppy.zip' is not there" in done.stderr
    assert f"next: audioclf check {target}" in done.stdout


def test_a_copy_beside_its_data_says_what_to_change_for_other_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "barbie_puppy.zip").touch()
    done = run_cli("configs", "show", "quickstart", "--out", tmp_path / "configs" / "q.yaml")
    assert done.stderr == ""
    assert "change dataset.path, which is '../data/barbie_puppy.zip'" in done.stdout


def test_a_name_that_there_is_not_gets_the_nearest() -> None:
    done = run_cli("configs", "show", "quikstart", code=2)
    assert "no config is called 'quikstart'" in done.stderr
    assert "Did you mean 'quickstart'?" in done.stderr


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\n", ""),
        ("# One thing: another.\nname: x\n", "One thing"),
        ("# Version 1.5 of it\n# and more. Rest\n", "Version 1.5 of it and more"),
    ],
)
def test_the_line_of_a_recipe_is_its_first_sentence(text: str, line: str) -> None:
    assert Recipe("x", text).line == line


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory, with the recipes as a wheel has them: without data."""
    package = shutil.copytree(REPO / "configs", tmp_path / "package" / "configs")
    monkeypatch.setattr(recipes, "_folder", lambda: package)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_a_recipe_is_used_by_its_name_and_a_file_of_that_name_wins(
    elsewhere: Path, sounds: Path, toy_config: Path
) -> None:
    own = ("--set", f"dataset.path={sounds}")  # a folder where the recipe has an archive
    assert "10 times 5 stratified" in run_cli("check", "quickstart", *own, code=0).stdout
    toy_config.rename(elsewhere / "quickstart")
    toy_config.with_name("sounds.zip").rename(elsewhere / "sounds.zip")
    assert "4 stratified folds" in run_cli("check", "quickstart", code=0).stdout


@pytest.mark.parametrize("command", ["run", "check", "explore", "audit"])
def test_missing_recordings_of_a_recipe_come_with_a_way_to_get_some(
    elsewhere: Path, command: str
) -> None:
    done = run_cli(command, "quickstart", code=3)
    assert "barbie_puppy.zip\n  The recordings of the included configs are not" in done.stderr
    assert "--set dataset.path=my_sounds" in done.stderr
    assert "`audioclf sample-data clean`" in done.stderr


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("quikstart", "no such file, nor included config\n  Did you mean 'quickstart'?"),
        ("nothing", "nothing: no such file, nor included config\n  `audioclf configs` lists"),
        ("mine", "Did you mean mine.yaml?"),
        ("x" * 300, "x: cannot be read: File name too long"),
        ("made", "made is a folder, not a config\n  Did you mean made/config.yaml?"),
        (".", ". is a folder, not a config\n  Write a config for recordings: audioclf init ."),
        ("a.wav", "a.wav is a recording, not a config\n  Write a config for its folder: audioclf"),
        ("s.zip", "s.zip is an archive, not a config\n  Write a config for recordings: audioclf"),
    ],
)
def test_a_config_that_is_none_comes_with_the_next_step(
    elsewhere: Path, config: str, message: str
) -> None:
    (elsewhere / "made").mkdir()
    for name in ("mine.yaml", "made/config.yaml", "s.zip", "a.wav"):
        (elsewhere / name).touch()
    assert message in run_cli("check", config, code=2).stderr
