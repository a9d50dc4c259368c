"""Score classifiers on mixtures of spoken digits, for docs/guides/several_labels.md.

    python benchmarks/mixtures.py [--data ZIP] [--clips N] [--only NAMES] [--speech]

Each clip is a sum of one to three digits of the Free Spoken Digit Dataset, each by a speaker of one
pair of speakers, at random gains (-6 to 6 dB) and onsets. Speakers are mixed with their partner
only, and the published folds are the three pairs: the test side has no speaker of the training
side. A mixture of speakers of two folds would be on both sides. `--speech` takes the embedding of
the plugin audioclf-onnx, at 16 kHz, in place of mel and MFCC. The rows of the table are printed.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import soundfile
from measure import REPO

import audioclf

SR, SECONDS, SEED = 8000, 1.5, 42
METRICS = ("average_precision_macro", "f1_macro", "lwlrap")
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
POOLING = {"type": "stats", "segments": 5, "segment_statistics": ["mean", "std"], "deltas": True}
FEATURIZERS: dict[str, dict[str, Any]] = {
    "mel": {"type": "mel", "n_mels": 32, "n_fft": 256, "hop_length": 64, "pooling": POOLING},
    "mfcc": {
        "type": "mfcc",
        "n_mfcc": 13,
        "n_mels": 32,
        "n_fft": 256,
        "hop_length": 64,
        "pooling": POOLING,
    },
}
SPEECH = {"type": "speech_embedding", "pooling": {"type": "stats", "segments": 0}}
CLASSIFIERS = "logistic_regression,svm,sgd,knn,random_forest,extra_trees"


def write_mixtures(data: Path, folder: Path, n_clips: int) -> Path:
    """Write the mixtures and their table, and return its path."""
    rng = np.random.default_rng(SEED)
    archive = zipfile.ZipFile(data)
    recordings: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name in sorted(archive.namelist()):
        if name.endswith(".wav"):
            digit, speaker, _ = PurePosixPath(name).stem.split("_")
            recordings[speaker, int(digit)].append(name)
    speakers = sorted({speaker for speaker, _ in recordings})
    pairs = [speakers[start : start + 2] for start in range(0, len(speakers), 2)]
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "fold", "group"])
        for number in range(n_clips):
            fold = number % len(pairs)
            digits = sorted(rng.choice(10, size=rng.integers(1, 4), replace=False).tolist())
            first, y = rng.integers(2), rng.normal(0, 1e-3, int(SR * SECONDS))
            for place, digit in enumerate(digits):
                names = recordings[pairs[fold][(first + place) % 2], digit]
                content = archive.read(names[rng.integers(len(names))])
                sound = soundfile.read(io.BytesIO(content))[0][: len(y)]
                start = rng.integers(len(y) - len(sound) + 1)
                y[start : start + len(sound)] += sound * 10 ** (rng.uniform(-6, 6) / 20)
            soundfile.write(folder / f"{number:04d}.wav", y / max(1.0, abs(y).max()), SR)
            label = ";".join(WORDS[digit] for digit in digits)
            writer.writerow([f"{number:04d}.wav", label, fold, "+".join(pairs[fold])])
    return folder / "labels.csv"


def main() -> None:
    """Run all pipelines and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=REPO / "data" / "free_spoken_digits.zip")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--only", default=CLASSIFIERS, help="classifiers, with commas")
    parser.add_argument("--speech", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = write_mixtures(given.data, Path(folder), given.clips)
        config = {
            "name": "mixtures",
            "dataset": {"type": "manifest", "path": str(table), "labels": "several"},
            "audio": {"sr": 16000 if given.speech else SR, "duration": SECONDS},
            "featurizers": {"speech": SPEECH} if given.speech else FEATURIZERS,
            "split": {"type": "predefined"},
            "classifiers": {name: {"type": name} for name in given.only.split(",")},
            "metrics": list(METRICS),
            "audit": False,
            "final": "none",
            "report": {"html": False},
        }
        result = audioclf.run(config, out=Path(folder) / "run", progress=True)
    print("| pipeline |", " | ".join(METRICS), "| fit |")
    print("|---|" + "---|" * (len(METRICS) + 1))
    for pipeline in result.pipelines:
        cells = []
        for metric in METRICS:
            known = pipeline.metrics[metric]
            if known is None:
                cells.append("n/a")
            else:
                ends = f"{min(known.per_fold):.3f} to {max(known.per_fold):.3f}"
                cells.append(f"{known.value:.3f} ({ends})")
        print(f"| {pipeline.name} |", " | ".join(cells), f"| {pipeline.fit_seconds:.2g} s |")


if __name__ == "__main__":
    main()
