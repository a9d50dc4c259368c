"""Labels that a model needs to find a call, by `mixed` and `random` lists: docs/guides/review.md.

    python benchmarks/review_loop.py [DIGITS.zip] [SEEDS]

Makes 20 recordings of 10 minutes from the spoken digits: one digit is the call, in 2 % of the
windows of 1 s, other digits are in a third of the others, and noise is everywhere. Ten recordings
are labelled in rounds of 20 windows, the other ten are the test. Both ways begin with the 10
windows nearest to a call and 10 random ones. Prints the labels after which the average precision on
the test reaches 0.8.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from measure import ONE_THREAD, REPO

os.environ.update(ONE_THREAD)

import numpy as np
import soundfile
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.components.pooling import Stats
from audioclf.dataset.sources import FileSource
from audioclf.engines import make_engine
from audioclf.experiment.review.choosing import Choice, choose
from audioclf.experiment.review.searching import Features, index_of, similarities
from audioclf.predict.inputs import Recording

SR, SECONDS, N_RECORDINGS = 8000, 600, 20
CALL, ROUND, AIM, MOST = "7", 20, 0.8, 2000
DIGITS = REPO.parent / "shared" / "data" / "free_spoken_digits.zip"


def recordings(path: Path, folder: Path, rng: np.random.Generator) -> np.ndarray:
    """Write the recordings and return whether each window holds the call."""
    sounds: dict[str, list[np.ndarray]] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".wav"):
                y, _ = soundfile.read(BytesIO(archive.read(name)), dtype="float32")
                sounds.setdefault(Path(name).name[0], []).append(y[: SR - 400])
    others = [digit for digit in sounds if digit != CALL]
    truth = np.zeros((N_RECORDINGS, SECONDS), dtype=bool)
    for number in range(N_RECORDINGS):
        y = 0.003 * rng.standard_normal(SR * SECONDS).astype(np.float32)
        truth[number] = rng.uniform(size=SECONDS) < 0.02
        for second in range(SECONDS):
            if truth[number, second] or rng.uniform() < 1 / 3:
                digit = CALL if truth[number, second] else str(rng.choice(others))
                sound = sounds[digit][rng.integers(len(sounds[digit]))]
                at = second * SR + int(rng.integers(0, SR - len(sound)))
                y[at : at + len(sound)] += rng.uniform(0.3, 1.0) * sound
        soundfile.write(folder / f"{number:02d}.wav", np.clip(y, -1, 1), SR)
    return truth.reshape(-1)


def rows_of(folder: Path) -> np.ndarray:
    """Return the features of all windows, in the order of the recordings."""
    mfcc = Mfcc(n_fft=256, hop_length=80, n_mels=40, n_mfcc=20, pooling=Stats())
    features = Features((mfcc,), AudioConfig(sr=SR), ())
    files = [Recording(path.name, FileSource(path)) for path in sorted(folder.glob("*.wav"))]
    with make_engine("local", jobs=1) as engine:
        return index_of(files, features, (1.0, None), engine).rows


def labels_needed(rows: np.ndarray, truth: np.ndarray, by: str, seed: int) -> tuple[int, float]:
    """Return the labels after which the aim is reached, and the average precision there."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(rng.permutation(N_RECORDINGS), SECONDS)
    pool, test = np.flatnonzero(owners < 10), np.flatnonzero(owners >= 10)
    call = rng.choice(pool[truth[pool]])
    near = pool[np.argsort(-similarities(rows[pool], rows[[call]]))[:10]]
    known = [*near, *rng.choice(np.setdiff1d(pool, near), 10, replace=False)]
    precision = 0.0
    while len(known) < MOST:
        left = np.setdiff1d(pool, known)
        scores = np.zeros(len(left))
        if 0 < truth[known].sum() < len(known):
            model = make_pipeline(StandardScaler(), SVC(C=10.0, class_weight="balanced"))
            model.fit(rows[known], truth[known])
            precision = average_precision_score(truth[test], model.decision_function(rows[test]))
            if precision >= AIM:
                break
            scores = model.decision_function(rows[left])
        codes = np.unique(owners[left], return_inverse=True)[1]
        chosen = choose(Choice(by, ROUND), scores, np.abs(scores), codes, rng)
        known += left[chosen.positions].tolist()
    return len(known), float(precision)


def main() -> None:
    """Print a row for each seed, and the medians."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DIGITS
    n_seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as folder:
        truth = recordings(path, Path(folder), np.random.default_rng(0))
        rows = rows_of(Path(folder))
    print(f"{truth.sum()} of {len(truth):,} windows hold the call", file=sys.stderr)
    print("| seed | labels with `mixed` | labels with `random` |")
    print("|---|---|---|")
    needed = []
    for seed in range(n_seeds):
        both = [labels_needed(rows, truth, by, seed) for by in ("mixed", "random")]
        texts = [str(n) if p >= AIM else f"above {MOST} ({p:.2f})" for n, p in both]
        needed.append([n for n, _ in both])
        print(f"| {seed} | {' | '.join(texts)} |", flush=True)
    medians = np.median(needed, axis=0)
    print(f"| median | {' | '.join(f'{value:g}' for value in medians)} |")


if __name__ == "__main__":
    main()
