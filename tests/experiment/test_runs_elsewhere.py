"""Runs in worker processes and on a cluster; `test_same_numbers` compares all of their files."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import audioclf
from tests.conftest import run_cli

MakeDist = Callable[..., Path]
OnPath = Callable[[Path], None]

# Ends the process on the clip of 0.38 s, which is number 2 of each class.
POISON = """\
import os, signal
from typing import Literal
import numpy as np
from audioclf.plugin import Featurizer, hookimpl
class Poison(Featurizer):
    '''Ends the process that meets one clip.'''
    type: Literal["poison"] = "poison"
    def extract(self, y, sr):
        if len(y) == 3040:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.abs(np.fft.rfft(y[:256], n=256))[:, None].astype(np.float32)
@hookimpl
def audioclf_featurizers():
    return [Poison]
"""


def predictions(folder: Path) -> str:
    return (folder / "predictions.csv").read_text()


@pytest.mark.slow
def test_a_clip_that_kills_its_worker_costs_that_clip_alone(
    toy_config: Path, tmp_path: Path, make_dist: MakeDist, on_path: OnPath
) -> None:
    files = {"audioclf_poison.py": POISON}
    on_path(make_dist("audioclf-poison", {"poison": "audioclf_poison"}, files))
    args = ("--isolate", "--set", "on_error=skip", "--set", "featurizers.mel={type: poison}")
    done = run_cli("run", toy_config, *args, "--jobs", "2", "--out", tmp_path / "run")
    assert done.returncode == 4, done.stderr
    with (tmp_path / "run" / "ledger.csv").open(newline="") as stream:
        failed = {row["path"]: row["message"] for row in csv.DictReader(stream) if row["message"]}
    assert set(failed) == {"high/high_2.wav", "low/low_2.wav"}
    assert all("ended the worker process" in message for message in failed.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_gives_the_same_bits(
    shared_config: Path, plain_run: Path, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        audioclf.run(
            shared_config,
            out=tmp_path / "b",
            engine="dask",
            scheduler=cluster.scheduler_address,
            cache=False,
        )
    assert predictions(plain_run) == predictions(tmp_path / "b")
