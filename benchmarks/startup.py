"""What installed plugins cost: `audioclf plugins` with twelve of them, beside none.

    python benchmarks/startup.py [rounds]

The plugins are distributions on disk, each with a featurizer and a classifier of five fields. Runs
with and without them take turns; the figures are medians of CPU seconds of the whole process.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COUNT = 12
BUNDLED = "xgboost,mlflow,torch"
MODULE = """
from typing import Literal
from pydantic import Field
from audioclf.plugin import Classifier, Featurizer, hookimpl

class F{n}(Featurizer):
    '''Something of a sound.'''
    type: Literal["feature_{n}"] = "feature_{n}"
    a: int = Field(default=512, ge=1)
    '''Samples of a frame.'''
    b: float = Field(default=0.5, ge=0, le=1)
    '''Overlap, in [0, 1].'''
    c: bool = True
    '''Whether frames are centered.'''
    d: Literal["hann", "hamming"] = "hann"
    '''Window.'''
    e: int | None = None
    '''Bands, or null.'''

    def extract(self, y, sr):
        raise NotImplementedError

class C{n}(Classifier):
    '''Something that learns.'''
    type: Literal["classifier_{n}"] = "classifier_{n}"
    a: int = Field(default=100, ge=1)
    '''Rounds.'''
    b: float = Field(default=0.1, gt=0)
    '''Rate of learning.'''
    c: bool = False
    '''Whether to begin warm.'''
    d: Literal["l1", "l2"] = "l2"
    '''Penalty.'''
    e: float | None = None
    '''Tolerance, or null.'''

    def build(self, *, random_state):
        raise NotImplementedError

@hookimpl
def audioclf_featurizers():
    return [F{n}]

@hookimpl
def audioclf_classifiers():
    return [C{n}]
"""


def make_plugins(site: Path, count: int = COUNT) -> list[str]:
    """Put distributions on disk and return the names of their modules."""
    for n in range(count):
        info = site / f"audioclf_fake{n}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: audioclf-fake{n}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[audioclf]\nfake{n} = audioclf_fake{n}\n")
        (site / f"audioclf_fake{n}.py").write_text(MODULE.format(n=n))
    return [f"audioclf_fake{n}" for n in range(count)]


def cpu_seconds(site: Path | None) -> float:
    """Return the CPU seconds of one `audioclf plugins` in a process of its own."""
    env = {**os.environ, "AUDIOCLF_DISABLE_PLUGINS": BUNDLED}
    if site is not None:
        env["PYTHONPATH"] = str(site)
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "audioclf", "plugins"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    assert ("feature_11" in done.stdout) == (site is not None), done.stderr
    user, system = after.children_user, after.children_system
    return user - before.children_user + system - before.children_system


def measure(rounds: int) -> tuple[float, float]:
    """Return the median CPU seconds without and with the plugins."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        make_plugins(site)
        places = (None, site)
        for place in places:
            cpu_seconds(place)
        runs = [[cpu_seconds(place) for place in places] for _ in range(rounds)]
    without, having = (statistics.median(column) for column in zip(*runs, strict=True))
    return without, having


def main() -> None:
    """Print the row."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    without, having = measure(rounds)
    print(
        f"audioclf plugins: {without:.2f} s of CPU with no plugin, {having:.2f} s with {COUNT}: "
        f"{having / without:.2f} times (goal: at most 1.5), median of {rounds}"
    )


if __name__ == "__main__":
    main()
