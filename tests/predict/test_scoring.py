"""Scoring in threads: one turn for classifiers of plugins, progress, and an early end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audioclf.evaluation.predictions import ViewAverage
from audioclf.models.windows import Cutting
from audioclf.predict.inputs import collect
from audioclf.predict.job import predict_all
from audioclf.predict.scoring import is_thread_safe
from audioclf.predict.settings import Job, Settings
from audioclf.predict.sinks import open_sink
from tests.models.making import made
from tests.predict.making import model, recording


class Foreign(KNeighborsClassifier):  # type: ignore[misc]
    """An estimator of a plugin, which may change when it predicts."""


SAFE = make_pipeline(StandardScaler(), SVC()).fit(np.eye(2), [0, 1])


@pytest.mark.parametrize(
    ("estimator", "safe"),
    [
        (SAFE, True),
        (ViewAverage(SAFE, 2), True),
        (Foreign(), False),
        (make_pipeline(StandardScaler(), Foreign()), False),
        (BaggingClassifier(Foreign()), False),
        (object(), False),
    ],
)
def test_only_estimators_of_scikit_learn_predict_in_several_threads(
    estimator: Any, safe: bool
) -> None:
    assert is_thread_safe(estimator) is safe


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_progress_counts_seconds_of_sound(tmp_path: Path, isolate: bool) -> None:
    for name, seconds in (("a.wav", 60.0), ("b.wav", 30.0)):
        recording(tmp_path / "in" / name, seconds)
    collected = collect([str(tmp_path / "in")])
    job, out = Job(model(tmp_path), Settings(Cutting(4000, 4000))), tmp_path / "o.csv"
    steps: list[tuple[str, int, int, str]] = []
    predict_all(
        job,
        collected.recordings,
        open_sink(out, job, collected),
        isolate=isolate,
        progress=lambda *step: steps.append(step),
    )
    assert steps[-1] == ("predict", 90, 90, "2 of 2 recordings")
    assert {total for _, _, total, _ in steps[1:]} == {90}  # by the sizes of the files
    done = [done for _, done, _, _ in steps[1:]]
    assert done == sorted(done)
    assert isolate or any(0 < seconds < 60 for seconds in done)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--jobs", "2"], ["--isolate"]])
def test_ctrl_c_ends_a_long_recording_at_once(tmp_path: Path, options: list[str]) -> None:
    sound = recording(tmp_path / "long.wav", 1800.0)
    command = ["predict", str(made(tmp_path / "m.audioclf")), str(sound), "--window", "0.5"]
    command += ["--hop", "0.011", "--out", str(tmp_path / "o.csv"), *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "audioclf", *command],
        env={**os.environ, "AUDIOCLF_QUIET": ""},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    while "predicting" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(2.0)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - begun < 30.0  # 1 s on a quiet machine
    assert process.returncode == 130
    assert stderr == "audioclf: stopped: finished recordings are written; continue with --resume\n"
