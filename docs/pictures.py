"""Makes the picture of the README: the page of a run beside a map of its clips.

Run `make pictures`. It needs Chromium, chromedriver and the development extras.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

PICTURE = Path(__file__).resolve().parent / "pictures" / "report_and_map.png"
WIDTH, HEIGHT = 820, 960
GAP = 12
COLOUR_BY_SPEAKER = """
const field = document.getElementById("colouring");
field.value = [...field.options].find(option => /group|speaker/.test(option.text)).value;
field.dispatchEvent(new Event("input", {bubbles: true}));
field.dispatchEvent(new Event("change", {bubbles: true}));
window.scrollTo(0, field.getBoundingClientRect().top - 66);
"""


def main() -> None:
    """Write the picture from the sample data `groups`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in (
            "sample-data groups",
            "run groups/config.yaml --out run",
            "explore groups/config.yaml --out map.html",
        ):
            subprocess.run(  # noqa: S603  its own commands
                [sys.executable, "-m", "audioclf", *command.split()], cwd=folder, check=True
            )
        browser = start_browser(folder / "profile")
        try:
            pages = [
                screenshot(browser, folder / "run" / "report.html", ""),
                screenshot(browser, folder / "map.html", COLOUR_BY_SPEAKER),
            ]
        finally:
            browser.quit()
    PICTURE.parent.mkdir(exist_ok=True)
    beside(pages).quantize(128).save(PICTURE, optimize=True)


def start_browser(profile: Path) -> Any:
    """Return a headless Chromium in light colours."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for option in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--force-prefers-reduced-motion",
        f"--window-size={WIDTH},{HEIGHT}",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(option)
    options.binary_location = shutil.which("chromium") or ""
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def screenshot(browser: Any, page: Path, script: str) -> Image.Image:
    """Return the window with a page, after a script."""
    browser.set_window_size(WIDTH, HEIGHT)
    browser.get(page.as_uri())
    browser.execute_script(script)
    return Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")


def beside(pages: list[Image.Image]) -> Image.Image:
    """Return pictures side by side, each with a thin frame."""
    framed = [ImageOps.expand(page, 1, "#c8c8c8") for page in pages]
    width = sum(page.width for page in framed) + GAP * (len(framed) - 1)
    picture = Image.new("RGB", (width, max(page.height for page in framed)), "white")
    left = 0
    for page in framed:
        picture.paste(page, (left, 0))
        left += page.width + GAP
    return picture


if __name__ == "__main__":
    main()
