"""The pluggy markers and the hooks that a plugin may implement.

Hooks of components take no argument and return classes, which a run looks up by (kind, type) in the
registry. `audioclf_run_finished` is looked up by the name of its plugin and called at a user's
request; the results of a run do not depend on it. Decoders of audio formats have an entry-point
group of their own, `audioclf.decoders`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from audioclf.components.augmenter import Augmenter
    from audioclf.components.classifier import Classifier
    from audioclf.components.featurizer import Featurizer
    from audioclf.components.finished_run import FinishedRun
    from audioclf.components.loader import Loader

PROJECT = "audioclf"
"""Name of the entry-point group and of the pluggy project."""

PLUGIN_API = 1
"""Version of the interface; a plugin module may require it by `AUDIOCLF_PLUGIN_API = 1`."""

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


@hookspec
def audioclf_augmenters() -> Iterable[type[Augmenter]]:
    """Return the `Augmenter` classes; the verb is `augment(y, sr, rng) -> y`."""
    return ()


@hookspec
def audioclf_run_finished(result: FinishedRun) -> str | None:
    """Record a finished run elsewhere; return a sentence for the user, or None.

    It is called once per run if the user names the plugin, by `--notify NAME` or the environment
    variable `AUDIOCLF_NOTIFY`, after the folder of the run is complete. It is called in a separate
    process with a time limit: if it raises, hangs or ends the interpreter, the results are kept,
    the exit code is 4, and a message on stderr names the plugin.

    Parameters
    ----------
    result : FinishedRun
        The folder with its config, record and metrics as plain data.
    """
