"""Finished runs made by hand, for tests of the page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audioclf.base.errors import DecodeError
from audioclf.evaluation.results import FoldResult
from audioclf.evaluation.splits import Fold
from audioclf.runs.reading import SavedClip, SavedPipeline, SavedRun
from tests.conftest import run_cli, write_config, write_sounds, zip_folder

HOSTILE = "<script>alert(1)</script>"


class Tones:
    """A clip source that plays a tone of half a second for every clip, except those it lacks."""

    def __init__(
        self, *, sr: int = 8000, seconds: float = 0.5, missing: Sequence[str] = ()
    ) -> None:
        self.sr, self.seconds, self.missing = sr, seconds, set(missing)

    def waveform(self, clip_id: str) -> tuple[Any, int]:
        if clip_id in self.missing or "all" in self.missing:
            raise DecodeError(f"{clip_id}: gone")
        rng = np.random.default_rng(len(clip_id))
        times = np.arange(round(self.seconds * self.sr)) / self.sr
        y = 0.3 * np.sin(2 * np.pi * 440 * times) + rng.normal(0, 0.05, len(times))
        return y.astype(np.float32), self.sr


def make_run(
    folder: Path,
    *,
    classes: Sequence[str] = ("cat", "dog"),
    pipelines: Sequence[str] = ("knn", "svm"),
    n_clips: int = 20,
    right: float = 0.7,
    scored: bool = True,
    extra: dict[str, Any] | None = None,
    files: dict[str, Any] | None = None,
) -> SavedRun:
    """Return a run of two repeats of two folds; `files` are written into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    y = np.arange(n_clips) % len(classes)
    clips = tuple(
        SavedClip(f"{classes[code]}/{i:04d}.wav", classes[code], None, _facts(i))
        for i, code in enumerate(y.tolist())
    )
    folds = tuple(
        Fold(
            repeat,
            str(half),
            np.flatnonzero(np.arange(n_clips) % 2 != half),
            np.flatnonzero(np.arange(n_clips) % 2 == half),
        )
        for repeat in range(2)
        for half in range(2)
    )
    made = [
        SavedPipeline(name, "mel", name, _fold_results(folds, y, len(classes), right, scored, rng))
        for name in pipelines
    ]
    for name, content in {"config.yaml": {"name": "made"}, **(files or {})}.items():
        (folder / name).write_text(json.dumps(content) + "\n", encoding="utf-8")
    return SavedRun(
        folder,
        {
            "name": "made",
            "metrics": ["accuracy"],
            "classifiers": {n: {"type": n} for n in pipelines},
        },
        {"dataset": {"fingerprint": "f", "name": "made.zip"}, "notes": ["a note"], "seed": 1},
        {
            "classes": list(classes),
            "split": "2 times 2 folds",
            "unit": {"name": "clip", "count": n_clips},
            "cells": {
                pipeline.name: _metrics(pipeline, y, len(classes), extra) for pipeline in made
            },
        },
        tuple(classes),
        clips,
        (),
        folds,
        tuple(made),
    )


def _facts(i: int) -> dict[str, str]:
    return {
        "container": "WAV",
        "subtype": "PCM_16",
        "sr": "8000",
        "channels": "1",
        "frames": "4000",
        "seconds": f"{0.5 + 0.01 * (i % 9)}",
        "sha256": "",
    }


def _fold_results(
    folds: Sequence[Fold], y: Any, k: int, right: float, scored: bool, rng: np.random.Generator
) -> tuple[FoldResult, ...]:
    results = []
    for fold in folds:
        truth = y[fold.test]
        y_pred = np.where(rng.random(len(truth)) < right, truth, (truth + 1) % k)
        scores = np.full((len(truth), k), 0.3 / max(1, k - 1))
        scores[np.arange(len(truth)), y_pred] = 0.7
        results.append(
            FoldResult(
                fold,
                y_pred,
                scores if scored else None,
                "probability" if scored else "none",
                0.01,
                0.0,
            )
        )
    return tuple(results)


def _metrics(
    pipeline: SavedPipeline, y: Any, k: int, extra: dict[str, Any] | None
) -> dict[str, Any]:
    confusion = np.zeros((k, k))
    for fold in pipeline.folds:
        np.add.at(confusion, (y[fold.fold.test], fold.y_pred), 0.5)
    value = float(np.trace(confusion) / confusion.sum())
    estimate = {"value": value, "low": value - 0.1, "high": min(1.0, value + 0.1), "per_fold": []}
    return {
        "featurizer": "mel",
        "classifier": pipeline.classifier,
        "scores": pipeline.folds[0].score_kind,
        "metrics": {"accuracy": estimate},
        "confusion": confusion.tolist(),
        "fit_seconds": 0.0123,
        **(extra or {}),
    }


def finish_run(root: Path) -> Path:
    """Run a small config below `root`; the dataset is `sounds.zip` there, the run is `out`."""
    config = write_config(zip_folder(write_sounds(root / "sounds"), root / "sounds.zip"))
    run_cli("run", config, "--out", root / "out", code=0)
    return root / "out"
