"""Pre-trained models in ONNX as featurizers: `type: speech_embedding` and `type: onnx`.

onnxruntime is imported when a model is opened, not to list plugins.
"""

from __future__ import annotations

from audioclf.plugin import Featurizer, hookimpl
from audioclf_onnx.speech import SpeechEmbedding
from audioclf_onnx.waveform_model import Onnx

__all__ = ["Onnx", "SpeechEmbedding", "audioclf_featurizers"]

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_featurizers() -> list[type[Featurizer]]:
    """Return the featurizers of this plugin."""
    return [Onnx, SpeechEmbedding]
