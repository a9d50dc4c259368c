"""Discovery of installed plugins, each loaded on its own.

pluggy's own loader ends the program at a failed import, ignores a second distribution with the same
entry-point name, and accepts misspelt hook names. Here each entry point has a status with a reason.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any

import pluggy

from audioclf.base.errors import PluginError
from audioclf.base.machine import import_path
from audioclf.components import hookspecs
from audioclf.components.component import Component, Kind
from audioclf.components.fields import BASES
from audioclf.components.guard import error_text
from audioclf.components.registry import (
    DISABLE_VARIABLE,
    Origin,
    PluginRecord,
    Registry,
    RunFinished,
    suggest,
)
from audioclf.dataset.decoders import installed_decoders

BUILTIN = "audioclf:builtin"

_HOOKS: dict[str, Kind] = {
    "audioclf_loaders": "loader",
    "audioclf_featurizers": "featurizer",
    "audioclf_classifiers": "classifier",
    "audioclf_augmenters": "augmenter",
}
_LIFECYCLE = "audioclf_run_finished"
_KNOWN = (*_HOOKS, _LIFECYCLE)
_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*")


def discover(*, strict: bool = False) -> Registry:
    """Load all installed plugins and return their components."""
    disabled = frozenset(map(str.strip, os.environ.get(DISABLE_VARIABLE, "").split(",")))
    records = [_load(*pair, disabled, strict) for pair in _entry_points(import_path())]
    return Registry((*records, *_decoders()))


def _decoders() -> Iterable[PluginRecord]:
    for found in installed_decoders():
        origin = Origin(found.distribution, found.version, found.entry_point)
        if found.decoder is None:
            yield PluginRecord(origin, "disabled" if found.disabled else "failed", found.reason)
        else:
            suffixes = tuple(sorted(found.decoder.suffixes))
            yield PluginRecord(origin, "ok", decodes=suffixes)


@cache
def _entry_points(_: tuple[tuple[str, int], ...]) -> list[tuple[Origin, metadata.EntryPoint]]:
    """Return the entry points of plugins; to read those of all that is installed takes 10 ms."""
    pairs = []
    for entry_point in metadata.entry_points(group=hookspecs.PROJECT):
        dist = entry_point.dist
        name, version = (dist.name, dist.version) if dist else ("unknown", "0")
        pairs.append((Origin(name, version, entry_point.name), entry_point))
    return sorted(pairs, key=lambda pair: pair[0])


def _load(
    origin: Origin, entry_point: metadata.EntryPoint, disabled: frozenset[str], strict: bool
) -> PluginRecord:
    if disabled & origin.names:
        return PluginRecord(origin, "disabled", f"named in {DISABLE_VARIABLE}")
    try:
        return PluginRecord(origin, "ok", "", *provided_by(entry_point.load()))
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # such as a SystemExit at import
        if strict or origin.identity == BUILTIN:
            raise
        is_ours = isinstance(exc, PluginError)
        reason = " ".join(str(exc).split()) if is_ours else error_text(exc)
        return PluginRecord(origin, "failed", reason)


def provided_by(plugin: ModuleType | Any) -> tuple[tuple[type[Component], ...], RunFinished | None]:
    """Return the component classes of a plugin module, and its hook `audioclf_run_finished`."""
    api = getattr(plugin, "AUDIOCLF_PLUGIN_API", hookspecs.PLUGIN_API)
    if api != hookspecs.PLUGIN_API:
        raise PluginError(
            f"it is written for plugin API {api!r}, this audioclf has {hookspecs.PLUGIN_API}"
        )
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    _check_hooks(manager, plugin)
    components: list[type[Component]] = []
    for hook, kind in _HOOKS.items():
        for returned in getattr(manager.hook, hook)():
            if not isinstance(returned, Iterable) or isinstance(returned, str | type):
                raise PluginError(f"{hook} must return a list of classes, not {returned!r}")
            components += [_checked(cls, kind, hook) for cls in returned]
    names = [f"{cls.kind}:{cls.type_name()}" for cls in components]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise PluginError(f"it provides two components called {twice[0]}")
    listener: RunFinished | None = None
    for implementation in getattr(manager.hook, _LIFECYCLE).get_hookimpls():
        if implementation.argnames != ("result",):
            raise PluginError(f"{_LIFECYCLE} has to take one argument, `result`")
        listener = implementation.function
    return tuple(components), listener


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> None:
    callers = manager.get_hookcallers(plugin) or []
    unknown = [caller.name for caller in callers if not caller.has_spec()]
    if unknown:
        near = suggest(unknown[0], _KNOWN)
        raise PluginError(f"it implements an unknown hook {unknown[0]!r}. {near}".strip())
    if not callers:
        raise PluginError(f"it implements no hook; known are {', '.join(_KNOWN)}")


def _checked(cls: Any, kind: Kind, hook: str) -> type[Component]:
    base = BASES[kind]
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise PluginError(f"{hook} returned {cls!r}, which is not a subclass of {base.__name__}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise PluginError(f"{hook} returned {cls.__name__}, which does not implement {missing}")
    if not _TYPE_NAME.fullmatch(cls.type_name()):
        raise PluginError(
            f"{cls.__name__}.type is {cls.type_name()!r}; lower-case letters, digits and _ are "
            "allowed"
        )
    return cls
