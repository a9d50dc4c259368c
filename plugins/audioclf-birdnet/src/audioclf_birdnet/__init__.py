"""BirdNET as a featurizer: `type: birdnet`. No commercial use.

The interpreter of TensorFlow Lite is imported when the model is opened, not to list plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.plugin import hookimpl
from audioclf_birdnet.featurizer import BirdNet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audioclf.plugin import Featurizer

__all__ = ["BirdNet", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the featurizer of this plugin."""
    return [BirdNet]
