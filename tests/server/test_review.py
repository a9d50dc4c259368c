"""`audioclf review`: labels by keyboard in a real browser, and by plain requests."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import ConfigError, DatasetError, ResultError
from audioclf.dataset.review_list import (
    Answer,
    Window,
    columns_of,
    csv_row,
    latest,
    read_answers,
    read_list,
    source_named,
    unfinished,
)
from audioclf.server.review import Answers, Review, ReviewServer
from tests.conftest import run_cli, write_wav
from tests.report.test_browser import started_browser

HOSTILE = '<img src=x onerror=alert(1)>"'
CLASSES = (HOSTILE, "wren")
N = 6


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    write_wav(tmp_path / "night.wav", 0.1 * rng.standard_normal(8000 * N).astype(np.float32))
    rows = [
        Window("night.wav", at, at + 1.0, "random", 0.5, "all", 0.0, 12, 12, "m", "wren", 0.2)
        for at in range(N)
    ]
    path = tmp_path / "suggested.csv"
    lines = [columns_of(CLASSES), *(row.cells(CLASSES) for row in rows)]
    path.write_text("".join(map(csv_row, lines)), encoding="utf-8")
    return path


@contextmanager
def serving(listed: Path, **options: Any) -> Iterator[ReviewServer]:
    answers = Answers(listed.with_name("reviewed.csv"), read_list(listed))
    review = Review(answers=answers, listed=read_list(listed), classes=CLASSES, **options)
    with ReviewServer(review, "secret") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    answers.close()


def ask(url: str, body: object = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        status, content = exc.code, exc.read()
    return status, json.loads(content) if content[:1] == b"{" else content.decode()


def an_answer(at: int, label: str = "wren", state: str = "labelled", note: str = "") -> object:
    return {"at": at, "label": label, "state": state, "note": note}


def read(listed: Path) -> list[tuple[str, str]]:
    rows, _ = read_answers(listed.with_name("reviewed.csv"))
    return [(row.state, row.label) for row in rows]


def test_a_window_is_shown_and_its_answer_is_in_the_table(listed: Path) -> None:
    with serving(listed) as server:
        status, page = ask(server.address)
        assert status == 200
        assert HOSTILE not in page  # in the script it is escaped
        _, clip = ask(f"{server.address}clip/0")
        assert clip["picture"].startswith("data:image/")
        assert clip["sound"].startswith("data:audio/")
        assert ask(f"{server.address}answer", an_answer(0, note="=1+1\nfar")) == (200, {"done": 1})
        assert read(listed) == [("labelled", "wren")]
        ask(f"{server.address}answer", an_answer(0, state="undone"))
        assert ask(f"{server.address}answer", an_answer(1, state="unsure")) == (200, {"done": 1})
    rows, classes = read_answers(listed.with_name("reviewed.csv"))
    assert classes == CLASSES
    assert rows[0].note == "=1+1 far"
    assert [next(iter(mine.values())).state for mine in latest(rows).values()] == ["unsure"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("http://127.0.0.1:{port}/", {}, 404),
        ("http://127.0.0.1:{port}/wrong/clip/0", {}, 404),
        ("http://127.0.0.1:{port}/secret/", {"Host": "evil.example"}, 400),
        ("http://127.0.0.1:{port}/secret/clip/0", {"Origin": "http://evil.example"}, 403),
        ("http://127.0.0.1:{port}/secret/clip/99", {}, 404),
        ("http://127.0.0.1:{port}/secret/../../etc/passwd", {}, 404),
    ],
)
def test_requests_of_others_are_refused(
    listed: Path, path: str, headers: dict[str, str], status: int
) -> None:
    with serving(listed) as server:
        port = server.server_address[1]
        assert ask(path.format(port=port), **headers)[0] == status
        assert ask(path.format(port=port), an_answer(0), **headers)[0] in (status, 404)
    assert read(listed) == []


@pytest.mark.parametrize(
    "body",
    [
        an_answer(-1),
        an_answer(N),
        an_answer(0, label="owl"),
        an_answer(0, state="labeled"),
        an_answer(0, note="x" * 2000),
        an_answer(0, note="a\0b"),
        {"at": True, "label": "", "state": "unsure", "note": ""},
        {},
        [],
    ],
)
def test_an_answer_without_a_meaning_is_refused(listed: Path, body: object) -> None:
    with serving(listed) as server:
        assert ask(f"{server.address}answer", body)[0] == 400
    assert read(listed) == []


def test_of_several_classes_each_must_be_asked_for(listed: Path) -> None:
    with serving(listed, several=True) as server:
        assert ask(f"{server.address}answer", an_answer(0, label="owl;wren"))[0] == 400
        assert ask(f"{server.address}answer", an_answer(0, label="?wren"))[0] == 200
    assert read(listed) == [("labelled", "?wren")]


@pytest.mark.parametrize("name", ["a;b", "?wren", ""])
def test_a_class_that_answers_cannot_name_is_refused(listed: Path, name: str) -> None:
    done = run_cli("review", listed, "--class", name, code=2)
    assert f"a review cannot ask for a class {name!r}" in done.stderr


def test_a_reviewer_continues_where_the_last_session_was_cut(listed: Path) -> None:
    with serving(listed, several=True) as server:
        ask(f"{server.address}answer", an_answer(0, label="?wren"))
    table = listed.with_name("reviewed.csv")
    whole = table.read_bytes()
    table.write_bytes(whole + b"night.wav,1.0,2.0,ran\xc3")  # killed while it wrote
    (note,) = unfinished(table)
    assert note.endswith(
        "its last line was not written to its end, and is no answer: night.wav 1.0 2.0"
    )
    assert read(listed) == [("labelled", "?wren")]
    with serving(listed, reviewer="ben") as server:
        assert table.read_bytes() == whole
        assert server.review.answers.notes == [f"{note}; its window is shown again"]
        assert server.review.facts()["done"] == []
        ask(f"{server.address}answer", an_answer(3, label=""))
        with pytest.raises(ResultError, match="reviews into this file"):
            Answers(table, read_list(listed))
        ask(f"{server.address}answer", an_answer(1))
        ask(f"{server.address}answer", an_answer(3))
        last = [[1, "labelled", "wren"], [3, "labelled", "wren"]]
        assert server.review.facts()["done"] == last  # undo begins with the last one
    assert read(listed)[:2] == [("labelled", "?wren"), ("labelled", "")]
    orders = [
        [window.start for window in Review(read_list(listed), CLASSES, None, reviewer=name).windows]  # type: ignore[arg-type]
        for name in ("", "ben")
    ]
    assert sorted(orders[0]) == sorted(orders[1])
    assert len({tuple(orders[0]), tuple(orders[1]), tuple(sorted(orders[0]))}) == 3


def test_an_answer_that_lacks_only_its_line_feed_counts(listed: Path) -> None:
    table = listed.with_name("reviewed.csv")
    with serving(listed) as server:
        ask(f"{server.address}answer", an_answer(0))
    whole = table.read_bytes()
    for size in range(whole.rindex(b"\n", 0, -1) + 1, len(whole)):
        table.write_bytes(whole[:size])
        assert len(read(listed)) == (size == len(whole) - 1)
    with serving(listed) as server:
        assert table.read_bytes() == whole
        assert server.review.answers.notes == []


def test_two_reviewers_see_their_agreement_when_all_is_done(listed: Path) -> None:
    for name in ("anna", "ben"):
        with serving(listed, reviewer=name) as server:
            for at in range(N):
                label = "wren" if server.review.windows[at].start < 3 else ""
                _, said = ask(f"{server.address}answer", an_answer(at, label))
                assert "agreement" not in said or at == N - 1
            facts = server.review.facts()
    assert said["agreement"] == facts["agreement"]
    assert said["agreement"][0].startswith("Cohen's kappa of anna and ben: 1.000 [")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "notes of mine, in one line",
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("path,", "mine,path,").replace("night", ",night"),
        lambda text: text.replace(",", ";"),
    ],
)
def test_a_file_that_is_no_longer_what_review_wrote_is_left_as_it_is(
    listed: Path, change: Callable[[str], str]
) -> None:
    table = listed.with_name("reviewed.csv")
    with serving(listed) as server:
        ask(f"{server.address}answer", an_answer(0))
    table.write_bytes(change(table.read_text(encoding="utf-8")).encode())
    before = table.read_bytes()
    with pytest.raises(ConfigError, match="that `review` wrote"):
        Answers(table, read_list(listed))
    assert table.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
def test_a_list_shows_no_file_that_is_no_recording(listed: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a password, of some length, in a text file\n" * 9)
    (tmp_path / "link.wav").symlink_to("secret.txt")
    os.mkfifo(tmp_path / "pipe.wav")
    names = ("link.wav", "pipe.wav", f"../{tmp_path.name}/secret.txt", "/dev/zero", "=1+1.wav", "~")
    listed.write_text("path,start,end\n" + "".join(f"{name},0,1\n" for name in names))
    with serving(listed) as server:
        for at in range(len(names)):
            _, clip = ask(f"{server.address}clip/{at}")
            assert clip.keys() == {"path", "start", "end", "scores", "error"}
            assert "password" not in str(clip)
            assert ask(f"{server.address}answer", an_answer(at, note="=1+1"))[0] == 200
    cells = listed.with_name("reviewed.csv").read_text().replace("\n", ",").split(",")
    assert not [cell for cell in cells if cell.startswith("=")]
    assert {row.window.path for row in read_answers(listed.with_name("reviewed.csv"))[0]} == {
        *names
    }


def test_a_window_that_is_listed_twice_is_asked_once(listed: Path) -> None:
    lines = "a.wav,0,1,0.5\na.wav,0,1,0.6\nb.wav,0,1,1\n"
    listed.write_text(f"path,start,end,probability\n{lines}", encoding="utf-8")
    assert [window.probability for window in read_list(listed).windows] == [0.5, 1]


def test_a_folder_that_cannot_be_made_is_named(listed: Path) -> None:
    with pytest.raises(ResultError, match="cannot be written"):
        Answers(listed / "reviewed.csv", read_list(listed))


def test_tables_that_do_not_fit_are_refused(listed: Path, tmp_path: Path) -> None:
    other = tmp_path / "reviewed.csv"
    other.write_text(csv_row(columns_of(["owl"], answers=True)), encoding="utf-8")
    with pytest.raises(ConfigError, match="other classes"):
        Answers(other, read_list(listed))
    listed.write_text("path,start,end\na.wav,2,1\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 2: start and end are not the times of a window"):
        read_list(listed)
    listed.write_text("path,start\na.wav,2\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="'end'"):
        read_list(listed)
    with pytest.raises(DatasetError):
        source_named(tmp_path, "no.zip!a.wav")
    listed.write_text("path,start,end\na.wav,1,2\n", encoding="utf-8")
    assert "names no classes" in run_cli("review", listed, code=2).stderr


@contextmanager
def running(listed: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "audioclf", "review", str(listed), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "http://" in line)
        match = re.search(r"http://\S+", line)
        assert match is not None
        try:
            yield process, match[0]
        finally:
            process.kill()


@pytest.mark.slow
def test_a_session_by_keyboard_survives_a_kill(listed: Path, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    def press(key: str, n_done: int) -> None:
        ActionChains(browser).send_keys(key).perform()
        wait(lambda: browser.execute_script("return !busy && done.size") == n_done)

    def wait(condition: Callable[[], bool]) -> None:
        WebDriverWait(browser, 60).until(lambda _: condition())

    def is_shown() -> bool:
        return bool(browser.execute_script("return at !== null && !!$('picture').naturalWidth"))

    with started_browser(tmp_path / "profile") as browser:
        with running(listed) as (process, address):
            browser.get(address)
            wait(is_shown)
            browser.set_window_size(390, 844)
            overflow = "return document.documentElement.scrollWidth > innerWidth"
            assert not browser.execute_script(overflow)
            assert browser.execute_script("return $('classes').textContent").startswith(
                f"1{HOSTILE}"
            )
            assert browser.execute_script("return $('scores').hidden")
            press("2", 1)
            wait(lambda: bool(browser.execute_script("return $('player').played.length")))
            press("1", 2)
            press("u", 1)
            press("?", 2)
            ActionChains(browser).send_keys("n", "far 2", "\ue007", "i").perform()
            wait(lambda: browser.execute_script("return !$('scores').hidden"))
            press("0", 3)
            errors = browser.get_log("browser")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            ActionChains(browser).send_keys("1").perform()
            wait(lambda: "not saved" in browser.execute_script("return $('error').textContent"))
        states = [("labelled", "wren"), ("labelled", HOSTILE), ("undone", "")]
        assert read(listed) == [*states, ("unsure", ""), ("labelled", "")]
        both = read_list(listed)
        table = Answers(listed.with_name("reviewed.csv"), both)
        for window in both.windows:
            table.add(Answer(window, "wren", "labelled", "ben"))
        table.close()
        with running(listed, "--several") as (process, address):
            browser.get(address)
            wait(is_shown)
            browser.get_log("browser")  # requests that the kill cut off
            assert browser.execute_script("return done.size") == 3
            ActionChains(browser).send_keys("1", "2", "2").perform()
            press("\ue007", 4)
            press("s", 5)
            press("s", 6)
            wait(lambda: browser.execute_script("return !$('end').hidden"))
            agreement = browser.execute_script("return $('agreement').textContent")
            assert agreement.startswith("Cohen's kappa of no name and ben: ")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        assert errors + browser.get_log("browser") == []
    rows, _ = read_answers(listed.with_name("reviewed.csv"))
    assert rows[4].note == "far 2"
    assert rows[5 + N].label == f"{HOSTILE};?wren"
