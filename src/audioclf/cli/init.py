"""`audioclf init FOLDER|ZIP|TABLE`."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.cli import options
from audioclf.cli.terminal import complain_each, format_table, say, width

if TYPE_CHECKING:
    from audioclf.starters.first_config.results import ConfigDraft, Headers

_MAX_SHOWN = 8


def init(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|ZIP|TABLE",
            help="Recordings, or a table that lists them.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; by default NAME.yaml here, after the folder or zip."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of a table with the class.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of a table with the file.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of a table with the speaker, site or day."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder or zip of a table's files.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(metavar="S", min=0.01, help="Cut annotated recordings into such windows."),
    ] = None,
    force: options.ForceOption = False,
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
) -> None:
    """Suggest a config for a folder, zip or table of recordings, with reasons."""
    from audioclf.base.files import check_new_config, write_new_config

    recordings = _local(source)
    columns = {"path": path, "label": label, "group": group}
    with options.progress_on_stderr(stage="files"):
        from audioclf.starters.first_config import Chosen, draft_config, name_for

        target = out or Path(f"{name_for(recordings)}.yaml")
        check_new_config(target, force=force)
        draft = draft_config(
            recordings,
            target,
            chosen=Chosen({role: name for role, name in columns.items() if name}, root, window),
            registry=options.load_registry(),
            isolate=isolate or untrusted,
        )
    write_new_config(target, draft.text, force=force)
    say(format_table(("wrote", str(target)), list(_rows(draft))))
    groups, key = draft.layout.group_notes, draft.layout.pattern_key
    group_notes = [f"{text}: {key}: '{p}'" if p else text for text, p in groups]
    for note in filter(None, (*draft.layout.notes, *group_notes, draft.split.warning)):
        say("\n" + textwrap.fill(note, width(96), break_long_words=False, break_on_hyphens=False))
    unreadable = list(draft.headers.unreadable.values())
    complain_each("warning", unreadable, _MAX_SHOWN, "files that cannot be read")
    say(f"\nnext: audioclf explore {shlex.quote(str(target))}")


def _local(source: str) -> Path:
    if "://" in source:
        raise ConfigError(
            f"init looks at recordings on this machine, and {source.partition('://')[0]}:// is not",
            hint="Download a part of them to look at, and put the URL into the config afterwards: "
            "`dataset: {type: zip, path: URL}`.",
        )
    path = Path(source)
    if path.exists():
        return path
    from audioclf.components.registry import suggest
    from audioclf.starters.recipes import recipes

    hint = suggest(str(path), map(str, path.parent.glob("*")))
    if any(recipe.name == source for recipe in recipes()):
        hint = f"It is an included config, and needs no init: audioclf run {source}"
    raise DatasetError(f"{path}: no such folder, zip archive or table", hint=hint or None)


def _rows(draft: ConfigDraft) -> Iterator[tuple[str, str]]:
    from audioclf.dataset.path_labels import shown

    layout, headers = draft.layout, draft.headers
    dataset = layout.dataset
    minutes = headers.total_seconds / 60
    length = f"{headers.total_seconds:.0f} s" if minutes < 2 else f"{minutes:,.1f} min"
    yield "clips", f"{len(dataset):,}, {length} of audio, read as `type: {layout.fields['type']}`"
    parts = dataset.in_ranges() if dataset.is_numbers else dataset
    classes = [f"{name} ({count})" for name, count in parts.class_counts.items()]
    yield (
        "ranges" if dataset.is_numbers else "classes",
        f"{len(classes)}, from {layout.labels}: {shown(classes, most=_MAX_SHOWN)}",
    )
    groups = sorted({clip.group for clip in dataset if clip.group is not None})
    if groups:
        guess = ", guessed from the names" if draft.layout.guessed_groups else ""
        yield "groups", f"{len(groups)}{guess}: {shown(groups, most=_MAX_SHOWN)}"
    else:
        yield "groups", "none found: no speakers, sites or days are named"
    yield "files", _files(headers)
    yield "split", draft.split_description
    if headers.unreadable:
        yield "unreadable", f"{len(headers.unreadable)} of {headers.n_read:,}, left out"


def _files(headers: Headers) -> str:
    rates = ", ".join(f"{sr} Hz" for sr, _ in headers.rates.most_common(4))
    channels = ", ".join(
        {1: "mono", 2: "stereo"}.get(n, f"{n} channels") for n, _ in headers.channels.most_common(3)
    )
    formats = ", ".join(name for name, _ in headers.formats.most_common(3))
    low, high = headers.seconds[0], headers.seconds[-1]
    lengths = " to ".join(dict.fromkeys(f"{seconds:.3g}" for seconds in (low, high)))
    return f"{rates}; {channels}; {formats}; {lengths} s"
