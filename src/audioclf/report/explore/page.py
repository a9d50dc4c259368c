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
from audioclf.report.explore.exploration import (
    ClassLevels,
    Exploration,
    Spread,
    class_levels,
    format_words,
)
from audioclf.report.media import Media, MediaMaker, media_data
from audioclf.report.render import rendered
from audioclf.report.run.audits import audit_view
from audioclf.report.run.material import Material, dataset_view
from audioclf.runs.reading import SavedClip

if TYPE_CHECKING:
    from audioclf.report.clips import ClipSource

View = dict[str, Any]

_MAX_FORMATS = 20
_CHECKED = (
    "Checked: file formats that only one class has, identical files, and clips that are "
    "unreadable, silent, clipped, of unusual length or with a DC offset. To check whether copies "
    "or speakers leak between folds, run audioclf audit."
)


def build_page(
    exploration: Exploration,
    clips: ClipSource,
    *,
    budget_mb: float | None = None,
    sound: bool = True,
) -> str:
    """Return the page as HTML.

    `budget_mb` is for sound and pictures of clips; by default `MEDIA_MB`. The page
    has mean spectrograms also without `sound`.
    """
    maker = MediaMaker(clips)
    n_clips = len(exploration.dataset)
    drawn = sorted(mapped.fair_order(exploration, range(n_clips))[: mapped.MAX_DRAWN])
    media: dict[str, Media] = {}
    if sound:
        order = mapped.fair_order(exploration, drawn)
        media = maker.media([exploration.dataset.clips[at].id for at in order], budget_mb)
    colourings = mapped.colourings_of(exploration, drawn)
    audit = Audit("exploration", "Before training", _CHECKED, exploration.findings)
    view = {
        "run": exploration.config.name,
        "summary": _summary(exploration),
        "dataset": dataset_view(_material(exploration), maker),
        "findings": audit_view(audit_data([audit])),
        "levels": _levels_view(class_levels(exploration)),
        "map": mapped.map_view(exploration, drawn, colourings, frozenset(media)),
        "sound": {"n": len(media), "n_clips": n_clips, "wanted": sound},
        "notes": exploration.notes,
    }
    data = {
        "data": mapped.map_data(exploration, drawn, colourings),
        "media": media_data([exploration.dataset.clips[at].id for at in drawn], media),
    }
    return rendered("explore", view, data)


def _summary(exploration: Exploration) -> View:
    counts = exploration.dataset.class_counts.values()
    n_open = sum(finding.severity == "finding" for finding in exploration.findings)
    groups = {clip.group for clip in exploration.dataset} - {None}
    seconds = float(exploration.facts[:, COLUMN["duration_s"]].sum())
    audio = exploration.config.audio
    length = "" if audio.duration is None else f", at most {audio.duration:g} s"
    start = f", from {audio.offset:g} s" if audio.offset else ""
    return {
        "n_clips": len(exploration.dataset),
        "n_classes": len(counts),
        "sizes": " to ".join(map(str, sorted({min(counts), max(counts)}))),
        "n_groups": len(groups),
        "n_guessed": len(exploration.guess.values) if exploration.guess else 0,
        "total": words.total_length(seconds),
        "n_open": n_open,
        "name": exploration.dataset.name,
        "audio": f"mono, {audio.sr} Hz{length}{start}",
    }


def _material(exploration: Exploration) -> Material:
    lengths = exploration.facts[:, COLUMN["duration_s"]]
    clips = []
    for clip, seconds in zip(exploration.dataset, lengths, strict=True):
        facts = {key: str(value) for key, value in asdict(exploration.formats[clip.id]).items()}
        clips.append(SavedClip(clip.id, clip.label, clip.group, facts | {"seconds": str(seconds)}))
    left_out = [{"path": row.clip.id, "message": row.message} for row in exploration.failed]
    dataset = exploration.dataset
    return Material(dataset.name, dataset.classes, clips, left_out, dataset.targets.states)


def _levels_view(rows: Sequence[ClassLevels]) -> View:
    columns = {"seconds": "length (s)", "level_db": "level (RMS, dBFS)"}
    return {
        "rows": rows,
        "has_groups": any(row.groups for row in rows),
        "plots": [
            {"key": key, "title": title, **_plots([getattr(row, key) for row in rows])}
            for key, title in columns.items()
        ],
        "numbers": [("peak_db", 1), ("noise_floor_db", 1), ("bandwidth_hz", 0)],
    }


def _plots(spreads: Sequence[Spread]) -> View:
    low, high = min(spread.low for spread in spreads), max(spread.high for spread in spreads)
    margin = 0.03 * (high - low) or 0.5
    extent = (low - margin, high + margin)
    bars = [svg.interval_bar(each.median, each.low, each.high, extent) for each in spreads]
    return {"axis": svg.axis_below(extent), "bars": bars}


def formats_of(exploration: Exploration) -> Mapping[str, int]:
    """Return the number of clips by format in words, the most frequent first."""
    counts = Counter(format_words(each) for each in exploration.formats.values())
    return dict(counts.most_common(_MAX_FORMATS))
