"""The grid of a config: each featurizer with each classifier, and the baseline."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ConfigError
from audioclf.components.classifier import BASELINE_TYPES
from audioclf.components.registry import Registry
from audioclf.config.run_config import RunConfig

if TYPE_CHECKING:
    from audioclf.evaluation.results import Pipeline


BASELINE = "baseline"
"""Name of the pipeline that predicts from the labels of the training clips alone."""


def pipelines_of(config: RunConfig, registry: Registry) -> list[Pipeline]:
    """Return the grid of a config, with the baseline that every result table shows."""
    from audioclf.evaluation.results import Pipeline
    from audioclf.evaluation.views import Views

    copies = config.copies if config.augment else 0
    views = {name: Views.of(featurizer, copies) for name, featurizer in config.featurizers.items()}
    grid = product(config.featurizers, config.classifiers.items())
    shapes = shapes_of(config)
    pipelines = [
        Pipeline(
            pipeline_name,
            feature_name,
            name,
            classifier,
            registry.describe(classifier),
            shapes[feature_name] if classifier.needs_shape() else None,
            views[feature_name],
        )
        for pipeline_name, (feature_name, (name, classifier)) in zip(
            config.pipeline_names, grid, strict=True
        )
    ]
    if any(pipeline.is_baseline for pipeline in pipelines):
        return pipelines
    learned = next(iter(config.classifiers.values())).learns()
    dummy: Any = registry.resolve("classifier", BASELINE_TYPES[learned])()
    name = BASELINE if all(pipeline.name != BASELINE for pipeline in pipelines) else f"{BASELINE}_"
    first = next(iter(config.featurizers))
    return [
        *pipelines,
        Pipeline(name, first, name, dummy, registry.describe(dummy), None, views[first]),
    ]


def shapes_of(config: RunConfig) -> dict[str, tuple[int, int]]:
    """Return the shape of each featurizer's matrices, if a classifier needs it."""
    needing = [name for name, item in config.classifiers.items() if item.needs_shape()]
    if not needing:
        return {}
    from audioclf.features.extraction import make_plans

    shapes = {}
    for plan in make_plans(config.audio, config.featurizers, {}):
        shape = plan.featurizer.pooling.shape(plan.n_bins, plan.max_frames)
        if shape is None or shape[1] < 2:
            raise ConfigError(
                f"classifiers.{needing[0]} needs the frames of each clip, and "
                f"featurizers.{plan.name} ({plan.featurizer.type_name()}) leaves one column",
                hint="Use another featurizer, such as `mel` with `pooling: {type: flatten}`.",
            )
        shapes[plan.name] = shape
    return shapes
