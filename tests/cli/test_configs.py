"""`audioclf configs`: the recipes that come along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_the_list_as_json() -> None:
    found = json.loads(run_cli("configs", "--json").stdout)
    assert [each["name"] for each in found] == NAMES
    assert all(each["line"] for each in found)


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


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("mine", encoding="utf-8")
    done = run_cli("configs", "show", "quickstart", "--out", target, code=2)
    assert "already exists, and nothing was written" in done.stderr
    assert target.read_text(encoding="utf-8") == "mine"
    run_cli("configs", "show", "quickstart", "--out", target, "--force", code=0)
    assert "dataset:" in target.read_text(encoding="utf-8")


def test_a_name_that_there_is_not_gets_the_nearest() -> None:
    done = run_cli("configs", "show", "quikstart", code=2)
    assert "no config is called 'quikstart'" in done.stderr
    assert "Did you mean 'quickstart'?" in done.stderr


def test_a_recipe_without_a_comment_has_no_words() -> None:
    assert Recipe("x", "name: x\n").line == ""
    assert Recipe("x", "# One thing: another.\nname: x\n").line == "One thing"
    assert (
        Recipe("x", "# Version 1.5 of it\n# and more. Rest\n").line == "Version 1.5 of it and more"
    )
