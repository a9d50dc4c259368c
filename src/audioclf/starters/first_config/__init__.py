"""First config for a dataset: its layout, headers and names lead to choices with reasons.

`draft_config` proves that the config loads and that its split can be made. The config marks each
guess and says how to change it. Without labels there is no config, but an error that lists ways to
proceed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from audioclf.base.errors import SplitError
from audioclf.components.discovery import discover
from audioclf.components.registry import Registry
from audioclf.config.dataset import dataset_of
from audioclf.config.loading import read_config
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.path_labels import full_path
from audioclf.evaluation.splits import Split
from audioclf.starters.first_config.choices import choose_splits, only_trained, propose_featurizers
from audioclf.starters.first_config.columns import Chosen
from audioclf.starters.first_config.folders import find_layout
from audioclf.starters.first_config.groups import with_groups
from audioclf.starters.first_config.headers import read_headers
from audioclf.starters.first_config.results import Choice, ConfigDraft
from audioclf.starters.first_config.writing import write_yaml

__all__ = ["Chosen", "ConfigDraft", "draft_config", "name_for"]

_SEED = 42
_SPLITS: TypeAdapter[Any] = TypeAdapter(Split)


def name_for(path: Path) -> str:
    """Return a name for the config of a folder, an archive or a table.

    >>> name_for(Path("my sounds.zip"))
    'my_sounds'
    """
    path = full_path(path)
    stem = path.name if path.is_dir() else path.stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-")[:80] or "dataset"


def draft_config(
    path: Path,
    out: Path,
    *,
    chosen: Chosen | None = None,
    registry: Registry | None = None,
    isolate: bool = False,
) -> ConfigDraft:
    """Return a config for recordings, with what it was made from.

    `path` is a folder, a zip archive, or a table that lists clips; `out` the future path of the
    config, which is not written; `chosen` are decisions of the user. With `isolate`, headers are
    read in worker processes.
    """
    layout = with_groups(find_layout(path, chosen or Chosen()))
    if normal := only_trained(layout.dataset):
        layout = replace(layout, dataset=layout.dataset.with_clips(layout.dataset, normal=normal))
    headers = read_headers(layout.dataset, isolate=isolate)
    readable = layout.dataset
    if headers.unreadable:
        readable = readable.subset(
            clip.id for clip in readable if clip.id not in headers.unreadable
        )
    split, description = _first_possible_split(readable, guessed=layout.guessed_groups)
    registry = discover() if registry is None else registry
    proposed = propose_featurizers(headers, registry)
    draft = ConfigDraft(name_for(path), layout, headers, split, description, proposed)
    _prove(draft, out, registry)
    return replace(draft, text=write_yaml(draft, out))


def _prove(draft: ConfigDraft, out: Path, registry: Registry | None) -> None:
    """Read the config back, load its dataset and make its folds, as a run would."""
    # `..` can only be resolved below a folder that exists.
    target = out if out.parent.is_dir() else full_path(draft.layout.path).parent / out.name
    config = read_config(write_yaml(draft, target), target, registry=registry)
    config.split.folds(
        dataset_of(config, discover() if registry is None else registry), config.seed
    )


def _first_possible_split(dataset: Dataset, *, guessed: bool) -> tuple[Choice, str]:
    """Return the best split that can be made of the clips, and its folds in words."""
    refused = ""
    choices = choose_splits(dataset, guessed=guessed)
    for choice in choices:
        try:
            splits = _SPLITS.validate_python(choice.data).folds(dataset, _SEED)
        except SplitError as exc:
            if choice is choices[-1]:
                raise
            refused = refused or f"Not {choice.data['type']}: {exc.message}. "
            continue
        notes = () if choice is choices[-1] else splits.notes
        reason = " ".join((refused + choice.reasons[0], *notes))
        warning = (refused + choice.warning).strip()
        return replace(choice, reasons=(reason,), warning=warning), splits.description
    raise AssertionError("choose_splits returns a split")
