"""Pre-trained models in ONNX as featurizers: `type: speech_embedding` and `type: onnx`.

onnxruntime is imported when a model is opened, not to list plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.plugin import hookimpl
from audioclf_onnx.speech import SpeechEmbedding
from audioclf_onnx.waveform_model import Onnx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audioclf.plugin import Featurizer

__all__ = ["Onnx", "SpeechEmbedding", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the featurizers of this plugin."""
    return [Onnx, SpeechEmbedding]
