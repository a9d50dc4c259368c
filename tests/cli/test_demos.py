"""`audioclf export --demo`: a script and a page that classify without audioclf."""

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from audioclf.base.errors import EXIT_MODEL, EXIT_USAGE
from audioclf.models.bundle.reading import load
from audioclf.server.demos import RUNTIME
from tests.conftest import run_cli, write_wav
from tests.models.making import AUDIO, classifier, fitted, written
from tests.report.test_browser import started_browser

pytest.importorskip("skl2onnx")

WEB = Path(os.environ.get("AUDIOCLF_ONNXRUNTIME_WEB", "none"))
SOUND = np.random.default_rng(3).normal(0, 0.1, 3000).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(
        tmp_path_factory.mktemp("demo") / "m.audioclf", fitted(classifier("logistic_regression"))
    )


@pytest.mark.slow
def test_a_script_classifies_without_audioclf(bundle: Path, tmp_path: Path) -> None:
    run_cli("export", bundle, "--demo", "python", "--out", tmp_path / "demo", code=0)
    same = write_wav(tmp_path / "same.wav", SOUND, 8000)
    faster = write_wav(tmp_path / "faster.wav", np.repeat(SOUND, 2), 16_000)
    blocked = "import runpy, sys; sys.modules['audioclf'] = None; sys.argv[:] = sys.argv[1:]; "
    command = [sys.executable, "-I", "-c", f"{blocked}runpy.run_path(sys.argv[0])"]
    done = subprocess.run(
        [*command, tmp_path / "demo" / "classify.py", same, faster],
        capture_output=True,
        text=True,
        check=True,
    )
    model, lines = load(bundle), done.stdout.splitlines()
    for path, line in zip((same, faster), lines, strict=True):
        name, scores = re.fullmatch(rf"{re.escape(str(path))} (\S+) (.*)", line).groups()  # type: ignore[union-attr]
        assert name == model.predict(path)
        tolerance = 1e-5 if path == same else 0.1  # resampled in another way
        assert list(ast.literal_eval(scores).values()) == pytest.approx(
            model.scores(path).tolist(), abs=tolerance
        )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--demo", "html"], EXIT_USAGE, "--demo html and --onnxruntime-web need each other"),
        (["--onnxruntime-web", "."], EXIT_USAGE, "need each other"),
        (["--demo", "python", "--from", "features"], EXIT_USAGE, "--demo begins with sound"),
        (["--demo", "html", "--onnxruntime-web", "."], EXIT_USAGE, "npm pack onnxruntime-web"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(
    bundle: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    done = run_cli("export", bundle, *options, "--out", tmp_path / "demo", code=code)
    assert message in done.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(("channel", "demo"), [("each", "python"), ("left", "html")])
def test_a_demo_that_would_mix_other_channels_is_refused(
    tmp_path: Path, channel: str, demo: str
) -> None:
    found = fitted(classifier("logistic_regression"))
    audio = AUDIO.model_copy(update={"channel": channel})
    path = written(tmp_path / "m.audioclf", found, audio=audio)
    web = ["--onnxruntime-web", str(tmp_path)] if demo == "html" else []
    done = run_cli("export", path, "--demo", demo, *web, code=EXIT_MODEL)
    assert "Export the graph alone, without --demo." in done.stderr


def test_the_page_holds_everything(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    for name in RUNTIME.values():
        (tmp_path / "dist" / name).write_text("export const env = {};")
    options: list[str | Path] = ["--demo", "html", "--onnxruntime-web", tmp_path]
    run_cli("export", bundle, *options, "--out", tmp_path / "demo", code=0)
    (page,) = (tmp_path / "demo").iterdir()
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"__[A-Z]+__|https?://|src=|fetch\(", text)
    assert all(f'id="{name}"' in text for name in ("graph", *RUNTIME))


@pytest.mark.slow
@pytest.mark.skipif(not WEB.is_dir(), reason="AUDIOCLF_ONNXRUNTIME_WEB names no onnxruntime-web")
def test_the_page_classifies_in_a_browser(bundle: Path, tmp_path: Path) -> None:
    options: list[str | Path] = ["--demo", "html", "--onnxruntime-web", WEB]
    run_cli("export", bundle, *options, "--out", tmp_path / "demo", code=0)
    sound = write_wav(tmp_path / "a.wav", np.tile(SOUND, 8), 8000)
    microphone = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}",
    )
    with started_browser(tmp_path / "profile", *microphone) as browser:
        browser.get((tmp_path / "demo" / "index.html").as_uri())

        def shown(pattern: str) -> str:
            deadline = time.monotonic() + 60
            while not re.search(pattern, text := browser.find_element("id", "label").text):
                assert time.monotonic() < deadline, browser.find_element("id", "error").text
                time.sleep(0.1)
            return str(text)

        short = write_wav(tmp_path / "short.wav", SOUND, 8000)
        browser.find_element("id", "file").send_keys(str(short))
        label, score = re.match(r"(\w+) \(score (\S+)\)", shown(r"\(score")).groups()  # type: ignore[union-attr]
        model = load(bundle)
        assert label == model.predict(short)
        assert float(score) == pytest.approx(model.scores(short).max(), abs=1e-3)
        browser.find_element("id", "file").send_keys(str(sound))
        shown(r"in \d+ of 9 windows$")
        browser.find_element("id", "mic").click()
        shown(r"\(score")
        assert browser.get_log("browser") == []
