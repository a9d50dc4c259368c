"""Windows of recordings with their scores by a model."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioclf.base.errors import ConfigError
from audioclf.components.registry import suggest
from audioclf.dataset.path_labels import shown
from audioclf.dataset.review_list import Window, read_list, source_named
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.sampling.design import Floats, Ints
from audioclf.evaluation.sampling.diversity import Bools
from audioclf.models.model import Model
from audioclf.predict.settings import is_background


@dataclass(frozen=True, eq=False)
class Scored:
    """Windows with scores: name of the recording, times in s [shape=(n, 2)], scores [(n, k)].

    `recordings` [shape=(n,)] are codes in the order of `names`.
    """

    names: tuple[str, ...]
    recordings: Ints
    times: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def joined(cls, parts: Sequence[Scored]) -> Scored:
        """Return the windows of several parts, each with recordings of its own."""
        names = tuple(name for part in parts for name in part.names)
        firsts = np.cumsum([0, *(len(part.names) for part in parts)])
        codes = [part.recordings + first for part, first in zip(parts, firsts, strict=False)]
        times, scores = ([getattr(part, name) for part in parts] for name in ("times", "scores"))
        return cls(names, np.concatenate(codes), np.concatenate(times), np.concatenate(scores))

    def where(self, wanted: np.ndarray) -> Scored:
        """Return some of the windows."""
        parts = (self.recordings[wanted], self.times[wanted], self.scores[wanted])
        return Scored(self.names, *parts)


def targets_of(model: Model, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that are looked for: by default all that are not background."""
    for name in wanted:
        if name not in model.classes:
            hint = suggest(name, model.classes) or f"There are {shown(model.classes, most=12)}."
            raise ConfigError(f"--class: the model has no class {name!r}", hint=hint)
    if wanted:
        return tuple(dict.fromkeys(wanted))
    events = tuple(name for name in model.classes if not is_background(name))
    return events or model.classes


def target_scores(model: Model, scores: Floats, targets: Names[str]) -> tuple[Floats, Floats]:
    """Return the highest score of the classes that are looked for, and how certain the model is.

    The margin is the distance to the highest other score, or to the threshold of the class.
    """
    mine = np.array([name in targets for name in model.classes])
    best = scores[:, mine].max(axis=1)
    if model.manifest.several is not None:
        distances = np.abs(scores - np.asarray(model.manifest.several.thresholds))
        return best, distances[:, mine].min(axis=1)
    if mine.all():
        two = np.sort(scores, axis=1)[:, -2:]
        return best, two[:, 1] - two[:, 0]
    return best, np.abs(best - scores[:, ~mine].max(axis=1))


def not_reviewed(scored: Scored, tables: Iterable[Path]) -> Bools:
    """Return whether each window overlaps no window of earlier lists [shape=(n_windows,)]."""
    known: dict[str, list[Window]] = {}
    for table in tables:
        for window in read_list(table).windows:
            known.setdefault(_real(table.parent, window.path), []).append(window)
    free = np.ones(len(scored), dtype=bool)
    for code, name in enumerate(scored.names):
        for window in known.get(_real(Path(), name), ()):
            starts, ends = scored.times.T
            overlaps = (starts < window.end - 1e-6) & (ends > window.start + 1e-6)
            free &= ~((scored.recordings == code) & overlaps)
    return free


def _real(folder: Path, name: str) -> str:
    if ".zip!" in name:
        archive, mark, member = name.partition(".zip!")
        return f"{(folder / archive).resolve()}{mark}{member}"
    source = source_named(folder, name)
    return str(source.path.resolve()) if isinstance(source, FileSource) else source.name
