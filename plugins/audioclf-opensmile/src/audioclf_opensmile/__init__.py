"""The feature sets of openSMILE as a featurizer: `type: opensmile`. No commercial use.

openSMILE is imported when the first clip is extracted, not to list plugins.
"""

from __future__ import annotations

from audioclf.plugin import hookimpl
from audioclf_opensmile.featurizer import OpenSmile

__all__ = ["OpenSmile", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> list[type[OpenSmile]]:
    """Return the featurizer of this plugin."""
    return [OpenSmile]
