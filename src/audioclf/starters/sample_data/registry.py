"""Table of the sample datasets, and writing one with its config into a new folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import ConfigError, ResultError
from audioclf.base.files import OutputFolder
from audioclf.components.registry import suggest
from audioclf.starters.sample_data import builders
from audioclf.starters.sample_data.builders import SampleFile
from audioclf.starters.sample_data.soundscape import soundscape

if TYPE_CHECKING:
    from numpy.random import Generator

SOUNDS = "sounds"
"""Folder of the sound files, beside the config."""

ANSWERS = "answers.csv"
"""Table of the planted faults."""

_CONFIG = """\
# Made by `audioclf sample-data {name}`: {line}
name: {name}
seed: 42
dataset:
{dataset}audio:
  sr: 8000
  duration: 1.0
featurizers:
  mfcc: {{type: mfcc, n_fft: 512, hop_length: 128, n_mels: 40, n_mfcc: 20}}
split: {{type: {split}, n_splits: 5}}
classifiers:
  {classifier}
metrics: [{metrics}]
{more}"""


_FOLDER = f"  type: folder\n  path: {SOUNDS}\n"
_TABLE = f"""\
  type: manifest
  path: {SOUNDS}/{builders.LABELS}
  labels: several
  columns: {{group: recorder}}
"""
_NUMBERS = f"""\
  type: manifest
  path: {SOUNDS}/{builders.LABELS}
  columns: {{label: speed, group: recorder}}
  target: number
"""
_EVENTS = f"""\
  type: annotations
  path: {SOUNDS}
  window: 0.5
  hop: 0.25
  background: background
"""


_MACHINES = f"""\
{_FOLDER}  label_pattern: '^(?P<label>[a-z]+)/(?P<machine>[a-z]+)_(?P<place>[a-z]+)_'
"""


@dataclass(frozen=True)
class SampleData:
    """A sample dataset.

    `line` is its purpose; `dataset` and `more` are lines of the config, `command` is the next one
    to type. `build` makes the same bytes from the same seed.
    """

    name: str
    line: str
    build: Callable[[Generator], list[SampleFile]]
    dataset: str = _FOLDER
    split: str = "stratified_kfold"
    classifier: str = "logistic_regression: {type: logistic_regression}"
    metrics: str = "accuracy, f1_macro"
    more: str = ""
    command: str = "audit"

    def config(self) -> str:
        """Return the config, as YAML."""
        return _CONFIG.format(**vars(self))


_ALL = (
    SampleData("clean", "no faults; no audit should have a finding", builders.clean),
    SampleData(
        "duplicates",
        "copies of clips, as they are and changed, make a hard task look easy",
        builders.duplicates,
        classifier="knn: {type: knn, n_neighbors: 1}",
    ),
    SampleData(
        "groups",
        "the split ignores the speakers, so the same voices are in training and test",
        builders.groups,
        dataset=f"{_FOLDER}  label_pattern: '^(?P<label>[^_]+)_(?P<group>[^_]+)_'\n",
    ),
    SampleData(
        "shortcut",
        "the classes sound alike, but were recorded with different equipment",
        builders.shortcut,
    ),
    SampleData(
        "bad-files",
        "silent, clipped, constant, cut short, empty and far too long files",
        builders.bad_files,
        more="on_error: skip\n",
    ),
    SampleData("mislabeled", "six clips lie in the wrong class", builders.mislabeled),
    SampleData(
        "mixtures",
        "several labels per clip: four kinds of sound at once, by eight recorders",
        builders.mixtures,
        dataset=_TABLE,
        split="stratified_group_kfold",
        metrics="average_precision_macro, f1_macro",
        command="run",
    ),
    SampleData(
        "numbers",
        "a number per clip: the speed of a machine, at eight places",
        builders.speeds,
        dataset=_NUMBERS,
        split="stratified_group_kfold",
        classifier="ridge: {type: ridge}\n  svr: {type: svr}",
        metrics="ccc, mae, spearman",
        command="run",
    ),
    SampleData(
        "machine",
        "normal clips of four machines and some with knocks, to detect anomalies",
        builders.machines,
        classifier="nearest: {type: nearest_normal}\n  forest: {type: isolation_forest}",
        dataset=_MACHINES,
        metrics="roc_auc, partial_auc, balanced_accuracy",
        command="run",
    ),
    SampleData(
        "soundscape",
        "recordings with overlapping events at known times, to score detections",
        soundscape,
        dataset=_EVENTS,
        split="stratified_group_kfold",
        command="run",
    ),
)

SAMPLES: dict[str, SampleData] = {sample.name: sample for sample in _ALL}
"""The sample datasets by name."""


def sample_named(name: str) -> SampleData:
    """Return a sample dataset."""
    if name in SAMPLES:
        return SAMPLES[name]
    hint = f"{suggest(name, SAMPLES)} There are {', '.join(SAMPLES)}.".lstrip()
    raise ConfigError(f"no sample data is called {name!r}", hint=hint)


@dataclass(frozen=True)
class Written:
    """The files of a sample dataset on disk."""

    folder: Path
    config: Path
    n_files: int
    n_bytes: int


def write_sample(sample: SampleData, folder: Path, *, seed: int = 0) -> Written:
    """Write the sounds, the config and the answers.

    The folder is new or empty.
    """
    _check_empty(folder)
    files = sample.build(np.random.default_rng(seed))
    target = OutputFolder(folder)
    for file in files:
        target.write_bytes(f"{SOUNDS}/{file.path}", file.content)
    planted = sorted((file.path, file.planted) for file in files if file.planted)
    target.write_csv(ANSWERS, ("path", "planted"), planted)
    config = target.write_text("config.yaml", sample.config())
    return Written(folder, config, len(files), sum(len(file.content) for file in files))


def _check_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = sorted(entry.name for entry in folder.iterdir())
    except OSError as exc:
        raise ResultError(
            f"{folder}: cannot be written: {exc.strerror or exc}",
            hint="Choose another folder with --out.",
        ) from exc
    if present:
        raise ResultError(
            f"{folder}: holds files already, such as {present[0]!r}; nothing was written",
            hint="Choose an empty or a new folder with --out.",
        )
