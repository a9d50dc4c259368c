"""The guide on detections in the field: its commands run, and its tables are what they print."""

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import REPO, run_cli

PAGE = REPO / "docs" / "guides" / "field.md"


def lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line]


@pytest.mark.slow
def test_the_commands_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 9
    outputs = [run_cli(*shlex.split(command)[1:], code=0).stdout for command in commands]
    tables = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for table, output in zip(tables, outputs[3:], strict=False):
        for line in table.splitlines():
            assert any(
                line.split() == other.split()[: len(line.split())] for other in lines(output)
            )
    for name in ("report.html", "scores.json", "scores.csv", "matches.csv", "curve.png"):
        assert (tmp_path / "scored" / name).is_file()
