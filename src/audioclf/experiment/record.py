"""The record of a run: `record.json`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from audioclf._version import __version__
from audioclf.base.machine import platform_name, versions_behind
from audioclf.components.pinned import weights_inside
from audioclf.dataset.decoders import decoder_distributions
from audioclf.experiment.prepared import Prepared
from audioclf.experiment.provenance import components_of, origin_data
from audioclf.experiment.resources import Resources

if TYPE_CHECKING:
    from audioclf.config.run_config import RunConfig
    from audioclf.features.extraction import Extraction
    from audioclf.runs.results import RunResult


def _weights_of(config: RunConfig) -> dict[str, list[dict[str, Any]]]:
    """Return name, digest, size and licence of the weights of each featurizer that reads some."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, featurizer in config.featurizers.items():
        for place, item in weights_inside(featurizer):
            where = f"featurizers.{name}.{place}" if place else f"featurizers.{name}"
            facts = {key: getattr(item, key) for key in ("name", "sha256", "size", "license")}
            found.setdefault(where, []).append(facts)
    return found


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the wall-clock time of a part of a stage to its seconds."""
    started = time.perf_counter()
    yield
    seconds[stage] = round(seconds.get(stage, 0.0) + time.perf_counter() - started, 4)


def make_record(
    prepared: Prepared,
    resources: Resources,
    result: RunResult,
    extraction: Extraction,
    fits: Mapping[str, int],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return the content of `record.json`: what was computed, from which data, by which versions.

    `fits` are the number of all fits ("total") and of those from earlier runs ("resumed"),
    `seconds` the wall-clock time of each stage.
    """
    config, dataset = prepared.config, extraction.dataset
    components = components_of(config).items()
    origins = {name: origin_data(item, prepared.registry) for name, item in components}
    distributions = {origin["distribution"] or "audioclf" for origin in origins.values()}
    return {
        "format": 1,
        "audioclf": __version__,
        "name": config.name,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "platform": platform_name(),
        "versions": versions_behind(distributions | {"audioclf"} | decoder_distributions()),
        "components": origins,
        **({"weights": weights} if (weights := _weights_of(config)) else {}),
        "seed": config.seed,
        "jobs": resources.jobs,
        "engine": resources.engine,
        "dataset": {
            "name": dataset.name,
            "fingerprint": extraction.fingerprint,
            "clips": len(dataset),
            "failed": result.n_failed,
            "classes": dataset.class_counts,
            "groups": len({clip.group for clip in dataset if clip.group is not None}),
        },
        "features": {
            name: {"shape": list(extraction.matrices[name].shape), "sha256": digest}
            for name, digest in extraction.feature_hashes.items()
            if name in config.featurizers
        },
        "cache": {"hits": extraction.cache.hits, "written": extraction.cache.written},
        "split": result.splits,
        "fits": dict(fits),
        "notes": list(result.notes),
        "seconds": dict(seconds),
    }
