"""The feature sets of openSMILE as a featurizer: `type: opensmile`. No commercial use.

openSMILE is imported when the first clip is extracted, not to list plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.plugin import hookimpl
from audioclf_opensmile.featurizer import OpenSmile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audioclf.plugin import Featurizer

__all__ = ["OpenSmile", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the featurizer of this plugin."""
    return [OpenSmile]
