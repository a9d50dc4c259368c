"""How often the stress test finds a dependence that was planted in a dataset.

    python benchmarks/planted_stress.py          # 100 datasets, some minutes

In each dataset of two classes one property of the sound is all that differs between the classes:
their level, a tone that noise covers, or a hiss above the band limit of MP3 at 16 kbit/s. It is
found if the interval of a cost of that group of changes lies below zero.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from audioclf.experiment.resources import Resources
from audioclf.experiment.run import run
from audioclf.experiment.stress.of_run import stress_run

SR = 16_000
N_SAMPLES = round(0.4 * SR)
GROUPS = {"gain": "level", "noise": "noise", "codec": "codec"}


def clip(kind: str, label: int, rng: np.random.Generator) -> np.ndarray:
    """Return a tone, with the property of its class."""
    times = np.arange(N_SAMPLES) / SR
    if kind == "gain":
        level = (0.4 if label else 0.04) * rng.uniform(0.8, 1.2)
        return level * np.sin(2 * np.pi * rng.uniform(400, 600) * times)
    y = 0.3 * np.sin(2 * np.pi * rng.uniform(300, 500) * times)
    if kind == "noise":
        faint = 0.004 * label * np.sin(2 * np.pi * 3000 * times)
        return y + faint + 0.0005 * rng.standard_normal(N_SAMPLES)
    spectrum = np.fft.rfft(rng.standard_normal(N_SAMPLES))
    spectrum[np.fft.rfftfreq(N_SAMPLES, 1 / SR) <= 6800] = 0
    hiss = np.fft.irfft(spectrum, N_SAMPLES)
    return y + 0.03 * label * hiss + 0.001 * rng.standard_normal(N_SAMPLES)


def is_found(kind: str, seed: int, n_clips: int, root: Path) -> bool:
    """Make a dataset, run it, and return whether the stress test finds the property."""
    rng = np.random.default_rng(seed)
    for label in (0, 1):
        folder = root / "sounds" / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(n_clips):
            y = clip(kind, label, rng) * rng.uniform(0.9, 1.1)
            soundfile.write(folder / f"{number}.wav", np.clip(y, -1, 1), SR)
    config = {
        "dataset": {"type": "folder", "path": str(root / "sounds")},
        "audio": {"sr": SR},
        "seed": seed,
        "featurizers": {"mel": {"type": "mel", "n_fft": 1024, "n_mels": 40}},
        "classifiers": {"lr": {"type": "logistic_regression"}},
        "split": {"type": "stratified_kfold", "n_splits": 4},
        "metrics": ["accuracy"],
        "audit": False,
        "final": "none",
        "report": {"html": False},
    }
    run(config, out=root / "run", jobs=1, cache=False)
    result = stress_run(root / "run", None, Resources(1), groups=[GROUPS[kind]])
    found = any(row.high < 0 for row in result.rows)
    if not found:
        print(f"missed: {kind}, seed {seed}, accuracy {result.clean}")
        for row in result.rows:
            print(f"    {row.name}: {row.interval}")
    return found


def main() -> None:
    """Print the number of found properties by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 100))
    parser.add_argument("--clips", type=int, default=24, help="clips of each class")
    options = parser.parse_args()
    found: dict[str, list[bool]] = {kind: [] for kind in GROUPS}
    for seed in range(*options.seeds):
        kind = list(GROUPS)[seed % len(GROUPS)]
        with tempfile.TemporaryDirectory() as folder:
            found[kind].append(is_found(kind, seed, options.clips, Path(folder)))
    for kind, hits in found.items():
        print(f"{kind}: {sum(hits)} of {len(hits)}")


if __name__ == "__main__":
    main()
