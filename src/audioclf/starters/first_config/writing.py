"""Text of a first config: each choice with its reasons above it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audioclf.dataset.path_labels import shown
from audioclf.starters.first_config import choices
from audioclf.starters.first_config.results import Choice, ConfigDraft, Headers
from audioclf.starters.first_config.yaml_text import block, comment, flow, scalar

_MAX_CLASSES = 12
_MAX_BAD = 5


def write_yaml(draft: ConfigDraft, out: Path) -> str:
    """Return the text of a config at the path `out`."""
    return "\n".join(line.rstrip() for line in _lines(draft, out)) + "\n"


def _lines(draft: ConfigDraft, out: Path) -> Iterator[str]:
    dataset = draft.layout.dataset
    audio = choices.choose_audio(draft.headers)
    yield from comment(
        f"A first config for {draft.layout.path.name}, written by `audioclf init`. Every choice "
        "may be changed; its reasons are above it. Next:"
    )
    yield from comment(f"  audioclf explore {out.name}", keep=True)
    yield from comment(f"  audioclf run {out.name}", keep=True)
    yield f"name: {scalar(draft.name)}"
    yield "seed: 42  # the same seed, data and versions give the same results"
    yield from ("", "dataset:", *_dataset(draft, out))
    yield from _section("audio", audio)
    yield from _section("featurizers", choices.choose_featurizer(audio.data["sr"]))
    for name, reason in draft.proposed.items():
        yield from comment(reason, 2)
        yield from block({name: {"type": name}}, 2)
    yield from _line("split", draft.split)
    yield from _section("classifiers", choices.choose_classifiers(dataset))
    yield from _line("metrics", choices.choose_metrics(dataset))
    yield from _unreadable(draft.headers)


def _section(key: str, choice: Choice) -> Iterator[str]:
    yield from ("", f"{key}:")
    for reason in choice.reasons:
        yield from comment(reason, 2)
    yield from block(choice.data, 2)


def _line(key: str, choice: Choice) -> Iterator[str]:
    yield from ("", *comment(choice.reasons[0]), f"{key}: {flow(choice.data)}")


def _dataset(draft: ConfigDraft, out: Path) -> Iterator[str]:
    layout = draft.layout
    is_number = layout.dataset.is_numbers
    counts = (layout.dataset.in_ranges() if is_number else layout.dataset).class_counts
    fewest, most = min(counts.values()), max(counts.values())
    sizes = f"{fewest:,} to {most:,} clips each" if fewest < most else f"{fewest:,} clips each"
    what = "Numbers are read" if is_number else "Classes are read"
    ranges = " ranges" if is_number else ""
    yield from comment(
        f"{what} from {layout.labels}. There are {len(counts)}{ranges}, of {sizes}: "
        f"{shown(list(counts), most=_MAX_CLASSES)}.",
        2,
    )
    for note in layout.notes:
        yield from comment(note, 2)
    if layout.others:
        yield from comment("If another word is the class, use one of these:", 2)
        for other in layout.others:
            line = f"  label_pattern: {scalar(other.pattern)}  # {shown(other.values, most=6)}"
            yield from comment(line, 2, keep=True)
    for text, pattern in layout.group_notes:
        yield from comment(text + (":" if pattern else ""), 2)
        if pattern:
            yield from comment(f"  {layout.pattern_key}: {scalar(pattern)}", 2, keep=True)
    for note in layout.dataset.notes:
        yield from comment(f"Note: {note.removesuffix('.')}.", 2)
    yield from block({key: _plain(value, out) for key, value in layout.fields.items()}, 2)


def _plain(value: Any, out: Path) -> Any:
    """Return a field as plain data; a path becomes relative to the config where possible."""
    if not isinstance(value, Path):
        return value
    try:
        relative = os.path.relpath(os.path.realpath(value), os.path.realpath(out.parent))
    except ValueError:  # another drive
        return str(value.absolute())
    return Path(relative).as_posix()


def _unreadable(headers: Headers) -> Iterator[str]:
    messages = list(headers.unreadable.values())
    if headers.n_read < headers.n_clips:
        yield ""
        yield from comment(
            f"The headers of {headers.n_read:,} of {headers.n_clips:,} files were read, an even "
            "sample."
        )
    if not messages:
        return
    yield ""
    files = "file cannot" if len(messages) == 1 else "files cannot"
    yield from comment(
        f"{len(messages)} of {headers.n_read:,} {files} be read. They are left out and counted; "
        "repair or remove them, and delete this line."
    )
    for message in messages[:_MAX_BAD]:
        yield from comment(f"  {message}", keep=True)
    if len(messages) > _MAX_BAD:
        yield from comment(f"  and {len(messages) - _MAX_BAD} more", keep=True)
    yield "on_error: skip"
