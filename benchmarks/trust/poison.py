"""Clips that end the process which takes them up: exactly they are named, all others are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from table import Row, Size
from toys import call, environment, make_config, table

PLUGIN = '''\
import os
from typing import Literal

import numpy as np

from audioclf.plugin import Featurizer, hookimpl

AUDIOCLF_PLUGIN_API = 1


class Poison(Featurizer):
    """Ends the process on a clip whose first samples are a mark."""

    type: Literal["poison"] = "poison"

    def extract(self, y, sr):
        if np.abs(y[:64]).max() == 0.0:
            os.kill(os.getpid(), 9)
        return np.ones((1, 2), np.float32) * np.float32(np.std(y))


@hookimpl
def audioclf_featurizers():
    return [Poison]
'''


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    import numpy as np
    import soundfile

    config = make_config(scratch, n_clips=size.pick(60, 500), repeats=1)
    _install(scratch / "site")
    clips = sorted((scratch / "sounds").rglob("*.wav"))
    killers = [clips[number] for number in (7, len(clips) // 2, len(clips) - 3)]
    for path in killers:
        y, sr = soundfile.read(path)
        y[:64] = np.zeros(64)
        soundfile.write(path, y, sr)
    env = environment(scratch / "cache", PYTHONPATH=str(scratch / "site"))
    out = scratch / "run"
    done = call(
        "run", config, "--isolate", "--jobs", "2", "--out", out,
        "--set", "featurizers={poison: {type: poison}}", "--set", "on_error=skip", env=env,
    )  # fmt: skip
    if not (out / "ledger.csv").exists():
        raise RuntimeError(done.stderr)
    named = {Path(row["path"]).name for row in table(out / "ledger.csv") if row["status"] != "ok"}
    right = named == {path.name for path in killers}
    which = "the right ones" if right else "NOT the right ones"
    yield Row(
        "clips that end their worker process",
        f"{len(killers)} of {len(clips)}: {len(named)} named, {which}; "
        f"{len(clips) - len(named)} clips kept, exit code {done.returncode}",
        "exactly those, exit code 4",
        right and done.returncode == 4,
    )


def _install(site: Path) -> None:
    info = site / "audioclf_poison-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: audioclf-poison\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[audioclf]\npoison = audioclf_poison\n")
    (site / "audioclf_poison.py").write_text(PLUGIN)
