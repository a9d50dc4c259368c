"""Long recordings with Raven selection tables or Audacity label tracks beside them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.annotations import Annotations
from audioclf.builtin.loaders.selections import TABLE_NAME
from audioclf.dataset.path_labels import is_audio, shown
from audioclf.dataset.sources import Listing
from audioclf.dataset.tables import read_text
from audioclf.plugin import AudioSource
from audioclf.starters.first_config.results import Layout

_RAVEN = "Begin Time (s)"
_DEFAULT = "Annotation"
_MEASURED = re.compile(
    r"(Selection|View|Channel|(Begin|End) (Time|File|Path|Date|Clock).*|File Offset.*|"
    r"(Low|High|Peak|Center|Delta|Max|Min|Avg|Inband|Energy|BW|Dur|Freq|Sample|Length).*|.*\(.*\))",
    re.IGNORECASE,
)


def find_annotations(path: Path, listing: Listing, notes: list[str]) -> Layout | None:
    """Return the annotated clips of recordings, or None if no table belongs to one.

    Reasons why text files beside recordings were not used are added to `notes`.
    """
    files = dict(listing.entries)
    tables = _tables(files)
    if not tables:
        return None
    try:
        column = _column(files, tables)
        fields = {} if column == _DEFAULT else {"column": column}
        dataset = Annotations(path=path, **fields).load()
    except DatasetError as exc:
        notes.append(f"Text files lie beside recordings, and were not used: {exc.message}")
        return None
    notes.append(
        "Each annotation is a clip of its own length. For windows of one length instead, with a "
        "class for unmarked sound, add `window: 3.0` (s) and `background: none`."
    )
    if fields:
        notes.append(f"A GUESS: the column {column!r} holds the labels.")
    written = {"type": "annotations", "path": path, **fields}
    return Layout(dataset, written, "the annotations beside the recordings")


def _tables(files: Mapping[str, AudioSource]) -> list[str]:
    """Return the tables with the name of a recording or of a selection table."""
    stems = {posixpath.splitext(file)[0] for file in files if is_audio(file)}
    matches = {file: TABLE_NAME.search(file) for file in sorted(files)}
    return [
        file
        for file, match in matches.items()
        if match and (any(match.groups()) or TABLE_NAME.sub("", file) in stems)
    ]


def _column(files: Mapping[str, AudioSource], tables: list[str]) -> str:
    """Return the column of Raven tables with the label."""
    for table in tables:
        header = read_text(files[table]).lstrip().partition("\n")[0]
        names = [name.strip() for name in re.split(r"[\t,]", header)]
        birdnet = [name for name in names if name.lower().replace("_", " ") == "common name"]
        if birdnet and "confidence" in map(str.lower, names):
            return birdnet[0]
        if _RAVEN not in names or _DEFAULT in names:
            continue
        own = [name for name in names if name and not _MEASURED.fullmatch(name)]
        if len(own) != 1:
            raise DatasetError(f"{table}: several columns may hold the label: {shown(own, most=8)}")
        return own[0]
    return _DEFAULT
