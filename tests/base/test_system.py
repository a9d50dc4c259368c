"""Calls that differ between systems: in one module, and done without where they are missing."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import audioclf
from audioclf.base.system import keep_freed_memory
from tests.conftest import CONFIG, write_sounds

ROOT = Path(audioclf.__file__).parent
SYSTEM_CALLS = re.compile(
    r"\b(?:fcntl|msvcrt|resource\.getrusage|killpg|SIGKILL|sysconf|sched_getaffinity|O_NONBLOCK|"
    r"memfd_create|posix_fallocate|prctl|process_group|sys\.platform|os\.name|getuid|geteuid|"
    r"windll)\b|[\"']/proc/"
)


LIGHT = ("ctypes", "multiprocessing.util", "platformdirs", "tempfile")
HEAVY = (*LIGHT, "joblib", "numpy", "sklearn.ensemble", "threadpoolctl")


def as_on_windows(code: str, libraries: tuple[str, ...] = LIGHT) -> str:
    """Run code as on Windows, with libraries that are imported before, and return its output."""
    code_page = "cp1252"
    script = Path(__file__).with_name("windows.py")
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", script, code_page, code, *libraries],
        capture_output=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(code_page)
    return done.stdout.decode(code_page)


def command(*args: str | Path) -> str:
    return f"from audioclf.cli import main\nsys.argv = {['audioclf', *map(str, args)]!r}\nmain()"


def test_only_one_module_makes_calls_that_differ_between_systems() -> None:
    files = {path for path in ROOT.rglob("*.py") if SYSTEM_CALLS.search(path.read_text("utf-8"))}
    linux_only = {"engines/fork_server.py"}
    texts = {"engines/base.py"}  # its docstring names a signal
    names = {path.relative_to(ROOT).as_posix() for path in files}
    assert names - linux_only - texts == {"base/system.py"}


def test_help_is_shown_on_windows() -> None:
    printed = as_on_windows(f"import audioclf.plugin, audioclf.testing\n{command('--help')}")
    assert "predict" in printed


LOCKS = """
from pathlib import Path
from audioclf.base.locks import take_lock
from audioclf.base.machine import available_cores, available_memory, peak_memory
path = Path({path!r})
lock = take_lock(path)
print(take_lock(path) is None)
lock.release()
print(take_lock(path) is not None, available_cores() > 0, available_memory() > 0, peak_memory())
"""


def test_locks_keep_others_out_on_windows(tmp_path: Path) -> None:
    printed = as_on_windows(LOCKS.format(path=str(tmp_path / "lock")))
    assert printed.split()[:4] == ["True"] * 4


@pytest.mark.slow
def test_a_label_that_the_terminal_lacks_is_no_error_on_windows(tmp_path: Path) -> None:
    folder = write_sounds(tmp_path / "sounds")
    (folder / "low").rename(folder / "\u732b")
    config = tmp_path / "c.yaml"
    text = CONFIG.replace("zip, path: sounds.zip", "folder, path: sounds")
    config.write_text(text, encoding="utf-8")
    assert "high" in as_on_windows(command("check", config), HEAVY)


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--jobs", "1"), ("--jobs", "2", "--isolate")])
def test_a_run_on_windows_has_the_same_files(toy_config: Path, option: tuple[str, ...]) -> None:
    folder = toy_config.parent
    args: list[str] = ["run", str(toy_config), "--no-cache", *option]
    as_on_windows(command(*args, "--out", folder / "windows"), HEAVY)
    subprocess.run([sys.executable, "-m", "audioclf", *args, "--out", folder / "here"], check=True)
    for name in ("predictions.csv", "folds.csv"):
        assert (folder / "windows" / name).read_bytes() == (folder / "here" / name).read_bytes()


def test_the_end_of_a_process_keeps_output_open_files_and_what_was_registered(
    tmp_path: Path,
) -> None:
    code = "import atexit, os, sys; from audioclf.base.system import end_process; "
    code += "log = open(sys.argv[1], 'w'); log.write('kept'); "
    code += "pipe = open(os.pipe()[1], 'wb', 1 << 20); pipe.write(bytes(1 << 18)); "
    code += "atexit.register(print, 'then'); print('first'); end_process(3)"
    args = [sys.executable, "-c", code, str(tmp_path / "log")]
    done = subprocess.run(args, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (3, "first\nthen\n")
    assert (tmp_path / "log").read_text() == "kept"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_memory_of_freed_arrays_is_kept_for_the_next() -> None:
    import resource

    keep_freed_memory()
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            arrays = [np.ones(1 << 17) for _ in range(4)]
            del arrays
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 1024  # pages of one array: without it, there are 20,000
