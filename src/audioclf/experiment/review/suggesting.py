"""A list of windows to review: which, and with what probability each was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.base.files import OutputFolder
from audioclf.dataset.label_sets import SEPARATOR
from audioclf.dataset.review_list import Window, columns_of, csv_row, path_in_table
from audioclf.experiment.review.choosing import Choice, Chosen, choose
from audioclf.experiment.review.collection import Scored, model_digest, target_scores
from audioclf.models.model import Model


def suggest_windows(
    model: Model, scored: Scored, targets: Sequence[str], choice: Choice, *, seed: int, out: Path
) -> tuple[list[Window], Chosen]:
    """Choose windows for a list that is written to `out`, sorted by recording and time."""
    if choice.n < 1 or (choice.per_recording or 1) < 1:
        raise ConfigError("at least one window can be chosen")
    if not len(scored):
        raise DatasetError("all windows of the recordings were reviewed before")
    best, margins = target_scores(model, scored.scores, targets)
    chosen = choose(choice, best, margins, scored.recordings, np.random.default_rng(seed))
    digest, target = model_digest(model), SEPARATOR.join(targets)
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
    """Write a list, whole or not at all."""
    rows = [columns_of(classes), *(window.cells(classes) for window in windows)]
    OutputFolder(out.parent).write_text(out.name, "".join(map(csv_row, rows)))
