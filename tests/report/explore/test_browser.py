"""The page of an exploration in a real browser: points are picked, played and coloured."""

from pathlib import Path
from typing import Any

import pytest

from tests.report.explore.making import HOSTILE, explored, make_config, page_of
from tests.report.test_browser import browser, wait_for

__all__ = ["browser"]

pytestmark = pytest.mark.slow

CLICK = """
const box = document.querySelectorAll('use.p')[arguments[0]].getBoundingClientRect();
document.getElementById('stage').dispatchEvent(new MouseEvent('click',
  {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}));
"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look")
    labels = [HOSTILE, *(f"class {n} {'long' * 12}" for n in range(11))]
    target = folder / "look.html"
    found = explored(make_config(folder, labels, groups=True))
    target.write_text(page_of(found), encoding="utf-8")
    return target


@pytest.fixture
def page(browser: Any, page_file: Path) -> Any:
    browser.get(page_file.as_uri())
    return browser


def text_of(page: Any, name: str) -> str:
    return str(page.execute_script(f"return document.getElementById({name!r}).textContent"))


def test_nothing_is_complained_of_and_nothing_comes_from_elsewhere(page: Any) -> None:
    page.get_log("browser")
    page.refresh()
    assert page.get_log("browser") == []
    script = "return performance.getEntriesByType('resource').map(e => e.name)"
    assert [name for name in page.execute_script(script) if not name.startswith("data:")] == []


def test_a_click_on_a_point_shows_and_plays_its_clip(page: Any) -> None:
    page.execute_script(CLICK, 4)
    picked = text_of(page, "picked-id")
    assert picked.endswith(".wav")
    assert "group: " in text_of(page, "picked-facts")
    wait_for(page, "document.getElementById('player').currentTime > 0")


def test_a_name_in_the_legend_picks_its_points_out(page: Any) -> None:
    script = "return document.querySelectorAll('use.p:not(.off)').length"
    assert page.execute_script(script) == 36
    page.execute_script("document.querySelector('.key').click()")
    assert page.execute_script(script) == 3
    page.execute_script("document.querySelector('.key').click()")
    assert page.execute_script(script) == 36


def test_points_are_coloured_by_group_on_request(page: Any) -> None:
    page.execute_script(
        "const f = document.getElementById('colouring'); f.value = '1';"
        "f.dispatchEvent(new Event('change', {bubbles: true}));"
    )
    assert page.execute_script("return document.querySelectorAll('.key').length") == 3
    assert page.execute_script("return document.querySelectorAll('use.k2').length") == 12


def test_arrow_keys_go_from_clip_to_clip(page: Any) -> None:
    press = (
        "document.getElementById('stage').dispatchEvent("
        "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))"
    )
    page.execute_script(press, "ArrowRight")
    first = text_of(page, "picked-id")
    moved = {first}
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.execute_script(press, key)
        moved.add(text_of(page, "picked-id"))
    assert len(moved) > 1


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_the_screen(width: int, page: Any) -> None:
    sizes = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
