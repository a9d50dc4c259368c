"""The config as text: what was chosen, and above each choice the reason for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioclf.dataset.path_labels import shown
from audioclf.starters.first_config.choices import (
    Choice,
    choose_audio,
    choose_classifiers,
    choose_featurizer,
    choose_metrics,
)
from audioclf.starters.first_config.groups import Grouped
from audioclf.starters.first_config.headers import Headers
from audioclf.starters.first_config.yaml_text import block, comment, flow, scalar

_MAX_CLASSES = 12
_MAX_BAD = 5


@dataclass(frozen=True)
class ConfigDraft:
    """All that a config is written from."""

    name: str
    grouped: Grouped
    headers: Headers
    split: dict[str, Any]
    why_split: str


def write_yaml(sketch: ConfigDraft, out: Path) -> str:
    """Return the config that is to stand at `out`."""
    return "\n".join(line.rstrip() for line in _lines(sketch, out)) + "\n"


def _lines(sketch: ConfigDraft, out: Path) -> Iterator[str]:
    dataset = sketch.grouped.found.dataset
    audio = choose_audio(sketch.headers)
    yield from comment(
        f"A start for {sketch.grouped.found.path.name}, written by `audioclf init` from what it "
        "saw; every choice may be changed. Its reasons stand above each. Next:"
    )
    yield from comment(f"  audioclf explore {out.name}", keep=True)
    yield from comment(f"  audioclf run {out.name}", keep=True)
    yield f"name: {scalar(sketch.name)}"
    yield "seed: 42  # the same seed, data and versions give the same figures"
    yield ""
    yield "dataset:"
    yield from _dataset(sketch, out)
    yield ""
    yield "audio:"
    yield from _with_reasons(audio)
    yield ""
    yield "featurizers:"
    yield from _with_reasons(choose_featurizer(audio.data["sr"]))
    yield ""
    yield from comment(sketch.why_split)
    yield f"split: {flow(sketch.split)}"
    yield ""
    yield "classifiers:"
    yield from _with_reasons(choose_classifiers(len(dataset)))
    yield ""
    metrics, why = choose_metrics(dataset)
    yield from comment(why)
    yield f"metrics: {flow(metrics)}"
    yield from _bad_files(sketch.headers)


def _with_reasons(choice: Choice) -> Iterator[str]:
    for reason in choice.why:
        yield from comment(reason, 2)
    yield from block(choice.data, 2)


def _dataset(sketch: ConfigDraft, out: Path) -> Iterator[str]:
    found = sketch.grouped.found
    counts = found.dataset.class_counts
    sizes = f"{min(counts.values()):,} to {max(counts.values()):,} clips each"
    if min(counts.values()) == max(counts.values()):
        sizes = f"{min(counts.values()):,} clips each"
    yield from comment(
        f"Classes are read from {found.labels}. There are {len(counts)}, of {sizes}: "
        f"{shown(list(counts), most=_MAX_CLASSES)}.",
        2,
    )
    for doubt in found.doubts:
        yield from comment(doubt, 2)
    if found.others:
        yield from comment("If another word is the class, it is one of these:", 2)
        for each in found.others:
            told = f"  label_pattern: {scalar(each.pattern)}  # {shown(each.values, most=6)}"
            yield from comment(told, 2, keep=True)
    for text, pattern in sketch.grouped.remarks:
        yield from comment(text + (":" if pattern else ""), 2)
        if pattern:
            yield from comment(f"  label_pattern: {scalar(pattern)}", 2, keep=True)
    for note in found.dataset.notes:
        yield from comment(f"Note: {note}.", 2)
    plain = {key: _plain(value, out) for key, value in found.fields.items()}
    yield from block(plain, 2)


def _plain(value: Any, out: Path) -> Any:
    """Return a field as plain data; a path is relative to the folder of the config if it can be."""
    if not isinstance(value, Path):
        return value
    try:
        found = os.path.relpath(os.path.realpath(value), os.path.realpath(out.parent))
    except ValueError:  # another drive
        return str(value.absolute())
    return Path(found).as_posix()


def _bad_files(headers: Headers) -> Iterator[str]:
    n_bad = len(headers.unreadable)
    if headers.n_looked < headers.n_clips:
        yield ""
        yield from comment(
            f"Of {headers.n_clips:,} files {headers.n_looked:,} were looked at, evenly drawn."
        )
    if not n_bad:
        return
    yield ""
    files = "file cannot" if n_bad == 1 else "files cannot"
    yield from comment(
        f"{n_bad} of {headers.n_looked:,} {files} be read. They are left out and counted; mend or "
        "remove them, and take this line away."
    )
    for message in headers.unreadable[:_MAX_BAD]:
        yield from comment(f"  {message}", keep=True)
    if n_bad > _MAX_BAD:
        yield from comment(f"  and {n_bad - _MAX_BAD} more", keep=True)
    yield "on_error: skip"
