"""Labels in the cells of a table: one for each clip, or several.

Several labels stand in one cell, as in `robin;wren`, or in one column for each class. `?wren` in a
cell and a blank cell in the column of a class mean that the class is not labelled. One label is the
name of a class, a number, or one of ordered classes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Discriminator, Tag, field_validator, model_validator

from audioclf.base.errors import DatasetError
from audioclf.base.settings import Settings
from audioclf.dataset.label_sets import SEPARATOR, UNSURE, join_labels

SEPARATORS = ";,|"

ColumnName = Annotated[str, MinLen(1)]
"""The name of a column."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_RULE = "the name of a class has no ';' and does not begin with '?'"
_YES, _NO = {"1", "1.0", "true"}, {"0", "0.0", "false"}


class SeveralLabels(Settings):
    """Several labels per clip, in one column for each class, or in one cell."""

    columns: Annotated[tuple[ColumnName, ...], MinLen(1)] | None = None
    """Columns with one class each: 1 for yes, 0 for no, blank for not labelled."""

    separator: Literal[";", ",", "|"] | None = None
    """Text between the labels in a cell; null is the one of `;`, `,` and `|` that cells hold."""

    @field_validator("columns")
    @classmethod
    def _are_classes(cls, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name, number in Counter(columns or ()).items():
            if number > 1:
                raise ValueError(f"the column {name!r} is listed twice")
            if not can_be_class(name):
                raise ValueError(f"{name!r} is listed: {_RULE}")
        return columns

    @model_validator(mode="after")
    def _has_one_place(self) -> SeveralLabels:
        if self.columns is not None and self.separator is not None:
            raise ValueError("use either columns or separator: columns of classes have none")
        return self


def _is_mapping(value: Any) -> str:
    return "mapping" if isinstance(value, dict | Settings) else "word"


Labels = Annotated[
    Annotated[Literal["single", "several"], Tag("word")] | Annotated[SeveralLabels, Tag("mapping")],
    Discriminator(_is_mapping),
]
"""Number of labels per clip: `single`, `several`, or the columns or separator of several."""


class OrderedClasses(Settings):
    """Classes in an order, such as degrees of a disease."""

    ordered: Annotated[tuple[ColumnName, ...], MinLen(2)]
    """Names of the classes, the lowest first."""

    @field_validator("ordered")
    @classmethod
    def _are_different(cls, ordered: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(unicodedata.normalize("NFC", name) for name in ordered)
        for name, number in Counter(names).items():
            if number > 1:
                raise ValueError(f"the class {name!r} is listed twice")
        return names


Target = Annotated[
    Annotated[Literal["class", "number"], Tag("word")] | Annotated[OrderedClasses, Tag("mapping")],
    Discriminator(_is_mapping),
]
"""Meaning of one label: the name of a class, a number, or one of ordered classes."""


def target_of(target: Target | None) -> str | tuple[str, ...]:
    """Return the target as `Dataset` has it."""
    return target.ordered if isinstance(target, OrderedClasses) else target or "class"


def are_several(labels: Labels | None) -> bool:
    """Return whether clips have several labels each."""
    return labels not in (None, "single")


def check_one_kind(labels: Labels | None, target: Target | None) -> None:
    """Raise a ValueError if several labels have a target, which is the meaning of one."""
    if are_several(labels) and target not in (None, "class"):
        raise ValueError("target is the meaning of a single label: remove it, or `labels`")


def label_columns(labels: Labels | None, column: str) -> tuple[str, ...]:
    """Return the columns that hold labels; `column` is that of a label or of several in a cell."""
    columns = labels.columns if isinstance(labels, SeveralLabels) else None
    return (column,) if columns is None else columns


def label_reader(
    labels: Labels | None, column: str, texts: Iterable[str], target: Target | None = None
) -> Callable[[Mapping[str, str]], str]:
    """Return a function from the cells of the label columns of a row to the label of the clip.

    `texts` are all cells of `column`. The function raises a ValueError for an invalid cell.
    """
    if target == "number":
        return lambda cells: _number(cells[column], column)
    if isinstance(target, OrderedClasses):
        return lambda cells: _one_of(target.ordered, cells[column], column)
    if not are_several(labels):
        return lambda cells: _single(cells[column], column, check=labels is None)
    own = labels if isinstance(labels, SeveralLabels) else SeveralLabels()
    if own.columns is not None:
        return _from_columns
    separator = own.separator or find_separator(texts, column)

    def read(cells: Mapping[str, str]) -> str:
        try:
            return parse_labels(cells[column], separator)
        except ValueError as exc:
            raise ValueError(f"{column} is {cells[column]!r}, which {exc}") from exc

    return read


def _single(text: str, column: str, *, check: bool) -> str:
    if not text:
        raise ValueError(f"no {column}")
    if check and text.startswith(UNSURE) and len(text) > 1:
        raise ValueError(
            f"{column} is {text!r}, which marks an unsure label; set `labels: several`, or "
            "`labels: single` if it is the name of a class"
        )
    return text


def _number(text: str, column: str) -> str:
    if not text:
        raise ValueError(f"no {column}")
    number = read_number(text)
    if number is None:
        raise ValueError(f"{column} is {text!r}, not a finite number such as 3.5")
    return number_text(number)


def number_text(number: float) -> str:
    """Return the shortest text of a number, from which the same number is read.

    >>> number_text(3.0), number_text(0.1), number_text(-0.0)
    ('3', '0.1', '0')
    """
    return repr(float(number) + 0.0).removesuffix(".0")


def read_number(text: str) -> float | None:
    """Return the finite number that a cell holds, or None.

    Examples
    --------
    >>> read_number("1.5"), read_number("1,5"), read_number("nan"), read_number("1e999")
    (1.5, None, None, None)
    """
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else None


def _one_of(classes: Sequence[str], text: str, column: str) -> str:
    if not text:
        raise ValueError(f"no {column}")
    if text not in classes:
        raise ValueError(f"{column} is {text!r}, not one of {', '.join(classes)}")
    return text


def _from_columns(cells: Mapping[str, str]) -> str:
    present, unlabelled = [], []
    for name, text in cells.items():
        if text.lower() in _YES:
            present.append(name)
        elif not text:
            unlabelled.append(name)
        elif text.lower() not in _NO:
            raise ValueError(f"{name} is {text!r}, not 1, 0 or blank")
    return join_labels(present, unlabelled)


def parse_labels(text: str, separator: str = SEPARATOR) -> str:
    """Return the canonical text of the labels in a cell (ValueError).

    >>> parse_labels("wren| ?owl |robin", "|"), parse_labels("")
    ('?owl;robin;wren', '')
    """
    present: list[str] = []
    unlabelled: list[str] = []
    for part in text.split(separator) if text else ():
        name = part.strip()
        unsure = name.startswith(UNSURE)
        name = name.removeprefix(UNSURE).strip()
        if not name:
            place = f"after {UNSURE!r}" if unsure else f"beside {separator!r}"
            raise ValueError(f"has no name {place}")
        if name in present or name in unlabelled:
            raise ValueError(f"names {name!r} twice")
        if not can_be_class(name):
            raise ValueError(f"names {name!r}: {_RULE}")
        (unlabelled if unsure else present).append(name)
    return join_labels(present, unlabelled)


def can_be_class(name: str) -> bool:
    """Return whether a text of several labels can name a class."""
    return bool(name) and SEPARATOR not in name and not name.startswith(UNSURE)


def find_separator(texts: Iterable[str], column: str) -> str:
    """Return the separator that cells hold (DatasetError if several do)."""
    held = Counter(sign for text in texts for sign in SEPARATORS if sign in text)
    if len(held) > 1:
        signs = " and ".join(f"{sign} in {held[sign]}" for sign in SEPARATORS if sign in held)
        raise DatasetError(
            f"cells of {column!r} hold more than one separator: {signs}",
            hint='Set `labels: {separator: ";"}` to the one between labels.',
        )
    return next(iter(held), SEPARATOR)


def several_separator(labels: Iterable[str]) -> str | None:
    """Return the separator if single labels look like several per clip, else None.

    They do if the parts of the labels that hold a separator recur in other labels, and these are at
    least half of the cells, or each part is a label by itself.
    """
    counts = Counter(labels)
    for sign in SEPARATORS:
        homes = defaultdict(set)
        for label in counts:
            for part in label.split(sign):
                homes[part.strip().removeprefix(UNSURE)].add(label)
        joined = [label for label in counts if sign in label]
        parts = {part for part, texts in homes.items() if not texts.isdisjoint(joined)}
        if not parts or "" in parts or any(len(homes[part]) < 2 for part in parts):
            continue
        if sign == "," and all(part.lstrip("+-").isdecimal() for part in parts):
            continue  # decimal commas
        share = sum(counts[label] for label in joined) / counts.total()
        if share >= 0.5 or parts <= counts.keys():
            return sign
    return None


def check_single(name: str, column: str, labels: Iterable[str]) -> None:
    """Refuse single labels that look like several per clip, until the user decides."""
    labels = list(labels)
    sign = several_separator(labels)
    if sign is not None:
        example = next(label for label in labels if sign in label)
        raise DatasetError(
            f"{name}: the column {column!r} seems to hold several labels per clip, such as "
            f"{example!r}",
            hint="Set `labels: several`, or `labels: single` if each text is one class.",
        )
