"""Show how time, memory and disk of a run grow with the number of clips.

    python benchmarks/scale.py [--sizes 1000 10000 100000] [--only sizes | stages | jobs]

Clips of a quarter of a second at 8 kHz are generated as WAV files, 100 to a folder. Each size is
one run of `audioclf` in a process of its own, with an empty cache: MFCC statistics, a linear
classifier, one holdout, no page. Memory is the peak of the process; disk is the cache and the run
folder.

A second table has whole runs by stage, with audits and page: many classes, and many clips. A third
has the stage of features, with what the audits need, by two jobs and by one.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
import wave
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from measure import Cost, human, print_row, process

SR = 8000
CONFIG = """
name: scale
dataset: {{type: folder, path: "{folder}", label_pattern: "(?P<label>low|high)_"}}
audio: {{sr: 8000, duration: 0.25}}
featurizers:
  mfcc: {{type: mfcc, n_fft: 512, hop_length: 128, n_mfcc: 20, n_mels: 40}}
split: {{type: holdout, test_size: 0.2}}
classifiers:
  sgd: {{type: sgd, max_iter: 5, tol: null}}
metrics: [accuracy]
audit: false
final: none
report: {{html: false}}
"""
WHOLE = """
name: whole
dataset: {{type: folder, path: "{folder}", label_pattern: "(?P<label>[a-z0-9]+)_"}}
audio: {{sr: 8000}}
featurizers:
  mfcc: {{type: mfcc, n_fft: 512, hop_length: 128, n_mfcc: 20, n_mels: 40}}
split: {{type: stratified_kfold, n_splits: 4}}
classifiers:
  sgd: {{type: sgd, max_iter: 5, tol: null}}
metrics: [accuracy, f1_macro]
"""
EXTRACTION = """
import sys, time
from pathlib import Path
from audioclf.audit import with_table
from audioclf.base.machine import rare_gc, single_threaded
from audioclf.components.discovery import discover
from audioclf.config.loading import load_config
from audioclf.experiment.prepared import Prepared, load_dataset
from audioclf.experiment.resources import Resources
from audioclf.experiment.run import MANY_CLIPS

registry, cache = discover(), Path(sys.argv[3]) if sys.argv[3:] else None
config = load_config(Path(sys.argv[1]), registry=registry)
prepared = Prepared(config, registry, load_dataset(config, registry))
featurizers, origins = with_table(prepared.featurizers, prepared.origins)
with Resources(int(sys.argv[2])).make_engine() as engine, rare_gc():
    if len(prepared.dataset) >= MANY_CLIPS:
        engine.begin()
    with single_threaded():  # which imports scikit-learn, while worker processes start
        started = time.perf_counter()
        prepared.extract(
            featurizers, engine, cache, origins=origins, progress=lambda stage, done, total: None
        )
        seconds = time.perf_counter() - started
Path(sys.argv[1]).with_suffix(".seconds").write_text(str(seconds))
"""
"""The stage of features as in a run."""
JOBS_HEADER = ("clips", "cache", "one job", "two jobs", "ratio")
LENGTHS = ((0.4, 10_000), (0.4, 60_000), (3.0, 2_000), (3.0, 10_000), (60.0, 120), (60.0, 600))
"""Seconds of a clip, and the number of such clips, for the comparison of two jobs with one."""
STAGES = ("load", "features", "evaluate", "report", "final")
WHOLE_HEADER = ("clips", *STAGES, "page and rest", "seconds", "CPU s", "peak MiB", "page MB")
Rows = Iterator[Iterable[str]]
HEADER = (
    "clips",
    "seconds",
    "of which features",
    "CPU s",
    "peak MiB",
    "KiB a clip more",
    "disk MB",
)


def make_clips(folder: Path, n_clips: int, seconds: float = 0.25, n_classes: int = 2) -> None:
    """Write tones in noise; two classes are called low and high."""
    rng = np.random.default_rng(0)
    t = np.arange(round(SR * seconds)) / SR
    for number in range(n_clips):
        code = number % n_classes
        if n_classes == 2:
            name = ("low", "high")[code]
            pitch = rng.uniform(*((200, 900), (500, 1800))[code])
        else:
            name, pitch = f"class{code:03d}", rng.uniform(1.0, 1.3) * 200 * 1.009**code
        y = 0.3 * np.sin(2 * np.pi * pitch * t) + 0.1 * rng.standard_normal(len(t))
        target = folder / f"{number // 100:05d}"
        target.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((1, 2, SR, len(t), "NONE", ""))
            file.writeframes((np.clip(y, -1, 1) * 32767).astype("<i2").tobytes())
        (target / f"{name}_{number:07d}.wav").write_bytes(buffer.getvalue())


def disk(folder: Path) -> float:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--only", choices=["sizes", "stages", "jobs"], help="print one table")
    options = parser.parse_args()
    tables: dict[str, tuple[Sequence[str], Callable[[], Rows]]] = {
        "sizes": (HEADER, lambda: _of_sizes(sorted(options.sizes))),
        "stages": (WHOLE_HEADER, _of_stages),
        "jobs": (JOBS_HEADER, _of_jobs),
    }
    for header, rows in [tables[options.only]] if options.only else tables.values():
        print_row(header)
        print_row(["---"] * len(header))
        for row in rows():
            print_row(list(row))
        print()


def _of_sizes(sizes: Sequence[int]) -> Rows:
    first: tuple[int, float] | None = None
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch)
            make_clips(place / "clips", size)
            seconds, stages, cost = _run(place, CONFIG)
            more = "" if first is None else _per_clip(first, size, cost.memory)
            first = first or (size, cost.memory)
            used = disk(place / "cache") + disk(place / "run")
            yield (
                f"{size:,}",
                human(seconds),
                human(stages["features"]),
                f"{cost.seconds:.1f}",
                f"{cost.memory:.0f}",
                more,
                f"{used:.0f}",
            )


def _of_stages() -> Rows:
    for name, n_clips, n_classes in (
        ("300 classes x 4", 1200, 300),
        ("100,000 of 0.4 s", 100_000, 2),
    ):
        with tempfile.TemporaryDirectory() as scratch:
            yield name, *_by_stage(Path(scratch), n_clips, n_classes)


def _of_jobs() -> Rows:
    config = CONFIG.replace(", duration: 0.25", "")
    for length, n_clips in LENGTHS:
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch)
            make_clips(place / "clips", n_clips, length)
            (place / "config.yaml").write_text(config.format(folder=place / "clips"), "utf-8")
            seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
            for _ in range(3 if length * n_clips <= 7200 else 1):
                for jobs in (1, 2):
                    shutil.rmtree(place / "cache", ignore_errors=True)
                    for cache in ("cold", "warm", "none"):
                        seconds[cache, jobs].append(_extraction(place, jobs, cache))
            for cache in ("cold", "warm", "none"):
                one, two = (median(seconds[cache, jobs]) for jobs in (1, 2))
                figures = human(one), human(two), f"{one / two:.2f}"
                yield f"{n_clips:,} of {length:g} s", cache, *figures


def _extraction(place: Path, jobs: int, cache: str) -> float:
    """Return the seconds of a stage of features."""
    folder = [] if cache == "none" else [place / "cache"]
    config = place / "config.yaml"
    process(sys.executable, "-c", EXTRACTION, config, str(jobs), *folder)
    return float(config.with_suffix(".seconds").read_text())


def _run(place: Path, config: str, *options: str) -> tuple[float, dict[str, float], Cost]:
    """Run on the clips of a folder; return the seconds, those of each stage, and the cost."""
    path = place / "config.yaml"
    path.write_text(config.format(folder=place / "clips"), encoding="utf-8")
    shutil.rmtree(place / "run", ignore_errors=True)
    where = ("--out", place / "run", "--cache-dir", place / "cache")
    started = time.perf_counter()
    cost = process(sys.executable, "-m", "audioclf", "run", path, *where, *options)
    seconds = time.perf_counter() - started
    record = json.loads((place / "run" / "record.json").read_text(encoding="utf-8"))
    return seconds, record["seconds"], cost


def _by_stage(place: Path, n_clips: int, n_classes: int) -> Iterator[str]:
    """Yield the seconds of each stage of a run with an empty cache, its CPU time and its memory."""
    make_clips(place / "clips", n_clips, 0.4, n_classes)
    seconds, stages, cost = _run(place, WHOLE)
    yield from (human(stages[stage]) for stage in STAGES)
    yield human(seconds - sum(stages[stage] for stage in STAGES))
    yield from (human(seconds), f"{cost.seconds:.1f}", f"{cost.memory:.0f}")
    yield f"{(place / 'run' / 'report.html').stat().st_size / 1e6:.1f}"


def _per_clip(first: tuple[int, float], size: int, memory: float) -> str:
    return f"{1024 * (memory - first[1]) / (size - first[0]):.1f}"


if __name__ == "__main__":
    main()
