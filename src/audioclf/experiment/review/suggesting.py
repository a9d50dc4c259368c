"""A list of windows to review: which, and with what probability each was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.base.files import OutputFolder
from audioclf.base.progress import Progress, no_progress
from audioclf.components.registry import Registry
from audioclf.dataset.label_sets import SEPARATOR
from audioclf.dataset.path_labels import count
from audioclf.dataset.review_list import DIVERSE, Window, columns_of, csv_row, path_in_table
from audioclf.evaluation.sampling.diversity import Bools, farthest_first
from audioclf.experiment.resources import Resources
from audioclf.experiment.review.choosing import Choice, Chosen, choose
from audioclf.experiment.review.collection import Scored, target_scores
from audioclf.experiment.review.searching import Features, Index, index_of
from audioclf.features.matrix import GrowingMatrix
from audioclf.models.model import Model
from audioclf.models.windows import Cutting
from audioclf.predict.inputs import Recording
from audioclf.predict.journal import encoded
from audioclf.predict.settings import Settings, check_settings

_PORTION = 64
"""Recordings whose features are in memory together."""


def score_windows(
    model: Model,
    registry: Registry,
    recordings: Sequence[Recording],
    lengths: tuple[float, float | None],
    resources: Resources,
    *,
    progress: Progress = no_progress,
    keep_rows: bool = False,
) -> Index:
    """Return the windows of `lengths` (window, hop) in s with their scores, and with rows if kept.

    Features are read from the cache where it has them. Windows that are training clips of the model
    are left out. With `keep_rows`, the features of all windows are held in memory.
    """
    if model.manifest.audio.channel == "each":
        raise ConfigError("the model predicts each channel by itself, and windows are of all")
    if model.score_kind == "none":
        raise ConfigError(f"the classifier of {model.manifest.cell!r} gives no scores")
    notes = check_settings(model, Settings(Cutting.of(*lengths, model.sr)))
    features, n_known = Features.of_model(model, registry), 0
    parts: list[Scored] = []
    kept = GrowingMatrix()
    failures: list[str] = []
    cache_folder = resources.cache_folder
    with resources.make_engine() as engine:
        for at in range(0, len(recordings), _PORTION):

            def step(stage: str, done: int, total: int, more: str = "", at: int = at) -> None:
                progress(stage, at + done, len(recordings), more)

            portion = recordings[at : at + _PORTION]
            index = index_of(
                portion, features, lengths, engine, cache_folder=cache_folder, progress=step
            )
            notes += index.notes
            failures += index.failures
            if len(index.rows):
                new = ~model.trained_on(index.rows)
                n_known += int((~new).sum())
                parts.append(replace(index.windows, scores=model.scores_of(index.rows)).where(new))
                if keep_rows:  # without the scores in rows of a graph
                    width = model.views.predicted * model.manifest.features.width
                    kept.append(index.rows[new, :width])
    if not sum(map(len, parts)):
        raise DatasetError(f"no window could be scored: {'; '.join(failures[:1])}")
    if n_known:
        windows = count(n_known, "window is a training clip", "windows are training clips")
        notes.append(f"{windows} of the model, left out")
    return Index(Scored.joined(parts), kept.finished(), tuple(notes), tuple(failures))


def suggest_windows(
    model: Model,
    collection: Index,
    free: Bools,
    targets: Sequence[str],
    choice: Choice,
    *,
    seed: int,
    out: Path,
) -> tuple[list[Window], Chosen]:
    """Choose among the windows that are free, for a list that is written to `out`, sorted.

    `diverse` needs the features of the windows.
    """
    scored = collection.windows.where(free)
    if choice.n < 1 or (choice.per_recording or 1) < 1:
        raise ConfigError("at least one window can be chosen")
    if not len(scored):
        raise DatasetError("all windows of the recordings were reviewed before")
    best, margins = target_scores(model, scored.scores, targets)
    diverse = None
    if choice.by == DIVERSE:
        owners = collection.windows.recordings
        far = farthest_first(collection.rows, free, owners, choice.n, choice.per_recording)
        diverse = np.cumsum(free)[far] - 1
    rng = np.random.default_rng(seed)
    chosen = choose(choice, best, margins, scored.recordings, rng, diverse)
    digest, target = model.manifest.digest[:16], SEPARATOR.join(targets)
    windows = []
    for at, position in enumerate(chosen.positions.tolist()):
        key = chosen.keys[at]
        start, end = map(float, scored.times[position])
        window = Window(
            path_in_table(scored.names[scored.recordings[position]], out),
            start,
            end,
            key[0],
            float(chosen.probabilities[at]),
            chosen.name_of(key),
            chosen.lows[key],
            chosen.sizes[key],
            len(scored),
            digest,
            target,
            float(best[position]),
            dict(zip(model.classes, map(float, scored.scores[position]), strict=True)),
        )
        windows.append(window)
    return sorted(windows, key=lambda window: window.key), chosen


def write_list(out: Path, windows: Sequence[Window], classes: Sequence[str]) -> None:
    """Write a list, whole or not at all; half characters of file names are escaped."""
    rows = [columns_of(classes), *(window.cells(classes) for window in windows)]
    OutputFolder(out.parent).write_bytes(out.name, encoded("".join(map(csv_row, rows))))
