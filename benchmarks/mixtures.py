"""Score classifiers on mixtures of spoken digits, for docs/guides/several_labels.md.

    python benchmarks/mixtures.py [--data ZIP] [--clips N] [--only NAMES] [--features NAMES]

Each clip is a sum of one to three digits of the Free Spoken Digit Dataset, each by a speaker of one
pair of speakers, at random gains (-6 to 6 dB) and onsets. Speakers are mixed with their partner
only, and the published folds are the three pairs: the test side has no speaker of the training
side. A mixture of speakers of two folds would be on both sides. `speech` is the embedding of the
plugin audioclf-onnx, at 16 kHz; `cnn` sees all frames of mel. The rows of the table are printed,
with the CPU time of all fits and choices of thresholds; `--per-class` makes a fit for each class.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import soundfile
from measure import REPO

import audioclf
from audioclf.evaluation.class_fits import ClassFitter
from audioclf.evaluation.results import Pipeline

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


def configs(given: argparse.Namespace, table: Path) -> Iterator[dict[str, Any]]:
    """Yield a config for each sample rate and for the network, which needs all frames."""
    names = given.only.split(",")
    others = {name: {"type": name} for name in names if name != "cnn"}
    wanted = {name: FEATURIZERS[name] for name in given.features.split(",") if name != "speech"}
    parts = [(SR, wanted, others)]
    if "speech" in given.features:
        parts.append((16000, {"speech": SPEECH}, others))
    if "cnn" in names:
        frames = {**FEATURIZERS["mel"], "pooling": {"type": "flatten"}}
        parts.append((SR, {"frames": frames}, {"cnn": {"type": "cnn"}}))
    for sr, featurizers, classifiers in parts:
        if featurizers and classifiers:
            yield {
                "name": "mixtures",
                "dataset": {"type": "manifest", "path": str(table), "labels": "several"},
                "audio": {"sr": sr, "duration": SECONDS},
                "featurizers": featurizers,
                "split": {"type": "predefined"},
                "classifiers": classifiers,
                "metrics": list(METRICS),
                "audit": False,
                "final": "none",
                "report": {"html": False},
            }


def clocked(seconds: dict[str, float], *, per_class: bool) -> None:
    """Have fits add their CPU seconds by pipeline, and learn each class by itself if asked."""
    fit = ClassFitter.fit

    def timed(self: ClassFitter, clips: Any) -> Any:
        started = time.process_time()
        model = fit(self, clips)
        assert isinstance(self.pipeline, Pipeline)
        seconds[self.pipeline.name] += time.process_time() - started
        return model

    ClassFitter.fit = timed  # type: ignore[method-assign]
    if per_class:
        ClassFitter.learns_together = lambda self, states: False  # type: ignore[method-assign]


def main() -> None:
    """Run all pipelines and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=REPO / "data" / "free_spoken_digits.zip")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--only", default=CLASSIFIERS, help="classifiers, with commas")
    parser.add_argument("--features", default="mel,mfcc,speech", help="featurizers, with commas")
    parser.add_argument("--per-class", action="store_true", help="a fit per class for all")
    given = parser.parse_args()
    rows: list[tuple[float, str]] = []
    seconds: dict[str, float] = defaultdict(float)
    clocked(seconds, per_class=given.per_class)
    with tempfile.TemporaryDirectory() as folder:
        table = write_mixtures(given.data, Path(folder), given.clips)
        for number, config in enumerate(configs(given, table)):
            out = Path(folder) / f"run{number}"
            result = audioclf.run(config, out=out, jobs=1, progress=True)
            kept = (each for each in result.pipelines if each.name != "baseline" or not number)
            first = next(iter(config["featurizers"]))
            rows += (_row(each, first, seconds) for each in kept)
    print("| pipeline |", " | ".join(METRICS), "| CPU of fits |")
    print("|---|" + "---|" * (len(METRICS) + 1))
    print("\n".join(row for _, row in sorted(rows, reverse=True)))


def _row(pipeline: Any, first: str, seconds: Mapping[str, float]) -> tuple[float, str]:
    values = [pipeline.metrics[metric] for metric in METRICS]
    cells = [f"{v.value:.3f} ({min(v.per_fold):.3f} to {max(v.per_fold):.3f})" for v in values]
    name = pipeline.name  # without its featurizer if there is one
    named = name if "/" in name or name == "baseline" else f"{first}/{name}"
    row = " | ".join([named, *cells, f"{seconds[name]:.1f} s"])
    return values[0].value, f"| {row} |"


if __name__ == "__main__":
    main()
