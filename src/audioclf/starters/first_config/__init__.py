"""From recordings to a first config: what is there, what follows from it, and what cannot be told.

`draft_config` looks, chooses and writes; it proves that the config loads and that its split can be
made before it hands it out. A guess is called one in the config, with how to change it; where
nothing says what the classes are there is no config, but an error with the ways to go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from audioclf.base.errors import SplitError
from audioclf.components.registry import Registry
from audioclf.config.loading import read_config
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.path_labels import full_path
from audioclf.evaluation.splits import Split
from audioclf.starters.first_config.choices import choose_splits
from audioclf.starters.first_config.config_text import ConfigDraft, write_yaml
from audioclf.starters.first_config.groups import Grouped, with_groups
from audioclf.starters.first_config.headers import Headers, read_headers
from audioclf.starters.first_config.layout import find_layout

__all__ = ["Draft", "draft_config", "name_for"]

_SEED = 42
_SPLITS: TypeAdapter[Any] = TypeAdapter(Split)


@dataclass(frozen=True)
class Draft:
    """A config that runs, and what it was made from.

    Parameters
    ----------
    text : str
        The YAML.
    grouped : Grouped
        The dataset, how it is read, and what is a guess.
    headers : Headers
    split : str
        The folds in words.
    """

    text: str
    grouped: Grouped
    headers: Headers
    split: str


def name_for(path: Path) -> str:
    """Return a name for the config of a folder, an archive or a table.

    >>> name_for(Path("my sounds.zip"))
    'my_sounds'
    """
    path = full_path(path)
    stem = path.name if path.is_dir() else path.stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-")[:80] or "dataset"


def draft_config(
    path: Path, out: Path, *, registry: Registry | None = None, isolate: bool = False
) -> Draft:
    """Look at recordings and write a config for them.

    Parameters
    ----------
    path : Path
        A folder, a zip archive, or a table that lists clips.
    out : Path
        Where the config is going to stand; nothing is written.
    registry : Registry, optional
        The plugins to use; by default those that are installed.
    isolate : bool
        Read headers in worker processes.

    Raises
    ------
    DatasetError
        If there is no audio, nothing says what the classes are, or no clip can be read.
    SplitError
        If there are fewer than two classes of two clips that can be read.
    """
    grouped = with_groups(find_layout(path))
    dataset = grouped.found.dataset
    headers = read_headers(dataset, isolate=isolate)
    good = dataset
    if headers.bad_ids:
        good = dataset.subset(clip.id for clip in dataset if clip.id not in headers.bad_ids)
    split, why, described = _first_that_works(good, guessed=grouped.guessed)
    sketch = ConfigDraft(name_for(path), grouped, headers, split, why)
    _prove(sketch, out, registry)
    return Draft(write_yaml(sketch, out), grouped, headers, described)


def _prove(sketch: ConfigDraft, out: Path, registry: Registry | None) -> None:
    """Read the config back, load its dataset and make its folds, as a run would."""
    # What `..` leads to is known only of a folder that is there.
    place = out if out.parent.is_dir() else full_path(sketch.grouped.found.path).parent / out.name
    config = read_config(write_yaml(sketch, place), place, registry=registry)
    config.split.folds(config.dataset.load(), config.seed)


def _first_that_works(dataset: Dataset, *, guessed: bool) -> tuple[dict[str, Any], str, str]:
    """Return the best split that can be made of the clips, its reason, and it in words."""
    refused = ""
    *choices, last = choose_splits(dataset, guessed=guessed)
    for data, why in choices:
        try:
            splits = _SPLITS.validate_python(data).folds(dataset, _SEED)
        except SplitError as exc:
            refused = refused or f"Not {data['type']}: {exc.message}. "
            continue
        return data, " ".join((refused + why, *splits.notes)), splits.description
    data, why = last
    splits = _SPLITS.validate_python(data).folds(dataset, _SEED)
    return data, refused + why, splits.description
