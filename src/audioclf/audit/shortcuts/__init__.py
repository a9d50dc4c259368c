"""Audit of shortcuts: prediction of the class from the format, the recording or the timing alone.

A random forest predicts the class from a table of facts, on the folds of the run. Its balanced
accuracy, or its rank correlation with numbers, is compared with chance and with the pipelines of
the run. There are three tables:

- format (container, encoding, sample rate, channels, chunks of the header): none of it is sound, so
  it can predict the class only through the place, the device or the session of the recording;
- recording (level, noise floor, bandwidth and the like): a bark is louder than a purr, so this is a
  finding only if the forest is about as good as the pipelines;
- timing (duration, silence before and after): the duration often belongs to the sound itself, so
  this is a finding only if the forest is nearly perfect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.inputs import AuditInput, FileFormat
from audioclf.audit.shortcuts import elsewhere
from audioclf.audit.shortcuts.facts import FACTS, FORMAT_FACTS, file_formats
from audioclf.audit.shortcuts.formats import (
    by_value,
    clips_by_format,
    format_finding,
    formats_by_class,
    words_for,
)
from audioclf.audit.shortcuts.per_class import OfClass, probe_classes
from audioclf.audit.shortcuts.probe import (
    MIN_AUC,
    Best,
    Column,
    ProbeResult,
    ShortcutProbe,
    probe_for,
)
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.splits import Fold, Splits

if TYPE_CHECKING:
    from numpy.typing import NDArray


NAMES = ("shortcut", "shortcut-recording", "shortcut-timing", "recording-habit")
"""The findings of this audit."""

MAX_FOLDS = 5
CLOSE = 0.9
"""Share of the best pipeline's gain over chance above which a table is about as good."""

NEARLY_ALL = 0.9
"""Balanced accuracy above which the timing is nearly perfect."""

_MAX_VALUES = 30

Kind = Literal["format", "recording", "timing"]
_KINDS: tuple[Kind, ...] = ("format", "recording", "timing")


def audit_shortcuts(inputs: AuditInput) -> Audit:
    """Predict the class from tables of facts, and look for formats that only one class has."""
    dataset, formats = inputs.dataset, inputs.formats
    if formats is None:
        formats = file_formats(inputs.ledger)
    folds, description = few_folds(inputs.splits)
    tables = dict(_tables(dataset, inputs.facts, formats))
    if dataset.is_several:
        classes = probe_classes(dataset, folds, tables, inputs)
        return _of_classes(dataset, formats, classes, description)
    probe = probe_for(dataset, folds, inputs.seed, inputs.remember)
    probed = {kind: probe.fit(table) for kind, table in tables.items()}
    best = probe.best(inputs.results)
    for kind, result in probed.items():
        is_finding = result.above_chance and _severity(kind, result, best) == "finding"
        if is_finding and not dataset.is_numbers:
            probed[kind] = _with_elsewhere(result, tables[kind], inputs)
    by_class = format_finding(dataset, formats_by_class(dataset, formats))
    findings = [_finding(kind, probed[kind], best, probe) for kind in _KINDS if kind in probed]
    return Audit(
        "shortcuts",
        "Shortcuts",
        _summary(dataset, probed, description, probe) + probe.interval_note(),
        [finding for finding in (by_class, *findings) if finding is not None],
        {"best_cell": best and best.to_data()}
        | {kind: probed[kind].to_data() if kind in probed else None for kind in _KINDS},
    )


def _with_elsewhere(
    result: ProbeResult, columns: Sequence[Column], inputs: AuditInput
) -> ProbeResult:
    """Add the accuracy of the pipelines where the most predictive fact points to another class."""
    row = result.rows[0]
    if row["auc"] < MIN_AUC:
        return result
    values = next(column.values for column in columns if column.name == row["fact"])
    found = elsewhere.accuracy_elsewhere(row, values, inputs.results, inputs.dataset.targets)
    return replace(result, elsewhere=found)


def _of_classes(
    dataset: Dataset, formats: Mapping[str, FileFormat], classes: Sequence[OfClass], folds: str
) -> Audit:
    """Return the audit of several labels per clip, from the results of each class."""
    by_class = format_finding(dataset, formats_by_class(dataset, formats))
    findings = [_finding_of_classes(kind, classes) for kind in _KINDS]
    most = f" (those of most clips, of {len(dataset.classes)})"
    summary = (
        f"Predicted for each of {len(classes)} classes"
        f"{most * (len(dataset.classes) > len(classes))} whether a clip has it from facts other "
        f"than the sound, by random forests on {folds}."
    )
    data = {
        each.probe.label: {"best_cell": each.best and each.best.to_data()}
        | {kind: result.to_data() for kind, result in each.probed.items()}
        for each in classes
    }
    found = [finding for finding in (by_class, *findings) if finding is not None]
    return Audit("shortcuts", "Shortcuts", summary, found, {"classes": data})


def _finding_of_classes(kind: Kind, classes: Sequence[OfClass]) -> Finding | None:
    """Return the finding on the class that a table predicts best, which names the others."""
    found = [each for each in classes if kind in each.probed and each.probed[kind].above_chance]
    serious = [e for e in found if _severity(kind, e.probed[kind], e.best) == "finding"]
    ranked = sorted(serious or found, key=lambda each: -each.probed[kind].estimate.value)
    if not ranked:
        return None
    first, others = ranked[0], ranked[1:]
    finding = _finding(kind, first.probed[kind], first.best, first.probe)
    if finding is None or not others:
        return finding
    listed = ", ".join(f"{e.probe.label!r} ({e.probed[kind].estimate.value:.3f})" for e in others)
    return replace(finding, text=f"{finding.text} Also: {listed}.")


def few_folds(splits: Splits) -> tuple[tuple[Fold, ...], str]:
    """Return at most `MAX_FOLDS` folds with the separation of the splits, and a description.

    More folds of the first repeat are merged: the union of their test sides, the intersection of
    their training sides. Of repeated holdout, the first repeats are taken.
    """
    all_folds = splits.folds
    first = [fold for fold in all_folds if fold.repeat == all_folds[0].repeat]
    if len(first) == 1:
        kept = all_folds[:MAX_FOLDS]
        return kept, _share_of(len(kept), len(all_folds))
    if len(first) <= MAX_FOLDS:
        return tuple(first), _share_of(len(first), len(all_folds))
    fold_groups = [first[start::MAX_FOLDS] for start in range(MAX_FOLDS)]
    merged = tuple(_merged(number, group) for number, group in enumerate(fold_groups))
    return merged, f"{len(first)} folds of the run merged into {MAX_FOLDS}"


def _share_of(kept: int, n_folds: int) -> str:
    return f"{kept} of the {n_folds} folds of the run" if kept < n_folds else "the folds of the run"


def _merged(number: int, folds: Sequence[Fold]) -> Fold:
    test = np.unique(np.concatenate([fold.test for fold in folds]))
    train = folds[0].train
    for fold in folds[1:]:
        train = np.intersect1d(train, fold.train)
    return Fold(folds[0].repeat, str(number), np.setdiff1d(train, test), test)


def _tables(
    dataset: Dataset, facts: NDArray[np.float32], formats: Mapping[str, FileFormat]
) -> Iterator[tuple[Kind, list[Column]]]:
    """Yield the tables that have a fact in which clips differ."""
    tables: dict[Kind, list[Column]] = {"format": list(_format_columns(dataset, formats))}
    for column, fact in enumerate(FACTS):
        values = facts[:, column].astype(np.float64)
        if fact.name == "decay_s" and values.any():  # a clip without one gets the typical value
            values[values == 0] = np.median(values[values > 0])
        if np.ptp(values) > 0:
            tables.setdefault(fact.kind, []).append(Column(fact.name, False, values))
    yield from ((kind, columns) for kind, columns in tables.items() if columns)


def _format_columns(dataset: Dataset, formats: Mapping[str, FileFormat]) -> Iterator[Column]:
    """Yield a column for each value of a fact, or one column where there are two values."""
    by_format = clips_by_format(dataset, formats)
    for fact in FORMAT_FACTS:
        positions = by_value(by_format, fact)
        different = sorted(positions, key=lambda value: (len(positions[value]), str(value)))
        if len(different) == 2:
            different = different[:1]
        elif len(different) == 1:
            continue
        for value in different[-_MAX_VALUES:]:
            has = np.zeros(len(dataset))
            has[positions[value]] = 1.0
            yield Column(words_for(fact, value), True, has)


_STRONG_AUC = 0.8
_GAIN = "`augment: [{type: gain, db: [-12, 12]}]`"
_TRIM = "`trim_silence: {top_db: 30}` in the featurizer"
_HISS = "`augment: [{type: noise, snr: [30, 60]}]`"
_KEYS = {
    "level_db": f"level_db: {_GAIN}",
    "peak_db": f"peak_db: {_GAIN}",
    "clipped": "clipped: `augment: [{type: clipping}]`",
    "dc_offset": "dc_offset: `fmin: 50` in `mel` or `mfcc`",
    "decay_s": "decay_s: `augment: [{type: reverb}]`",
    "zeros": f"zeros: {_HISS}",
    "flat": f"flat: {_HISS}",
    "noise_floor_db": "noise_floor_db: `augment: [{type: background, path: NOISE}]`",
    "lead_s": f"lead_s: {_TRIM}",
    "tail_s": f"tail_s: {_TRIM}",
}
"""Config keys against facts that tell the class."""

_SUBJECT = {
    "format": "The format of the files",
    "recording": "The recording (level, noise floor, bandwidth and the like)",
    "timing": "The timing (duration, silence before and after)",
}
_ADVICE = {
    "format": "Split by recording session or device (groups), and compare with a run on clips of "
    "one format.",
    "recording": "Compare with a run on clips of equal level and background, or ask whether "
    "these facts belong to the sounds themselves.",
    "timing": "Find out whether the length belongs to the sounds, or comes from how the clips were "
    "cut: then cut all alike.",
}


def _finding(
    kind: Kind, result: ProbeResult, best: Best | None, probe: ShortcutProbe
) -> Finding | None:
    if not result.above_chance:
        return None
    against = f" and pipeline {best.name} reaches {best.estimate.value:.3f}" if best else ""
    text = (
        f"{_SUBJECT[kind]} alone predicts the {probe.words[0]} with a {probe.words[1]} of "
        f"{result.estimate}; chance is {result.chance:.3f}{against}{probe.best_facts(result.rows)}."
    )
    if result.elsewhere:
        text += elsewhere.sentence(result.elsewhere)
    name = "shortcut" if kind == "format" else f"shortcut-{kind}"
    return Finding(
        name, _severity(kind, result, best), text, _advice(kind, result.rows, probe), result.rows
    )


def _advice(kind: Kind, rows: Sequence[Mapping[str, Any]], probe: ShortcutProbe) -> str:
    """Return the advice for a table, with config keys against the facts that tell the class."""
    strong = [row for row in rows if probe.worth(row) >= _STRONG_AUC]
    keys = [text for row in strong if (text := _key_against(row))]
    if not keys:
        return _ADVICE[kind]
    return f"{_ADVICE[kind]} Against {'; against '.join(keys)}."


def _key_against(row: Mapping[str, Any]) -> str:
    if row["fact"] in ("bandwidth_hz", "duration_s") and "in_class" in row:
        # Below the lower of both medians no class has less than the other.
        lower = 0.95 * min(row["in_class"], row["elsewhere"])
        if row["fact"] == "duration_s":
            return f"duration_s: `audio.duration: {round(lower, 2):g}`, which cuts longer clips"
        return f"bandwidth_hz: `fmax: {lower - lower % 100:.0f}` in `mel` or `mfcc`"
    return _KEYS.get(row["fact"], "")


def _severity(kind: Kind, result: ProbeResult, best: Best | None) -> Severity:
    if kind == "format":
        return "finding"
    value, chance = result.estimate.value, result.chance
    close = best is not None and value - chance >= CLOSE * (best.estimate.value - chance)
    nearly_all = value >= NEARLY_ALL
    serious = close if kind == "recording" else close and nearly_all
    return "finding" if serious else "info"


def _summary(
    dataset: Dataset, probed: Mapping[Kind, ProbeResult], folds: str, probe: ShortcutProbe
) -> str:
    parts = [
        f"{kind} {probed[kind].estimate} (chance {probed[kind].chance:.3f})"
        if kind in probed
        else f"{kind} is the same for all"
        for kind in _KINDS
    ]
    return (
        f"Predicted the {probe.words[0]} of {len(dataset)} clips from facts other than the sound, "
        f"by random forests on {folds}; {probe.words[1]}: {', '.join(parts)}."
    )
