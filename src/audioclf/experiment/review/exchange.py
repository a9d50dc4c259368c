"""Reviews in the formats of other tools, and the windows of a list as files.

An export holds every window of a list with the answer of one reviewer as its label: names of
classes joined by `;`, or one of the words below. An import finds the windows of the list by
recording and times, so that the design of the list stays with them.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args
from urllib.parse import quote

from audioclf.audio.decode import decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError, ConfigError, DatasetError
from audioclf.base.files import OutputFolder
from audioclf.base.text import file_name, one_line
from audioclf.dataset.label_cells import parse_labels
from audioclf.dataset.label_sets import SEPARATOR, class_names
from audioclf.dataset.path_labels import count, shown
from audioclf.dataset.review_list import (
    ANSWER_COLUMNS,
    LABELLED,
    SKIPPED,
    UNSURE,
    Answer,
    ReviewList,
    Window,
    latest,
    path_in_table,
    read_answers,
    source_named,
    unfinished,
)
from audioclf.dataset.sources import FileSource
from audioclf.dataset.tables import Problems, read_bytes
from audioclf.experiment.scoring.rows import EventRow, event_tables
from audioclf.experiment.scoring.survey import Recordings, assigned
from audioclf.predict.formats import FORMATS, Line, Place, choose_format
from audioclf.predict.inputs import Recording
from audioclf.predict.journal import encoded, key_of
from audioclf.predict.sinks import label_files

Format = Literal["raven", "audacity", "label-studio"]
FORMS: tuple[Format, ...] = get_args(Format)

_OPEN, _NONE = "(open)", "(none)"
_WORDS = {_NONE: LABELLED, "(unsure)": UNSURE, "(skipped)": SKIPPED}
_TOLERANCE = 0.01
"""Seconds by which times of a window may differ, as tools round them."""

Key = tuple[str, float, float]


def _label_of(answer: Answer | None) -> str:
    if answer is None:
        return _OPEN
    words = {state: word for word, state in _WORDS.items()}
    return answer.label or words[answer.state]


def chosen_format(name: Format | None, out: Path) -> Format:
    """Return a format, by default that of the ending of a file or folder (ConfigError)."""
    if name is None and out.suffix.lower() == ".json":
        return "label-studio"
    chosen = name or choose_format(None, out).name
    for known in FORMS:
        if chosen == known:
            return known
    hint = f"Add --format, one of {', '.join(FORMS)}."
    raise ConfigError(f"{out}: no format for an export", hint=hint)


def export_answers(
    listed: ReviewList, mine: Mapping[Key, Answer], out: Path, form: Format, *, force: bool = False
) -> None:
    """Write all windows with the answers of a reviewer to a file, or a folder for Audacity."""
    _check_new(out, force=force)
    by_path = _by_path(listed)
    if form == "label-studio":
        tasks = [_task(path, own, mine) for path, own in by_path.items()]
        OutputFolder(out.parent).write_json(out.name, tasks)
        return
    recordings = [Recording(path, source_named(listed.path.parent, path)) for path in by_path]
    infos = [inspect(recording.source) for recording in recordings]
    writer = FORMATS[form]((), max(info.sr for info in infos))
    place, texts = Place(), []
    for (path, own), info in zip(by_path.items(), infos, strict=True):
        name = path_in_table(str(listed.path.parent / path), out)
        lines = (Line(name, w.start, w.end, _label_of(mine.get(w.key)), None) for w in own)
        texts.append("".join(writer.text(lines, place)))
        place = Place(place.selections + len(own), place.seconds + info.seconds)
    if writer.file_per_recording and not out.suffix:
        names = label_files(recordings)
        for recording, text in zip(recordings, texts, strict=True):
            OutputFolder(out).write_bytes(names[key_of(recording)], encoded(text))
        return
    if writer.file_per_recording and len(recordings) > 1:
        hint = "Give a folder, or another --format."
        raise ConfigError(
            f"{out}: a label track belongs to one recording of {len(recordings)}", hint=hint
        )
    OutputFolder(out.parent).write_bytes(out.name, encoded(writer.header() + "".join(texts)))


def _by_path(listed: ReviewList) -> dict[str, list[Window]]:
    windows: dict[str, list[Window]] = {}
    for window in sorted(listed.windows, key=lambda window: window.key):
        windows.setdefault(window.path, []).append(window)
    return windows


def _check_new(out: Path, *, force: bool) -> None:
    """Refuse an output that holds something."""
    if not force and (any(out.iterdir()) if out.is_dir() else out.exists()):
        raise ConfigError(f"{out} exists", hint="Choose another name, or replace it with --force.")


def _task(path: str, windows: Sequence[Window], mine: Mapping[Key, Answer]) -> dict[str, Any]:
    """Return a task of Label Studio; windows without an answer are predictions."""
    regions = [
        {
            "id": f"{number}",
            "type": "labels",
            "from_name": "label",
            "to_name": "audio",
            "value": {
                "start": window.start,
                "end": window.end,
                "channel": 0,
                "labels": _label_of(mine.get(window.key)).split(SEPARATOR),
            },
        }
        for number, window in enumerate(windows)
    ]
    kind = "annotations" if any(window.key in mine for window in windows) else "predictions"
    data = {"audio": f"/data/local-files/?d={quote(path, errors='replace')}", "path": path}
    return {"data": data, kind: [{"result": regions}]}


@dataclass
class Imported:
    """Answers of another tool that are new, and notes on the others."""

    answers: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_answers(
    path: Path,
    listed: ReviewList,
    classes: Sequence[str],
    earlier: Iterable[Answer],
    *,
    reviewer: str = "",
) -> Imported:
    """Read answers to the windows of a list, from tables of another tool or of another reviewer.

    Raven, Audacity and Label Studio are read, and tables that `review` wrote. An answer that a
    reviewer gave before is kept. Without a `reviewer`, Label Studio names them.
    """
    places = _Places(listed)
    if path.suffix.lower() == ".csv" and _is_of_review(path):
        found, notes = _of_review(path, places, reviewer), [*unfinished(path)]
    else:
        found, notes = _of_tool(path, places, classes, reviewer)
    notes += places.notes()
    if not places.n_found:
        raise DatasetError(
            f"{path}: no row has the recording and the times of a window of {listed.path}",
            hint="Export the list with --export, and change only the labels.",
        )
    return _new_answers(found, earlier, notes)


class _Places:
    """Finds the windows of a list by recording and times, and counts."""

    def __init__(self, listed: ReviewList) -> None:
        self.windows = _by_path(listed)
        self.recordings = Recordings(self.windows)
        self.n_found = 0
        self.others: list[str] = []

    def find(
        self, recording: str | None, start: float, end: float | None, row: str
    ) -> Window | None:
        """Return the window of a row; None if it is none of the list."""
        windows = self.windows.get(recording or "", [])
        for at in range(
            bisect_left(windows, start - _TOLERANCE, key=attrgetter("start")), len(windows)
        ):
            window = windows[at]
            if window.start - start > _TOLERANCE:
                break
            if end is not None and abs(window.end - end) <= _TOLERANCE:
                self.n_found += 1
                return window
        self.others.append(row)
        return None

    def notes(self) -> Iterator[str]:
        """Yield a note on the rows that are no window of the list."""
        if self.others:
            rows_are = count(len(self.others), "row is", "rows are")
            yield f"{rows_are} no window of the list, ignored: {shown(self.others)}"


def _is_of_review(path: Path) -> bool:
    header = read_bytes(FileSource(path)).partition(b"\n")[0]
    return {*ANSWER_COLUMNS} <= {*header.decode(errors="replace").strip().split(",")}


def _of_review(path: Path, places: _Places, reviewer: str) -> list[Answer]:
    """Return the answers that count in a table of review; `reviewer` is for those without one."""
    answers = []
    for (name, start, end), mine in latest(read_answers(path)[0]).items():
        row = f"{name} {start:g} to {end:g} s"
        window = places.find(places.recordings.find(name), start, end, row)
        if window is not None:
            answers += [
                replace(
                    answer,
                    window=window,
                    reviewer=one_line(answer.reviewer) or reviewer,
                    note=one_line(answer.note),
                )
                for answer in mine.values()
            ]
    return answers


def _of_tool(
    path: Path, places: _Places, classes: Sequence[str], reviewer: str
) -> tuple[list[Answer], list[str]]:
    """Return the answers in tables of another tool, and notes."""
    tables, notes = event_tables(path)
    if len(places.windows) == 1:  # a table of any name is that of the only recording
        tables = [replace(table, stem=next(iter(places.windows))) for table in tables]
    rows, missing = assigned(tables, places.recordings)
    if missing:
        notes.append(f"{path}: ignored, without a recording of the list: {shown(missing)}")
    labels: dict[tuple[str, Window], dict[str, EventRow]] = {}
    for recording, own in rows.items():
        for _, row in own:
            line = f"line {row.line} of {row.table}"
            window = places.find(recording, row.start, row.end, line)
            if window is not None:
                key = (reviewer or row.annotator, window)
                labels.setdefault(key, {})[row.label.strip()] = row
    now = datetime.now(UTC).isoformat(timespec="seconds")
    unit = "task" if path.suffix.lower() == ".json" else "line"
    problems, answers = Problems(str(path), unit), []
    for (name, window), texts in labels.items():
        try:
            said = _meaning({*texts}, classes)
        except ValueError as exc:
            row = next(iter(texts.values()))
            table = "" if row.table == str(path) else f"{row.table}: "
            problems.add(row.line, f"{table}{exc}")
            continue
        if said is not None:
            answers.append(Answer(window, *said, name, time=now, asked=tuple(classes)))
    problems.check("Name further classes with --class.")
    if len(labels) > len(answers):
        windows_are = count(len(labels) - len(answers), "window is", "windows are")
        notes.append(f"{windows_are} open, without a label")
    return answers, notes


def _new_answers(found: Iterable[Answer], earlier: Iterable[Answer], notes: list[str]) -> Imported:
    """Return the answers to windows that the reviewer has not answered before."""
    known, result = latest(earlier), Imported(notes=notes)
    kept: list[str] = []
    n_same = 0
    for answer in found:
        window = answer.window
        before = known.get(window.key, {}).get(answer.reviewer)
        if before is None:
            result.answers.append(answer)
        elif (before.label, before.state) == (answer.label, answer.state):
            n_same += 1
        else:
            kept.append(f"{window.path} {window.start:g} to {window.end:g} s")
    if n_same:
        notes.append(f"{count(n_same, 'answer is', 'answers are')} in the table already")
    if kept:
        notes.append(
            f"{count(len(kept), 'window has', 'windows have')} another answer of the same reviewer "
            f"in the table, which was kept: {shown(kept)}; to import it, give another --reviewer"
        )
    return result


def _meaning(texts: set[str], classes: Sequence[str]) -> tuple[str, str] | None:
    """Return label and state for the labels of a window; None if it is open (ValueError)."""
    texts -= {"", _OPEN}
    if not texts:
        return None
    word = next(iter(texts))
    if len(texts) == 1 and word in _WORDS and word not in classes:
        return "", _WORDS[word]
    label = parse_labels(SEPARATOR.join(sorted(texts)))
    unknown = set(class_names([label])) - {*classes}
    if unknown:
        raise ValueError(f"{one_line(min(unknown))!r} is not a class of this review")
    return label, LABELLED


def cut_clips(listed: ReviewList, folder: Path, *, force: bool = False) -> Iterator[str]:
    """Write each window as a WAV file of 16 bits, and yield a message for each that fails.

    The name has the recording, the times in s and the score, if the list has one.
    """
    import soundfile

    _check_new(folder, force=force)
    used: Counter[str] = Counter()
    for window in listed.windows:
        try:
            source = listed.source(window)
            sr = inspect(source).sr
            y = decode(source, AudioConfig(sr=sr, duration=None)).y
        except AudioclfError as exc:
            yield exc.message
            continue
        sound = io.BytesIO()
        soundfile.write(sound, y.clip(-1.0, 1.0), sr, format="WAV", subtype="PCM_16")
        name = _clip_name(window)
        used[name.casefold()] += 1
        number = used[name.casefold()]
        ending = f"-{number}.wav" if number > 1 else ".wav"
        OutputFolder(folder).write_bytes(f"{name}{ending}", sound.getvalue())


def _clip_name(window: Window) -> str:
    parts = [part for part in PurePosixPath(window.path).parts if part not in ("/", "..")]
    stem = file_name(PurePosixPath("_".join(parts)).stem)
    score = "" if window.score is None else f"_{window.score:.4f}"
    return f"{stem}_{window.start:.3f}-{window.end:.3f}s{score}"
