"""Whole processes: start-up, first clip, 98 files, and a run against the tutorial's script."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import REPO, Cost, Row, process, script

LIBROSA_LOOP = """
import sys, pathlib, librosa, numpy as np
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.wav"))[:int(sys.argv[2])]:
    y, sr = librosa.load(path, sr=22050, duration=3.0)
    librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)
"""

OURS = """
import sys
from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.builtin.loaders.class_folders import FolderDataset
from audioclf.builtin.featurizers.mel import MelSpectrogram
mel, audio = MelSpectrogram(db={"ref": "max"}), AudioConfig(sr=22050, duration=3.0)
clips = FolderDataset(path=sys.argv[1]).load().clips[:int(sys.argv[2])]
for i in range(0, len(clips), 32):
    mel.extract_many([decode(clip.source, audio).y for clip in clips[i : i + 32]], audio.sr)
"""

SOUNDS = """
import sys, pathlib, numpy as np, soundfile
for index in range(int(sys.argv[2])):
    path = pathlib.Path(sys.argv[1]) / "ab"[index % 2] / f"{index}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    y = 0.1 * (1 + index % 2) * np.random.default_rng(index).standard_normal(8000)
    soundfile.write(path, np.tile(y, int(sys.argv[3])), 8000)
"""

MEMORY_CONFIG = """
name: memory
dataset: {{type: folder, path: {0}}}
audio: {{sr: 8000}}
featurizers:
  mel: {{type: mel, n_mels: 32, n_fft: 512, hop_length: 512, pooling: {{type: stats}}}}
split: {{type: stratified_kfold, n_splits: 2}}
classifiers: {{logreg: {{type: logistic_regression}}}}
report: {{html: false}}
audit: false
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


def rows(folder: Path, archive: Path) -> Iterator[Row]:
    for name, n_clips in (("the first clip", 1), ("98 files", 98)):
        yield Row(
            f"fresh process to dB mel of {name}",
            lambda n=n_clips: script(OURS, folder, str(n)),
            lambda n=n_clips: script(LIBROSA_LOOP, folder, str(n)),
            "librosa, numba warm",
            5.0 if n_clips > 1 else None,
            1 / 3 if n_clips > 1 else None,
            clips=n_clips,
        )
    yield Row(
        "fresh process to dB mel of 98 files",
        lambda: script(OURS, folder, "98"),
        lambda: _cold(folder),
        "librosa, numba cold",
        30.0,
        1 / 3,
        rounds=0.3,
    )
    for name, options in (
        (
            "quickstart, table only",
            ("--set", "report.html=false", "--set", "audit=false", "--set", "final=none"),
        ),
        ("quickstart", ()),
    ):
        yield Row(
            f"{name}: 50 fits",
            lambda options=options: _quickstart(archive, *options),
            lambda: script(TUTORIAL, folder),
            "the tutorial's script, 1 fit",
            8.0,
            0.5,
            rounds=0.5,
        )


def memory_rows(scratch: Path) -> Iterator[Row]:
    """Yield rows that show that the memory of a run does not grow with its clips."""
    for name, seconds, few, many in (("1 s", 1, 64, 1024), ("20 min", 1200, 4, 32)):
        sides = [_sounds(scratch / f"{n}x{seconds}", n, seconds) for n in (many, few)]
        yield Row(
            f"memory of a run on {many} clips of {name}",
            lambda path=sides[0]: _plain_run(path),
            lambda path=sides[1]: _plain_run(path),
            f"{few} such clips",
            memory_goal=1.2,
            rounds=0,
        )


def _sounds(folder: Path, n_clips: int, seconds: int) -> Path:
    script(SOUNDS, folder, str(n_clips), str(seconds))
    return folder


def _plain_run(sounds: Path) -> Cost:
    config = sounds.with_suffix(".yaml")
    config.write_text(MEMORY_CONFIG.format(sounds.name), encoding="utf-8")
    with tempfile.TemporaryDirectory() as out:
        return process(
            *(sys.executable, "-m", "audioclf", "run", config, "--out", Path(out) / "run"),
            *("--jobs", "1", "--no-cache"),
        )


def _cold(folder: Path) -> Cost:
    with tempfile.TemporaryDirectory() as empty:
        return script(LIBROSA_LOOP, folder, "98", NUMBA_CACHE_DIR=empty)


def _quickstart(archive: Path, *options: str) -> Cost:
    with tempfile.TemporaryDirectory() as out:
        return process(
            *(sys.executable, "-m", "audioclf", "run", REPO / "configs" / "quickstart.yaml"),
            *("--set", f"dataset.path={archive}", "--out", Path(out) / "run"),
            *("--jobs", "1", "--no-cache", *options),
        )
