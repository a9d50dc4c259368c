"""The rows of the tables on the spoken digits: what is put in the place of what the recipe has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]

FRAMES: Fields = {"n_fft": 256, "hop_length": 64}
STATS: Fields = {
    "type": "stats",
    "segments": 5,
    "segment_statistics": ["mean", "std"],
    "deltas": True,
}
TRIM: Fields = {"trim_silence": {"top_db": 20}}
CLIP: Fields = {**TRIM, "normalize": "mean", "pooling": STATS}
MFCC: Fields = {"type": "mfcc", **FRAMES, "n_mels": 32, "n_mfcc": 13}
PLAIN: Fields = {**MFCC, **CLIP}
SVM: Fields = {"type": "svm", "C": 3.0, "gamma": 0.0007}
QUICK: Fields = {"type": "logistic_regression", "C": 0.01}
VTLP: Fields = {"type": "vtlp", "factors": [0.9, 1.1], "test_time": True}

# As in configs/spoken_digits_torch.yaml: a network needs frames.
FRAMED: Fields = {
    "type": "mel",
    **FRAMES,
    "n_mels": 40,
    "fmin": 50.0,
    "db": {"ref": "max", "top_db": 50.0},
    "n_steps": 40,
    "pooling": {"type": "flatten"},
}

FOUR = [0.8, 0.9, 1.1, 1.2]


@dataclass(frozen=True)
class Row:
    """One line of a table: a featurizer with a classifier, by a name that says what is special."""

    table: str
    name: str
    featurizer: Fields
    classifier: Fields


def _steps() -> list[Row]:
    """Return the recipe, built up option by option; each row adds to the one before."""
    usual: Fields = {"type": "stats", "segments": 3}
    steps: list[tuple[str, Fields]] = [
        ("13 MFCC, statistics, svm", {**MFCC, "pooling": usual}),
        ("+ `trim_silence: {top_db: 20}`", {**MFCC, **TRIM, "pooling": usual}),
        ("+ `normalize: mean`", {**MFCC, **CLIP, "pooling": usual}),
        ("+ 5 segments, mean and std, `deltas`", PLAIN),
        ("+ `augment`, 2 copies, `test_time`: the recipe", {**PLAIN, "augment": VTLP}),
        ("4 copies, from 0.8 to 1.2", {**PLAIN, "augment": {**VTLP, "factors": FOUR}}),
    ]
    return [Row("steps", name, featurizer, SVM) for name, featurizer in steps]


def _classifiers() -> list[Row]:
    """Return every classifier on the MFCC of the recipe, without copies."""
    settings: list[Fields] = [
        {"type": "dummy"},
        SVM,
        QUICK,
        {"type": "sgd"},
        {"type": "knn"},
        {"type": "random_forest"},
        {"type": "extra_trees", "n_estimators": 300},
        {"type": "gradient_boosting", "max_features": "sqrt", "subsample": 0.5},
        {"type": "hist_gradient_boosting", "max_iter": 30, "max_features": 0.1},
        {"type": "xgboost", "max_depth": 3, "colsample_bytree": 0.1},
    ]
    rows = [Row("classifiers", _shown(fields), PLAIN, fields) for fields in settings]
    network = Row("classifiers", "cnn, on mel spectrograms of 40 x 40", FRAMED, {"type": "cnn"})
    return [*rows, network]


def _featurizers() -> list[Row]:
    """Return every featurizer with the same options for clips, and one quick classifier."""
    pcen: Fields = {"type": "mel", **FRAMES, "n_mels": 32, "power": 1.0, "pcen": {}}
    chosen: list[tuple[str, Fields]] = [
        ("mfcc", PLAIN),
        ("mel", {"type": "mel", **FRAMES, "n_mels": 32, **CLIP}),
        ("mel with pcen", {**pcen, **CLIP}),
        ("stft", {"type": "stft", **FRAMES, **CLIP}),
        ("chroma", {"type": "chroma", **FRAMES, **CLIP}),
        ("spectral", {"type": "spectral", "n_bands": 4, **FRAMES, **CLIP}),
        ("cqt", {"type": "cqt", "hop_length": 64, "fmin": 261.6, "n_bins": 36, **CLIP}),
        ("concat of mfcc and spectral", _joined()),
    ]
    return [Row("featurizers", name, featurizer, QUICK) for name, featurizer in chosen]


def _joined() -> Fields:
    spectral = {"type": "spectral", "n_bands": 4, **FRAMES, **CLIP}
    return {"type": "concat", "parts": {"mfcc": PLAIN, "spectral": spectral}}


def _shown(fields: Fields) -> str:
    rest = ", ".join(f"{name}: {value}" for name, value in fields.items() if name != "type")
    return f"{fields['type']} ({rest})" if rest else str(fields["type"])


ROWS = [*_steps(), *_classifiers(), *_featurizers()]
