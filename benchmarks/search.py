"""Search of a call among a million windows of 96 numbers: docs/guides/review.md.

    python benchmarks/search.py [WINDOWS]

Prints the CPU seconds of one thread and the memory beyond the index for the product over all
windows, with the index in memory and in a mapped file, and for the whole command with features in
the cache. If usearch is installed, a graph (HNSW) is built from at most 100,000 of the rows, and
asked as well.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import ONE_THREAD, process

os.environ.update(ONE_THREAD)

import numpy as np
import soundfile

from audioclf.experiment.review.searching import similarities

WIDTH, N = 96, 50
SR, SECONDS = 8000, 0.1
CONFIG = """
dataset: {type: folder, path: sounds}
audio: {sr: 8000, duration: 0.1}
featurizers: {mfcc: {type: mfcc, n_fft: 256, hop_length: 80, n_mels: 60, n_mfcc: 8}}
classifiers: {knn: {type: knn}}
"""


def peak() -> float:
    """Return the peak of memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(rows: np.ndarray) -> None:
    """Write rows around 1,000 centers, as sounds of as many kinds."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1000, WIDTH), dtype=np.float32)
    for at in range(0, len(rows), 1 << 16):
        block = rows[at : at + (1 << 16)]
        block[:] = rng.standard_normal(block.shape, dtype=np.float32)
        block += 2 * centers[rng.integers(0, 1000, len(block))]


def product(kind: str, n_windows: int) -> None:
    """Print a row for the product; the memory is that of this process beyond its modules."""
    modules, start = peak(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        if kind == "mapped":
            path = Path(folder) / "rows.npy"
            words = ("fill", str(n_windows), path)
            process(sys.executable, __file__, *words)
            rows = np.load(path, mmap_mode="r")
        else:
            rows = np.empty((n_windows, WIDTH), dtype=np.float32)
            fill(rows)
        start = time.process_time()
        np.argsort(-similarities(rows, rows[[17]]))[:N]
        seconds = time.process_time() - start
    share = (peak() - modules) * 2**20 / rows.nbytes
    print(f"| product, index {kind} | {seconds:.2f} | {share:.2f} |", flush=True)


def command(n_windows: int) -> None:
    """Print a row for the command: recordings are links to one, whose features are cached."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sound = 0.1 * np.random.default_rng(0).standard_normal(SR * 100)
        for name in ("few", "many", "sounds/a"):
            (root / name).mkdir(parents=True)
        soundfile.write(root / "few/0.wav", sound, SR)
        soundfile.write(root / "call.wav", sound[:800], SR)
        (root / "sounds/a/a.wav").hardlink_to(root / "call.wav")
        for number in range(n_windows // 1000):
            (root / f"many/{number:05d}.wav").hardlink_to(root / "few/0.wav")
        (root / "c.yaml").write_text(CONFIG, encoding="utf-8")
        costs = []
        for name in ("few", "few", "many"):
            words = ("search", root / "c.yaml", root / name, "--like", root / "call.wav", "--force")
            more = ("--hop", "0.1", "--jobs", "1", "--cache-dir", root / "cache", "-q")
            out = ("--out", root / "list.csv")
            costs.append(process(sys.executable, "-m", "audioclf", *words, *more, *out))
        few, many = costs[1:]
        index = 4 * WIDTH * n_windows / 2**20
        share = (many.memory - few.memory) / index
        print(f"| command, features cached | {many.seconds:.2f} | {share:.2f} |", flush=True)


def graph(n_windows: int) -> None:
    """Print rows for a graph of usearch: building, and a query."""
    try:
        from usearch.index import Index
    except ImportError:
        return
    rows = np.empty((n_windows, WIDTH), dtype=np.float32)
    fill(rows)
    nearest = np.argsort(-similarities(rows, rows[[17]]))[:N]
    rows -= rows.mean(axis=0)
    rows /= rows.std(axis=0)
    index, start = Index(ndim=WIDTH, metric="cos", dtype="f32"), time.process_time()
    index.add(np.arange(n_windows), rows, threads=1)
    share, seconds = index.memory_usage / rows.nbytes, time.process_time() - start
    print(f"| usearch, {n_windows:,} windows, built | {seconds:.0f} | {share:.2f} |", flush=True)
    start = time.process_time()
    found = index.search(rows[17], N, threads=1).keys
    seconds = time.process_time() - start
    recall = np.isin(nearest, found).mean()
    print(f"| usearch, asked: {recall:.0%} of the nearest {N} | {seconds:.4f} | |", flush=True)


def main() -> None:
    """Print the table, or do a part of the work in a process of its own."""
    if sys.argv[1:2] == ["fill"]:
        shape = (int(sys.argv[2]), WIDTH)
        fill(np.lib.format.open_memmap(sys.argv[3], "w+", np.float32, shape))
        return
    if sys.argv[1:2] == ["product"]:
        product(sys.argv[2], int(sys.argv[3]))
        return
    n_windows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    print(f"| {n_windows:,} windows | CPU, s | memory / index |")
    print("|---|---|---|", flush=True)
    for kind in ("in memory", "mapped"):
        words = [sys.executable, __file__, "product", kind, str(n_windows)]
        subprocess.run(words, check=True)
    command(n_windows)
    graph(min(n_windows, 100_000))


if __name__ == "__main__":
    main()
