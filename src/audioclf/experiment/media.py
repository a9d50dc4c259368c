"""Example clips of the plots, and the page of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from audioclf.config.run_config import RunConfig
from audioclf.engines.ahead import begun
from audioclf.engines.local import ProcessEngine
from audioclf.evaluation.results import PipelineResult
from audioclf.features.cache import opened_cache
from audioclf.features.extraction import Extraction
from audioclf.features.waveform import cached_in, waveform_plan
from audioclf.features.worker import featurize_clip
from audioclf.report.clips import DatasetClips
from audioclf.report.media import MAX_EMBEDDED, MediaMaker
from audioclf.runs.figures import saved
from audioclf.runs.folder import RECORD, REPORT, RunFolder
from audioclf.runs.plots import MAX_EXAMPLES, Example, plots_of
from audioclf.runs.reading import read_run
from audioclf.runs.tables import read_json


def examples_of(
    config: RunConfig, extraction: Extraction, cache_folder: Path | None
) -> list[Example]:
    """Return the first clip of each class, or range of numbers, of the first where many are."""
    audio, dataset = config.audio, extraction.dataset
    dataset = dataset.in_ranges() if dataset.is_numbers else dataset
    plan = extraction.plans[next(iter(config.featurizers))]
    examples = []
    with opened_cache(cache_folder) as cache:
        for label in dataset.classes[:MAX_EXAMPLES]:
            clip = next((clip for clip in dataset if label in dataset.labels_of(clip)), None)
            if clip is None:
                continue
            matrices = featurize_clip(clip, audio, (plan, waveform_plan(audio)), cache)
            y, features = matrices[""][0], matrices[plan.name]
            examples.append(Example.of(label, clip.id, y, audio.sr, features))
    return examples


def begin_plots(
    config: RunConfig,
    extraction: Extraction,
    metrics: Mapping[str, Any],
    results: Sequence[PipelineResult],
    cache_folder: Path | None,
    processes: ProcessEngine | None,
) -> Callable[[], dict[str, bytes]]:
    """Draw the plots of a run, in `processes` that are running or when the result is called.

    There are none if the config asks for none.
    """
    if not config.report.plots:
        return dict
    examples = examples_of(config, extraction, cache_folder)
    parts = config, metrics, results, extraction.dataset, examples
    drawn = begun(processes, _draw, list(plots_of(*parts)), shared=parts)
    return lambda: {name: content for files in drawn() for name, content in files.items()}


def _draw(name: str, parts: tuple[Any, ...]) -> dict[str, bytes]:
    figure = plots_of(*parts)[name]()
    made = {} if figure is None else saved(figure)
    return {f"{name}.{form}": content for form, content in made.items()}


def begin_page(
    config: RunConfig,
    folder: RunFolder,
    extraction: Extraction,
    cache_folder: Path | None,
    results: Sequence[PipelineResult] = (),
    processes: ProcessEngine | None = None,
) -> Callable[[], Path | None]:
    """Return what writes `report.html` of a finished run, if the config asks for it.

    If `processes` are running, these begin to make sound and pictures, while this process makes all
    that shows metrics and predictions.
    """
    if not config.report.html:
        return lambda: None
    from audioclf.report.render import write_page
    from audioclf.report.run.page import begin_report

    dataset = extraction.dataset
    facts = {"name": dataset.name, "fingerprint": extraction.fingerprint, "clips": len(dataset)}

    budget = config.report.media_mb

    def begin_media(clip_ids: list[str]) -> Callable[[], MediaMaker]:
        first = set(clip_ids[: MAX_EMBEDDED + 1])
        clips = {clip.id: clip for clip in dataset if clip.id in first}
        parts = config.audio, config.limits, budget, cache_folder
        ordered = [clips[name] for name in clip_ids[: len(clips)]]
        made = begun(processes, _media, [0], shared=(ordered, *parts))
        return lambda: made()[0]

    def begin(**options: Any) -> Callable[..., str]:
        run = read_run(folder.path, results, {"dataset": facts})
        with cached_in(cache_folder) as decoder:
            clips = DatasetClips(dataset, config.audio, decoder=decoder, limits=config.limits)
            return begin_report(run, clips=clips, budget_mb=budget, **options)

    finish = None
    if processes is not None and processes.is_running:
        with suppress(Exception):  # the run is complete without its page
            finish = begin(begin_media=begin_media)

    def write() -> Path:
        html = (finish or begin())(read_json(folder.path / RECORD))
        return write_page(folder.path / REPORT, html)

    return write


def _media(_: int, work: tuple[Any, ...]) -> MediaMaker:
    """Make the media of clips in another process."""
    ordered, audio, limits, budget, cache_folder = work
    with cached_in(cache_folder) as decoder:
        maker = MediaMaker(DatasetClips(ordered, audio, decoder=decoder, limits=limits))
        maker.media([clip.id for clip in ordered], budget)
    return replace(maker, clips=DatasetClips((), audio))
