"""The grid of a config: each featurizer with each classifier, and the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ConfigError
from audioclf.components.classifier import BASELINE_TYPES
from audioclf.components.registry import Registry, suggest
from audioclf.config.run_config import RunConfig

if TYPE_CHECKING:
    from audioclf.evaluation.results import Pipeline


BASELINE = "baseline"
"""Name of the pipeline that predicts from the labels of the training clips alone."""


def check_featurizer(config: RunConfig, name: str) -> None:
    """Refuse a name that no featurizer of a config has."""
    if name not in config.featurizers:
        hint = suggest(name, config.featurizers) or f"There are {', '.join(config.featurizers)}."
        raise ConfigError(f"no featurizer of the config is called {name!r}", hint=hint)


def pipelines_of(config: RunConfig, registry: Registry) -> list[Pipeline]:
    """Return the grid of a config, with the baseline that every result table shows."""
    from audioclf.evaluation.results import Pipeline
    from audioclf.evaluation.views import Views

    copies = config.copies if config.augment else 0
    views = {name: Views.of(featurizer, copies) for name, featurizer in config.inputs.items()}
    layouts = layouts_of(config)
    pipelines = []
    for pipeline_name, (feature_name, name) in config.grid.items():
        classifier = config.classifiers[name]
        if own := set(classifier.own_features().values()):
            classifier = classifier.for_rows({key: layouts[key] for key in layouts if key in own})
        pipelines.append(
            Pipeline(
                pipeline_name,
                feature_name,
                name,
                classifier,
                registry.describe(classifier),
                layouts[feature_name][1] if classifier.needs_shape() else None,
                views[feature_name],
            )
        )
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


def layouts_of(config: RunConfig) -> dict[str, tuple[int, tuple[int, int] | None]]:
    """Return the width of each featurizer's rows and the shape of the matrix in them, if needed."""
    if not any(item.needs_shape() or item.own_features() for item in config.classifiers.values()):
        return {}
    from audioclf.features.extraction import make_plans

    layouts: dict[str, tuple[int, tuple[int, int] | None]] = {}
    for plan in make_plans(config.audio, config.featurizers, {}):
        shape = plan.featurizer.pooling.shape(plan.n_bins, plan.max_frames)
        layouts[plan.name] = plan.width, None if shape is None or shape[1] < 2 else shape
    for place, classifier, name in config.learners():
        if classifier.needs_shape() and layouts[name][1] is None:
            raise ConfigError(
                f"{place} needs the frames of each clip, and featurizers.{name} "
                f"({config.featurizers[name].type_name()}) leaves one column",
                hint="Use another featurizer, such as `mel` with `pooling: {type: flatten}`.",
            )
    return layouts
