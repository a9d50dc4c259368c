"""The same readers under coverage-guided fuzzing, where atheris is installed.

python -m tests.hostile.atheris_fuzz SECONDS [RESULTS.json]
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from tests.hostile.fuzzing import attempt_audio, attempt_zip, seeds_of
from tests.hostile.recorded import record

ATTEMPTS = {"zip": attempt_zip, "audio": attempt_audio}
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")


def main() -> int:
    """Fuzz each kind for some seconds, each in a process of its own."""
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("atheris is not installed: not run\n")
        return 0
    if sys.argv[1] in ATTEMPTS:
        _fuzz(sys.argv[1], sys.argv[2:])
    seconds, *results = sys.argv[1:]
    failed = False
    for kind in ATTEMPTS:
        code, said = _start(kind, int(seconds))
        done = _DONE.search(said)
        failed |= code != 0 or done is None
        if code or done is None:
            sys.stdout.write(f"{said}\n{kind}: a finding, see above\n")
            continue
        runs, took = map(int, done.groups())
        sys.stdout.write(f"{kind}: {runs} inputs in {took} s, no finding\n")
        for path in results:
            found = {"tried": runs, "seconds": took, "atheris": metadata.version("atheris")}
            record(Path(path), f"{kind} by atheris", {**found, "uncaught": 0})
    return int(failed)


def _start(kind: str, seconds: int) -> tuple[int, str]:
    """Return the exit code, and what was printed to stderr."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds_of(kind).values()):
            (Path(corpus) / str(number)).write_bytes(data)
        options = [f"-max_total_time={seconds}", "-timeout=20", "-print_final_stats=1", corpus]
        command = [sys.executable, "-m", "tests.hostile.atheris_fuzz", kind, *options]
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE)
        return done.returncode, done.stderr.decode(errors="replace")


def _fuzz(kind: str, options: list[str]) -> None:
    import atheris

    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    attempt = ATTEMPTS[kind](folder)
    atheris.instrument_all()
    atheris.Setup([kind, *options], lambda data: attempt(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
