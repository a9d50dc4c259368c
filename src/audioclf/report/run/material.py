"""Sections of the page on the dataset, feature importance and the origin of the run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from audioclf.dataset.label_counts import LabelCounts
from audioclf.dataset.remote import display_name
from audioclf.dataset.targets import ranges_of
from audioclf.evaluation.importance import smaller
from audioclf.report import svg, words
from audioclf.report.media import MediaMaker, Thumbnail, mean_thumbnail, picture_of
from audioclf.runs.folder import CONFIG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import States
    from audioclf.runs.reading import SavedClip, SavedRun

View = dict[str, Any]

MAX_LEFT_OUT = 200
MAX_PICTURED = 24
"""Classes with a mean spectrogram, where there are more."""
_URL = re.compile(r"[\w+.-]+://[^\s'\"]+")
_FORMAT = ("container", "subtype", "sr", "channels")
_SAMPLED = 96
"""Clips of all classes together from which the mean spectrograms are computed."""


@dataclass(frozen=True)
class Material:
    """A dataset as a page shows it.

    `left_out` has `path` and `message` of each clip that could not be read; `states` are those of
    several labels per clip.
    """

    name: str
    classes: tuple[str, ...]
    clips: Sequence[SavedClip]
    left_out: Sequence[Mapping[str, str]]
    states: States | None = None

    @classmethod
    def of(cls, run: SavedRun) -> Material:
        """Return the dataset of a run."""
        name = str(run.record["dataset"].get("name", ""))
        if run.targets.is_numbers:
            names, codes = ranges_of(run.targets.truth)
            labelled = zip(run.clips, codes.tolist(), strict=True)
            clips = [replace(clip, label=names[code]) for clip, code in labelled]
            return cls(name, names, clips, run.left_out)
        return cls(name, run.classes, run.clips, run.left_out, run.targets.states)

    def ids_of(self, code: int) -> list[str]:
        """Return the ids of the clips that have a class."""
        if self.states is not None:
            return [self.clips[at].id for at in np.flatnonzero(self.states[:, code] == 1).tolist()]
        return [clip.id for clip in self.clips if clip.label == self.classes[code]]


def dataset_view(data: Material, maker: MediaMaker | None) -> View:
    """Return classes, lengths, formats and mean spectrograms of the clips."""
    labels = None if data.states is None else LabelCounts.of(data.classes, data.states)
    counts = Counter(clip.label for clip in data.clips)
    if labels is not None:
        counts = Counter(dict(zip(labels.classes, labels.yes, strict=True)))
    lengths = [float(clip.facts["seconds"]) for clip in data.clips if clip.facts.get("seconds")]
    formats = Counter(tuple(clip.facts.get(key, "") for key in _FORMAT) for clip in data.clips)
    top = max(counts.values())
    return {
        "name": data.name,
        "classes": [
            {"name": name, "count": counts[name], "percent": round(100 * counts[name] / top, 1)}
            for name in data.classes
        ],
        "labels": None if labels is None else _labels_view(labels, len(data.clips)),
        "n_groups": len({clip.group for clip in data.clips if clip.group is not None}),
        "total": words.total_length(sum(lengths)),
        "lengths": _histogram(lengths),
        "formats": [
            {**dict(zip(_FORMAT, values, strict=True)), "count": count}
            for values, count in formats.most_common(20)
        ],
        "left_out": data.left_out[:MAX_LEFT_OUT],
        "n_left_out": len(data.left_out),
        "left_out_words": _left_out_words(data.left_out),
        "thumbnails": _class_thumbnails(data, maker) if maker else None,
        "n_pictured": min(len(data.classes), MAX_PICTURED),
    }


def _left_out_words(rows: Sequence[Mapping[str, str]]) -> str:
    """Return how many clips were left out for which reason."""
    trained = sum(row.get("status") == "training" for row in rows)
    parts = {"could not be read": len(rows) - trained, "used in training": trained}
    return ", ".join(f"{n} clip{'s' * (n != 1)} {reason}" for reason, n in parts.items() if n)


def _labels_view(labels: LabelCounts, n_clips: int) -> View:
    """Return the states of each class, and a table of the clips that two classes share."""
    few = len(labels.classes) <= MAX_PICTURED
    return {
        "n_none": labels.none,
        "n_clips": n_clips,
        "rows": list(zip(labels.classes, labels.yes, labels.no, labels.unlabelled, strict=True)),
        "classes": labels.classes,
        "together": [
            [
                {"count": count, "share": round(count / yes, 3) if yes else 0.0}
                for count in row.tolist()
            ]
            for row, yes in zip(labels.together, labels.yes, strict=True)
        ]
        if few
        else None,
        "pairs": labels.pairs(MAX_PICTURED),
    }


def _histogram(lengths: list[float]) -> Markup:
    if not lengths:
        return Markup("")
    low, high = min(lengths), max(lengths)
    margin = 0.5 if high == low else 0.0
    counts, edges = np.histogram(lengths, bins=24, range=(max(0.0, low - margin), high + margin))
    titles = [
        f"{count} clips: {a:.2f} to {b:.2f} s"
        for count, a, b in zip(counts.tolist(), edges[:-1], edges[1:], strict=True)
    ]
    label = f"Lengths of {len(lengths)} clips: {low:.2f} to {high:.2f} s"
    y_ticks = [t for t in svg.ticks(0.0, float(counts.max()), 3) if t == int(t)]
    return _bar_chart(label, counts, edges, "decoded length (s)", "clips", y_ticks, titles)


def _bar_chart(
    label: str,
    heights: NDArray[Any],
    edges: NDArray[np.float64],
    x_label: str,
    y_label: str,
    y_ticks: Sequence[float] = (),
    titles: Sequence[str] = (),
) -> Markup:
    box = (44.0, 20.0, 340.0, 150.0)
    x = svg.linear(float(edges[0]), float(edges[-1]), box[0], box[2])
    y = svg.linear(0.0, float(heights.max()), box[3], box[1])
    bars = [
        svg.tag(
            "rect",
            *(svg.tag("title", title) for title in titles[i : i + 1]),
            x=x(edges[i]) + 0.5,
            y=y(height),
            width=max(1.0, x(edges[i + 1]) - x(edges[i]) - 1.0),
            height=box[3] - y(height),
            class_="bar",
        )
        for i, height in enumerate(heights.tolist())
        if height
    ]
    x_ticks = svg.labelled(svg.ticks(float(edges[0]), float(edges[-1])))
    grid = svg.frame(x, y, x_ticks, svg.labelled(y_ticks), box, x_label, y_label)
    return svg.drawing(360, 190, label, grid, *bars, class_="chart small")


def _class_thumbnails(data: Material, maker: MediaMaker) -> View | None:
    """Return the mean spectrogram of some clips of each class, evenly drawn from its clips."""
    classes = data.classes[:MAX_PICTURED]
    n_each = max(3, _SAMPLED // len(classes))
    by_class: dict[str, list[Thumbnail]] = {}
    for code, name in enumerate(classes):
        ids = data.ids_of(code)
        if not ids:
            continue
        drawn = [ids[i] for i in sorted({round(p) for p in np.linspace(0, len(ids) - 1, n_each)})]
        thumbnails = [item for clip_id in drawn if (item := maker.thumbnail(clip_id)) is not None]
        if thumbnails:
            by_class[name] = thumbnails
    if not by_class:
        return None
    every = [item for thumbnails in by_class.values() for item in thumbnails]
    seconds = max(item.seconds for item in every)
    return {
        "seconds": f"{seconds:.2f}",
        "khz": f"{every[0].fmax / 1000:.1f}",
        "pictures": [
            {"name": name, "n": len(items), "uri": picture_of(mean_thumbnail(items, seconds))}
            for name, items in by_class.items()
        ],
    }


def importance_view(
    importances: Mapping[str, Any] | None, features: Mapping[str, Any] | None = None
) -> list[View]:
    """Return a picture for each pipeline whose feature importance is known.

    `features` has the most important features of pipelines by name, if they have names.
    """
    views = []
    for name, values in (importances or {}).items():
        matrix = np.asarray(values, dtype=np.float64)
        if matrix.ndim not in (1, 2) or not np.isfinite(matrix).all() or not (matrix > 0).any():
            continue
        matrix = np.clip(smaller(matrix) / smaller(matrix).max(), 0, 1)
        view = {"name": name, "bars": None, "uri": None, "rows": (features or {}).get(name)}
        if matrix.ndim == 1:
            edges = np.arange(len(matrix) + 1.0)
            label = "Importance of each bin"
            view["bars"] = _bar_chart(label, matrix, edges, "bin", "importance")
        else:
            view["uri"] = picture_of(np.round(255 * matrix).astype(np.uint8))
        views.append(view)
    return views


def origin_view(run: SavedRun) -> View:
    """Return versions, seed, dataset, notes and config of a run."""
    record = run.record
    config = (run.path / CONFIG).read_text(encoding="utf-8")
    facts = {key: record.get(key, "") for key in ("audioclf", "platform", "seed")}
    facts["split"] = record.get("split", run.metrics.get("split", ""))
    facts |= {"dataset": record["dataset"].get("name", ""), "fingerprint": run.fingerprint}
    return {
        "finished": str(record.get("finished", "")).replace("T", " ")[:16],
        "facts": [(name, words.shown(value)) for name, value in facts.items() if value != ""],
        "weights": [
            (place, *(str(item[key] or "unknown") for key in ("name", "size", "license", "sha256")))
            for place, items in (record.get("weights") or {}).items()
            for item in items
        ],
        "terms": [
            (place, str(item["terms_of_use"]))
            for place, item in (record.get("components") or {}).items()
            if item.get("terms_of_use")
        ],
        "versions": sorted((record.get("versions") or {}).items()),
        "notes": [str(note) for note in record.get("notes") or []],
        "config": _URL.sub(lambda match: display_name(match[0]), config),
    }
