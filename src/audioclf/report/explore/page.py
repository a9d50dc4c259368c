"""The data exploration as one HTML page that needs no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from audioclf.audit import audit_data
from audioclf.audit.findings import Audit
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.report import svg, words
from audioclf.report.explore import map as mapped
from audioclf.report.explore.exploration import Exploration, format_words
from audioclf.report.explore.levels import ClassLevels, Spread, class_levels
from audioclf.report.media import Media, MediaMaker
from audioclf.report.render import rendered
from audioclf.report.run.audits import audit_view
from audioclf.report.run.material import Material, dataset_view
from audioclf.report.run.page import default_budget
from audioclf.runs.reading import SavedClip

if TYPE_CHECKING:
    from audioclf.report.clips import ClipSource

View = dict[str, Any]

_MAX_FORMATS = 20


def build_page(
    exploration: Exploration,
    clips: ClipSource,
    *,
    budget_mb: float | None = None,
    sound: bool = True,
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    exploration : Exploration
    clips : ClipSource
        Where sound and pictures come from.
    budget_mb : float, optional
        MB that sound and pictures of clips may take; by default 4 up to 100 clips, 8 from 1,000.
    sound : bool
        Whether the page contains sound; it has mean spectrograms in any case.
    """
    maker = MediaMaker(clips)
    drawn = mapped.drawn_of(exploration)
    media: dict[str, Media] = {}
    if sound:
        budget = default_budget(len(exploration.dataset)) if budget_mb is None else budget_mb
        order = mapped.fair_order(exploration, drawn)
        media = maker.media([exploration.dataset.clips[at].id for at in order], int(budget * 1e6))
    ids = [exploration.dataset.clips[at].id for at in drawn]
    colourings = mapped.colourings_of(exploration, drawn)
    view = {
        "run": exploration.config.name,
        "summary": _summary(exploration),
        "dataset": dataset_view(_material(exploration), maker),
        "findings": audit_view(_findings(exploration)),
        "levels": _levels_view(class_levels(exploration)),
        "map": mapped.map_view(exploration, drawn, colourings, frozenset(media)),
        "sound": {"n": len(media), "n_clips": len(exploration.dataset), "wanted": sound},
        "notes": exploration.notes,
    }
    data = {
        "data": mapped.map_data(exploration, drawn, colourings),
        "media": {
            str(at): [media[name].picture, media[name].sound]
            for at, name in enumerate(ids)
            if name in media
        },
    }
    return rendered("explore", view, data)


def _summary(exploration: Exploration) -> View:
    counts = exploration.dataset.class_counts.values()
    n_open = sum(finding.severity == "finding" for finding in exploration.findings)
    groups = {clip.group for clip in exploration.dataset} - {None}
    seconds = float(exploration.facts[:, COLUMN["duration_s"]].sum())
    return {
        "n_clips": len(exploration.dataset),
        "n_classes": len(counts),
        "sizes": " to ".join(map(str, sorted({min(counts), max(counts)}))),
        "n_groups": len(groups),
        "n_guessed": len(exploration.guess.values) if exploration.guess else 0,
        "total": words.total_length(seconds),
        "n_open": n_open,
        "name": exploration.dataset.name,
        "audio": _audio_words(exploration),
    }


def _audio_words(exploration: Exploration) -> str:
    audio = exploration.config.audio
    length = "" if audio.duration is None else f", at most {audio.duration:g} s"
    start = f", from {audio.offset:g} s" if audio.offset else ""
    return f"mono, {audio.sr} Hz{length}{start}"


def _material(exploration: Exploration) -> Material:
    clips = []
    for clip, seconds in zip(
        exploration.dataset, exploration.facts[:, COLUMN["duration_s"]], strict=True
    ):
        facts = {key: str(value) for key, value in asdict(exploration.formats[clip.id]).items()}
        facts["seconds"] = str(seconds)
        clips.append(SavedClip(clip.id, clip.label, clip.group, facts))
    left_out = [{"path": row.clip.id, "message": row.message} for row in exploration.failed]
    return Material(exploration.dataset.name, exploration.dataset.classes, clips, left_out)


def _findings(exploration: Exploration) -> dict[str, Any]:
    summary = (
        "Checked: file formats that only one class has, identical files, and clips that are "
        "unreadable, silent, clipped, of unusual length or with a DC offset. To check whether "
        "copies or speakers leak between folds, run audioclf audit."
    )
    return audit_data([Audit("exploration", "Before training", summary, exploration.findings)])


def _levels_view(rows: Sequence[ClassLevels]) -> View:
    columns = {"seconds": "length (s)", "level_db": "level (RMS, dBFS)"}
    extents = {key: _extent([getattr(row, key) for row in rows]) for key in columns}
    return {
        "axes": [
            {"title": title, "axis": svg.axis_below(extents[key])} for key, title in columns.items()
        ],
        "has_groups": any(row.groups for row in rows),
        "rows": [
            {
                "name": row.name,
                "clips": row.clips,
                "groups": row.groups,
                "plots": [
                    {
                        "svg": svg.interval_bar(
                            spread.median, spread.low, spread.high, extents[key]
                        ),
                        **_median(spread),
                    }
                    for key in columns
                    for spread in [getattr(row, key)]
                ],
                "numbers": [
                    _median(row.peak_db, 1),
                    _median(row.noise_floor_db, 1),
                    _median(row.bandwidth_hz, 0),
                ],
                "clipped": row.clipped,
                "silent": row.silent,
                "dc_offset": words.number(row.dc_offset, 4),
                "dc_value": row.dc_offset,
            }
            for row in rows
        ],
    }


def _extent(spreads: Sequence[Spread]) -> tuple[float, float]:
    low = min(each.low for each in spreads)
    high = max(each.high for each in spreads)
    margin = 0.03 * (high - low) or 0.5
    return low - margin, high + margin


def _median(spread: Spread, digits: int = 2) -> View:
    return {"text": words.number(spread.median, digits), "value": spread.median, "span": ""}


def formats_of(exploration: Exploration) -> Mapping[str, int]:
    """Return the number of clips by format in words, the most frequent first."""
    counts = Counter(format_words(each) for each in exploration.formats.values())
    return dict(counts.most_common(_MAX_FORMATS))
