"""Print what predictions take: latency, clips per second, memory against length.

    python benchmarks/predict.py [--rounds N] [--clips N] [--hours H ...]

The model is that of configs/quickstart.yaml, trained here on the recordings that come along. The
other side is a script that does the same with librosa and the same fitted estimator from a pickle.
Recordings are noise at 22.05 kHz; those of 2 hours and more are predicted once by each side.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import HEADER, ONE_THREAD, REPO, Row, cpu, measured, print_row, process, script

os.environ.update(ONE_THREAD)

SR = 22_050

COMMON = """
import pickle, sys, librosa, numpy as np

def features(y, sr):
    F = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40)
    parts = [F.mean(1), F.std(1), *np.percentile(F, [0, 10, 25, 50, 75, 90, 100], axis=1)]
    bounds = [index * F.shape[1] // 3 for index in range(4)]
    parts += [F[:, a:b].mean(1) for a, b in zip(bounds, bounds[1:])]
    return np.concatenate(parts).astype(np.float32)

estimator = pickle.load(open(sys.argv[1], "rb"))
"""

CLIPS = (
    COMMON
    + """
import pathlib
paths = sorted(pathlib.Path(sys.argv[2]).rglob("*.wav"))
rows = [features(*librosa.load(path, sr=22050, duration=3.0)) for path in paths]
print(estimator.predict_proba(np.stack(rows)))
"""
)

LONG = (
    COMMON
    + """
y, sr = librosa.load(sys.argv[2], sr=22050)
size = 3 * sr
rows = [features(y[i : i + size], sr) for i in range(0, len(y) - size + 1, size)]
print(estimator.predict_proba(np.stack(rows)))
"""
)


def trained(scratch: Path) -> tuple[Path, Path]:
    """Return the model, and its estimator as a pickle."""
    import pickle

    import audioclf

    run = scratch / "run"
    config = REPO / "configs" / "quickstart.yaml"
    process("audioclf", "run", config, "--out", run, "--no-cache", "-q")
    pickled = scratch / "estimator.pickle"
    pickled.write_bytes(pickle.dumps(audioclf.load(run / "model.audioclf").estimator))
    return run / "model.audioclf", pickled


def write_noise(path: Path, seconds: float, seed: int = 0) -> Path:
    import numpy as np
    import soundfile

    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", SR, 1) as file:
        for start in range(0, round(seconds * SR), 60 * SR):
            count = min(60 * SR, round(seconds * SR) - start)
            file.write(rng.normal(0, 0.1, count).astype(np.float32))
    return path


def rows(scratch: Path, n_clips: int, hours: list[float]) -> Iterator[Row]:
    yield _shared("mel", MEL)
    yield _shared("mfcc", MFCC)
    model, pickled = trained(scratch)
    predict = ("audioclf", "predict", model)
    many = f"{n_clips:,} clips of 3 s"
    for name, number in (("one clip of 3 s, fresh process", 1), (many, n_clips)):
        folder = scratch / str(number)
        for index in range(number):
            write_noise(folder / f"{index}.wav", 3.0, index)
        yield Row(
            name,
            lambda folder=folder: process(*predict, folder, "--jobs", "1"),
            lambda folder=folder: script(CLIPS, pickled, folder),
            PEER,
            clips=number,
        )
    clip = scratch / "1" / "0.wav"
    demo = scratch / "demo"
    process("audioclf", "export", model, "--demo", "python", "--out", demo)
    for name, command in (
        ("with --fast", (*predict, clip, "--fast")),
        ("by ONNX Runtime alone", (sys.executable, demo / "classify.py", clip)),
    ):
        yield Row(
            f"one clip of 3 s, fresh process, {name}",
            lambda command=command: process(*command),
            lambda: process(*predict, clip),
            "audioclf predict",
            goal=2.0,
            memory_goal=1.0,
        )
    yield _warm(model, clip)
    for length in hours:
        path = write_noise(scratch / f"{length}.wav", 3600 * length)
        yield Row(
            f"{length:.3g} h in windows of 3 s that meet",
            lambda path=path: process(*predict, path, "--window", "3", "--jobs", "1"),
            lambda path=path: script(LONG, pickled, path),
            PEER,
            seconds=3600 * length,
            rounds=0.3 if length < LONGEST_REPEATED else 0,
        )
        path.unlink()
    yield _hops(scratch, predict)


PEER = "librosa, scikit-learn"
LONGEST_REPEATED = 2.0
MEL: dict[str, int] = {}
MFCC = {"n_mfcc": 40}


def _shared(name: str, fields: dict[str, int]) -> Row:
    """Features of windows of 3 s every 43 frames, against the same of each as a clip."""
    import numpy as np

    from audioclf.components.discovery import discover

    cls: Any = discover().resolve("featurizer", name)
    featurizer = cls(**fields)
    y = np.random.default_rng(0).normal(0, 0.1, 40 * SR).astype(np.float32)
    size, starts = 3 * SR, [index * 43 * 512 for index in range(32)]
    return Row(
        f"{name} of overlapping windows, in process",
        lambda: cpu(lambda: [featurizer.extract_windows(y, SR, starts, size) for _ in range(4)]),
        lambda: cpu(
            lambda: [
                featurizer.extract_many([y[start : start + size] for start in starts], SR)
                for _ in range(4)
            ]
        ),
        "each window alone",
        clips=4 * len(starts),
    )


def _hops(scratch: Path, predict: tuple[str | Path, ...]) -> Row:
    """A recording in windows that share frames, against nearly as many that share none."""
    path = write_noise(scratch / "hops.wav", 3600)
    windowed = (*predict, path, "--jobs", "1", "--window", "3", "--hop")
    return Row(
        "1 h in windows of 3 s every 0.9985 s, which share frames",
        lambda: process(*windowed, "0.9985"),
        lambda: process(*windowed, "1"),
        "audioclf, every 1 s",
        seconds=3600,
        rounds=0.5,
    )


def _warm(model: Path, clip: Path) -> Row:
    import librosa

    import audioclf

    loaded = audioclf.load(model)
    names: dict[str, object] = {}
    exec(COMMON.partition("estimator =")[0], names)

    def other() -> None:
        features = names["features"]
        loaded.estimator.predict_proba(
            features(*librosa.load(clip, sr=SR, duration=3.0))[None]  # type: ignore[operator]
        )

    return Row(
        "one clip of 3 s, model loaded (goal: 30 ms, here times 20)",
        lambda: cpu(lambda: [loaded.predict(clip) for _ in range(20)]),
        lambda: cpu(lambda: [other() for _ in range(20)]),
        PEER,
        clips=20,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="pairs per row (default: 7)")
    parser.add_argument("--clips", type=int, default=1000, help="clips of a batch (default: 1000)")
    parser.add_argument("--hours", type=float, nargs="*", default=[1 / 6, 1.0, 10.0])
    options = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    print_row(HEADER)
    print_row(["---"] * len(HEADER))
    with tempfile.TemporaryDirectory() as scratch:
        for row in rows(Path(scratch), options.clips, options.hours):
            print_row(measured(row, options.rounds))


if __name__ == "__main__":
    main()
