"""Config, plugins and dataset of a run, checked before any work is done."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.base.errors import AudioclfError, DatasetError, PluginError
from audioclf.base.limits import use_limits
from audioclf.base.process_state import describe_changes, restored_process_state
from audioclf.components.discovery import discover
from audioclf.components.registry import Registry
from audioclf.config.loading import load_config
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.experiment.grid import shapes_of
from audioclf.experiment.provenance import describe
from audioclf.runs.folder import LEDGER, RunFolder

if TYPE_CHECKING:
    from audioclf.features.extraction import Extraction


MAX_LISTED = 20


def ready(
    config: RunConfig | str | Path, overrides: Iterable[str], registry: Registry | None
) -> tuple[RunConfig, Registry]:
    """Return a validated config, and the plugins that its names were resolved against."""
    registry = discover() if registry is None else registry
    if not isinstance(config, RunConfig):
        config = load_config(config, overrides=overrides, registry=registry)
    return config, registry


def load_dataset(config: RunConfig, registry: Registry) -> Dataset:
    """Load the dataset that a config names.

    Raises
    ------
    AudioclfError
        What the loader says of its source.
    PluginError
        If the loader itself fails.
    """
    try:
        with use_limits(config.limits), restored_process_state() as changed:
            dataset = config.dataset.load()
    except AudioclfError:
        raise
    except (Exception, SystemExit) as exc:
        who = describe(config.dataset, registry)
        raise PluginError(f"loader {who} raised {type(exc).__name__}: {exc}") from exc
    if not isinstance(dataset, Dataset):
        who = describe(config.dataset, registry)
        raise PluginError(f"loader {who} returned {type(dataset).__name__} instead of a Dataset")
    if changed:
        said = f"loader {describe(config.dataset, registry)}: {describe_changes(changed)}"
        dataset.notes = (*dataset.notes, said)
    return dataset


def check_feasible(config: RunConfig, dataset: Dataset) -> None:
    """Refuse a dataset that the config's metrics or split cannot take, before any work is done."""
    from audioclf.evaluation.metrics.estimate import check_metrics

    if config.allow:
        from audioclf.audit import check_allowed

        check_allowed(config.allow)
    check_metrics(config.metrics, dataset.classes)
    for name, classifier in config.classifiers.items():
        check_metrics(classifier.fit_metrics(), dataset.classes, f"classifiers.{name}: ")
    config.split.folds(dataset, config.seed)
    shapes_of(config)


def unreadable_clips(dataset: Dataset, extraction: Extraction, folder: RunFolder) -> DatasetError:
    """Return the error that lists the clips that cannot be used."""
    messages = [row.message for row in extraction.failed]
    return DatasetError(
        f"{dataset.name}: {len(messages)} of {len(extraction.ledger)} clips cannot be used, "
        f"nothing was trained:{_listed(messages)}",
        hint=f"All are listed in {folder.path / LEDGER}. Mend or remove them, or leave them out "
        "with `on_error: skip`.",
    )


def _listed(messages: list[str]) -> str:
    more = len(messages) - MAX_LISTED
    shown = "".join(f"\n  {message}" for message in messages[:MAX_LISTED])
    return shown + (f"\n  and {more} more" if more > 0 else "")
