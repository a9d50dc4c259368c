"""Whether every file gave the sound that it promises.

Decoders are silent about much: a file that ends early, a channel that was never connected, a level
that hit the stops. What the ledger and the waveform facts know of it is said here, clip by clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.inputs import AuditInput
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.audit.shortcuts.formats import words_for
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.features.worker import LedgerRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Facts = NDArray[np.float32]

NAMES = (
    "unreadable",
    "decode-short",
    "silent",
    "constant",
    "clipped",
    "dc-offset",
    "odd-length",
    "mixed-formats",
    "remark",
)
"""The findings of this audit."""

SILENT_DB = -70.0
"""Peak in dBFS below which a clip is silent: ten steps of 16 bits."""
CONSTANT_SHARE = 0.99
"""Share of samples equal to the one before from which on a clip is constant."""
CLIPPED_SHARE = 0.001
"""Share of samples at full scale from which on a clip is clipped."""
MANY = 0.1
"""Share of clips from which on clipping is a property of the dataset and no accident."""
DC_OFFSET = 0.02
ODD_DEVIATIONS = 5.0
"""How many robust standard deviations of log duration an odd length is away from the median."""
ODD_FACTOR = 2.0
"""How many times longer or shorter than the median it is at least."""

_MAD_TO_DEVIATION = 1.4826
_MIN_LENGTHS = 8
_TRUNCATED = ": truncated: "


def audit_decode(inputs: AuditInput) -> Audit:
    """Compare the files with their headers, and look for silence, clipping and odd lengths."""
    dataset, ledger, facts = inputs.dataset, inputs.ledger, inputs.facts
    checks = (
        _unreadable(ledger),
        _decode_short(ledger, inputs.audio),
        _silent(dataset, facts),
        _constant(dataset, facts),
        _clipped(dataset, facts),
        _dc_offset(dataset, facts),
        _odd_length(ledger),
        _mixed_formats(ledger),
        _remarks(ledger),
    )
    failed = sum(row.status == "failed" for row in ledger)
    seconds = sum(row.seconds for row in ledger)
    return Audit(
        "decode",
        "Decoding",
        f"Compared the headers of {len(ledger)} files with their sound: {failed} could not be "
        f"read, {seconds / 60:.3g} min were decoded.",
        [finding for finding in checks if finding is not None],
        {"clips": len(ledger), "failed": failed, "seconds": round(seconds, 3)},
    )


def _found(
    name: str, severity: Severity, rows: Sequence[dict[str, Any]], are: str, advice: str
) -> Finding | None:
    """Return a finding that says what the clips of these rows are; none for no rows."""
    if not rows:
        return None
    counted = "1 clip is" if len(rows) == 1 else f"{len(rows)} clips are"
    return Finding(name, severity, f"{counted} {are}.", advice, rows)


def _unreadable(ledger: Sequence[LedgerRow]) -> Finding | None:
    rows = [
        {**_who(row.clip), "message": row.message}
        for row in ledger
        if row.status == "failed" and _TRUNCATED not in row.message
    ]
    return _found(
        "unreadable",
        "finding",
        rows,
        "unreadable, so no number knows of them",
        "Mend or remove them: a class that loses more clips than another is judged on the rest.",
    )


def _decode_short(ledger: Sequence[LedgerRow], audio: AudioConfig) -> Finding | None:
    return _found(
        "decode-short",
        "finding",
        [row for item in ledger for row in _short_row(item, audio)],
        "shorter than the header says: cut off while recording, copying or unpacking",
        "Fetch the originals again, or remove these clips.",
    )


def _short_row(row: LedgerRow, audio: AudioConfig) -> Iterator[dict[str, Any]]:
    who = _who(row.clip)
    if row.status == "failed" and _TRUNCATED in row.message:
        reason = row.message.rpartition(_TRUNCATED)[2]
        yield {**who, "promised_s": None, "decoded_s": None, "message": reason}
    elif row.status == "ok" and row.info is not None:
        promised = max(0.0, row.info.seconds - audio.offset)
        if audio.duration is not None:
            promised = min(promised, audio.duration)
        # Two samples of either rate are rounding.
        if row.seconds < promised - 2.0 / min(audio.sr, row.info.sr):
            found = {"promised_s": round(promised, 4), "decoded_s": round(row.seconds, 4)}
            yield {**who, **found, "message": row.message}


def _of_clips(
    dataset: Dataset, facts: Facts, name: str, wrong: Callable[[Facts], NDArray[np.bool_]]
) -> list[dict[str, Any]]:
    """Return a row for each clip whose fact is wrong, the largest first."""
    values = facts[:, COLUMN[name]]
    rows = [
        {**_who(dataset.clips[at]), name: round(float(values[at]), 5)}
        for at in np.flatnonzero(wrong(values))
    ]
    return sorted(rows, key=lambda row: -abs(row[name]))


def _who(clip: Clip) -> dict[str, Any]:
    return {"path": clip.id, "label": clip.label}


def _is_silent(facts: Facts) -> NDArray[np.bool_]:
    return np.asarray(facts[:, COLUMN["peak_db"]] < SILENT_DB)


def _silent(dataset: Dataset, facts: Facts) -> Finding | None:
    return _found(
        "silent",
        "finding",
        _of_clips(dataset, facts, "peak_db", lambda values: values < SILENT_DB),
        f"silent: no sample above {SILENT_DB:g} dB of full scale",
        "Listen to them and remove them: no label can be heard in silence.",
    )


def _constant(dataset: Dataset, facts: Facts) -> Finding | None:
    loud = ~_is_silent(facts)
    return _found(
        "constant",
        "finding",
        _of_clips(dataset, facts, "flat", lambda values: loud & (values >= CONSTANT_SHARE)),
        f"constant: over {100 * CONSTANT_SHARE:g} % of the samples equal the one before",
        "Listen to them and remove them: what stays the same makes no sound.",
    )


def _clipped(dataset: Dataset, facts: Facts) -> Finding | None:
    rows = _of_clips(dataset, facts, "clipped", lambda values: values >= CLIPPED_SHARE)
    return _found(
        "clipped",
        "finding" if len(rows) >= MANY * len(dataset) else "info",
        rows,
        f"clipped: at least {100 * CLIPPED_SHARE:g} % of the samples are at full scale"
        + _uneven(rows, dataset),
        "Record at a lower level; what is clipped cannot be brought back.",
    )


def _uneven(rows: Sequence[dict[str, Any]], dataset: Dataset) -> str:
    """Name the class with the largest share of such clips, where shares differ."""
    counts = Counter(row["label"] for row in rows)
    shares = {name: counts[name] / of for name, of in dataset.class_counts.items()}
    if not rows or max(shares.values()) < 2 * len(rows) / len(dataset):
        return ""
    most = max(shares, key=lambda name: shares[name])
    return f"; {counts[most]} of them are {most!r}, of {dataset.class_counts[most]}"


def _dc_offset(dataset: Dataset, facts: Facts) -> Finding | None:
    moving = ~_is_silent(facts) & (facts[:, COLUMN["flat"]] < CONSTANT_SHARE)
    return _found(
        "dc-offset",
        "info",
        _of_clips(dataset, facts, "dc_offset", lambda v: moving & (np.abs(v) > DC_OFFSET)),
        f"off centre: the mean of the samples is over {DC_OFFSET:g} of full scale",
        "Remove the offset, or use features that do not see it.",
    )


def _odd_length(ledger: Sequence[LedgerRow]) -> Finding | None:
    """Compare the lengths of the files, not of the decoded parts, by median and MAD of the log."""
    known = [row for row in ledger if row.info is not None and row.info.frames > 0]
    lengths = [row.info.seconds for row in known if row.info is not None]
    if len(lengths) < _MIN_LENGTHS:
        return None
    logs = np.log(lengths)
    median = float(np.median(logs))
    away = np.abs(logs - median)
    limit = max(ODD_DEVIATIONS * _MAD_TO_DEVIATION * float(np.median(away)), np.log(ODD_FACTOR))
    odd = [at for at in np.argsort(-away, kind="stable") if away[at] > limit]
    return _found(
        "odd-length",
        "info",
        [_length_row(known[at].clip, lengths[at], float(np.exp(median))) for at in odd],
        f"much shorter or longer than the rest, whose median is {np.exp(median):.3g} s",
        "Listen to them: a cut file, or several takes in one?",
    )


def _length_row(clip: Clip, seconds: float, median: float) -> dict[str, Any]:
    times = float(f"{seconds / median:.3g}")
    return {**_who(clip), "seconds": round(seconds, 4), "times_median": times}


def _mixed_formats(ledger: Sequence[LedgerRow]) -> Finding | None:
    rows = _contingency(ledger)
    formats = {row["format"] for row in rows}
    if len(formats) < 2:
        return None
    return Finding(
        "mixed-formats",
        "info",
        f"The files have {len(formats)} formats.",
        "All are decoded to one rate and one channel; whether the class can be told from the "
        "format is what the audit of shortcuts says.",
        rows,
    )


def _contingency(ledger: Sequence[LedgerRow]) -> list[dict[str, Any]]:
    """Return the number of clips by format and class, and the share of the class."""
    counts = Counter((_format(row), row.clip.label) for row in ledger if row.info is not None)
    per_class = Counter(row.clip.label for row in ledger if row.info is not None)
    return [
        {
            "format": text,
            "label": label,
            "clips": count,
            "of": per_class[label],
            "share": round(count / per_class[label], 4),
        }
        for (text, label), count in sorted(counts.items())
    ]


def _format(row: LedgerRow) -> str:
    assert row.info is not None
    info = row.info
    words = (words_for("subtype", info.subtype), words_for("channels", info.channels))
    return f"{info.container} {words[0]}, {info.sr} Hz, {words[1]}"


def _remarks(ledger: Sequence[LedgerRow]) -> Finding | None:
    rows = [
        {**_who(row.clip), "message": row.message}
        for row in ledger
        if row.status == "ok" and row.message
    ]
    return _found(
        "remark",
        "info",
        rows,
        "readable, but something about them is odd",
        "Read the remarks; nothing was changed because of them.",
    )
