"""Pre-trained models of Hugging Face Transformers as a featurizer: `type: transformers`.

PyTorch and Transformers are imported when a model is opened, not to list plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.plugin import hookimpl
from audioclf_transformers.featurizer import Transformers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audioclf.plugin import Featurizer

__all__ = ["Transformers", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the featurizer of this plugin."""
    return [Transformers]
