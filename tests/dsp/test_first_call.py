"""Code that is compiled at its first call is compiled by one process at a time."""

from pathlib import Path

import pytest

from audioclf.base.locks import take_lock
from audioclf.dsp import first_call
from audioclf.dsp.first_call import compiled_by_one


@pytest.fixture
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "compiling.lock"
    monkeypatch.setattr(first_call, "lock_path", lambda package: path)
    monkeypatch.setattr(first_call, "_ready", set())
    return path


def test_the_first_call_holds_a_lock_and_later_calls_do_not(lock_file: Path) -> None:
    with compiled_by_one("package", "part"):
        assert take_lock(lock_file) is None
    assert not lock_file.exists()
    with compiled_by_one("package", "part"):
        assert not lock_file.exists()


def test_a_first_call_within_another_does_not_wait(lock_file: Path) -> None:
    with compiled_by_one("package", "part"), compiled_by_one("package", "other"):
        assert take_lock(lock_file) is None


def test_a_first_call_that_fails_is_tried_again_under_the_lock(lock_file: Path) -> None:
    with pytest.raises(ValueError, match="broken"), compiled_by_one("package", "part"):
        raise ValueError("broken")
    with compiled_by_one("package", "part"):
        assert take_lock(lock_file) is None


def test_a_process_does_not_wait_for_ever(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_call, "MAX_WAIT", 0.1)
    lock_file.parent.mkdir()
    lock = take_lock(lock_file)
    assert lock is not None
    with compiled_by_one("package", "part"):
        pass
    lock.release()


def test_without_a_folder_nothing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(first_call, "lock_path", lambda package: tmp_path / "file" / "lock")
    monkeypatch.setattr(first_call, "_ready", set())
    with compiled_by_one("package", "part"):
        pass
