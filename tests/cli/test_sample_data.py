"""`audioclf sample-data`, and the commands of the page for teachers."""

import re
from pathlib import Path

import pytest

from audioclf.starters.sample_data.registry import SAMPLES
from tests.conftest import REPO, run_cli

PAGE = REPO / "docs" / "start" / "for_teachers.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXIT_CODES = {"sample-data": {0}, "run": {0, 4}, "audit": {0, 3}}


def blocks() -> list[str]:
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def test_the_list_says_what_there_is() -> None:
    done = run_cli("sample-data", "--list", code=0)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["name", *SAMPLES]


def test_a_dataset_is_written_and_the_next_step_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli("sample-data", "clean", code=0)
    assert done.stdout.splitlines() == [
        "60 files, 0.6 MB, in clean: no faults; no audit should have a finding",
        "next: audioclf audit clean/config.yaml",
    ]
    assert (tmp_path / "clean" / "config.yaml").is_file()


def test_the_folder_can_be_chosen(tmp_path: Path) -> None:
    done = run_cli("sample-data", "clean", "--out", tmp_path / "my sounds", "--seed", "3", code=0)
    assert f"audioclf audit '{tmp_path}/my sounds/config.yaml'" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "sample-data needs a name"),
        (("cleen",), "Did you mean 'clean'?"),
        (("clean", "--seed", "-1"), "--seed"),
    ],
)
def test_what_cannot_be_meant_is_refused(args: tuple[str, ...], said: str) -> None:
    done = run_cli("sample-data", *args, code=2)
    assert said in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.split("\n")[0][:40])
def test_the_commands_for_teachers_work(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in block.splitlines():
        words = re.findall(r"'[^']*'|[^\s']+", line.partition("#")[0])
        program, command, *args = (word.strip("'") for word in words)
        done = run_cli(command, *args)
        assert program == "audioclf"
        assert done.returncode in _EXIT_CODES[command], f"{line}\n{done.stderr}"


def test_the_page_for_teachers_shows_every_planted_fault() -> None:
    text = "".join(blocks())
    planted = [name for name, sample in SAMPLES.items() if sample.command == "audit"]
    assert [name for name in planted if f"sample-data {name}\n" not in text] == []
