"""Runs with a tiny model: equal however they are done; a bundle finds its weights by digest."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audioclf.base.errors import EXIT_MODEL
from audioclf.cli import app
from audioclf.starters.sample_data.registry import sample_named, write_sample

pytestmark = pytest.mark.slow
COMMIT = "1a" * 20
NAME = f"facebook/tiny@{COMMIT}"


def audioclf(*arguments: str | Path, code: int = 0) -> str:
    """Run the command line here; return what it prints."""
    out = io.StringIO()
    kept = contextlib.redirect_stdout(out), contextlib.redirect_stderr(out)
    with kept[0], kept[1], pytest.raises(SystemExit) as caught:
        app(args=[str(each) for each in arguments], prog_name="audioclf")
    assert (caught.value.code or 0) == code, out.getvalue()
    return out.getvalue()


def offline(*arguments: str | Path) -> None:
    """Run the command line in a new process in which no connection can be made."""
    start = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a socket was used')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from audioclf.cli import main\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", start, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, saved: Callable[[str], Path]) -> Iterator[Path]:
    """Yield a folder with recordings, the folder of models, and a run that fills a cache."""
    root = tmp_path_factory.mktemp("runs")
    write_sample(sample_named("clean"), root / "sample")
    shutil.copytree(saved("wavlm"), root / "models" / f"facebook--tiny@{COMMIT}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOCLF_MODELS_DIR", str(root / "models"))
        run(root, root / "one", "--jobs", "1", "--cache-dir", str(root / "cache"))
        yield root


def run(root: Path, out: Path, *options: str) -> None:
    embedding = f"featurizers={{tiny: {{type: transformers, model: {NAME}, average: 10}}}}"
    classifier = "classifiers={logistic: {type: logistic_regression}}"
    config = root / "sample" / "config.yaml"
    chosen = (
        "--set",
        embedding,
        "--set",
        classifier,
        "--set",
        "audit=false",
        "--set",
        "report={html: false, plots: false}",
    )
    audioclf("run", config, "--out", out, *chosen, "-q", *options)


def test_runs_are_equal_with_one_job_two_jobs_and_worker_processes(
    root: Path, tmp_path: Path
) -> None:
    for name, options in {
        "two": ("--no-cache", "--jobs", "2", "--set", "final=none"),
        "isolated": ("--no-cache", "--jobs", "2", "--isolate", "--set", "final=none"),
        "cached": ("--cache-dir", str(root / "cache"), "--set", "final=none"),
    }.items():
        run(root, tmp_path / name, *options)
        expected = (root / "one" / "predictions.csv").read_bytes()
        assert (tmp_path / name / "predictions.csv").read_bytes() == expected, name
    record = json.loads((tmp_path / "cached" / "record.json").read_text())
    assert (record["cache"]["hits"] > 0, record["cache"]["written"]) == (True, 0)
    (weights,) = record["weights"]["featurizers.tiny"]
    assert weights["name"] == NAME
    config = (root / "one" / "config.yaml").read_text()
    assert f"sha256: {weights['sha256']}" in config


def test_a_model_predicts_in_a_new_process_with_its_weights_alone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, out = root / "one" / "model.audioclf", tmp_path / "rows.csv"
    predict = ("predict", bundle, root / "sample", "-q", "--out")
    offline(*predict, out)
    assert len(out.read_text().splitlines()) > 10
    monkeypatch.setenv("AUDIOCLF_MODELS_DIR", str(tmp_path / "none"))
    printed = audioclf(*predict, tmp_path / "no.csv", code=EXIT_MODEL)
    record = json.loads((root / "one" / "record.json").read_text())
    digest = record["weights"]["featurizers.tiny"][0]["sha256"]
    assert f"the weights {NAME!r} with SHA-256 {digest} are missing" in printed
    assert f"Run `audioclf weights fetch {NAME}`, or name the folder with --weights." in printed
    moved = shutil.copytree(next((root / "models").iterdir()), tmp_path / "moved")
    audioclf(*predict, tmp_path / "again.csv", "--weights", moved)
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()
