"""Table of the sample datasets: name, one line, builder, config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from audioclf.base.errors import ConfigError
from audioclf.starters.sample_data import builders
from audioclf.starters.sample_data.files import SampleFile

if TYPE_CHECKING:
    from numpy.random import Generator

SOUNDS = "sounds"
"""Folder of the sound files, beside the config."""

_CONFIG = """\
# Made by `audioclf sample-data {name}`: {line}
name: {name}
seed: 42
dataset:
  type: folder
  path: {sounds}
{dataset}audio:
  sr: 8000
  duration: 1.0
featurizers:
  mfcc: {{type: mfcc, n_fft: 512, hop_length: 128, n_mels: 40, n_mfcc: 20}}
split: {{type: stratified_kfold, n_splits: 5}}
classifiers:
  {classifier}
metrics: [accuracy, f1_macro]
{more}"""


@dataclass(frozen=True)
class SampleData:
    """A sample dataset.

    Parameters
    ----------
    line : str
        Its purpose, in one line.
    build : callable
        From a seeded generator to the files; the same seed gives the same bytes.
    dataset : str
        Further lines of the config's `dataset`.
    classifier : str
        The line of the config's `classifiers`.
    more : str
        Further lines at the end of the config.
    """

    name: str
    line: str
    build: Callable[[Generator], list[SampleFile]]
    dataset: str = ""
    classifier: str = "logistic_regression: {type: logistic_regression}"
    more: str = ""

    def config(self) -> str:
        """Return the config, as YAML."""
        return _CONFIG.format(
            name=self.name,
            line=self.line,
            sounds=SOUNDS,
            dataset=self.dataset,
            classifier=self.classifier,
            more=self.more,
        )


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
        dataset="  label_pattern: '^(?P<label>[^_]+)_(?P<group>[^_]+)_'\n",
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
)

SAMPLES: dict[str, SampleData] = {sample.name: sample for sample in _ALL}
"""The sample datasets by name."""


def sample_named(name: str) -> SampleData:
    """Return a sample dataset.

    Raises
    ------
    ConfigError
        If there is none of this name; suggests the nearest.
    """
    if name in SAMPLES:
        return SAMPLES[name]
    near = get_close_matches(name, SAMPLES, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    raise ConfigError(
        f"no sample data is called {name!r}", hint=f"{meant}There are {', '.join(SAMPLES)}."
    )
