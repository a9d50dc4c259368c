"""`audioclf score DETECTIONS [RECORDING...] --annotations PATH`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.base.errors import ConfigError
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each, format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.evaluation.detection.scores import ClassScores, DetectionScores
    from audioclf.evaluation.detection.segmentation import SegmentationScores
    from audioclf.evaluation.detection.thresholds import Aim, ChosenThreshold

_MODEL = ".audioclf"


def score(
    detections: Annotated[
        Path,
        typer.Argument(
            metavar="DETECTIONS",
            help="Table or folder of tables with detections of any tool, or a model or its run.",
            show_default=False,
        ),
    ],
    recordings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORDING",
            help="Recordings, folders or zips; a model needs them, tables only for lengths.",
            show_default=False,
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="Table, folder or zip with the annotations.", show_default=False),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            help="Column of the label in tables of Raven and BirdNET.", show_default=False
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--map", help="Table with columns from and to: other names of labels."),
    ] = None,
    only: Annotated[list[str], typer.Option(help="Score this class; may be repeated.")] = [],  # noqa: B006  typer copies it
    skip: Annotated[list[str], typer.Option(help="Leave this class out; may be repeated.")] = [],  # noqa: B006  typer copies it
    onset: Annotated[
        float, typer.Option(metavar="S", help="Largest difference of the starts.")
    ] = 0.2,
    offset: Annotated[
        float, typer.Option(metavar="S", help="Largest difference of the ends.")
    ] = 0.2,
    offset_share: Annotated[
        float, typer.Option(help="The same as a share of the event, if that is more.")
    ] = 0.5,
    segment: Annotated[float, typer.Option(metavar="S", help="Length of a segment.")] = 1.0,
    max_false_alarms: Annotated[
        float | None,
        typer.Option(metavar="N", help="Find the threshold for at most N false alarms per hour."),
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Find the threshold for this precision.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Length of each recording, if the files are missing."),
    ] = None,
    window: Annotated[
        float | None, typer.Option(metavar="S", help="Length of the windows of a model.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds from window to window of a model.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score that an event of a model reaches; 0.5 if not given.", show_default=False
        ),
    ] = None,
    segments: Annotated[
        bool,
        typer.Option(
            "--segments", help="One label at a time: accuracy over time, boundaries within --onset."
        ),
    ] = False,
    background: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Label of all time without one, with --segments."),
    ] = None,
    min_duration: options.MinDurationOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables, the curve and the page.")
    ] = None,
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    expect_sha256: options.ExpectOption = None,
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    as_json: options.JsonOption = False,
    jobs: options.JobsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Score detections against annotations, with intervals over recordings."""
    if annotations is None:
        raise ConfigError("score needs the annotations", hint="Name them with --annotations.")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ConfigError(f"--seconds {seconds:g}: a length above 0 is expected")
    is_model = detections.suffix == _MODEL or (detections / "model.audioclf").is_file()
    of_model = (hop, min_duration, weights or None, expect_sha256)
    _check_windows(window, of_model, is_model=is_model)
    if segments and threshold is not None:
        raise ConfigError("--threshold is about events", hint="Leave it or --segments out.")
    if background is not None and not segments:
        raise ConfigError("--background is about segments", hint="Add --segments.")
    with options.progress_on_stderr(quiet=quiet, stage="score") as progress:
        from audioclf.evaluation.detection.matching import Collars
        from audioclf.evaluation.detection.scores import score_survey
        from audioclf.experiment.scoring.files import check_folder, scores_data, write_scores
        from audioclf.experiment.scoring.model import detect
        from audioclf.experiment.scoring.rows import event_tables, read_names
        from audioclf.experiment.scoring.survey import Labels, recordings_of, survey_of

        if out is not None:
            check_folder(out)
        collars = Collars(onset, offset, offset_share)
        aims = _aims(max_false_alarms, precision)
        labels = Labels(
            {} if names is None else read_names(names), frozenset(only), frozenset(skip)
        )
        truth, notes = event_tables(annotations, column)
        sources = recordings_of(recordings or (), annotations, needed=is_model)
        if is_model:
            registry = options.load_registry()
            assert window is not None
            found, more = detect(
                detections,
                registry,
                sources,
                window=window,
                hop=hop,
                threshold=threshold,
                min_duration=min_duration,
                segments=segments,
                weights=weights,
                expect_sha256=expect_sha256,
                isolate=isolate,
                untrusted=untrusted,
                jobs=jobs,
                progress=progress,
            )
        else:
            found, more = event_tables(detections, column)
        scored = survey_of(sources, truth, found, labels, seconds=seconds)
        scores = score_survey(
            scored.survey,
            collars=collars,
            segment=segment,
            aims=aims,
            segmentation=segments,
            background=background,
        )
        data = scores_data(scored, scores, collars, segment)
        notes = [*notes, *more, *scored.notes, *scores.notes]
        if out is not None:
            from audioclf.report.render import write_page
            from audioclf.report.score.page import build_page

            curve = write_scores(out, scored, scores, data)
            html = build_page(
                detections.stem,
                scores,
                sources,
                table_of(scores),
                notes,
                curve,
                [*_further(scores)],
            )
            write_page(out / "report.html", html)
    complain_each("note", notes)
    say(json_text(data) if as_json else describe_scores(scores))
    if out is not None and not quiet:
        complain("done", f"scores.json, scores.csv, matches.csv, report.html in {out}")


def _check_windows(window: float | None, others: Sequence[object], *, is_model: bool) -> None:
    """Refuse a model without a window, and options of a model for a table."""
    if is_model and window is None:
        raise ConfigError("a model needs the length of its windows", hint="Add --window, in s.")
    if not is_model and any(value is not None for value in (window, *others)):
        raise ConfigError(
            "--window, --hop, --min-duration, --weights and --expect-sha256 are about a model",
            hint="Leave them out.",
        )


def _aims(max_false_alarms: float | None, precision: float | None) -> tuple[Aim, ...]:
    from audioclf.evaluation.detection.thresholds import Aim

    aims = []
    if max_false_alarms is not None:
        if not max_false_alarms >= 0:
            raise ConfigError(f"--max-false-alarms {max_false_alarms:g}: 0 or more is expected")
        aims.append(Aim("false_per_hour", max_false_alarms))
    if precision is not None:
        if not 0 < precision <= 1:
            raise ConfigError(f"--precision {precision:g}: a number above 0, at most 1 is expected")
        aims.append(Aim("precision", precision))
    return tuple(aims)


def describe_scores(scores: DetectionScores) -> str:
    """Return the table of classes, that of all together, and the thresholds."""
    survey = scores.survey
    header, *rows = table_of(scores)
    n, hours = len(survey.recordings), float(survey.hours.sum())
    lines = [format_table(header, rows), "", *_further(scores)]
    for aim, each in scores.thresholds.items():
        lines += ["", f"threshold for {aim.sentence}, chosen with 90 % confidence:"]
        names = [*survey.classes, "all"]
        table = [_threshold_row(name, one) for name, one in zip(names, each, strict=True)]
        columns = ["class", "threshold", "on other recordings: false/h", "precision", "recall"]
        lines.append(format_table(columns, table))
    interval = "no intervals" if n == 1 else "95 % bootstrap intervals over recordings"
    lines += ["", f"[{n} recording{'s' * (n > 1)}, {_three(hours)} h; {interval}]"]
    return "\n".join(lines)


def table_of(scores: DetectionScores) -> list[list[str]]:
    """Return the header and a row for each class and for all of them."""
    if scores.segmentation is not None:
        return _table_of_labels(scores.segmentation)
    header = ["class", "events", "found", "missed", "false/h", "precision", "recall", "F1"]
    return [header, *(_row(row) for row in (*scores.by_class, scores.overall))]


def _row(row: ClassScores) -> list[str]:
    events = row.events
    numbers = [events.n_truth, events.n_found, events.n_missed]
    estimates = [events.precision, events.recall, events.f1]
    return [row.name, *map(str, numbers), _rate(events.false_per_hour), *map(str, estimates)]


def _table_of_labels(segmentation: SegmentationScores) -> list[list[str]]:
    """Return the header and a row for each class and for all, of labels over time."""
    names = [*segmentation.classes, "all"]
    rows = zip(names, segmentation.seconds, segmentation.times, strict=True)
    header = ["class", "annotated s", "precision", "recall", "F1"]
    return [header, *([name, _three(s), *map(str, three)] for name, s, three in rows)]


def _of_labels(segmentation: SegmentationScores) -> Iterator[str]:
    precision, recall, f1 = segmentation.boundaries
    yield f"accuracy over time: {segmentation.accuracy}"
    yield (
        f"boundaries within {segmentation.tolerance:g} s: {segmentation.n_found} of "
        f"{segmentation.n_true} found, {segmentation.n_detected - segmentation.n_found} false; "
        f"precision {precision}, recall {recall}, F1 {f1}"
    )
    if segmentation.unannotated >= 0.5:
        yield f"time without an annotation, not scored: {_three(segmentation.unannotated)} s"


def _rate(rate: object) -> str:
    value, low, high = (getattr(rate, name) for name in ("value", "low", "high"))
    if value != value:
        return "n/a"
    return _three(value) + (f" [{_three(low)}, {_three(high)}]" if low == low else "")


def _three(number: float) -> str:
    """Return a number with three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _further(scores: DetectionScores) -> Iterator[str]:
    if scores.segmentation is not None:
        yield from _of_labels(scores.segmentation)
        return
    segments = scores.overall.segments
    yield (
        f"segments: precision {segments.precision}, recall {segments.recall}, F1 {segments.f1}, "
        f"error rate {_rate(segments.error_rate)}"
    )
    if scores.overall.average_precision is not None:
        both = ", ".join(f"PSDS {number} {scores.psds[f'psds_{number}']}" for number in (1, 2))
        mean = scores.overall.average_precision
        yield f"over all thresholds: mean average precision {mean}, {both}"


def _threshold_row(name: str, chosen: ChosenThreshold) -> list[str]:
    if chosen.scores is None:
        return [name, "none", "", "", ""]
    tested = chosen.scores
    shown = f"{chosen.threshold:.4g}" if chosen.threshold == chosen.threshold else "none"
    return [name, shown, _rate(tested.false_per_hour), str(tested.precision), str(tested.recall)]
