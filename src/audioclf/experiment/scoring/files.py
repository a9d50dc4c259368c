"""Files of a score: metrics as JSON and CSV, each event with its status, the curve as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from audioclf.base.errors import ResultError
from audioclf.base.files import OutputFolder
from audioclf.evaluation.detection.average_precision import Curve, curve
from audioclf.evaluation.detection.events import Survey
from audioclf.evaluation.detection.matching import Collars
from audioclf.evaluation.detection.scores import ClassScores, DetectionScores
from audioclf.evaluation.detection.segmentation import SegmentationScores
from audioclf.evaluation.detection.thresholds import ChosenThreshold
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.experiment.scoring.survey import Scored

MATCH_COLUMNS = (
    *("recording", "class", "kind", "status", "start", "end", "score"),
    *("other_start", "other_end", "table", "line"),
)
_THREE = ("precision", "recall", "f1")
_METRICS = (*_THREE, "false_per_hour")


def scores_data(
    scored: Scored, scores: DetectionScores, collars: Collars, segment: float
) -> dict[str, Any]:
    """Return all numbers as plain data; intervals are of 95 %, undefined numbers are None."""
    survey = scores.survey
    thresholds = [
        {"aim": aim.kind, "value": aim.value, "class": name, **_threshold_data(chosen)}
        for aim, each in scores.thresholds.items()
        for name, chosen in zip([*survey.classes, "all"], each, strict=True)
    ]
    data: dict[str, Any] = {
        "collars": asdict(collars),
        "segment_seconds": segment,
        "recordings": list(survey.recordings),
        "hours": float(survey.hours.sum()),
        "unlabeled": list(scored.unlabeled),
        "all": _class_data(scores.overall)
        | {name: value.defined() for name, value in scores.psds.items()},
        "classes": {row.name: _class_data(row) for row in scores.by_class},
        "thresholds": thresholds,
        "notes": [*scored.notes, *scores.notes],
    }
    if scores.segmentation is not None:
        data["segmentation"] = _segmentation_data(scores.segmentation)
    return data


def _segmentation_data(scores: SegmentationScores) -> dict[str, Any]:
    rows = zip([*scores.classes, "all"], scores.seconds.tolist(), scores.times, strict=True)
    return {
        "accuracy": scores.accuracy.defined(),
        "unannotated_seconds": scores.unannotated,
        "classes": {name: {"seconds": s, **_three(times)} for name, s, times in rows},
        "boundaries": {
            "tolerance": scores.tolerance,
            "annotated": scores.n_true,
            "detected": scores.n_detected,
            "found": scores.n_found,
            **_three(scores.boundaries),
        },
    }


def _three(values: Iterable[Estimate]) -> dict[str, Any]:
    return {name: value.defined() for name, value in zip(_THREE, values, strict=True)}


def _class_data(row: ClassScores) -> dict[str, Any]:
    events = row.events
    return {
        "recordings": row.n_recordings,
        "events": events.n_truth,
        "found": events.n_found,
        "missed": events.n_missed,
        "false_alarms": events.n_false,
        **{name: getattr(events, name).defined() for name in _METRICS},
        **{
            f"segment_{name}": getattr(row.segments, name).defined()
            for name in ("precision", "recall", "f1", "error_rate")
        },
        "average_precision": row.average_precision and row.average_precision.defined(),
    }


def _threshold_data(chosen: ChosenThreshold) -> dict[str, Any]:
    tested = None
    if chosen.scores is not None:
        tested = {name: getattr(chosen.scores, name).defined() for name in _METRICS}
    known = np.isfinite(chosen.threshold)
    return {
        "threshold": chosen.threshold if known else None,
        "on_other_recordings": tested,
        "recordings_without_threshold": chosen.n_untested,
    }


def check_folder(folder: Path) -> None:
    """Refuse a file, and a folder that holds other files than those of an earlier score."""
    if folder.exists() and not folder.is_dir():
        raise ResultError(f"{folder} is a file", hint="Choose a folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "scores.json").is_file():
        raise ResultError(
            f"{folder}: holds other files, and nothing was written",
            hint="Choose an empty or a new folder with --out.",
        )


def write_scores(folder: Path, scored: Scored, scores: DetectionScores, data: Any) -> bytes | None:
    """Write scores.json, scores.csv and matches.csv, and return curve.png if there are scores."""
    target = OutputFolder(folder)
    target.write_json("scores.json", data)
    target.write_csv("scores.csv", *_table(data))
    target.write_csv("matches.csv", MATCH_COLUMNS, match_rows(scored, scores))
    if not scores.survey.has_scores or scores.segmentation is not None:
        return None
    picture = curve_picture(scores)
    target.write_bytes("curve.png", picture)
    return picture


def _table(data: dict[str, Any]) -> tuple[list[str], Iterator[list[Any]]]:
    rows = {**data["classes"], "all": data["all"]}
    columns = [name for name, value in data["all"].items() if not name.startswith("psds")]
    plain = {name for name in columns if isinstance(data["all"][name], int)}
    header = ["class"]
    for name in columns:
        header += [name] if name in plain else [name, f"{name}_low", f"{name}_high"]

    def cells(row: dict[str, Any]) -> Iterator[Any]:
        for name in columns:
            if name in plain:
                yield row[name]
            else:
                yield from (_cell(row[name], end) for end in ("value", "low", "high"))

    return header, ([name, *cells(row)] for name, row in rows.items())


def _cell(value: dict[str, float | None] | None, end: str) -> str:
    number = None if value is None else value[end]
    return "" if number is None else f"{number:.6g}"


def match_rows(scored: Scored, scores: DetectionScores) -> Iterator[list[Any]]:
    """Yield each annotated event and each detection, by recording and start, with its status."""
    survey, matching = scores.survey, scores.matching
    rows: list[tuple[int, float, int, list[Any]]] = []
    sides = (
        ("event", survey.truth, scored.truth, matching.detection_of, survey.detections),
        ("detection", survey.detections, scored.found, matching.event_of, survey.truth),
    )
    for kind, events, origin, partners, others in sides:
        alone = "missed" if kind == "event" else "false alarm"
        for at, partner in enumerate(partners.tolist()):
            place, start, score = int(events.recordings[at]), events.starts[at], events.scores[at]
            other = [f"{side[partner]:.6f}" for side in (others.starts, others.ends)]
            cells = [
                survey.recordings[place],
                survey.classes[events.classes[at]],
                kind,
                "found" if partner >= 0 else alone,
                f"{start:.6f}",
                f"{events.ends[at]:.6f}",
                "" if np.isnan(score) else f"{score:.6f}",
                *(other if partner >= 0 else ["", ""]),
                origin[at].table,
                origin[at].line,
            ]
            rows.append((place, float(start), kind == "detection", cells))
    yield from (cells for *_, cells in sorted(rows, key=lambda row: row[:3]))


def curve_picture(scores: DetectionScores) -> bytes:
    """Return precision over recall, and recall over false alarms per hour, as a PNG."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, points in curves_of(scores.survey, scores):
        style = {"linewidth": 2.2, "color": "black"} if name == "all" else {"linewidth": 1.0}
        left.step(points.recall, points.precision, where="post", label=name, **style)
        right.step(points.false_per_hour, points.recall, where="post", label=name, **style)
    left.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
    right.set(xlabel="False alarms per hour", ylabel="Recall", ylim=(0, 1.02))
    right.set_xlim(left=0)
    right.legend(loc="lower right", fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def curves_of(survey: Survey, scores: DetectionScores) -> Iterator[tuple[str, Curve]]:
    """Yield the curves of the first classes with events and detections, then that of all."""
    drawn = [
        code
        for code, row in enumerate(scores.by_class)
        if row.events.n_truth and (survey.detections.classes == code).any()
    ]
    for code in drawn[:9]:
        yield survey.classes[code], curve(survey, scores.matching, code)
    yield "all", curve(survey, scores.matching)
