"""Small datasets, configs and commands that the families share."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

CONFIG = """\
name: toy
seed: 1
dataset: {{type: folder, path: "{sounds}"}}
audio: {{sr: 8000, duration: 0.5}}
featurizers:
  mel: {{type: mel, n_fft: 512, hop_length: 256, n_mels: 16}}
split: {{type: stratified_kfold, n_splits: 4, repeats: {repeats}}}
classifiers:
  logreg: {{type: logistic_regression}}
  forest: {{type: random_forest, n_estimators: 30}}
metrics: [accuracy, f1]
audit: false
final: none
report: {{html: false}}
"""
COMMAND = [sys.executable, "-m", "audioclf"]
TIMES = {"fit_seconds", "predict_seconds_per_clip", "peak_memory_bytes", "model_bytes"}


def tone(frequency: float, seconds: float, seed: int, sr: int = 8000) -> Any:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    return 0.4 * np.sin(2 * np.pi * frequency * t) + rng.normal(0, 0.3, len(t))


def make_sounds(folder: Path, n_clips: int) -> Path:
    """Write two classes that overlap."""
    for label, frequency in (("low", 700.0), ("high", 800.0)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(n_clips // 2):
            y = tone(frequency * (1 + 0.05 * (number % 5)), 0.4, number)
            soundfile.write(folder / label / f"{label}_{number:03d}.wav", y, 8000)
    return folder


def make_config(folder: Path, *, n_clips: int = 40, repeats: int = 3) -> Path:
    path = folder / "toy.yaml"
    sounds = make_sounds(folder / "sounds", n_clips)
    path.write_text(CONFIG.format(sounds=sounds, repeats=repeats), encoding="utf-8")
    return path


def environment(cache: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "AUDIOCLF_CACHE_DIR": str(cache), **more}


def call(*args: object, env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, args)]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False, **options
    )


def found_by(folder: Path) -> dict[str, Any]:
    """Return what a run found, without what a clock or the memory of the machine says."""
    tables = {name: (folder / name).read_bytes() for name in ("predictions.csv", "folds.csv")}
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return {**tables, "metrics": timeless(metrics), "features": record["features"]}


def timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: timeless(value) for key, value in data.items() if key not in TIMES}
    return [timeless(value) for value in data] if isinstance(data, list) else data


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
