"""The distribution and version of each component of a config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audioclf.components.component import Component
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Origin, Registry
from audioclf.config.run_config import RunConfig


def origins_of(featurizers: Mapping[str, Featurizer], registry: Registry) -> dict[str, Origin]:
    """Return where each featurizer comes from, for those that a plugin brings."""
    found = {name: registry.origin_of(item) for name, item in featurizers.items()}
    return {name: origin for name, origin in found.items() if origin is not None}


def components_of(config: RunConfig) -> dict[str, Component]:
    """Return every component of a config by its place there, those inside of others included."""
    outermost = {
        "dataset": config.dataset,
        **{f"featurizers.{name}": item for name, item in config.featurizers.items()},
        **{f"classifiers.{name}": item for name, item in config.classifiers.items()},
    }
    return dict(_with_inner(outermost))


def distributions_of(config: RunConfig, registry: Registry) -> dict[str, str]:
    """Return the distributions that bring the components of a config, with their versions."""
    origins = map(registry.origin_of, components_of(config).values())
    return {origin.distribution: origin.version for origin in origins if origin is not None}


def _with_inner(components: Mapping[str, Component]) -> Iterator[tuple[str, Component]]:
    for place, component in components.items():
        yield place, component
        values = ((name, getattr(component, name)) for name in type(component).model_fields)
        inner = {f"{place}.{name}": item for name, item in values if isinstance(item, Component)}
        yield from _with_inner(inner)


def origin_data(component: Component, registry: Registry) -> dict[str, str | None]:
    """Return the type, distribution, version and entry point of a component, for the record."""
    origin = registry.origin_of(component)
    return {
        "type": component.type_name(),
        "distribution": origin.distribution if origin else None,
        "version": origin.version if origin else None,
        "entry_point": origin.entry_point if origin else None,
    }
