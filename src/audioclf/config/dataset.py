"""The dataset that a config names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.base.limits import use_limits
from audioclf.components.guard import load_guarded

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.config.run_config import RunConfig
    from audioclf.dataset.dataset import Dataset


def dataset_of(config: RunConfig, registry: Registry) -> Dataset:
    """Load the dataset of a config; with `audio.channel: each` a clip is one channel."""
    with use_limits(config.limits):
        dataset = load_guarded(config.dataset, registry)
        if add := config.dataset.add:
            from audioclf.dataset.reviewed import with_reviewed

            dataset = with_reviewed(dataset, add if isinstance(add, tuple) else (add,))
        if config.audio.channel == "each":
            from audioclf.audio.headers import with_channels

            dataset = with_channels(dataset, isolate=config.isolate)
        normal = next(filter(None, (c.only_class() for c in config.classifiers.values())), None)
        return dataset if normal is None else dataset.with_clips(dataset, normal=normal)
