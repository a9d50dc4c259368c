"""`audioclf explore CONFIG`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.base.errors import ConfigError
from audioclf.cli import options
from audioclf.cli.result_text import finding_line
from audioclf.cli.terminal import complain_each, format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.report.explore.exploration import Exploration

_MAX_CLASSES = 60
_MAX_FAILED = 20


def explore(
    config: options.ConfigArgument,
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    out: Annotated[
        Path | None, typer.Option(help="Page to write; by default NAME_explore.html here.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Featurizer of the map; by default the first."),
    ] = None,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Make the page without the sound of clips.")
    ] = False,
    budget: options.BudgetOption = None,
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    jobs: options.JobsOption = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    show_page: options.OpenOption = False,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Describe a dataset before training, in a table and one HTML page."""
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {out}: the page needs a name that ends in .html")
    with options.progress_on_stderr(quiet=quiet) as progress:
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.exploring import explore as look
        from audioclf.experiment.exploring import to_data
        from audioclf.experiment.prepared import prepare
        from audioclf.report.render import check_replaceable

        prepared = prepare(config, overrides, registry, check=False)
        target = out or Path(f"{prepared.config.name}_explore.html")
        check_replaceable(target)
        resources = options.resources_of(jobs, cache_dir, no_cache, isolate=isolate or untrusted)
        exploration = look(prepared, resources, featurizer=features, progress=progress)
        progress("page", 0, 1)
        _write(exploration, target, resources.cache_folder, budget=budget, sound=not no_audio)
    complain_each("note", exploration.notes)
    failed = [row.message for row in exploration.failed]
    complain_each("warning", failed, _MAX_FAILED, "clips, listed in the page")
    if as_json:
        data = {**to_data(exploration), "page": str(target)}
        say(json_text(data))
    else:
        say(describe(exploration))
        say(f"\npage    {target}")
    if show_page:
        options.open_page(target)
    sys.exit(exploration.exit_code)


def _write(
    exploration: Exploration,
    target: Path,
    cache_folder: Path | None,
    *,
    budget: float | None,
    sound: bool,
) -> None:
    from audioclf.features.waveform import cached_in
    from audioclf.report.clips import DatasetClips
    from audioclf.report.explore.page import build_page
    from audioclf.report.render import write_page

    dataset, config = exploration.dataset, exploration.config
    with cached_in(cache_folder) as decoder:
        clips = DatasetClips(dataset, config.audio, decoder=decoder, limits=config.limits)
        html = build_page(exploration, clips, budget_mb=budget, sound=sound)
    write_page(target, html)


def describe(exploration: Exploration) -> str:
    """Return the table of classes, what the files are, what was found, and what the map keeps."""
    return "\n\n".join(_parts(exploration))


def _parts(exploration: Exploration) -> Iterator[str]:
    from audioclf.report.explore.exploration import class_levels

    rows = class_levels(exploration)
    header = ["class", "clips", "length s", "level dBFS", "peak", "floor", "up to Hz"]
    header += ["clipped", "silent", "DC"]
    table = format_table(
        header,
        [
            [
                row.name,
                str(row.clips),
                f"{row.seconds.median:.2f} [{row.seconds.low:.2f}, {row.seconds.high:.2f}]",
                f"{row.level_db.median:.1f} [{row.level_db.low:.1f}, {row.level_db.high:.1f}]",
                f"{row.peak_db.median:.1f}",
                f"{row.noise_floor_db.median:.1f}",
                f"{row.bandwidth_hz.median:.0f}",
                str(row.clipped),
                str(row.silent),
                f"{row.dc_offset:.4f}",
            ]
            for row in rows[:_MAX_CLASSES]
        ],
    )
    more = len(rows) - _MAX_CLASSES
    yield table + (f"\nand {more} more classes" if more > 0 else "")
    yield "\n".join(_facts(exploration))
    if exploration.findings:
        yield "\n".join(map(finding_line, exploration.findings))
    plane = exploration.plane
    yield (
        f"map: {exploration.featurizer} features, {plane.n_columns} columns; the two directions of "
        f"greatest variance keep {100 * plane.kept:.0f} % of it. Distances on it are no accuracy."
    )


def _facts(exploration: Exploration) -> Iterator[str]:
    from audioclf.audit.shortcuts.facts import COLUMN
    from audioclf.report.explore.exploration import group_names
    from audioclf.report.explore.page import formats_of

    seconds = float(exploration.facts[:, COLUMN["duration_s"]].sum())
    failed = f", {len(exploration.failed)} unreadable" if exploration.failed else ""
    clips = f"{len(exploration.dataset)} clips{failed}, {len(exploration.dataset.classes)} classes"
    yield f"{clips}, {seconds:.0f} s of audio; medians, [5th to 95th percentile]"
    formats = [f"{count} {words}" for words, count in formats_of(exploration).items()]
    yield "files: " + "; ".join(formats)
    labels = exploration.dataset.targets.label_counts
    if labels is not None:
        yield from (f"{title}: {text}" for title, text in labels.words())
    groups = group_names(exploration)
    if groups is None:
        yield "groups: none declared, none in the names"
    else:
        names = sorted(set(groups[1]))
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        yield f"{groups[0]}s: {len(names)}: {listed}"
