"""A look ahead: what a run would do, and which clips it could not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.audio.conversions import Conversions
from audioclf.base.errors import EXIT_DATA, EXIT_OK, DecodeError, FeatureError
from audioclf.base.limits import use_limits
from audioclf.base.progress import Progress, no_progress
from audioclf.components.guard import guard
from audioclf.components.registry import Registry
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.experiment.prepared import prepare

if TYPE_CHECKING:
    from audioclf.dataset.label_counts import LabelCounts


@dataclass(frozen=True)
class RunPreview:
    """What a run would do: `seconds` of audio to read, and a message for each unreadable header.

    `labels` are counts of several labels per clip, None for single labels. Numbers are counted in
    ranges.
    """

    dataset: str
    n_clips: int
    class_counts: dict[str, int]
    labels: LabelCounts | None
    seconds: float
    pipelines: tuple[str, ...]
    splits: str
    n_fits: int
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]
    is_numbers: bool = False

    @property
    def exit_code(self) -> int:
        """0, or 3 when some clips cannot be read."""
        return EXIT_DATA if self.unreadable else EXIT_OK


def preview(
    config: RunConfig | str | Path,
    *,
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
    isolate: bool = False,
    progress: Progress = no_progress,
) -> RunPreview:
    """Validate a config and what it points to, without decoding or training.

    With `isolate`, headers are read in worker processes even if the config does not ask for it.
    """
    prepared = prepare(config, overrides, registry)
    config, dataset = prepared.config, prepared.dataset
    splits, pipelines = prepared.splits(), prepared.pipelines
    curve = prepared.curve_folds()
    with use_limits(config.limits):
        conversions = Conversions(config.audio, planned=True)
        isolate = isolate or config.isolate
        seconds, unreadable = _inspect(dataset, config, conversions, progress, isolate=isolate)
    readable = [clip.id for clip in dataset if clip.id not in unreadable]
    used = dataset.readable(readable) if unreadable and readable else dataset
    if config.on_error == "skip":  # the folds of the run are those of the clips that are left
        splits = prepared.splits(used)
    return RunPreview(
        dataset=dataset.name,
        n_clips=len(dataset),
        class_counts=(dataset.in_ranges() if dataset.is_numbers else dataset).class_counts,
        labels=dataset.targets.label_counts,
        seconds=seconds,
        pipelines=tuple(pipeline.name for pipeline in pipelines),
        splits=splits.description,
        n_fits=len(pipelines) * len(splits.folds) + (curve.n_fits(pipelines) if curve else 0),
        unreadable=tuple(unreadable.values()),
        notes=(
            *used.notes,
            *_featurizer_notes(config),
            *splits.notes,
            *(curve.notes if curve else ()),
            *conversions.sentences(),
            *conversions.cut(),
        ),
        is_numbers=dataset.is_numbers,
    )


def _featurizer_notes(config: RunConfig) -> Iterator[str]:
    for name, featurizer in config.featurizers.items():
        where = f"featurizer {name!r}"
        with guard(where, FeatureError):
            notes = featurizer.notes(config.audio.sr)
        yield from (f"{where}: {note}" for note in notes)


def _inspect(
    dataset: Dataset,
    config: RunConfig,
    conversions: Conversions,
    progress: Progress,
    *,
    isolate: bool,
) -> tuple[float, dict[str, str]]:
    """Return the seconds of sound, and the reason for each clip whose header is refused, by id."""
    from audioclf.audio.headers import inspect_all

    seconds, unreadable = 0.0, {}
    infos = inspect_all([clip.source for clip in dataset], isolate=isolate)
    progress("headers", 0, len(dataset))
    for number, (clip, info) in enumerate(zip(dataset, infos, strict=True), start=1):
        progress("headers", number, len(dataset))
        if isinstance(info, DecodeError):
            unreadable[clip.id] = info.message
        else:
            conversions.add(info)
            rest = max(0.0, info.seconds - config.audio.offset)
            seconds += min(rest, config.audio.duration or rest)
    return seconds, unreadable
