"""A small disk that can be filled and made read-only, where a tmpfs may be mounted."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_FILLER = "filler"


@dataclass(frozen=True)
class Disk:
    """A mounted file system of a few MiB."""

    path: Path

    def fill(self, leave: int = 0) -> None:
        """Leave this many bytes free, rounded down to the size of a page."""
        filler = self.path / _FILLER
        with filler.open("wb", buffering=0) as stream:
            try:
                while True:
                    stream.write(bytes(1 << 12))
            except OSError as exc:
                if exc.errno != errno.ENOSPC:
                    raise
        os.truncate(filler, filler.stat().st_size - leave)

    def make_room(self) -> None:
        (self.path / _FILLER).unlink()

    def make_read_only(self) -> None:
        _mount("-o", "remount,ro", str(self.path))


def _mount(*args: str) -> None:
    done = subprocess.run(["mount", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")


@contextmanager
def mounted(path: Path, mib: int) -> Iterator[Disk]:
    """Mount an empty disk, or skip the test where that is not permitted."""
    if shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a file system, which shows a disk that is really full")
    path.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(path))
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
