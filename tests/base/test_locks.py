"""A claim keeps everybody else out, and ends with its process."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audioclf.base.locks import FileLock, lock_owner, take_lock

HOLD = """
import sys, time
from pathlib import Path
from audioclf.base.locks import take_lock
assert take_lock(Path(sys.argv[1])) is not None
print("held", flush=True)
time.sleep(60)
"""


def taken(path: Path) -> FileLock:
    found = take_lock(path)
    assert found is not None
    return found


def test_a_second_claim_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    first = taken(lock)
    assert take_lock(lock) is None
    assert lock_owner(lock) == f"process {os.getpid()}"
    first.release()
    first.release()
    assert not lock.exists()
    taken(lock).release()


def test_a_killed_process_leaves_no_claim(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    args = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert take_lock(lock) is None
        assert lock_owner(lock) == f"process {process.pid}"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lock.exists()
    taken(lock).release()


def test_a_lock_file_that_was_just_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    flock = fcntl.flock
    removed: list[Path] = []

    def remove_first(descriptor: int, how: int) -> None:
        if not removed:  # as the release of another process does between our two steps
            removed.append(lock)
            lock.unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    held = taken(lock)
    assert lock.exists()
    assert take_lock(lock) is None
    held.release()


def test_a_file_system_without_locks_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    first, second = taken(tmp_path / "lock"), taken(tmp_path / "lock")
    first.release()
    second.release()


def test_who_holds_a_claim_is_said_as_far_as_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("somebody")
    assert lock_owner(tmp_path / "lock") == "another process"
    assert lock_owner(tmp_path / "missing") == "another process"
