"""The guide on reviews: the commands at its beginning run, one after the other."""

import re
import shlex
from pathlib import Path

import pytest

from audioclf.server.review import ReviewServer
from tests.conftest import REPO, run_cli, write_wav
from tests.models.making import made
from tests.predict.making import noise

CONFIG = """
dataset: {type: folder, path: sounds}
audio: {sr: 8000, duration: 0.5}
featurizers: {mel: {type: mel, n_fft: 256, hop_length: 128, n_mels: 4}}
classifiers: {knn: {type: knn}}
split: {type: stratified_kfold, n_splits: 2}
audit: false
report: {html: false}
"""


def answer_all(server: ReviewServer, **_: object) -> None:
    """Answer all windows as a reviewer would, then end."""
    for at, window in enumerate(server.review.windows):
        label = "ken" if window.start % 2 else "barbie"
        server.review.answer({"at": at, "state": "labelled", "label": label, "note": ""})
    raise KeyboardInterrupt


@pytest.mark.slow
def test_the_commands_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "model.audioclf")
    for number in range(2):
        write_wav(tmp_path / f"nights/{number}.wav", noise(24.0, seed=number), 8000)
    for number in range(8):
        name = ("ken", "barbie")[number % 2]
        write_wav(tmp_path / f"sounds/{name}/{number}.wav", noise(0.5, seed=9 + number), 8000)
    (tmp_path / "birds.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ReviewServer, "serve_forever", answer_all)
    text = (REPO / "docs/guides/review.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block is not None
    commands = [shlex.split(line, comments=True)[1:] for line in block[1].splitlines()]
    assert [command[0] for command in commands] == ["suggest", "review", "estimate", "run"]
    said = [run_cli(*command, code=0) for command in commands]
    assert "16 of 16 windows" in said[0].stdout
    assert "16 of 16 windows reviewed" in said[1].stdout
    assert "16 of 16 windows reviewed" in said[2].stdout
    assert "16 reviewed windows are clips" in said[3].stderr
