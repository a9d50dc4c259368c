"""Writing of a sample dataset with its config into a new folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioclf.base.errors import ResultError
from audioclf.base.files import OutputFolder
from audioclf.starters.sample_data.registry import SOUNDS, SampleData

ANSWERS = "answers.csv"
"""Table of the planted faults."""


@dataclass(frozen=True)
class Written:
    """The files of a sample dataset on disk.

    Parameters
    ----------
    n_files : int
        Sound files.
    n_bytes : int
        Their size.
    """

    folder: Path
    config: Path
    n_files: int
    n_bytes: int


def write_sample(sample: SampleData, folder: Path, *, seed: int = 0) -> Written:
    """Write the sounds, the config and the answers.

    Parameters
    ----------
    folder : Path
        New or empty.
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    ResultError
        If the folder holds anything, or cannot be written.
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
