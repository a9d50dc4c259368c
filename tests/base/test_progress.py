"""Progress on stderr: a moving line on a terminal, a line for each stage elsewhere."""

import io
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.base import progress as module
from audioclf.base.progress import StageLine, shown
from audioclf.cli.terminal import complain
from tests.conftest import run_cli, run_process


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(module, "_TICK_SECONDS", 60.0)
    return Terminal()


def on_screen(text: str) -> str:
    """Return what a terminal shows of the last line."""
    line = ""
    for part in text.rpartition("\n")[2].split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def test_a_terminal_shows_stage_steps_pipeline_and_time(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with StageLine() as line:
        line("reading", 0, 98)
        assert on_screen(terminal.getvalue()) == "features 0/98, 0:00"
        line("fitting", 10, 50, "logreg")
        now = 164.0
        line("fitting", 20, 50, "svm")
        line._draw()
        assert on_screen(terminal.getvalue()) == "fit 20/50, svm, 1:04, about 3 min left"
        complain("note", "x")
        assert terminal.getvalue().endswith("\raudioclf: note: x\n")
        line("predict", 90, 600, "2 of 3 recordings")
        shows = "predicting 1.5 of 10.0 min of sound, 2 of 3 recordings, 0:00"
        assert on_screen(terminal.getvalue()) == shows
    assert on_screen(terminal.getvalue()) == ""


def test_the_clock_moves_between_steps(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK_SECONDS", 0.01)
    with StageLine(terminal) as line:
        line("audits", 0, 1)
        line._began -= 75
        for _ in range(500):
            if "audits, 1:15" in terminal.getvalue():
                return
            line._ended.wait(0.01)
    raise AssertionError(terminal.getvalue())


def test_elsewhere_each_stage_is_one_plain_line() -> None:
    stream = io.StringIO()
    with StageLine(stream) as line:
        for done in range(3):
            line("reading", done, 98)
        line("fitting", 0, 160, "logreg")
        line("page", 0, 1)
    assert stream.getvalue().splitlines() == [
        "audioclf: features, 98 clips",
        "audioclf: 160 fits",
        "audioclf: page",
    ]


def test_a_callable_of_the_user_gets_three_arguments() -> None:
    calls: list[tuple[str, int, int]] = []
    with shown(lambda stage, done, total: calls.append((stage, done, total))) as progress:
        progress("fitting", 1, 2, "svm")
    assert calls == [("fitting", 1, 2)]


@pytest.mark.slow
def test_a_run_names_its_stages_on_stderr_and_results_on_stdout(
    toy_config: Path, tmp_path: Path
) -> None:
    options = ("--set", "report.html=true", "--no-cache", "--out", str(tmp_path / "run"))
    done = run_process("run", toy_config, *options, env={"AUDIOCLF_QUIET": ""})
    lines = [line.removeprefix("audioclf: ") for line in done.stderr.splitlines()]
    expected = ["loading the dataset", "features, 16 clips", "8 fits", "metrics", "pictures"]
    assert [line for line in lines if not line.startswith("note: ")] == [*expected, "page"]
    assert "features, 16 clips" not in done.stdout


@pytest.mark.parametrize(
    ("command", "stages"),
    [
        (["check", "toy.yaml"], ["loading the dataset", "reading headers, 16 clips"]),
        (["init", "sounds.zip", "--out", "new.yaml"], ["looking at the files"]),
        (["report", "plain"], ["page"]),
        (["compare", "plain"], ["comparing"]),
        (["run", "toy.yaml", "--plan", "--no-cache"], ["loading the dataset", "planning"]),
        (["run", "toy.yaml", "--plan", "--no-cache", "--quiet"], []),
    ],
)
def test_commands_name_their_stages(
    plain_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    stages: Any,
) -> None:
    shutil.copytree(plain_run, tmp_path / "plain")
    for name in ("toy.yaml", "sounds.zip"):
        shutil.copy(plain_run.with_name(name), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDIOCLF_QUIET")
    lines = run_cli(*command, code=0).stderr.splitlines()
    named = [line.removeprefix("audioclf: ") for line in lines]
    assert [line for line in named if not line.startswith(("note: ", "warning: "))] == stages


@pytest.mark.slow
def test_progress_true_shows_the_stages_of_a_run_from_python(
    toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audioclf.run(toy_config, out=tmp_path / "run", jobs=1, progress=True)
    assert "audioclf: features, 16 clips\naudioclf: 8 fits\n" in capsys.readouterr().err
