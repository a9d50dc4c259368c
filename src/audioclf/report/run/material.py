"""The dataset at a glance, what the classifiers look at, and what the run was made with."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from audioclf.dataset.remote import display_name
from audioclf.evaluation.importance import smaller
from audioclf.report import svg, words
from audioclf.report.media import MediaMaker, mean_thumbnail, picture_of
from audioclf.runs.folder import CONFIG

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedClip, SavedRun

View = dict[str, Any]

MAX_LEFT_OUT = 200
MAX_PICTURED = 24
"""Classes with a mean spectrogram, where there are more."""
_URL = re.compile(r"[\w+.-]+://[^\s'\"]+")
_SAMPLED = 96
"""Clips of all classes together that the mean spectrograms are made of."""


@dataclass(frozen=True)
class Material:
    """What a page knows of a dataset.

    Parameters
    ----------
    name : str
    classes : tuple of str
    clips : sequence of SavedClip
        Those that could be read.
    left_out : sequence of mapping
        `path` and `message` of each of the others.
    """

    name: str
    classes: tuple[str, ...]
    clips: Sequence[SavedClip]
    left_out: Sequence[Mapping[str, str]]


def material_of(run: SavedRun) -> Material:
    """Return the dataset of a run."""
    return Material(
        str(run.record["dataset"].get("name", "")), run.classes, run.clips, run.left_out
    )


def dataset_view(run: Material, maker: MediaMaker | None) -> View:
    """Return classes, lengths, formats and mean spectrograms of the clips."""
    counts = Counter(clip.label for clip in run.clips)
    lengths = [float(clip.facts["seconds"]) for clip in run.clips if clip.facts.get("seconds")]
    top = max(counts.values())
    return {
        "name": run.name,
        "classes": [
            {"name": name, "count": counts[name], "percent": round(100 * counts[name] / top, 1)}
            for name in run.classes
        ],
        "n_groups": len({clip.group for clip in run.clips if clip.group is not None}),
        "total": words.seconds(sum(lengths))
        if sum(lengths) < 600
        else f"{sum(lengths) / 60:.0f} min",
        "lengths": _histogram(lengths),
        "formats": _formats(run),
        "left_out": [
            {"path": row["path"], "message": row.get("message", "")}
            for row in run.left_out[:MAX_LEFT_OUT]
        ],
        "n_left_out": len(run.left_out),
        "thumbnails": _class_thumbnails(run, maker) if maker else None,
        "n_pictured": min(len(run.classes), MAX_PICTURED),
    }


def _formats(run: Material) -> list[View]:
    keys = ("container", "subtype", "sr", "channels")
    found = Counter(tuple(clip.facts.get(key, "") for key in keys) for clip in run.clips)
    return [
        {
            "container": container,
            "subtype": subtype,
            "sr": f"{sr} Hz" if sr else "",
            "channels": channels,
            "count": count,
        }
        for (container, subtype, sr, channels), count in found.most_common(20)
    ]


def _histogram(lengths: list[float]) -> Markup:
    if not lengths:
        return Markup("")
    low, high = min(lengths), max(lengths)
    margin = 0.5 if high == low else 0.0
    counts, edges = np.histogram(lengths, bins=24, range=(max(0.0, low - margin), high + margin))
    box = (44.0, 20.0, 340.0, 150.0)
    x = svg.linear(float(edges[0]), float(edges[-1]), box[0], box[2])
    y = svg.linear(0.0, float(counts.max()), box[3], box[1])
    bars = [
        svg.tag(
            "rect",
            svg.tag("title", f"{count} clips: {a:.2f} to {b:.2f} s"),
            x=x(a) + 0.75,
            y=y(count),
            width=x(b) - x(a) - 1.5,
            height=box[3] - y(count),
            rx=1.5,
            class_="bar",
        )
        for count, a, b in zip(
            counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True
        )
        if count
    ]
    x_ticks = svg.labelled(svg.ticks(float(edges[0]), float(edges[-1])))
    y_ticks = svg.labelled(t for t in svg.ticks(0.0, float(counts.max()), 3) if t == int(t))
    grid = svg.frame(x, y, x_ticks, y_ticks, box, "decoded length (s)", "clips")
    label = f"Lengths of {len(lengths)} clips: {low:.2f} to {high:.2f} s"
    return svg.drawing(360, 190, label, grid, *bars, class_="chart small")


def _class_thumbnails(run: Material, maker: MediaMaker) -> View | None:
    """Picture the mean of some clips of each class, evenly drawn from the list of its clips."""
    classes = run.classes[:MAX_PICTURED]
    each = max(3, _SAMPLED // len(classes))
    found = {}
    for name in classes:
        ids = [clip.id for clip in run.clips if clip.label == name]
        chosen = [ids[i] for i in sorted({round(p) for p in np.linspace(0, len(ids) - 1, each)})]
        thumbnails = [item for clip_id in chosen if (item := maker.thumbnail(clip_id)) is not None]
        if thumbnails:
            found[name] = thumbnails
    if not found:
        return None
    every = [item for thumbnails in found.values() for item in thumbnails]
    seconds = max(item.seconds for item in every)
    return {
        "seconds": f"{seconds:.2f}",
        "khz": f"{every[0].fmax / 1000:.1f}",
        "pictures": [
            {
                "name": name,
                "n": len(thumbnails),
                "uri": picture_of(mean_thumbnail(thumbnails, seconds)),
            }
            for name, thumbnails in found.items()
        ],
    }


def importance_view(found: Mapping[str, Any] | None) -> list[View]:
    """Return a picture for each pipeline of which it is known where it looks."""
    views = []
    for name, values in (found or {}).items():
        matrix = np.asarray(values, dtype=np.float64)
        top = matrix.max(initial=0.0)
        if (
            matrix.ndim not in (1, 2)
            or not matrix.size
            or not np.isfinite(matrix).all()
            or top <= 0
        ):
            continue
        matrix = np.clip(smaller(matrix) / smaller(matrix).max(), 0, 1)
        flat = matrix.ndim == 1
        views.append(
            {
                "name": name,
                "bars": _bands(matrix) if flat else None,
                "uri": None if flat else picture_of(np.round(255 * matrix).astype(np.uint8)),
            }
        )
    return views


def _bands(worth: Any) -> Markup:
    box = (44.0, 20.0, 340.0, 150.0)
    x, y = svg.linear(0.0, len(worth), box[0], box[2]), svg.linear(0.0, 1.0, box[3], box[1])
    bars = [
        svg.tag(
            "rect",
            x=x(i) + 0.5,
            y=y(v),
            width=max(1.0, x(i + 1) - x(i) - 1.0),
            height=box[3] - y(v),
            class_="bar",
        )
        for i, v in enumerate(worth.tolist())
    ]
    grid = svg.frame(x, y, svg.labelled(svg.ticks(0, len(worth))), [], box, "bin", "importance")
    return svg.drawing(360, 190, "importance of each bin", grid, *bars, class_="chart small")


def origin_view(run: SavedRun) -> View:
    """Return what it takes to make this run again."""
    record = run.record
    try:
        config = (run.path / CONFIG).read_text(encoding="utf-8")
    except OSError:
        config = json.dumps(run.config, indent=2, ensure_ascii=False, default=str)
    return {
        "finished": str(record.get("finished", "")).replace("T", " ")[:16],
        "facts": [
            (name, words.shown(value))
            for name, value in (
                ("audioclf", record.get("audioclf", "")),
                ("platform", record.get("platform", "")),
                ("seed", record.get("seed", "")),
                ("split", record.get("split", run.metrics.get("split", ""))),
                ("dataset", record["dataset"].get("name", "")),
                ("fingerprint", run.fingerprint),
            )
            if value != ""
        ],
        "versions": sorted((record.get("versions") or {}).items()),
        "notes": [str(note) for note in record.get("notes") or []],
        "config": _URL.sub(lambda found: display_name(found[0]), config),
    }
