"""Pre-trained models of Hugging Face Transformers as a featurizer: `type: transformers`.

PyTorch and Transformers are imported when a model is opened, not to list plugins.
"""

from __future__ import annotations

from audioclf.plugin import hookimpl
from audioclf_transformers.featurizer import Transformers

__all__ = ["Transformers", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> list[type[Transformers]]:
    """Return the featurizer of this plugin."""
    return [Transformers]
