"""A page on this machine to label windows; each answer is on disk before the next is shown."""

from __future__ import annotations

import csv
import hmac
import io
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typing_extensions import override

from audioclf.audio.decode import decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError, ConfigError, ResultError
from audioclf.base.files import unwritable
from audioclf.base.locks import lock_owner, take_lock
from audioclf.dataset.label_cells import parse_labels
from audioclf.dataset.label_sets import class_names
from audioclf.dataset.review_list import (
    LABELLED,
    SKIPPED,
    UNDONE,
    UNSURE,
    Answer,
    ReviewList,
    columns_of,
    csv_row,
    finished_bytes,
    latest,
    read_answers,
    unfinished,
)
from audioclf.evaluation.sampling.agreement import agreements
from audioclf.predict.journal import CutBackFile
from audioclf.report.media import picture_of, sound_of, thumbnail_of
from audioclf.server.page import text_of
from audioclf.server.safety import LOOPBACK, PAGE_HEADERS, refusal

_MOST_BYTES = 65_536
_MOST_NOTE = 1000
_SECONDS = 30.0
_HIGHEST_SR = 48_000
_STATES = (LABELLED, UNSURE, SKIPPED, UNDONE)


class Answers:
    """The table of answers, to which one process at a time appends."""

    def __init__(self, path: Path, listed: ReviewList) -> None:
        self.classes = listed.classes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise unwritable(path, exc) from exc
        self._lock = take_lock(path.with_name(f".{path.name}.lock"))
        if self._lock is None:
            owner = lock_owner(path.with_name(f".{path.name}.lock"))
            hint = "End it first, or give another --out, and join both with --import."
            raise ResultError(f"{path}: {owner} reviews into this file", hint=hint)
        try:
            self.rows = self._read(path)
            self._file = CutBackFile(path)
            self._begin(path)
        except OSError as exc:
            self._lock.release()
            raise unwritable(path, exc) from exc
        except AudioclfError:
            self._lock.release()
            raise

    def _read(self, path: Path) -> list[Answer]:
        content = path.read_bytes() if path.exists() else b""
        columns = columns_of(self.classes, answers=True)
        if csv_row(columns).encode().startswith(content):
            return []
        other = "Choose another file with --out."
        if b"\n" not in content:
            raise ConfigError(f"{path}: not a table that `review` wrote", hint=other)
        rows, classes = read_answers(path)
        if classes != self.classes:
            message = f"{path}: holds answers of a list with other classes"
            raise ConfigError(message, hint=other)
        text = content[: finished_bytes(content)].decode("utf-8-sig")
        if next(csv.reader(io.StringIO(text, newline=""))) != columns:
            message = f"{path}: its columns are no longer those that `review` wrote"
            raise ConfigError(message, hint=other)
        return rows

    def _begin(self, path: Path) -> None:
        """Cut off a line that was not written to its end, and write a missing header."""
        content = path.read_bytes()
        self.notes = [f"{note}; its window is shown again" for note in unfinished(path)]
        self._file.cut_back(finished_bytes(content))
        if self._file.size == 0:
            self._file.write(csv_row(columns_of(self.classes, answers=True)))
        elif content[self._file.size - 1 :][:1] != b"\n":
            self._file.write("\n")
        self._file.sync()

    def add(self, answer: Answer) -> None:
        """Append an answer; it is on disk when this returns (ResultError)."""
        size = self._file.size
        try:
            self._file.write(csv_row(answer.cells(self.classes)))
            self._file.sync()
        except OSError as exc:
            self._file.cut_back(size)
            raise ResultError(f"the answer was not written: {exc.strerror or exc}") from exc
        self.rows.append(answer)

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()
        if self._lock is not None:
            self._lock.release()


class Review:
    """The windows of a list in a random order, which differs between reviewers.

    `classes` are those that keys choose; with `several`, a window can have more than one.
    """

    def __init__(
        self,
        listed: ReviewList,
        classes: Sequence[str],
        answers: Answers,
        *,
        reviewer: str = "",
        several: bool = False,
    ) -> None:
        self.listed, self.classes, self.answers = listed, tuple(classes), answers
        self.reviewer, self.several = reviewer, several
        self.windows = sorted(listed.windows, key=self._place)
        self.lock = threading.Lock()

    def _place(self, window: Any) -> str:
        return sha256(repr((self.reviewer, window.key)).encode()).hexdigest()

    def mine(self) -> dict[int, Answer]:
        """Return the answers of this reviewer that count, by the place of their window."""
        places = {window.key: at for at, window in enumerate(self.windows)}
        found = latest(row for row in self.answers.rows if row.reviewer == self.reviewer)
        return {places[key]: own[self.reviewer] for key, own in found.items() if key in places}

    def agreement(self) -> list[str]:
        """Return Cohen's kappa with each other reviewer."""
        keys = {window.key for window in self.windows}
        answers = (mine for key, mine in latest(self.answers.rows).items() if key in keys)
        return [str(item) for item in agreements(answers) if self.reviewer in item.reviewers]

    def facts(self) -> dict[str, Any]:
        """Return what the page needs at its start; the answer that was given last is the last."""
        rows = {(row.window.key, row.reviewer): n for n, row in enumerate(self.answers.rows)}
        mine = sorted(self.mine().items(), key=lambda item: rows[item[1].window.key, self.reviewer])
        done = [[at, answer.state, answer.label] for at, answer in mine]
        more = {"count": len(self.windows), "several": self.several, "done": done}
        return {"classes": self.classes, "reviewer": self.reviewer, **more, **self._end(len(done))}

    def _end(self, n_done: int) -> dict[str, Any]:
        """Return the agreement once all windows are done, so that it leads no answer."""
        return {"agreement": self.agreement()} if n_done == len(self.windows) else {}

    def clip(self, at: int) -> dict[str, Any]:
        """Return picture and sound of a window as data URIs, or the error."""
        window = self.windows[at]
        about = {"path": window.path, "start": window.start, "end": window.end}
        scores = {name: round(score, 4) for name, score in window.scores.items()}
        try:
            source = self.listed.source(window)
            sr = min(inspect(source).sr, _HIGHEST_SR)
            y = decode(source, AudioConfig(sr=sr, duration=None)).y
        except AudioclfError as exc:
            return {**about, "scores": scores, "error": exc.message}
        thumbnail = thumbnail_of(y, sr)
        media = {"picture": picture_of(thumbnail.levels), "sound": sound_of(y, sr)}
        return {**about, "scores": scores, **media, "fmax": thumbnail.fmax}

    def answer(self, data: Any) -> dict[str, Any]:
        """Write the answer to a window (ValueError for one that means nothing)."""
        at, state, label, note = (data[name] for name in ("at", "state", "label", "note"))
        if type(at) is not int or not 0 <= at < len(self.windows) or state not in _STATES:
            raise ValueError("no such window or state")
        if not isinstance(label, str) or not isinstance(note, str) or len(note) > _MOST_NOTE:
            raise ValueError("label and note are texts")
        if "\0" in label + note:
            raise ValueError("label and note hold no NUL")
        if state != LABELLED:
            label = ""
        elif self.several:
            label = parse_labels(label)
        names = class_names([label]) if self.several else filter(None, [label])
        if not set(names) <= set(self.classes):
            raise ValueError("no such class")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = " ".join(note.split())
        with self.lock:
            said = (label, state, self.reviewer, note, now, self.classes)
            self.answers.add(Answer(self.windows[at], *said))
            n_done = len(self.mine())
            return {"done": n_done, **self._end(n_done)}


class _Handler(BaseHTTPRequestHandler):
    """Answers to the page, for requests that know the token."""

    server: ReviewServer
    timeout = _SECONDS
    protocol_version = "HTTP/1.1"
    server_version = sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page, or with a window."""
        path = self._path()
        if path == "":
            page = text_of("review.html")
            facts = json.dumps(self.server.review.facts()).replace("<", "\\u003c")
            self._send(200, page.replace("__FACTS__", facts), "text/html; charset=utf-8")
        elif path is not None:
            kind, _, number = path.partition("/")
            known = kind == "clip" and number.isascii() and number.isdigit() and len(number) < 10
            if known and int(number) < len(self.server.review.windows):
                self._json(200, self.server.review.clip(int(number)))
            else:
                self._json(404, {"error": "nothing is here"})

    def do_POST(self) -> None:
        """Write an answer."""
        path = self._path()
        if path is None:
            return
        length = self.headers.get("content-length", "")
        if path != "answer" or not length.isdigit() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._json(404 if path != "answer" else 413, {"error": "no answer of a reviewer"})
            return
        try:
            result = self.server.review.answer(json.loads(self.rfile.read(int(length))))
        except (ValueError, KeyError, TypeError) as exc:
            self._json(400, {"error": f"the answer has no meaning: {exc}"})
        except ResultError as exc:
            self._json(500, {"error": exc.message})
        else:
            self._json(200, result)

    def _path(self) -> str | None:
        """Return the path behind the token; None if the request is refused."""
        refused = refusal(self.headers.get("host", ""), self.headers.get("origin"), LOOPBACK)
        if refused is not None:
            self._refuse(refused.status, refused.message)
            return None
        token, _, path = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(404, "nothing is here: use the whole address that `review` printed")
            return None
        return path

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True
        self._json(status, {"error": message})

    def _json(self, status: int, data: Any) -> None:
        self._send(status, json.dumps(data), "application/json")

    def _send(self, status: int, text: str, kind: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in {**PAGE_HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Do not log."""


class ReviewServer(ThreadingHTTPServer):
    """Server of a review at 127.0.0.1, for whoever knows the token."""

    daemon_threads = True

    def __init__(self, review: Review, token: str, port: int = 0) -> None:
        self.review, self.token = review, token
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that go away."""
