"""Time whole jobs against the plain librosa loop: files to features, and whole processes.

    python benchmarks/bench_end_to_end.py [--rounds N] [--data FOLDER]

The recordings are the tutorial's and the spoken digits in FOLDER (default: ../shared/data), or the
clips that come along where those are missing. Both sides of a row run one after the other in each
round, on one thread; figures are user + system CPU seconds unless "wall" is said, and medians of
the ratios pair by pair. Only ratios mean anything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

LIBROSA_LOOP = """
import sys, pathlib, librosa, numpy as np
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.wav")):
    y, sr = librosa.load(path, sr=22050, duration=3.0)
    librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)
"""

OURS = """
import sys
from audioclf.audio import AudioConfig
from audioclf.builtin.folder import FolderDataset
from audioclf.builtin.mel import MelSpectrogram
from audioclf.features import extract
dataset = FolderDataset(path=sys.argv[1]).load()
extract(dataset, AudioConfig(sr=22050, duration=3.0), {"mel": MelSpectrogram(db={"ref": "max"})})
"""

TUTORIAL = """
import sys, pathlib, librosa, numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
paths = sorted(pathlib.Path(sys.argv[1]).rglob("*.wav"))
spectrograms = []
for path in paths:
    y, sr = librosa.load(path, sr=22050, duration=3.0)
    mel = librosa.feature.melspectrogram(y=y, sr=sr)
    spectrograms.append(librosa.power_to_db(mel, ref=np.max).T)
longest = max(map(len, spectrograms))
X = np.array([np.pad(s, ((0, longest - len(s)), (0, 0))).ravel() for s in spectrograms])
y = LabelEncoder().fit_transform([path.parent.name for path in paths])
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
y_pred = GradientBoostingClassifier(random_state=42).fit(X_train, y_train).predict(X_test)
print(accuracy_score(y_test, y_pred), f1_score(y_test, y_pred))
"""


@dataclass(frozen=True)
class Cost:
    """What one side of a row took: seconds, and peak memory in MiB where it was a process."""

    seconds: float
    memory: float = 0.0


def cpu(call: Callable[[], Any]) -> Cost:
    start = time.process_time()
    call()
    return Cost(time.process_time() - start)


def wall(call: Callable[[], Any]) -> Cost:
    start = time.perf_counter()
    call()
    return Cost(time.perf_counter() - start)


def process(*command: str | Path, **variables: str) -> Cost:
    """Run a command to its end and return what the system counted for it."""
    child = subprocess.Popen(
        [str(word) for word in command],
        env={**ENVIRONMENT, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None
    complaints = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    if child.returncode:
        raise RuntimeError(complaints.decode())
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def script(text: str, *arguments: str | Path, **variables: str) -> Cost:
    return process(sys.executable, "-W", "ignore", "-c", text, *arguments, **variables)


def row(
    name: str,
    ours: Callable[[], Cost],
    other: Callable[[], Cost],
    rounds: int,
    goal: str = "",
    note: str = "",
) -> None:
    """Interleave both sides and print a line of the table."""
    pairs = [(ours(), other()) for _ in range(rounds)]
    ratio = statistics.median(theirs.seconds / mine.seconds for mine, theirs in pairs)
    mine, theirs = (statistics.median(c.seconds for c in side) for side in zip(*pairs, strict=True))
    memory = ""
    if pairs[0][0].memory:
        shares = [a.memory / b.memory for a, b in pairs]
        memory = f"{statistics.median(a.memory for a, _ in pairs):.0f} MiB, "
        memory += f"{statistics.median(shares):.2f} of the other"
    print(f"{name:44}{mine:9.3f}{theirs:9.3f}{ratio:8.1f}x  {goal:10}{memory}{note}", flush=True)


def unpacked(archive: Path, target: Path) -> Path:
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(target)
    return target


def in_process_rows(folder: Path, archive: Path, digits: Path | None, rounds: int) -> None:
    import librosa
    import numpy as np

    from audioclf.audio import AudioConfig
    from audioclf.builtin.folder import FolderDataset
    from audioclf.builtin.mel import MelSpectrogram
    from audioclf.builtin.zip import ZipDataset
    from audioclf.engines.local import ThreadEngine
    from audioclf.features import extract

    def loop(paths: Sequence[Path], sr: int, **parameters: int) -> None:
        for path in paths:
            y, _ = librosa.load(path, sr=sr, duration=3.0)
            mel = librosa.feature.melspectrogram(y=y, sr=sr, **parameters)
            librosa.power_to_db(mel, ref=np.max)

    def ours(dataset: Any, sr: int, jobs: int = 1, **parameters: int) -> None:
        mel = MelSpectrogram(db={"ref": "max"}, **parameters)
        with ThreadEngine(jobs) as engine:
            extract(dataset, AudioConfig(sr=sr, duration=3.0), {"mel": mel}, engine=engine)

    dataset, paths = FolderDataset(path=folder).load(), sorted(folder.rglob("*.wav"))
    loop(paths[:3], 22050)
    row(
        "files to dB mel, recordings at 48 kHz",
        lambda: cpu(lambda: ours(dataset, 22050)),
        lambda: cpu(lambda: loop(paths, 22050)),
        rounds,
        "3x",
    )
    if digits is not None:
        few = sorted(digits.rglob("*.wav"))[::5]
        part = FolderDataset(path=digits, label_pattern=r"(?P<label>\d)_").load()
        part = part.subset(path.name for path in few)
        small = {"n_fft": 512, "hop_length": 128, "n_mels": 64}
        row(
            "files to dB mel, 8 kHz to 22.05 kHz",
            lambda: cpu(lambda: ours(part, 22050)),
            lambda: cpu(lambda: loop(few, 22050)),
            rounds,
            "4.5x",
        )
        row(
            "files to dB mel, 8 kHz native",
            lambda: cpu(lambda: ours(part, 8000, **small)),
            lambda: cpu(lambda: loop(few, 8000, **small)),
            rounds,
            "10x",
        )
        whole = FolderDataset(path=digits, label_pattern=r"(?P<label>\d)_").load()
        row(
            "two threads against one, 3,000 clips (wall)",
            lambda: wall(lambda: ours(whole, 22050, jobs=2)),
            lambda: wall(lambda: ours(whole, 22050, jobs=1)),
            rounds,
            "1.7x",
        )
    zipped = ZipDataset(path=archive).load()

    def extract_first() -> None:
        with tempfile.TemporaryDirectory() as target:
            ours(FolderDataset(path=unpacked(archive, Path(target))).load(), 22050)

    row(
        "zip members in memory against unpacked first",
        lambda: cpu(lambda: ours(zipped, 22050)),
        lambda: cpu(extract_first),
        rounds,
        "1.25x",
    )


def process_rows(folder: Path, archive: Path, rounds: int) -> None:
    row(
        "fresh process, files to dB mel, numba warm",
        lambda: script(OURS, folder),
        lambda: script(LIBROSA_LOOP, folder),
        rounds,
        "5x, 0.33",
    )

    def cold() -> Cost:
        with tempfile.TemporaryDirectory() as empty:
            return script(LIBROSA_LOOP, folder, NUMBA_CACHE_DIR=empty)

    row(
        "fresh process, files to dB mel, numba cold",
        lambda: script(OURS, folder),
        cold,
        max(1, rounds // 3),
        "30x",
    )

    def quickstart(cache: Path, *options: str) -> Cost:
        with tempfile.TemporaryDirectory() as out:
            return process(
                *(sys.executable, "-m", "audioclf", "run", REPO / "configs" / "quickstart.yaml"),
                *("--set", f"dataset.path={archive}", "--out", Path(out) / "run"),
                *("--jobs", "1", "--cache-dir", cache, *options),
            )

    with tempfile.TemporaryDirectory() as cache:
        row(
            "quickstart (50 fits, report) / tutorial (1 fit)",
            lambda: quickstart(Path(cache), "--no-cache"),
            lambda: script(TUTORIAL, folder),
            rounds,
            "8x, 0.5",
        )


def cached_row(archive: Path, rounds: int) -> None:
    from audioclf.audio import AudioConfig
    from audioclf.builtin.mfcc import Mfcc
    from audioclf.builtin.zip import ZipDataset
    from audioclf.features import extract
    from audioclf.registry import Origin

    dataset = ZipDataset(path=archive).load()

    def go(cache: str) -> None:
        extract(
            dataset,
            AudioConfig(sr=22050, duration=3.0),
            {"mfcc": Mfcc(n_mfcc=40)},
            cache_folder=Path(cache),
            origins={"mfcc": Origin("audioclf", "0", "builtin")},
        )

    def fresh() -> None:
        with tempfile.TemporaryDirectory() as cache:
            go(cache)

    with tempfile.TemporaryDirectory() as cache:
        go(cache)
        row(
            "extraction from the cache against none (wall)",
            lambda: wall(lambda: go(cache)),
            lambda: wall(fresh),
            rounds,
            "6.7x",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))
    parser.add_argument("--rounds", type=int, default=7, help="pairs per row (default: 7)")
    parser.add_argument("--data", type=Path, default=default, help="folder of the recordings")
    options = parser.parse_args()
    archive = options.data / "barbie_vs_puppy.zip"
    if not archive.is_file():
        archive = REPO / "data" / "barbie_puppy.zip"
        print(f"{options.data} lacks the real recordings; these are the ones that come along")
    digits = options.data / "free_spoken_digits.zip"
    print(f"{'':44}{'ours s':>9}{'other s':>9}{'ratio':>9}  {'goal':10}peak memory")
    with tempfile.TemporaryDirectory() as scratch:
        folder = unpacked(archive, Path(scratch) / "tutorial")
        speakers = unpacked(digits, Path(scratch) / "digits") if digits.is_file() else None
        # First, while this process is small: a child's peak begins at that of its parent.
        process_rows(folder, archive, options.rounds)
        os.environ.update(ENVIRONMENT)
        in_process_rows(folder, archive, speakers, options.rounds)
        cached_row(archive, options.rounds)


if __name__ == "__main__":
    main()
