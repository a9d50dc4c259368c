"""The same readers under coverage-guided fuzzing, where atheris is installed.

python -m tests.hostile.atheris_fuzz SECONDS
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.hostile.fuzzing import attempt_audio, attempt_zip, seeds_of

ATTEMPTS = {"zip": attempt_zip, "audio": attempt_audio}


def main() -> int:
    """Fuzz each kind for some seconds, each in a process of its own."""
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("atheris is not installed: not run\n")
        return 0
    if sys.argv[1] in ATTEMPTS:
        _fuzz(sys.argv[1], sys.argv[2:])
    failed = [kind for kind in ATTEMPTS if _start(kind, int(sys.argv[1]))]
    for kind in failed:
        sys.stdout.write(f"{kind}: a finding, see above\n")
    return int(bool(failed))


def _start(kind: str, seconds: int) -> int:
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds_of(kind).values()):
            (Path(corpus) / str(number)).write_bytes(data)
        options = [f"-max_total_time={seconds}", "-timeout=20", "-print_final_stats=1", corpus]
        command = [sys.executable, "-m", "tests.hostile.atheris_fuzz", kind, *options]
        return subprocess.run(command, check=False).returncode


def _fuzz(kind: str, options: list[str]) -> None:
    import atheris

    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    attempt = ATTEMPTS[kind](folder)
    atheris.instrument_all()
    atheris.Setup([kind, *options], lambda data: attempt(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
