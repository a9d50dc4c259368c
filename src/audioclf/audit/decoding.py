"""Audit of decoding: unreadable, truncated, silent, constant and clipped files.

Decoders do not report such files. They are found in the ledger and in the waveform facts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.decode import CANCELLED
from audioclf.audio.settings import AudioConfig
from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.inputs import AuditInput, Matrix
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.audit.shortcuts.formats import words_for
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.features.worker import LedgerRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = (
    "unreadable",
    "decode-short",
    "cancelled-channels",
    "silent",
    "silent-class",
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
"""Share of samples equal to the one before above which a clip is constant."""
CLIPPED_SHARE = 0.001
"""Share of samples at full scale above which a clip is clipped."""
MANY = 0.1
"""Share of clipped clips above which clipping is a finding."""
DC_OFFSET = 0.02
ODD_DEVIATIONS = 5.0
"""Distance of an odd length from the median, in robust standard deviations of log duration."""
ODD_FACTOR = 2.0
"""Smallest ratio of an odd length and the median."""

_SILENCE = ("silen", "stille", "quiet", "nosound", "empty", "nothing", "none", "background")
"""Beginnings of words in the names of classes of silence."""
_MAD_TO_DEVIATION = 1.4826
_MIN_LENGTHS = 8
_TRUNCATED = ": truncated: "


def audit_decode(inputs: AuditInput) -> Audit:
    """Compare the files with their headers, and look for silence, clipping and odd lengths."""
    dataset, ledger, facts = inputs.dataset, inputs.ledger, inputs.facts
    checks = (
        _unreadable(dataset, ledger),
        _decode_short(ledger, inputs.audio),
        *_waveform_findings(dataset, facts, ledger),
        _odd_length(ledger),
        _mixed_formats(dataset, ledger),
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


def _clips_finding(
    name: str, severity: Severity, rows: Sequence[dict[str, Any]], are: str, advice: str
) -> Finding | None:
    """Return a finding on the clips of these rows; None for no rows."""
    if not rows:
        return None
    counted = "1 clip is" if len(rows) == 1 else f"{len(rows)} clips are"
    return Finding(name, severity, f"{counted} {are}.", advice, rows)


def _unreadable(dataset: Dataset, ledger: Sequence[LedgerRow]) -> Finding | None:
    return _clips_finding(
        "unreadable",
        "finding",
        [row for row in _messages(ledger, "failed") if _TRUNCATED not in row["message"]],
        f"unreadable and left out of all numbers{_lost_classes(dataset, ledger)}",
        "Repair or remove them: a class that loses more clips than others is not fully tested.",
    )


def _lost_classes(dataset: Dataset, ledger: Sequence[LedgerRow]) -> str:
    """Return the classes of which no clip can be used, as the end of a sentence."""
    labels = [(row.status, name) for row in ledger for name in dataset.labels_of(row.clip)]
    readable = {name for status, name in labels if status == "ok"}
    lost = sorted({name for _, name in labels} - readable)
    return f"; no clip is left of {', '.join(map(repr, lost))}" if lost else ""


def _decode_short(ledger: Sequence[LedgerRow], audio: AudioConfig) -> Finding | None:
    return _clips_finding(
        "decode-short",
        "finding",
        [row for item in ledger for row in _short_row(item, audio)],
        "shorter than the header says: cut off while recording, copying or unpacking",
        "Download or copy the originals again, or remove these clips.",
    )


def _short_row(row: LedgerRow, audio: AudioConfig) -> Iterator[dict[str, Any]]:
    if row.status == "failed" and _TRUNCATED in row.message:
        reason = row.message.rpartition(_TRUNCATED)[2]
        yield {**_columns(row.clip), "promised_s": None, "decoded_s": None, "message": reason}
    elif row.status == "ok" and row.info is not None:
        promised = max(0.0, row.info.seconds - audio.offset)
        if audio.duration is not None:
            promised = min(promised, audio.duration)
        # Two samples of either rate are rounding.
        if row.seconds < promised - 2.0 / min(audio.sr, row.info.sr):
            seconds = {"promised_s": round(promised, 4), "decoded_s": round(row.seconds, 4)}
            yield {**_columns(row.clip), **seconds, "message": row.message}


def _messages(ledger: Sequence[LedgerRow], status: str) -> list[dict[str, Any]]:
    return [
        {**_columns(row.clip), "message": row.message} for row in ledger if row.status == status
    ]


def _columns(clip: Clip) -> dict[str, Any]:
    return {"path": clip.id, "label": clip.label}


def _rows(
    dataset: Dataset, facts: Matrix, name: str, is_wrong: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """Return a row with the value of a fact for each of these clips, the largest first."""
    values = facts[:, COLUMN[name]]
    rows = [
        {**_columns(dataset.clips[index]), name: round(float(values[index]), 5)}
        for index in np.flatnonzero(is_wrong)
    ]
    return sorted(rows, key=lambda row: -abs(row[name]))


def _waveform_findings(
    dataset: Dataset, facts: Matrix, ledger: Sequence[LedgerRow]
) -> Iterator[Finding | None]:
    """Yield the findings of silent, constant, clipped and off-center clips."""
    columns = {name: facts[:, column] for name, column in COLUMN.items()}
    opposite = {row.clip.id for row in ledger if CANCELLED in row.message}
    cancelled = np.array([clip.id in opposite for clip in dataset], dtype=bool)
    yield _clips_finding(
        "cancelled-channels",
        "finding",
        _rows(dataset, facts, "peak_db", cancelled),
        "mixed down from channels that are opposite and cancel each other",
        "Use one channel: set `audio.channel: left`, or invert one of the channels. The clips "
        "themselves can be heard.",
    )
    silent = ~cancelled & (columns["peak_db"] < SILENT_DB)
    constant = ~cancelled & ~silent & (columns["flat"] >= CONSTANT_SHARE)
    meant = np.array([_means_silence(clip.label) for clip in dataset], dtype=bool)
    yield _clips_finding(
        "silent",
        "finding",
        _rows(dataset, facts, "peak_db", silent & ~meant),
        f"silent: no sample above {SILENT_DB:g} dB of full scale",
        "Listen to them and remove them: silence has no class.",
    )
    yield _clips_finding(
        "silent-class",
        "info",
        _rows(dataset, facts, "peak_db", silent & meant),
        f"silent, as their class is named: no sample above {SILENT_DB:g} dB of full scale",
        "Keep them if the class stands for digital silence. Recordings of a quiet place have a "
        "noise floor: add some, so that the class is not recognised by its level alone.",
    )
    yield _clips_finding(
        "constant",
        "finding",
        _rows(dataset, facts, "flat", constant),
        f"constant: over {100 * CONSTANT_SHARE:g} % of the samples equal the one before",
        "Listen to them and remove them: a constant signal has no sound.",
    )
    clipped = _rows(dataset, facts, "clipped", columns["clipped"] >= CLIPPED_SHARE)
    yield _clips_finding(
        "clipped",
        "finding" if len(clipped) >= MANY * len(dataset) else "info",
        clipped,
        f"clipped: at least {100 * CLIPPED_SHARE:g} % of the samples are at full scale"
        + _uneven(clipped, dataset),
        "Record at a lower level; clipped samples cannot be restored.",
    )
    off_center = ~cancelled & ~silent & ~constant & (np.abs(columns["dc_offset"]) > DC_OFFSET)
    yield _clips_finding(
        "dc-offset",
        "info",
        _rows(dataset, facts, "dc_offset", off_center),
        f"off center: the mean of the samples is over {DC_OFFSET:g} of full scale",
        "Remove the offset, or use features that ignore it.",
    )


def _means_silence(label: str) -> bool:
    words = re.split(r"[\W_]+", label.casefold())
    return any(word.startswith(_SILENCE) for word in words) or words == ["no", "sound"]


def _uneven(rows: Sequence[dict[str, Any]], dataset: Dataset) -> str:
    """Name the class with the largest share of such clips, if shares differ."""
    ids = {row["path"] for row in rows}
    labels = (dataset.labels_of(clip) for clip in dataset if clip.id in ids)
    counts = Counter(name for names in labels for name in names)
    shares = {name: counts[name] / of for name, of in dataset.class_counts.items() if of}
    if not rows or max(shares.values()) < 2 * len(rows) / len(dataset):
        return ""
    most = max(shares, key=lambda name: shares[name])
    return f"; {counts[most]} of them are {most!r}, of {dataset.class_counts[most]}"


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
    odd = [i for i in np.argsort(-away, kind="stable") if away[i] > limit]
    return _clips_finding(
        "odd-length",
        "info",
        [
            {
                **_columns(known[i].clip),
                "seconds": round(lengths[i], 4),
                "times_median": float(f"{lengths[i] / np.exp(median):.3g}"),
            }
            for i in odd
        ],
        f"much shorter or longer than the rest, with a median of {np.exp(median):.3g} s",
        "Listen to them: a cut file, or several takes in one?",
    )


def _mixed_formats(dataset: Dataset, ledger: Sequence[LedgerRow]) -> Finding | None:
    rows = _contingency(dataset, ledger)
    formats = {row["format"] for row in rows}
    if len(formats) < 2:
        return None
    return Finding(
        "mixed-formats",
        "info",
        f"The files have {len(formats)} formats.",
        "All are decoded to one rate and one channel; see the audit of shortcuts for formats that "
        "reveal the class.",
        rows,
    )


def _contingency(dataset: Dataset, ledger: Sequence[LedgerRow]) -> list[dict[str, Any]]:
    """Return the number of clips by format and class, and the share of the class."""
    known = [row for row in ledger if row.info is not None]
    counts = Counter((_format(row), name) for row in known for name in _names(dataset, row.clip))
    per_class = Counter(name for row in known for name in _names(dataset, row.clip))
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


def _names(dataset: Dataset, clip: Clip) -> tuple[str, ...]:
    """Return the classes of a clip, or one name for no class."""
    return dataset.labels_of(clip) or ("",)


def _format(row: LedgerRow) -> str:
    assert row.info is not None
    info = row.info
    words = (words_for("subtype", info.subtype), words_for("channels", info.channels))
    return f"{info.container} {words[0]}, {info.sr} Hz, {words[1]}"


def _remarks(ledger: Sequence[LedgerRow]) -> Finding | None:
    return _clips_finding(
        "remark",
        "info",
        [row for row in _messages(ledger, "ok") if row["message"]],
        "readable, but have remarks",
        "Read the remarks; nothing was changed because of them.",
    )
