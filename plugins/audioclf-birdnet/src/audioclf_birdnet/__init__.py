"""BirdNET as a featurizer: `type: birdnet`. No commercial use.

The interpreter of TensorFlow Lite is imported when the model is opened, not to list plugins.
"""

from __future__ import annotations

from audioclf.plugin import hookimpl
from audioclf_birdnet.featurizer import BirdNet

__all__ = ["BirdNet", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> list[type[BirdNet]]:
    """Return the featurizer of this plugin."""
    return [BirdNet]
