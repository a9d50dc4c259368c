"""The transforms of audiomentations as an augmenter: `type: audiomentations`.

audiomentations is imported when a config names a transform, not to list plugins.
"""

from __future__ import annotations

from audioclf.plugin import hookimpl
from audioclf_audiomentations.augmenter import Audiomentations

__all__ = ["Audiomentations", "audioclf_augmenters"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_augmenters() -> list[type[Audiomentations]]:
    """Return the augmenter of this plugin."""
    return [Audiomentations]
