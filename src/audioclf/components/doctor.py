"""Diagnosis of problems with installed plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from audioclf.base.errors import AudioclfError, PluginError
from audioclf.components.augmenter import Augmenter
from audioclf.components.classifier import Classifier
from audioclf.components.component import KINDS, Component, Kind
from audioclf.components.featurizer import Featurizer
from audioclf.components.guard import guard, recorded
from audioclf.components.hookspecs import PLUGIN_API
from audioclf.components.registry import DISABLE_VARIABLE, Origin, PluginRecord, Registry

_API = re.compile(r"it is written for plugin API '?(\d+)")
_MISSING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")

WORKING = frozenset(("audioclf",))
"""Distributions whose components are not tried."""

_TRIED: tuple[Kind, ...] = ("featurizer", "classifier", "augmenter")


@dataclass(frozen=True)
class Diagnosis:
    """A problem of a plugin."""

    state: Literal["broken", "outdated", "clashing", "disabled", "unknown"]
    plugin: str
    reason: str
    advice: str
    is_harmless: bool = False


def diagnose(registry: Registry, disabled: str = "") -> tuple[Diagnosis, ...]:
    """Return the problems of the installed plugins."""
    records = registry.plugins
    return (
        *(_failure(record) for record in records if record.status == "failed"),
        *_not_built(registry),
        *_clashes(registry),
        *(_disabled(record.origin) for record in records if record.status == "disabled"),
        *_unknown(records, disabled),
    )


def _failure(record: PluginRecord) -> Diagnosis:
    origin, reason = record.origin, record.reason
    api, missing = _API.match(reason), _MISSING.match(reason)
    if api:
        which = "audioclf" if int(api.group(1)) > PLUGIN_API else origin.distribution
        advice = f"Install a newer version of {which}; {_or_disable(origin)}"
        return Diagnosis("outdated", str(origin), reason, advice)
    if missing and missing.group(1).startswith("audioclf_"):
        advice = f"Its files are gone: install {origin.distribution} again"
    elif missing:
        advice = f"Install the distribution with the module {missing.group(1).partition('.')[0]!r}"
    else:
        advice = (
            f"Install another version of {origin.distribution}; its author gets the traceback "
            "with `audioclf plugins --strict-plugins`"
        )
    return Diagnosis("broken", str(origin), reason, f"{advice}; {_or_disable(origin)}")


def _not_built(registry: Registry) -> Iterator[Diagnosis]:
    """Yield a problem for each component of a plugin that does not work with its defaults."""
    for kind in _TRIED:
        for provider in registry.providers(kind):
            cls, origin = provider.cls, provider.origin
            if origin.distribution in WORKING or any(
                field.is_required() for field in cls.model_fields.values()
            ):
                continue
            try:
                with guard(f"{kind} {cls.type_name()!r}", PluginError), recorded():
                    _try(cls())
            except AudioclfError as exc:
                missing = _MISSING.search(exc.message)
                advice = exc.hint or "Check it with `audioclf plugins check`"
                if missing and not exc.hint:
                    advice = f"Install the distribution with the module {missing[1]!r}"
                advice = f"{advice.rstrip('.')}; {_or_disable(origin)}"
                yield Diagnosis("broken", str(origin), exc.message.rstrip("."), advice)


def _try(component: Component) -> None:
    """Build a classifier, or featurize or change 1 s of noise, so that modules are imported."""
    if isinstance(component, Classifier):
        component.build(random_state=0)
    elif isinstance(component, Featurizer | Augmenter):
        import numpy as np

        rng = np.random.default_rng(0)
        noise = rng.normal(0.0, 0.1, 22_050).astype(np.float32)
        if isinstance(component, Featurizer):
            component.extract(noise, 22_050)
        else:
            component.augment(noise, 22_050, rng)


def _or_disable(origin: Origin) -> str:
    return f"or disable it: {DISABLE_VARIABLE}={origin.identity}"


def _clashes(registry: Registry) -> Iterator[Diagnosis]:
    for kind in KINDS:
        for name, group in groupby(
            registry.providers(kind), key=lambda provider: provider.cls.type_name()
        ):
            origins = [provider.origin for provider in group]
            if len(origins) > 1:
                yield Diagnosis(
                    "clashing",
                    " and ".join(map(str, origins)),
                    f"both provide a {kind} {name!r}, so neither can be used",
                    f"Uninstall one, {_or_disable(origins[-1])}",
                )


def _disabled(origin: Origin) -> Diagnosis:
    reason = f"it is named in {DISABLE_VARIABLE}"
    return Diagnosis(
        "disabled", str(origin), reason, "Remove it from the variable to use it", is_harmless=True
    )


def _unknown(records: Iterable[PluginRecord], disabled: str) -> Iterator[Diagnosis]:
    known = frozenset[str]().union(*(record.origin.names for record in records))
    for name in filter(None, map(str.strip, disabled.split(","))):
        if name not in known:
            reason = f"it is named in {DISABLE_VARIABLE}, but not installed"
            advice = "Check its spelling; `audioclf plugins` lists all names"
            yield Diagnosis("unknown", name, reason, advice, is_harmless=True)
