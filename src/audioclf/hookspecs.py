"""The pluggy markers and the hooks that a plugin may implement.

Hooks declare, they never dispatch: each takes no argument and returns classes. What a run uses is
looked up by (kind, type) in the registry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from audioclf.components import Classifier, Featurizer, Loader

PROJECT = "audioclf"
"""Name of the entry-point group and of the pluggy project."""

PLUGIN_API = 1
"""Version of the contract; a plugin module may say `AUDIOCLF_PLUGIN_API = 1` to be held to it."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def audioclf_loaders() -> Iterable[type[Loader]]:
    """Return the `Loader` classes of this plugin; the verb is `load() -> Dataset`."""
    return ()


@hookspec
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the `Featurizer` classes of this plugin; the verb is `extract(y, sr) -> F`."""
    return ()


@hookspec
def audioclf_classifiers() -> Iterable[type[Classifier]]:
    """Return the `Classifier` classes; the verb is `build(*, random_state) -> estimator`."""
    return ()
