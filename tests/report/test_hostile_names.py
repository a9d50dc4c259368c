"""The pages of a run and of a first look in a browser, with labels and file names of an enemy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audioclf.report.run.page import build_report
from tests.report.builders import HOSTILE, Tones, make_run
from tests.report.explore.making import explored, make_config
from tests.report.explore.making import page_of as page_of_look
from tests.report.test_browser import browser

__all__ = ["browser"]

pytestmark = pytest.mark.slow

TURNED, SPELLED = "evil\u202egnp.exe\x1b[31m", "evil\\u202egnp.exe\\x1b[31m"
LONG = "x" * 10_000
IMAGE = "<img src=x onerror=document.title='owned'>"
LABELS = (HOSTILE, IMAGE, TURNED, LONG)

LOOK = """
const shown = document.body.innerText + [...document.querySelectorAll('svg text')]
  .map(e => e.textContent).join('');
return {title: document.title, turned: document.documentElement.outerHTML.includes('\\u202e'),
  controls: /[\\x00-\\x08\\x0b-\\x1f\\x7f]/.test(shown), shown: shown,
  planted: document.querySelectorAll('img[onerror], main script, bdi :not(wbr)').length,
  wide: document.documentElement.scrollWidth,
  tallest: Math.max(...[...document.querySelectorAll('figure, li')].map(e => e.offsetHeight)),
  screen: window.innerWidth}
"""


def report(folder: Path) -> str:
    run = make_run(folder, classes=LABELS, pipelines=("knn", "svm"), n_clips=24)
    return build_report(run, clips=Tones(seconds=0.2))


def look(folder: Path) -> str:
    # A table may not hold the others: control characters, and labels longer than this.
    labels = (HOSTILE, IMAGE, TURNED.partition("\x1b")[0], LONG[:1000])
    return page_of_look(explored(make_config(folder, labels)))


@pytest.mark.parametrize("make", [report, look])
@pytest.mark.parametrize("width", [400, 1280])
def test_names_of_an_enemy_are_text_and_leave_the_page_whole(
    make: Any, width: int, browser: Any, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(make(tmp_path), encoding="utf-8")
    browser.set_window_size(width, 900)
    browser.get_log("browser")
    browser.get(path.as_uri())
    found = browser.execute_script(LOOK)
    browser.save_screenshot(str(tmp_path / "page.png"))
    assert browser.get_log("browser") == []
    assert found["title"] != "owned"
    assert found["planted"] == 0
    assert not found["turned"]
    assert not found["controls"]
    assert HOSTILE in found["shown"]
    assert SPELLED.partition("\\x1b")[0] in found["shown"]
    assert (SPELLED in found["shown"]) == (make is report)
    assert found["wide"] <= found["screen"]
    assert found["tallest"] < 900
