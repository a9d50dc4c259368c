"""Spoken digits in noise by new speakers, after training with and without noise.

    python benchmarks/noise.py free_spoken_digits.zip

Noise is synthetic: each file has a random spectral slope, band and modulation. The files of
training and of test have other seeds. Each row is a run with `leave_one_group_out` and its
stress test.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from audioclf.experiment.resources import Resources
from audioclf.experiment.run import run
from audioclf.experiment.stress.of_run import stress_run
from audioclf.experiment.stress.result import Stress

SR = 8000
N_FILES = 24
SECONDS = 8.0

VARIANTS: dict[str, dict[str, Any]] = {"without": {}, "`background`, 1 copy": {"copies": 1}}


def write_noises(folder: Path, seed: int) -> Path:
    """Write recordings of noise with random slopes, bands and modulations."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    n_samples = round(SECONDS * SR)
    frequencies = np.fft.rfftfreq(n_samples, 1 / SR)
    times = np.arange(n_samples) / SR
    for number in range(N_FILES):
        spectrum = np.fft.rfft(rng.standard_normal(n_samples))
        spectrum /= np.maximum(frequencies, 50.0) ** rng.uniform(0.0, 1.0)
        low, high = rng.uniform(0, 400), rng.uniform(1500, 4000)
        spectrum[(frequencies < low) | (frequencies > high)] *= 0.05
        y = np.fft.irfft(spectrum, n_samples)
        depth, rate = rng.uniform(0, 0.8), np.exp(rng.uniform(np.log(0.5), np.log(8)))
        y *= 1 + depth * np.sin(2 * np.pi * (rate * times + rng.uniform()))
        soundfile.write(folder / f"noise_{number:02d}.wav", 0.5 * y / np.abs(y).max(), SR)
    return folder


def config_of(archive: Path, noise: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Return the config of the best recipe of `docs/guides/spoken_digits.md`, without warping."""

    text = (Path(__file__).parents[1] / "configs/spoken_digits_best.yaml").read_text("utf-8")
    best: dict[str, Any] = yaml.safe_load(text)
    best["dataset"]["path"] = str(archive)
    best["split"] = {"type": "leave_one_group_out"}
    for featurizer in best["featurizers"].values():
        featurizer.pop("augment", None)
    best |= {"metrics": ["accuracy"], "audit": False, "final": "none", "report": {"html": False}}
    if more:
        best |= {"augment": [{"type": "background", "path": str(noise), "snr": [0, 20]}], **more}
    return best


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        training, test = (write_noises(root / f"noise{seed}", seed) for seed in (1, 2))
        results: dict[str, Stress] = {}
        for name, more in VARIANTS.items():
            config = config_of(options.archive.resolve(), training, more)
            folder = root / f"run{len(results)}"
            run(config, out=folder, jobs=options.jobs, cache_dir=root / "cache")
            results[name] = stress_run(
                folder,
                None,
                Resources(options.jobs, cache_folder=root / "cache"),
                noise=test,
                groups=["noise"],
            )
            print(name, results[name].clean, flush=True)
    print(f"\n| test side | {' | '.join(results)} |\n|---{'|---' * len(results)}|")
    print(f"| as it is | {' | '.join(str(result.clean) for result in results.values())} |")
    for rows in zip(*(result.rows for result in results.values()), strict=True):
        label = rows[0].name.replace("noise2", "other noise")
        print(f"| {label} | {' | '.join(str(row.estimate) for row in rows)} |")


if __name__ == "__main__":
    main()
