"""`audioclf report`: a page from a run folder."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import run_cli
from tests.report.builders import finish_run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def finished(done: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run, with its dataset beside it, without its page."""
    shutil.copy(done.parent / "sounds.zip", tmp_path)
    folder = shutil.copytree(done, tmp_path / "out")
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str(done.parent), str(tmp_path)), encoding="utf-8")
    (folder / "report.html").unlink(missing_ok=True)
    return folder


def test_the_page_stands_in_the_run_folder(finished: Path) -> None:
    done = run_cli("report", finished, code=0)
    assert done.stdout == f"{finished / 'report.html'}\n"
    assert done.stderr == ""
    assert "data:audio/" in (finished / "report.html").read_text(encoding="utf-8")


def test_the_page_stands_elsewhere_on_request(finished: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "page.html"
    run_cli("report", finished, "--out", target, code=0)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (finished / "report.html").exists()


def test_a_page_without_audio_is_small_and_says_so(finished: Path) -> None:
    run_cli("report", finished, "--no-audio", code=0)
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert "data:audio/" not in text
    assert "The page was made without sound." in text
    assert len(text) < 200_000


def test_a_dataset_that_is_gone_is_said(finished: Path) -> None:
    (finished.parent / "sounds.zip").unlink()
    done = run_cli("report", finished, code=0)
    assert "audioclf: note: The page has no sound and no spectrograms: " in done.stderr
    assert "sounds.zip" in done.stderr
    assert "no sound and no spectrograms" in (finished / "report.html").read_text("utf-8")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    done = run_cli("report", tmp_path, code=6)
    assert f"{tmp_path}: holds no run" in done.stderr


def test_a_target_that_cannot_be_written_is_named(finished: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    (taken / "x").mkdir(parents=True)
    done = run_cli("report", finished, "--no-audio", "--out", taken, code=6)
    assert f"{taken}: cannot be written" in done.stderr


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "notes.html"])
def test_only_a_page_is_replaced(finished: Path, name: str) -> None:
    if name == "notes.html":
        (finished / name).write_text("<html>mine</html>", encoding="utf-8")
    before = (finished / name).read_bytes()
    done = run_cli("report", finished, "--no-audio", "--out", finished / name, code=6)
    assert f"{finished / name}: holds no page of audioclf, and is not replaced" in done.stderr
    assert (finished / name).read_bytes() == before
