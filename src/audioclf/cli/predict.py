"""`audioclf predict BUNDLE PATH...`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioclf.base.errors import EXIT_OK, ConfigError, stop_code
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each, write_result
from audioclf.predict.formats import FORMATS, choose_format

if TYPE_CHECKING:
    from audioclf.models.bundle.reading import GraphUse
    from audioclf.predict.job import JobResult
    from audioclf.predict.sinks import Mode


def predict(
    bundle: options.ModelArgument,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, folders, zips, quoted globs, tables with a column path; - for a list "
            "on standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File, or folder of label files; standard output if not given."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar=f"[{'|'.join(FORMATS)}]",
            help="By the ending of --out if not given.",
            show_default=False,
            autocompletion=lambda: list(FORMATS),
        ),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(metavar="S", help="Cut recordings into windows of so many seconds."),
    ] = None,
    hop: options.HopOption = None,
    partial: Annotated[
        Literal["keep", "drop"],
        typer.Option(help="A last window of at least half the length is used, or not."),
    ] = "keep",
    events: Annotated[
        bool, typer.Option("--events", help="Write events instead of windows.")
    ] = False,
    segments: Annotated[
        bool, typer.Option("--segments", help="Write one label at each instant.")
    ] = False,
    threshold: options.ThresholdOption = [],  # noqa: B006  typer copies it
    threshold_off: options.ThresholdOffOption = None,
    merge_gap: options.MergeGapOption = None,
    min_duration: options.MinDurationOption = None,
    only: options.OnlyOption = [],  # noqa: B006  typer copies it
    skip: options.SkipOption = [],  # noqa: B006  typer copies it
    rollup: Annotated[
        Literal["mean", "share"] | None,
        typer.Option(help="One line per recording: mean scores, or shares of its windows."),
    ] = None,
    nul: Annotated[
        bool, typer.Option("-0", "--null", help="Paths on standard input end with NUL.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what --out holds.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue where an earlier call stopped.")
    ] = False,
    limit: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="Raise a limit, as in max_seconds=7200.")
    ] = [],  # noqa: B006  typer copies it
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    expect_sha256: options.ExpectOption = None,
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    jobs: options.JobsOption = None,
    quiet: options.QuietOption = False,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help="Predict by the ONNX graph in the model: sooner for a few clips; scores are "
            "32-bit floats.",
        ),
    ] = False,
    strict: options.StrictModelOption = False,
    strict_plugins: options.StrictOption = False,
) -> None:
    """Classify new recordings: clips, or windows, events and segments of long ones."""
    _check_options(force, resume, out)
    if events and segments:
        raise ConfigError("--events and --segments are two kinds of rows: choose one")
    numbers = {"threshold_off": threshold_off, "merge_gap": merge_gap, "min_duration": min_duration}
    rule = options.event_fields(only, skip, **numbers)
    of_segments = {"min_duration"} if segments else set()
    given = [name for name in rule if rule[name] is not None and name not in of_segments]
    if given and not events:
        raise options.about_events(given[0])
    if window is None and hop is not None:
        raise ConfigError("--hop is about windows", hint="Add --window, in s.")
    from audioclf.base.limits import parse_limits, use_limits

    limits = parse_limits(limit)
    try:
        with options.progress_on_stderr(quiet=quiet, stage="model") as progress:
            # With few modules loaded it takes half the time.
            registry = options.load_registry(strict=strict_plugins)
            from audioclf.audio.clock import any_clock_time
            from audioclf.base.machine import available_cores
            from audioclf.models.bundle.reading import model_file, open_model
            from audioclf.models.windows import Cutting
            from audioclf.predict.inputs import collect, each_channel
            from audioclf.predict.job import predict_all
            from audioclf.predict.segments import SegmentRule
            from audioclf.predict.settings import Job, Settings, check_settings, event_rule
            from audioclf.predict.sinks import open_sink

            output = choose_format(form, out)
            bundle = model_file(bundle)
            use: GraphUse = "always" if fast else "never" if strict else "if_needed"
            model, of_model = open_model(
                bundle,
                registry,
                graph=use,
                expect_sha256=expect_sha256,
                weights=weights,
                untrusted=untrusted,
            )
            complain_each("note", of_model)
            found_rule, thresholds = event_rule(model, threshold, **rule)
            if threshold and thresholds is None and not events:
                raise options.about_events("threshold")
            settings = Settings(
                None if window is None else Cutting.of(window, hop, model.sr, partial),
                found_rule if events else SegmentRule(min_duration or 0.0) if segments else None,
                rollup,
                output,
                thresholds,
            )
            notes = check_settings(model, settings)
            complain_each("note", notes)
            progress("list", 0, 1)
            with use_limits(limits):
                collected = collect(paths, _listed(nul) if "-" in paths else ())
                if model.manifest.audio.channel == "each":
                    collected = each_channel(collected, isolate=isolate or untrusted)
            complain_each("note", collected.notes)
            collected = replace(collected, tables=(*collected.tables, bundle))
            sources = (recording.source for recording in collected.recordings)
            with_time = settings.cutting is not None and any_clock_time(sources)
            job = Job(model, settings, model.manifest.digest, with_time)
            mode: Mode = "force" if force else "resume" if resume else "new"
            sink = open_sink(out, job, collected, mode=mode, write=write_result)
            with use_limits(limits):
                result = predict_all(
                    job,
                    collected.recordings,
                    sink,
                    jobs=jobs or available_cores(),
                    isolate=isolate or untrusted,
                    progress=progress,
                )
    except BrokenPipeError:  # `| head` has all that it wants
        sys.exit(EXIT_OK)
    except KeyboardInterrupt as exc:
        proceed = "" if out is None else "; continue with --resume"
        complain("stopped", f"finished recordings are written{proceed}")
        sys.exit(stop_code(exc))
    result.notes = [note for note in result.notes if note not in notes]
    _report(result, out, quiet=quiet)
    sys.exit(result.exit_code)


def _check_options(force: bool, resume: bool, out: Path | None) -> None:
    if force and resume:
        raise ConfigError("--force replaces an output and --resume continues it: choose one")
    if resume and out is None:
        raise ConfigError("--resume continues a file or folder", hint="Name it with --out.")


def _listed(nul: bool) -> list[str]:
    from audioclf.predict.inputs import split_list

    stream = getattr(sys.stdin, "buffer", None)
    text = sys.stdin.read() if stream is None else os.fsdecode(stream.read())
    return split_list(text, nul=nul)


def _report(result: JobResult, out: Path | None, *, quiet: bool) -> None:
    complain_each("failed", result.failures)
    complain_each("note", result.notes)
    if more := result.failed - len(result.failures):
        complain("failed", f"{more} more")
    if out is not None and not quiet:
        complain("done", _summary(result, out))


def _summary(result: JobResult, out: Path) -> str:
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((result.done, "recording"), (result.lines, "line"))
    ]
    parts += [f"{result.failed} failed"] if result.failed else []
    parts += [f"{result.skipped} were done before"] if result.skipped else []
    frequent = result.labels.most_common(10)
    labels = [f"{label or 'no label'} {number}" for label, number in frequent]
    if others := result.labels.total() - sum(number for _, number in frequent):
        labels.append(f"others {others}")
    return f"{', '.join(parts)} in {out}" + (f" ({', '.join(labels)})" if labels else "")
