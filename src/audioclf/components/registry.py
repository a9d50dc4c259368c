"""The frozen table of what is installed: (kind, type) to component class, with provenance.

Two distributions that claim one name do not shadow each other: the name has no winner, and using
it is an error that lists every provider.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from audioclf.base.errors import PluginError
from audioclf.components.component import Component, Kind
from audioclf.components.fields import BASES, validate_component
from audioclf.components.finished_run import FinishedRun

DISABLE_VARIABLE = "AUDIOCLF_DISABLE_PLUGINS"
"""Environment variable: comma-separated identities, names or distributions of plugins to ignore."""


RunFinished = Callable[[FinishedRun], "str | None"]
"""The hook `audioclf_run_finished` of one plugin."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a plugin comes from."""

    distribution: str
    version: str
    entry_point: str

    @property
    def identity(self) -> str:
        """`distribution:entry_point`, so that equal entry-point names coexist."""
        return f"{self.distribution}:{self.entry_point}"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.entry_point})"


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """What became of one entry point.

    Parameters
    ----------
    origin : Origin
    status : {"ok", "failed", "disabled"}
    reason : str
        Why it is not ok, in one line.
    components : tuple of component classes
        What it provides.
    run_finished : callable, optional
        Its hook `audioclf_run_finished`.
    """

    origin: Origin
    status: Literal["ok", "failed", "disabled"]
    reason: str = ""
    components: tuple[type[Component], ...] = ()
    run_finished: RunFinished | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A component class and the plugin that brings it."""

    cls: type[Component]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Observer:
    """A plugin that can be told of a finished run."""

    origin: Origin
    call: RunFinished


@dataclass(frozen=True)
class Registry:
    """All plugins that were found, and the components of those that work."""

    plugins: tuple[PluginRecord, ...]
    _providers: dict[tuple[Kind, str], tuple[Provider, ...]] = field(init=False, repr=False)
    _origins: dict[type[Component], Origin] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the components by kind and name, and by class."""
        providers: dict[tuple[Kind, str], tuple[Provider, ...]] = {}
        for record in self.plugins:
            for cls in record.components:
                key = cls.kind, cls.type_name()
                providers[key] = (*providers.get(key, ()), Provider(cls, record.origin))
        origins = {p.cls: p.origin for group in providers.values() for p in group}
        object.__setattr__(self, "_providers", providers)
        object.__setattr__(self, "_origins", origins)

    def types(self, kind: Kind) -> tuple[str, ...]:
        """Return the names of all components of a kind, sorted."""
        return tuple(sorted(name for other, name in self._providers if other == kind))

    def providers(self, kind: Kind) -> tuple[Provider, ...]:
        """Return all components of a kind, sorted by name, clashing ones included."""
        return tuple(p for name in self.types(kind) for p in self._providers[kind, name])

    def resolve(self, kind: Kind, type_name: str) -> type[Component]:
        """Return the component class of that kind and name.

        Raises
        ------
        PluginError
            If nobody or more than one plugin provides it.
        """
        found = self._providers.get((kind, type_name), ())
        if len(found) == 1:
            return found[0].cls
        if found:
            raise _clash(kind, type_name, found)
        raise self._unknown(kind, type_name)

    def origin_of(self, component: Component) -> Origin | None:
        """Return the plugin that brings this component; None for a class made by hand."""
        return self._origins.get(type(component))

    def describe(self, component: Component) -> str:
        """Return the name of a component with the distribution and version that bring it."""
        origin = self.origin_of(component)
        source = f"{origin.distribution} {origin.version}" if origin else "not from a plugin"
        return f"{component.type_name()}, {source}"

    def observers(self, names: Iterable[str]) -> tuple[Observer, ...]:
        """Return the plugins of these names that can be told of a finished run, each once.

        Parameters
        ----------
        names : iterable of str
            Entry points, distributions or identities.

        Raises
        ------
        PluginError
            If a name has no such plugin, or more than one.
        """
        found = {observer.origin: observer for observer in map(self._observer, names)}
        return tuple(found.values())

    def _observer(self, name: str) -> Observer:
        able = [record for record in self.plugins if record.run_finished is not None]
        found = [record for record in able if name in _names(record.origin)]
        if len(found) > 1:
            origins = " and ".join(str(record.origin) for record in found)
            hint = f"Name one of them, as in {found[0].origin.identity}."
            raise PluginError(f"{name!r} names more than one plugin: {origins}.", hint=hint)
        for record in found:
            if record.run_finished is not None:
                return Observer(record.origin, record.run_finished)
        raise self._deaf(name, [record.origin.entry_point for record in able])

    def _deaf(self, name: str, able: list[str]) -> PluginError:
        for record in self.plugins:
            if name in _names(record.origin):
                why = record.reason or "it has no hook audioclf_run_finished"
                return PluginError(
                    f"the plugin {record.origin} cannot be told of a finished run: {why}."
                )
        hint = suggest(name, able) or f"Installed are: {', '.join(able) or 'none'}."
        return PluginError(
            f"no plugin that is called {name!r} can be told of a finished run.", hint=hint
        )

    def build(self, kind: Kind, data: Any, context: dict[str, Any]) -> Component:
        """Turn what a config says of a component into the component.

        Raises
        ------
        ValueError
            If the name is missing or cannot be resolved.
        pydantic.ValidationError
            If a field does not fit.
        """
        if not isinstance(data, dict):
            raise ValueError(f"expected a mapping such as {{type: {self._any(kind)}}}")
        if not isinstance(data.get("type"), str):
            raise ValueError(f"needs a `type`: one of {', '.join(self.types(kind))}")
        try:
            cls = self.resolve(kind, data["type"])
        except PluginError as exc:
            raise ValueError(" ".join(filter(None, (exc.message, exc.hint)))) from exc
        return validate_component(cls, data, {**context, "build": self.build})

    def _any(self, kind: Kind) -> str:
        return next(iter(self.types(kind)), "...")

    def _unknown(self, kind: Kind, type_name: str) -> PluginError:
        near = suggest(type_name, self.types(kind))
        elsewhere = [other for other in BASES if (other, type_name) in self._providers]
        message = f"no {kind} is called {type_name!r}"
        if elsewhere:
            message += f" (there is a {elsewhere[0]} of that name)"
        broken = "".join(
            f"; the plugin {record.origin} is {record.status}: {record.reason}"
            for record in self.plugins
            if record.status != "ok"
        )
        known = f"Installed are: {', '.join(self.types(kind)) or 'none'}."
        hint = _ELSEWHERE.get((kind, type_name)) or near or known
        return PluginError(message + broken + ".", hint=hint)


def _names(origin: Origin) -> tuple[str, ...]:
    return origin.identity, origin.distribution, origin.entry_point


_ELSEWHERE = {
    ("classifier", "cnn"): "Run `pip install torch==2.13.0`, then `pip install audioclf-torch`.",
    ("classifier", "xgboost"): "Run `pip install audioclf-xgboost`.",
}
"""What to do where a plugin of this project is not installed."""


def _clash(kind: Kind, type_name: str, found: Iterable[Provider]) -> PluginError:
    origins = [provider.origin for provider in found]
    return PluginError(
        f"{kind} {type_name!r} is claimed by {' and '.join(map(str, origins))}.",
        hint=f"Disable one of them, as in {DISABLE_VARIABLE}={origins[-1].identity}",
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return "Did you mean ...?" with the nearest known name, or nothing."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else ""
