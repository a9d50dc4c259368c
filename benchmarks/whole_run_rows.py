"""Rows of a whole run on 10,000 noisy spoken digits, beside the script that a user would write.

The clips are the recordings of the Free Spoken Digit Dataset with noise of 0 to 20 dB below the
speech, so each of the 3,000 recordings stands in three or four clips. Both sides have the same 80
features of a clip, two jobs, and leave one speaker out. Seconds are wall time; the note has those
of the CPU.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import soundfile
from measure import Cost, Row, Side, human, process

N_CLIPS = 10_000
CONFIG = """
name: digits
dataset: {{type: folder, path: "{folder}", label_pattern: '(?P<label>\\d)_(?P<group>[a-z]+)_'}}
audio: {{sr: 8000}}
featurizers:
  mfcc:
    type: mfcc
    n_fft: 512
    hop_length: 128
    n_mels: 40
    n_mfcc: 20
    pooling: {{type: stats, statistics: [mean, std], percentiles: [0, 100], segments: 0}}
split: {{type: leave_one_group_out}}
classifiers:
  logistic_regression: {{type: logistic_regression}}
  svm: {{type: svm}}
final: svm
metrics: [accuracy, f1_macro]
"""

FEATURES = """
import csv, sys
from pathlib import Path
import joblib, librosa, numpy as np

def features(path):
    y, sr = librosa.load(path, sr=8000)
    c = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20, n_fft=512, hop_length=128, n_mels=40)
    return np.concatenate([c.mean(1), c.std(1), c.min(1), c.max(1)])

folder, model = Path(sys.argv[1]), Path(sys.argv[2])
paths = sorted(folder.rglob("*.wav"))
X = np.stack(joblib.Parallel(2)(joblib.delayed(features)(p) for p in paths))
"""

SCRIPT = f"""{FEATURES}
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

y = np.array([p.name.split("_")[0] for p in paths])
groups = np.array([p.name.split("_")[1] for p in paths])
for classifier in (LogisticRegression(max_iter=1000), SVC()):
    pipeline = make_pipeline(StandardScaler(), classifier)
    guess = cross_val_predict(pipeline, X, y, groups=groups, cv=LeaveOneGroupOut(), n_jobs=2)
    print(classifier, accuracy_score(y, guess), f1_score(y, guess, average="macro"))
    joblib.dump(pipeline.fit(X, y), model)
"""

PREDICT = f"""{FEATURES}
fitted = joblib.load(model)
with open(model.with_suffix(".csv"), "w", newline="") as file:
    csv.writer(file).writerows(zip(paths, fitted.predict(X), fitted.decision_function(X).max(1)))
"""


def make_noisy_digits(recordings: Path, target: Path) -> Path:
    """Write the recordings in noise as WAV files, 1,000 to a folder, and return the folder."""
    paths = sorted(recordings.rglob("*.wav"))
    for number in range(N_CLIPS):
        rng = np.random.default_rng(number)
        path = paths[number % len(paths)]
        y, sr = soundfile.read(path, dtype="float32")
        noise = rng.standard_normal(len(y)).astype(np.float32)
        ratio = np.sqrt(np.mean(y**2) / np.mean(noise**2)) * 10 ** (-rng.uniform(0, 20) / 20)
        folder = target / f"{number // 1000:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        noisy = y + np.float32(ratio) * noise
        soundfile.write(
            folder / f"{path.stem}_{number:05d}.wav", noisy / (1 + np.abs(noisy).max()), sr
        )
    return target


def rows(recordings: Path, scratch: Path) -> Iterator[Row]:
    """Yield the rows of a cold run, of two warm runs and of a prediction."""
    clips = make_noisy_digits(recordings, scratch / "noisy")
    config, run, model = scratch / "whole.yaml", scratch / "run", scratch / "script.joblib"
    config.write_text(CONFIG.format(folder=clips), encoding="utf-8")
    audioclf = (sys.executable, "-m", "audioclf")
    seeds = count(1)

    def ours(*settings: str, cold: bool = False) -> Cost:
        shutil.rmtree(run, ignore_errors=True)
        if cold:
            shutil.rmtree(scratch / "cache", ignore_errors=True)
        options = ("--jobs", "2", "--out", run, "--cache-dir", scratch / "cache")
        return _wall(*audioclf, "run", config, *options, *settings)

    def with_new_fits() -> Cost:
        return ours("--set", f"seed={next(seeds)}")

    def script() -> Cost:
        return _wall(sys.executable, "-W", "ignore", "-c", SCRIPT, clips, model)

    def predicted() -> Cost:
        options = ("--jobs", "2", "--out", scratch / "ours.csv", "--force")
        return _wall(*audioclf, "predict", run, clips, *options)

    def predicted_by_script() -> Cost:
        return _wall(sys.executable, "-W", "ignore", "-c", PREDICT, clips, model)

    name, against = "10,000 clips, {}, two jobs (wall)", "joblib, librosa, scikit-learn"
    sides: list[tuple[str, Side, Side, float]] = [
        ("whole run, empty cache", lambda: ours(cold=True), script, 1.0),
        ("new fits, features cached", with_new_fits, script, 1.5),
        ("the same run again", ours, script, 1.5),
        ("predict", predicted, predicted_by_script, 1.0),
    ]
    for what, mine, other, goal in sides:
        mine_cpu, other_cpu = list[float](), list[float]()
        yield Row(
            name.format(what),
            _noted(mine, mine_cpu),
            _noted(other, other_cpu),
            against,
            goal,
            clips=N_CLIPS,
            rounds=0.2,
            note=partial(_against, mine_cpu, other_cpu),
        )


def _wall(*command: str | Path) -> Cost:
    """Run a command; `cpu` of the result are its CPU seconds, `seconds` those of the clock."""
    started = time.perf_counter()
    cost = process(*command)
    return replace(cost, seconds=time.perf_counter() - started, cpu=cost.seconds)


def _noted(side: Side, cpu: list[float]) -> Side:
    def call() -> Cost:
        cost = side()
        cpu.append(cost.cpu)
        return cost

    return call


def _against(ours: list[float], others: list[float]) -> str:
    return f"CPU {_median(ours)} against {_median(others)}"


def _median(seconds: list[float]) -> str:
    return human(statistics.median(seconds))
