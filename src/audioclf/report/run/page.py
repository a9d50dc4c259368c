"""The report of a run: a single HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import AudioclfError, ResultError
from audioclf.report import words
from audioclf.report.clips import ClipSource, clips_of
from audioclf.report.media import Media, MediaMaker, media_data
from audioclf.report.render import check_replaceable, rendered, write_page
from audioclf.report.run import audits, closeup, drift, learning, material, overview, robustness
from audioclf.report.run.numbers import NumberRanges
from audioclf.report.run.outcomes import browser_data, outcome_of, review_order
from audioclf.report.run.several import LabelSets
from audioclf.runs.folder import (
    AUDIT,
    COMPARISON,
    IMPORTANCES,
    LEARNING_CURVE,
    PIPELINES,
    REPORT,
    STRESS,
    earlier_fits,
)
from audioclf.runs.reading import SavedRun, read_run
from audioclf.runs.results import hard_words

if TYPE_CHECKING:
    from audioclf.components.registry import Registry

MAX_LISTED = 10_000
"""Clips that the browser of clips lists at most."""
MAX_PANELS = 20
"""Pipelines with details at most, the best."""

NO_SOUND = "The page was made without sound."


def report_again(
    folder: Path,
    *,
    sound: bool = True,
    out: Path | None = None,
    budget_mb: float | None = None,
    registry: Registry | None = None,
) -> tuple[Path, str]:
    """Write the report of a finished run from its folder.

    The clips are read from the dataset of the run's config. The page has no sound where the dataset
    is gone, and leaves out clips whose files have changed; the note, "" if none, gives the reasons.
    """
    target = folder / REPORT if out is None else out
    check_replaceable(target)
    clips, silence = None, NO_SOUND
    run = read_run(folder)
    if sound:
        try:
            clips = clips_of(run, registry)
        except ResultError:
            raise
        except AudioclfError as exc:
            silence = f"The page has no sound and no spectrograms: {' '.join(exc.message.split())}"
    html = build_report(run, clips=clips, budget_mb=budget_mb, silence=silence)
    path = write_page(target, html)
    notes = [silence] if sound and clips is None else []
    expected = [AUDIT] if run.config.get("audit") else []
    if len(run.pipelines) > 1:
        expected.insert(0, COMPARISON)
    missing = [name for name in expected if not (folder / name).is_file()]
    notes += [f"{name} is missing, so the page lacks its section" for name in missing]
    return path, "; ".join(notes)


def build_report(
    run: SavedRun,
    *,
    clips: ClipSource | None = None,
    budget_mb: float | None = None,
    silence: str = NO_SOUND,
    importances: Mapping[str, Any] | None = None,
) -> str:
    """Return the report of a run as HTML; arguments are as in `begin_report`.

    `importances` are those of bins and frames for each pipeline [shape=(n_bins, n_frames)] or
    [shape=(n_bins,)]; by default those of `importances.json`.
    """
    finish = begin_report(run, clips=clips, budget_mb=budget_mb, silence=silence)
    return finish(run.record, importances)


def begin_report(
    run: SavedRun,
    *,
    clips: ClipSource | None = None,
    budget_mb: float | None = None,
    silence: str = NO_SOUND,
    begin_media: Callable[[list[str]], Callable[[], MediaMaker]] | None = None,
) -> Callable[..., str]:
    """Make the parts of a report that need no audits, importances or versions.

    The returned function makes the others, from the record of the run, and returns the HTML.
    `begin_media` gets the ids of all clips in the order of their media, and begins to make these.
    `budget_mb` limits sound and pictures of clips, which are taken in the order of `review_order`;
    by default it is `MEDIA_MB`. Without `clips` there are none, and `silence` says why.
    """
    ranges = NumberRanges(run) if run.targets.is_numbers else None
    if ranges is not None:
        names, labels, outcomes = list(ranges.names), ranges.labels, ranges.outcomes
    elif run.is_several:
        sets = LabelSets(run)
        names, labels, outcomes = sets.names, sets.labels, sets.outcomes
    else:
        names, labels = list(run.classes), run.targets.codes
        outcomes = [outcome_of(pipeline, run.targets) for pipeline in run.pipelines]
    order = review_order(outcomes, labels) if ranges is None else ranges.order()
    listed = sorted(order[:MAX_LISTED])
    maker = None if clips is None else MediaMaker(clips)
    by_review, begun = [run.clips[i].id for i in order], None
    if maker is not None and begin_media is not None:
        begun = begin_media(by_review)
    elif maker is not None:
        maker.media(by_review, budget_mb)
    comparison = run.file(COMPARISON)
    shown = zip(run.pipelines[:MAX_PANELS], outcomes, strict=False)
    drifts = drift.drift_view(run)
    view = {
        "run": run.name,
        "summary": _summary(run),
        "verdict": overview.verdict_of(run, comparison),
        "drift": drifts,
        "pipelines": overview.pipelines_view(run),
        "pairs": overview.pairs_view(run, comparison),
        "costs": overview.costs_view(run),
        "learning": learning.learning_view(run, run.file(f"{LEARNING_CURVE}.json")),
        "robustness": robustness.robustness_view(run.file(STRESS)),
        "panels": [closeup.panel(run, pipeline, outcome) for pipeline, outcome in shown],
        "several": run.is_several,
        "numbers": run.targets.is_numbers,
        "n_repeats": 1 + max(fold.repeat for fold in run.folds),
        "dataset": material.dataset_view(material.Material.of(run), maker),
    }
    data = browser_data(run, names, labels, outcomes, order, listed)
    data |= {} if ranges is None else {"numbers": ranges.texts(listed)}

    def finish(record: dict[str, Any], importances: Mapping[str, Any] | None = None) -> str:
        features = None
        if importances is None:
            saved = run.file(IMPORTANCES) or {}
            importances, features = saved.get(PIPELINES), saved.get("features")
        media: dict[str, Media] = {}
        if maker is not None:
            if begun is not None:
                maker.take(begun())
            media = maker.media(by_review, budget_mb)
        problems = {} if maker is None else maker.problems
        late = {
            "sound": {
                "n": len(media),
                "n_clips": len(run.clips),
                "n_listed": len(listed),
                "silence": silence if maker is None else "",
                "n_problems": len(problems),
                "problem": next(iter(problems.values()), ""),
            },
            "audit": audits.audit_view(run.file(AUDIT)),
            "earlier_fits": earlier_fits(record.get("fits") or {}),
            "importances": material.importance_view(importances, features),
            "origin": material.origin_view(replace(run, record=record)),
        }
        embedded = media_data([run.clips[at].id for at in listed], media)
        return rendered("report", view | late, {"data": data, "media": embedded})

    return finish


def _summary(run: SavedRun) -> dict[str, Any]:
    best = run.pipeline_metrics[run.pipelines[0].name]["metrics"].get(run.main_metric)
    unit = run.metrics.get("unit") or {}
    return {
        "metric": overview.metric_name(run.main_metric),
        "best": run.pipelines[0].name,
        **words.estimate(best),
        "level": f"{100 * run.metrics.get('confidence_level', 0.95):.0f} %",
        "n_clips": len(run.clips),
        "n_classes": len(run.classes),
        "n_pipelines": len(run.pipelines),
        "split": str(run.metrics.get("split", "")),
        "unit": str(unit.get("name", "clip")),
        "n_units": unit.get("count", len(run.clips)),
        "weighted_by": str(run.metrics.get("weighted_by", "")),
        "hard": hard_words((run.metrics.get("clips") or {}).get("hard") or {}),
    }
