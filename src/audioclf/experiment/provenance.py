"""The distribution and version of each component of a config."""

from __future__ import annotations

from audioclf.components.component import Component, components_inside
from audioclf.components.registry import Registry
from audioclf.config.run_config import RunConfig


def components_of(config: RunConfig) -> dict[str, Component]:
    """Return every component of a config by its place there, those inside of others included."""
    outermost = {
        "dataset": config.dataset,
        **{f"featurizers.{name}": item for name, item in config.featurizers.items()},
        **{f"augment.{number}": item for number, item in enumerate(config.augment)},
        **{f"classifiers.{name}": item for name, item in config.classifiers.items()},
    }
    return {
        f"{place}.{inner}" if inner else place: item
        for place, component in outermost.items()
        for inner, item in [("", component), *components_inside(component)]
    }


def distributions_of(config: RunConfig, registry: Registry) -> dict[str, str]:
    """Return the distributions that bring the components of a config, with their versions."""
    origins = map(registry.origin_of, components_of(config).values())
    return {origin.distribution: origin.version for origin in origins if origin is not None}


def origin_data(component: Component, registry: Registry) -> dict[str, str | None]:
    """Return the type, distribution, version and entry point of a component, for the record.

    Its terms of use are added, if it has any.
    """
    origin = registry.origin_of(component)
    terms = {"terms_of_use": component.terms_of_use} if component.terms_of_use else {}
    return {
        **terms,
        "type": component.type_name(),
        "distribution": origin.distribution if origin else None,
        "version": origin.version if origin else None,
        "entry_point": origin.entry_point if origin else None,
    }
