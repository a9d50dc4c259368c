"""The pages in a real browser: they filter, play, sort, obey the keyboard and show any name."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audioclf.report.run.page import build_report
from tests.report.builders import HOSTILE, Tones, make_run
from tests.report.explore.making import explored, make_config
from tests.report.explore.making import page_of as page_of_look

pytestmark = pytest.mark.slow

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
    "--autoplay-policy=no-user-gesture-required",
)


@contextmanager
def started_browser(profile: Path, *options: str) -> Iterator[Any]:
    """Start a browser, or skip the test where there is none."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed: apt-get install chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    chosen = webdriver.ChromeOptions()
    chosen.binary_location = chromium
    for option in (*OPTIONS, f"--user-data-dir={profile}", *options):
        chosen.add_argument(option)
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    from selenium.webdriver.chrome.service import Service

    browser = webdriver.Chrome(options=chosen, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with started_browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    run = make_run(folder, classes=(HOSTILE, "dog"), pipelines=("knn", "svm", "tree"), n_clips=60)
    target = folder / "report.html"
    target.write_text(build_report(run, clips=Tones(seconds=0.4)), encoding="utf-8")
    return target


@pytest.fixture
def page(browser: Any, page_file: Path) -> Any:
    browser.get(page_file.as_uri())
    browser.execute_script("localStorage.clear()")
    browser.get(page_file.as_uri())
    return browser


def choose(page: Any, field: str, value: str) -> None:
    page.execute_script(
        "const f = document.getElementById(arguments[0]); f.value = arguments[1];"
        "f.dispatchEvent(new Event('input', {bubbles: true}));"
        "f.dispatchEvent(new Event('change', {bubbles: true}));",
        field,
        value,
    )


def text_of(page: Any, selector: str) -> str:
    return str(page.execute_script(f"return document.querySelector({selector!r}).textContent"))


def clips_found(page: Any) -> int:
    return int(text_of(page, "#count").split()[0])


def data(page: Any) -> Any:
    return page.execute_script("return JSON.parse(document.getElementById('data').textContent)")


def wait_for(page: Any, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 60).until(lambda _: page.execute_script(f"return {script}"))


def test_the_page_loads_nothing_and_the_console_has_no_messages(page: Any) -> None:
    page.get_log("browser")
    page.refresh()
    assert page.get_log("browser") == []
    script = "return performance.getEntriesByType('resource').map(e => e.name)"
    loaded = page.execute_script(script)
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_a_script_that_found_its_way_in_does_not_run(page_file: Path, page: Any) -> None:
    html = page_file.read_text(encoding="utf-8")
    spoiled = page_file.with_name("spoiled.html")
    evil = "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"
    spoiled.write_text(html.replace("<main>", f"<main>{evil}"), encoding="utf-8")
    page.get(spoiled.as_uri())
    assert clips_found(page) == 60
    assert page.execute_script("return window.hit") is None
    assert len(page.get_log("browser")) >= 2


def test_clips_are_filtered_to_those_that_are_wrong(page: Any) -> None:
    known = data(page)
    choose(page, "f-show", "wrong")
    wrong = [i for i, label in enumerate(known["labels"]) if known["predicted"][0][i] != label]
    assert clips_found(page) == len(wrong) > 0


def test_clips_are_filtered_to_where_two_pipelines_disagree(page: Any) -> None:
    first, second = data(page)["predicted"][1:3]
    choose(page, "f-a", "1")
    choose(page, "f-b", "2")
    choose(page, "f-show", "differ")
    differ = sum(a != b for a, b in zip(first, second, strict=True))
    assert clips_found(page) == differ > 0


def test_clips_are_filtered_by_class_and_by_text(page: Any) -> None:
    choose(page, "f-true", "1")
    assert clips_found(page) == 30
    choose(page, "f-text", "DOG/0001")
    assert clips_found(page) == 1
    assert "dog/0001.wav" in text_of(page, "#cards")
    choose(page, "f-text", "nothing is called this")
    assert text_of(page, "#count") == "0 of 60 clips"
    page.execute_script("document.querySelector('#filters [type=reset]').click()")
    wait_for(page, "document.getElementById('count').textContent === '60 clips'")


def test_pages_are_turned(page: Any) -> None:
    first = text_of(page, "#cards .id")
    page.execute_script("document.getElementById('after').click()")
    assert text_of(page, "#where") == "page 2 of 3"
    assert text_of(page, "#cards .id") != first


@pytest.mark.parametrize(("pipeline", "cell"), [(0, "wrong"), (2, "right")])
def test_a_number_in_the_confusion_matrix_shows_as_many_clips(
    pipeline: int, cell: str, page: Any
) -> None:
    choose(page, "f-text", "nothing")
    choose(page, "pick", str(pipeline))
    selector = f'[data-panel="{pipeline}"] .{cell} .show-clips'
    number = int(text_of(page, selector).split()[0])
    page.execute_script(f"document.querySelector('{selector}').click()")
    assert clips_found(page) == number > 0
    assert page.execute_script("return document.getElementById('f-a').value") == str(pipeline)


def test_a_picture_of_many_classes_is_read_and_clicked(browser: Any, tmp_path: Path) -> None:
    names = [f"c{n:02d}" for n in range(20)]
    path = tmp_path / "many.html"
    path.write_text(build_report(make_run(tmp_path, classes=names, n_clips=200)), encoding="utf-8")
    browser.get(path.as_uri())
    browser.execute_script(
        "const i = document.querySelector('.picture img'), r = i.getBoundingClientRect();"
        "for (const kind of ['pointermove', 'click']) i.dispatchEvent(new MouseEvent(kind,"
        "{clientX: r.x + 3.5 * r.width / 20, clientY: r.y + 3.5 * r.height / 20}))"
    )
    text = text_of(browser, ".picture .cell")
    assert text.startswith("true c03, predicted c03: ")
    assert clips_found(browser) == int(text.split()[-2]) > 0


def test_a_curve_and_its_name_are_brought_out_together(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "three.html"
    path.write_text(build_report(make_run(tmp_path, classes="abc")), encoding="utf-8")
    browser.get(path.as_uri())
    marked = browser.execute_script(
        "const f = document.querySelector('.curves');"
        "f.querySelectorAll('li')[1].dispatchEvent(new Event('pointerover', {bubbles: true}));"
        "return [...f.querySelectorAll('.on')].map(e => e.tagName + e.dataset.curve)"
    )
    assert marked == ["polyline1", "LI1"]


def test_play_plays_and_becomes_stop(page: Any) -> None:
    page.execute_script(
        "window.ended = 0; const p = document.getElementById('player');"
        "p.addEventListener('ended', () => window.ended++);"
        "document.querySelector('#cards .play').click()"
    )
    label = "document.querySelector('#cards .play').getAttribute('aria-label')"
    assert page.execute_script(f"return {label}").startswith("Stop ")
    wait_for(page, "window.ended > 0 || document.getElementById('player').currentTime > 0")
    assert page.execute_script("return document.getElementById('player').duration") > 0.3
    assert page.execute_script("return document.getElementById('player').error") is None
    wait_for(page, f"{label}.startsWith('Play ')")


def test_the_theme_is_that_of_the_system_or_the_last_chosen(page: Any) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(colour)
    page.execute_script("document.getElementById('theme').click()")
    after = page.execute_script(colour)
    assert after != before
    page.refresh()
    assert page.execute_script(colour) == after
    page.execute_script("localStorage.clear()")
    page.refresh()
    colours = set()
    for theme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": theme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colours.add(page.execute_script(colour))
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert colours == {before, after}


def test_a_table_is_sorted_by_a_click_and_turned_round_by_a_second(page: Any) -> None:
    names = "return [...document.querySelectorAll('#pipelines tbody bdi')].map(e => e.textContent)"
    page.execute_script("document.querySelector('#pipelines .sort').click()")
    rising = page.execute_script(names)
    assert rising == sorted(rising)
    page.execute_script("document.querySelector('#pipelines .sort').click()")
    assert page.execute_script(names) == rising[::-1]


def test_another_pipeline_is_shown_in_detail(page: Any) -> None:
    shown = (
        "[...document.querySelectorAll('.panel')].filter(p => !p.hidden).map(p => p.dataset.panel)"
    )
    assert page.execute_script(f"return {shown}") == ["0"]
    choose(page, "pick", "2")
    assert page.execute_script(f"return {shown}") == ["2"]


def test_the_keyboard_reaches_every_kind_of_control_and_plays(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.execute_script(
        "window.seen = []; document.addEventListener('focusin', event => {"
        "const e = event.target; window.seen.push(e.id || e.className || e.tagName)})"
    )
    page.switch_to.active_element.send_keys(Keys.TAB * 90)
    seen = set(page.execute_script("return window.seen"))
    wanted = {"skip", "theme", "sort", "pick", "show-clips", "f-a", "f-show", "f-text", "play"}
    assert wanted - seen == set()
    page.execute_script("document.querySelector('#cards .play').focus()")
    page.switch_to.active_element.send_keys(Keys.SPACE)
    wait_for(page, "document.getElementById('player').currentTime > 0")


def test_what_has_the_focus_is_outlined(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.switch_to.active_element.send_keys(Keys.TAB)
    width = page.execute_script("return getComputedStyle(document.activeElement).outlineWidth")
    assert float(width.removesuffix("px")) >= 2


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_sideways(width: int, page: Any) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.refresh()
    found = page.execute_script("return document.documentElement.scrollWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert found <= width


def test_the_page_prints_with_all_bars_and_without_controls(page: Any) -> None:
    printed = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 20_000
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = (
        "return [...document.querySelectorAll(arguments[0])].filter(e => e.getClientRects().length)"
    )
    found = {name: len(page.execute_script(shown, name)) for name in ("svg .bar", "header", "form")}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert found.pop("svg .bar") > 5
    assert found == {"header": 0, "form": 0}


def test_every_control_has_a_name(page: Any) -> None:
    nameless = page.execute_script(
        "return [...document.querySelectorAll('button, select, input')].filter(e => !("
        "e.textContent.trim() || e.getAttribute('aria-label') || (e.labels && e.labels.length)"
        ")).map(e => e.outerHTML)"
    )
    assert nameless == []


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
