"""One page that says what a run found: a single HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import AudioclfError, ResultError
from audioclf.base.files import OutputFolder
from audioclf.report import words
from audioclf.report.clips import ClipSource, clips_of
from audioclf.report.media import Media, MediaMaker
from audioclf.report.render import rendered
from audioclf.report.run import audits, browser, closeup, material, overview
from audioclf.report.run.outcomes import outcomes_of, review_order
from audioclf.runs.folder import AUDIT, COMPARISON, REPORT
from audioclf.runs.reading import SavedRun, read_run

if TYPE_CHECKING:
    from audioclf.components.registry import Registry

NO_SOUND = "The page was made without sound."


def default_budget(n_clips: int) -> float:
    """Return the MB that sound and pictures of clips may take: 4 up to 100 clips, 8 from 1,000."""
    return 4.0 + 4.0 * min(1.0, max(0, n_clips - 100) / 900)


def write_report(
    folder: Path,
    *,
    clips: ClipSource | None = None,
    budget_mb: float | None = None,
    out: Path | None = None,
    silence: str = NO_SOUND,
    importances: Mapping[str, Any] | None = None,
) -> Path:
    """Write the report of a finished run into its folder, or elsewhere.

    Parameters
    ----------
    folder : Path
        The run folder.
    clips : ClipSource, optional
        Where sound and pictures come from; without it the page has neither.
    budget_mb : float, optional
        What sound and pictures of clips may take; by default as `default_budget` says.
    out : Path, optional
        The file to write; by default `report.html` in the run folder.
    silence : str
        What the page says where there are no clips.
    importances : mapping of str to array, optional
        As in `build_report`.

    Raises
    ------
    ResultError
        If the folder holds no finished run, or the file cannot be written.
    """
    html = build_report(
        read_run(folder),
        clips=clips,
        budget_mb=budget_mb,
        silence=silence,
        importances=importances,
    )
    target = folder / REPORT if out is None else out
    return OutputFolder(target.parent).write_text(target.name, html)


def report_again(
    folder: Path,
    *,
    sound: bool = True,
    out: Path | None = None,
    budget_mb: float | None = None,
    registry: Registry | None = None,
) -> tuple[Path, str]:
    """Write the report of a run that ended some time ago, from its folder.

    The clips come from where the run's config says. Where they are gone, or are other files by now,
    the page is made without them and says so.

    Returns
    -------
    path : Path
    remark : str
        What the page lacks and why, "" if nothing.

    Raises
    ------
    ResultError
        As `write_report`.
    """
    clips, silence = None, NO_SOUND
    run = read_run(folder)
    if sound:
        try:
            clips = clips_of(run, registry)
        except AudioclfError as exc:
            if isinstance(exc, ResultError):
                raise
            silence = f"The page has no sound and no spectrograms: {exc.message}"
    path = write_report(folder, clips=clips, budget_mb=budget_mb, out=out, silence=silence)
    remarks = [silence] if sound and clips is None else []
    expected = [COMPARISON, *([AUDIT] if run.config.get("audit") else [])]
    missing = [name for name in expected if not (folder / name).is_file()]
    remarks += [f"{name} is missing, so the page lacks its section" for name in missing]
    return path, "; ".join(remarks)


def build_report(
    run: SavedRun,
    *,
    clips: ClipSource | None = None,
    budget_mb: float | None = None,
    silence: str = NO_SOUND,
    importances: Mapping[str, Any] | None = None,
) -> str:
    """Return the report of a run as HTML.

    Parameters
    ----------
    run : SavedRun
    clips : ClipSource, optional
        Where sound and pictures come from.
    budget_mb : float, optional
        MB (10^6 bytes) that sound and pictures of clips may take. Past it the most telling clips
        win: those that most pipelines get wrong, or disagree about, and a few of each class that
        are right.
    silence : str
        What the page says where there are no clips.
    importances : mapping of str to np.ndarray, optional
        How much each pipeline uses each bin and frame, [shape=(n_bins, n_frames)] or
        [shape=(n_bins,)], as `audioclf.evaluation.importance` computes it; by default that of
        `importances.json`.
    """
    outcomes = outcomes_of(run)
    order = review_order(outcomes, run.targets.codes)
    maker = None if clips is None else MediaMaker(clips)
    media: dict[str, Media] = {}
    if maker is not None:
        budget = default_budget(len(run.clips)) if budget_mb is None else budget_mb
        media = maker.media([run.clips[i].id for i in order], int(budget * 1e6))
    if importances is None:
        importances = (run.file("importances.json") or {}).get("cells")
    comparison, audit = run.file("comparison.json"), run.file("audit.json")
    view = {
        "run": run.name,
        "summary": _summary(run),
        "verdict": overview.verdict_of(run, comparison),
        "pipelines": overview.pipelines_view(run),
        "pairs": overview.pairs_view(run, comparison),
        "costs": overview.costs_view(run),
        "panels": closeup.panels(run),
        "audit": audits.audit_view(audit),
        "dataset": material.dataset_view(material.material_of(run), maker),
        "importances": material.importance_view(importances),
        "sound": _sound(run, maker, media, silence),
        "origin": material.origin_view(run),
    }
    data = {"data": browser.browser_data(run, outcomes, order)}
    return rendered("report", view, {**data, "media": browser.media_data(run, media)})


def _summary(run: SavedRun) -> dict[str, Any]:
    best = run.pipeline_metrics[run.pipelines[0].name]["metrics"].get(run.main_metric)
    unit = run.metrics.get("unit") or {}
    return {
        "metric": overview.metric_name(run.main_metric),
        "best": run.pipelines[0].name,
        "value": words.number(best["value"] if best else None),
        "span": words.span(best),
        "level": f"{100 * run.metrics.get('confidence_level', 0.95):.0f} %",
        "n_clips": len(run.clips),
        "n_classes": len(run.classes),
        "n_pipelines": len(run.pipelines),
        "split": str(run.metrics.get("split", "")),
        "unit": str(unit.get("name", "clip")),
        "n_units": unit.get("count", len(run.clips)),
    }


def _sound(
    run: SavedRun, maker: MediaMaker | None, media: Mapping[str, Media], silence: str
) -> dict[str, Any]:
    problems = {} if maker is None else maker.problems
    return {
        "n": len(media),
        "n_clips": len(run.clips),
        "silence": silence if maker is None else "",
        "n_problems": len(problems),
        "problem": next(iter(problems.values()), ""),
    }
