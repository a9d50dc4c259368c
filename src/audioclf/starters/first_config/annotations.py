"""Long recordings with Raven selection tables or Audacity label tracks beside them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.annotations import Annotations
from audioclf.dataset.path_labels import is_audio, shown
from audioclf.dataset.sources import Listing
from audioclf.dataset.text_files import read_text
from audioclf.plugin import AudioSource
from audioclf.starters.first_config.found import Found

_TABLE = re.compile(r"(?:\.Table\.\d+)?(\.selections)?\.(?:txt|tsv)$", re.IGNORECASE)
_RAVEN = "Begin Time (s)"
_DEFAULT = "Annotation"
_MEASURED = re.compile(
    r"(Selection|View|Channel|(Begin|End) (Time|File|Path|Date|Clock).*|File Offset.*|"
    r"(Low|High|Peak|Center|Delta|Max|Min|Avg|Inband|Energy|BW|Dur|Freq|Sample|Length).*|.*\(.*\))",
    re.IGNORECASE,
)


def find_annotations(path: Path, listing: Listing, doubts: list[str]) -> Found | None:
    """Return the annotated clips of recordings, if tables go with some of them.

    Why text files beside recordings were not used is added to `doubts`.
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
        doubts.append(f"Text files lie beside recordings, and were not used: {exc.message}")
        return None
    doubts.append(
        "Each annotation is a clip, as long as it is. To cut windows of one length instead, with "
        "a class for what nobody marked, add `window: 3.0` (s) and `background: none`."
    )
    if fields:
        doubts.append(f"A GUESS: {column!r} is the only column that is not a measurement.")
    written = {"type": "annotations", "path": path, **fields}
    return Found(dataset, written, "the annotations beside the recordings", ())


def _tables(files: Mapping[str, AudioSource]) -> list[str]:
    """Return the tables that have a recording's name, or that of a selection table."""
    stems = {posixpath.splitext(each)[0] for each in files if is_audio(each)}
    found = []
    for each in sorted(files):
        match = _TABLE.search(each)
        if match and (match[1] or _TABLE.sub("", each) in stems):
            found.append(each)
    return found


def _column(files: Mapping[str, AudioSource], tables: list[str]) -> str:
    """Return the column of Raven tables with the label.

    Raises
    ------
    DatasetError
        If several columns could be meant.
    """
    for each in tables:
        header = read_text(files[each]).lstrip().partition("\n")[0]
        names = [name.strip() for name in header.split("\t")]
        if _RAVEN not in names or _DEFAULT in names:
            continue
        own = [name for name in names if name and not _MEASURED.fullmatch(name)]
        if len(own) != 1:
            raise DatasetError(
                f"{each}: which column holds the label cannot be told: {shown(own, most=8)}"
            )
        return own[0]
    return _DEFAULT
