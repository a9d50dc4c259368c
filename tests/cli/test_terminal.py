"""What reaches the terminal."""

import io
import os
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from audioclf.base.text import printable
from audioclf.cli.terminal import complain, format_table, say, styled
from tests.conftest import run_cli
from tests.models.making import made
from tests.predict.making import many


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[31mb", r"a\x1b[31mb"), ("a\nb", "a\nb"), ("a\u202eb", r"a\u202eb"), ("猫", "猫")],
)
def test_control_characters_are_shown_instead_of_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_terminal_that_lacks_a_character_gets_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("猫")
    assert raw.getvalue() == rb"\u732b" + b"\n"


def test_messages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    complain("note", "x")
    assert capsys.readouterr() == ("", "audioclf: note: x\n")


def test_columns_are_aligned() -> None:
    assert format_table(["a", "bc"], [["xyz", "1"]]) == "a    bc\nxyz  1"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal of 48 columns with colors."""
    monkeypatch.setenv("COLUMNS", "48")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


ROW = ("mfcc/logistic_regression", "0.776 [0.701, 0.850]", "159 KiB")
WIDE = "pipeline                  accuracy              model\n" + "  ".join(ROW)
NARROW = """\
pipeline                  accuracy        model
mfcc/logistic_regression  0.776           159 KiB
                          [0.701, 0.850]"""


def test_a_table_fits_the_terminal_and_keeps_intervals_together(terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        say(format_table(("pipeline", "accuracy", "model"), [ROW]))
    header, *rest = NARROW.split("\n")
    assert terminal.getvalue().rstrip("\n") == "\n".join([f"\x1b[1m{header}\x1b[0m", *rest])


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudoterminal")
def test_the_width_is_that_of_standard_output_also_with_stderr_in_a_file(tmp_path: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    args = [sys.executable, "-m", "audioclf", "configs"]
    env = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    with (tmp_path / "log").open("w") as log:
        subprocess.run(args, stdout=theirs, stderr=log, env={**env, "NO_COLOR": "1"}, check=True)
    os.close(theirs)
    lines = os.read(ours, 100_000).decode().splitlines()
    os.close(ours)
    assert max(map(len, lines[:-2])) in range(50, 61)


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_colors_can_be_switched_off(
    terminal: Terminal, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "dumb")
    with redirect_stdout(terminal), redirect_stderr(terminal):
        say(format_table(("pipeline", "accuracy", "model"), [ROW]))
        complain("error", "x")
    assert terminal.getvalue() == f"{NARROW}\naudioclf: error: x\n"


def test_a_pipe_gets_whole_lines_without_colors(capsys: pytest.CaptureFixture[str]) -> None:
    say(styled(format_table(("pipeline", "accuracy", "model"), [ROW]), "bold"))
    assert capsys.readouterr().out.rstrip("\n") == WIDE


def test_marks_of_styles_in_data_are_not_obeyed(terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        say(format_table(("a",), [("\x0e4red\x0f\x1b[31m",)]))
    assert terminal.getvalue().split("\n")[1] == r"\x0e4red\x0f\x1b[31m"


CLOSED = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


def in_shell(tail: str, *args: str) -> tuple[str, int, str]:
    """Run the command line with its streams redirected; return output, exit code and stderr."""
    command = f"{shlex.join([sys.executable, '-m', 'audioclf', *args])} {tail}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout, done.returncode, done.stderr


@CLOSED
@pytest.mark.parametrize(
    ("tail", "arg"),
    [
        ("<&- >&- 2>&-", "--version"),
        (">&-", "configs"),
        ("| true; exit ${PIPESTATUS[0]}", "configs"),
    ],
)
def test_a_closed_standard_output_is_no_error(tail: str, arg: str) -> None:
    assert in_shell(tail, arg) == ("", 0, "")


@CLOSED
@pytest.mark.slow
def test_the_exit_code_stays_with_a_closed_output() -> None:
    args = ["check", "missing.yaml"]
    plain, closed, piped = (
        in_shell(tail, *args) for tail in ("", ">&-", "| true; exit ${PIPESTATUS[0]}")
    )
    assert plain == closed == piped
    assert plain[1] == 2
    assert in_shell("2>&-", *args) == in_shell("2>&1 | true; exit ${PIPESTATUS[0]}", *args)
    assert in_shell("2>&-", *args)[1] == 2


def test_ctrl_c_at_the_end_of_a_command_is_no_error() -> None:
    code = "import sys, threading; from audioclf.cli import main; sys.argv[1:] = ['--version']; "
    code += "threading._shutdown = lambda: (_ for _ in ()).throw(KeyboardInterrupt); main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@CLOSED
def test_files_that_are_opened_do_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    target = tmp_path / "q.yaml"
    args = ["configs", "show", "quickstart", "--out", str(target)]
    assert in_shell(">&- 2>&-", *args) == ("", 0, "")
    assert target.read_text(encoding="utf-8") == run_cli(*args[:3]).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        "configs",
        "--help",
        "--version",
        "cache --help",
        pytest.param("predict", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_behind_standard_output_is_named(command: str, tmp_path: Path) -> None:
    args = command.split()
    if command == "predict":
        args += [str(made(tmp_path / "m.audioclf")), str(many(tmp_path / "in", 4, 0.4))]
    message = "error: standard output: cannot be written: No space left on device"
    assert in_shell("> /dev/full", *args)[1:] == (6, f"audioclf: {message}\n")
