"""Long recordings with Raven selection tables or Audacity label tracks beside them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.annotations import Annotations
from audioclf.builtin.loaders.selections import TABLE_NAME
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.label_cells import several_separator
from audioclf.dataset.label_sets import UNSURE
from audioclf.dataset.path_labels import is_audio, shown
from audioclf.dataset.sources import Listing
from audioclf.dataset.tables import read_text
from audioclf.plugin import AudioSource
from audioclf.starters.first_config.columns import Chosen
from audioclf.starters.first_config.results import Layout

_SEVERAL_WINDOW = 3.0
"""Length of windows in s for annotations of several labels, if none is given."""
_RAVEN = "Begin Time (s)"
_DEFAULT = "Annotation"
_MEASURED = re.compile(
    r"(Selection|View|Channel|(Begin|End) (Time|File|Path|Date|Clock).*|File Offset.*|"
    r"(Low|High|Peak|Center|Delta|Max|Min|Avg|Inband|Energy|BW|Dur|Freq|Sample|Length).*|.*\(.*\))",
    re.IGNORECASE,
)


def find_annotations(
    path: Path, listing: Listing, notes: list[str], chosen: Chosen
) -> Layout | None:
    """Return the annotated clips of recordings, or None if no table belongs to one.

    Reasons why text files beside recordings were not used are added to `notes`.
    """
    files = dict(listing.entries)
    tables = _tables(files)
    if not tables:
        return None
    try:
        column, *others = (
            [chosen.columns["label"]] if "label" in chosen.columns else _columns(files, tables)
        )
        fields: dict[str, Any] = {} if column == _DEFAULT else {"column": column}
        dataset = Annotations(path=path, **fields, labels="single").load()
        several = _are_several(dataset)
        window = chosen.window or (_SEVERAL_WINDOW if several else None)
        if window is not None:
            fields |= _windows(dataset, window, notes)
        if several:
            fields["labels"] = "several"
        dataset = Annotations(path=path, **fields).load()
    except DatasetError as exc:
        notes.append(f"Text files lie beside recordings, and were not used: {exc.message}")
        return None
    if several:
        notes.append(
            "A GUESS by their texts: some annotations hold several labels or an unsure one (?), so "
            "each window has all its labels, or none. If each text is one class, write `labels: "
            "single`."
        )
    elif chosen.window is None:
        notes.append(
            "Each annotation is a clip of its own length. For windows of one length instead, as in "
            "`audioclf predict --window 3`, call init again with --window 3."
        )
    else:
        notes.append(
            "Windows without an annotation are left out. If everything is annotated, add "
            "`background: none`: they are then a class, and the model can say that there is no "
            "call."
        )
    if "column" in fields and "label" not in chosen.columns and not several:
        also = f" Or is it {shown(others, most=4)}? Then use --label NAME." if others else ""
        notes.append(f"A GUESS: the column {column!r} holds the labels.{also}")
    written = {"type": "annotations", "path": path, **fields}
    return Layout(dataset, written, "the annotations beside the recordings")


def _are_several(dataset: Dataset) -> bool:
    labels = [clip.label for clip in dataset]
    unsure = any(label.startswith(UNSURE) and label != UNSURE for label in labels)
    return unsure or several_separator(labels) is not None


def _windows(dataset: Dataset, window: float, notes: list[str]) -> dict[str, float]:
    """Return the fields for windows, in which half of a typical annotation is enough."""
    seconds = median((clip.end or 0) - (clip.start or 0) for clip in dataset)
    overlap = max(0.01, round(seconds / window / 2, 2))
    if overlap >= Annotations.model_fields["min_overlap"].default:
        return {"window": window}
    notes.append(
        f"`min_overlap: {overlap:g}`: a window has a label if {overlap:.0%} of it is annotated, "
        f"which is half of the median annotation, {seconds:.3g} s."
    )
    return {"window": window, "min_overlap": overlap}


def _tables(files: Mapping[str, AudioSource]) -> list[str]:
    """Return the tables with the name of a recording or of a selection table."""
    stems = {posixpath.splitext(file)[0] for file in files if is_audio(file)}
    matches = {file: TABLE_NAME.search(file) for file in sorted(files)}
    return [
        file
        for file, match in matches.items()
        if match and (any(match.groups()) or TABLE_NAME.sub("", file) in stems)
    ]


def _columns(files: Mapping[str, AudioSource], tables: list[str]) -> list[str]:
    """Return the columns of Raven tables that may hold the label, the likeliest first."""
    for table in tables:
        header = read_text(files[table]).lstrip().partition("\n")[0]
        names = [name.strip() for name in re.split(r"[\t,]", header)]
        birdnet = [name for name in names if name.lower().replace("_", " ") == "common name"]
        if birdnet and "confidence" in map(str.lower, names):
            return birdnet
        if _RAVEN not in names or _DEFAULT in names:
            continue
        own = [name for name in names if name and not _MEASURED.fullmatch(name)]
        if not own:
            raise DatasetError(f"{table}: no column holds the label")
        return own
    return [_DEFAULT]
