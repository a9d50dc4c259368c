"""Families of models: input and frames of each, on one thread."""

from __future__ import annotations

import contextlib
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from transformers import audio_utils
from typing_extensions import override

from audioclf.plugin import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Matrix = NDArray[np.float32]


class Family(ABC):
    """A model that takes one clip at a time.

    `network` is the module of Transformers, and `settings` is preprocessor_config.json. `window` is
    the length of its input in samples, None for any; `least` is the fewest samples.
    """

    architecture: ClassVar[str]
    """Module and class in `transformers.models`."""

    window: int | None = None
    least: int = 1

    def __init__(self, name: str, rate: int, network: Any, settings: Mapping[str, Any]) -> None:
        self.name, self.rate, self.network = name, rate, network
        self.config, self.settings = network.config, settings
        self.set_up()

    @classmethod
    def own_tensors(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of the network, by its names, among those of a file."""
        return dict(tensors)

    @abstractmethod
    def set_up(self) -> None:
        """Derive the window, the least length and filters from config and settings."""

    @abstractmethod
    def compute(self, y: Matrix, layer: int | None) -> Tensor:
        """Return the frames of at most one window, [n_frames, n_features]."""

    def prepared(self, y: Matrix) -> Matrix:
        """Return a clip, before it is padded, as the model expects it."""
        return y

    def frames(self, y: Matrix, layer: int | None) -> Matrix:
        """Return the frames of at most one window, [n_features, n_frames].

        `FeatureError` if the model cannot be run, or has no such layer.
        """
        try:
            with one_thread(), torch.inference_mode():
                frames = self.compute(y, layer)
        except FeatureError:
            raise
        except Exception as exc:  # Transformers and PyTorch raise many types
            reason = " ".join(str(exc).split())[:300]
            raise FeatureError(
                f"on {len(y) / self.rate:.3g} s of sound, {self.name} cannot be run: {reason}"
            ) from exc
        return np.ascontiguousarray(frames.numpy().T, dtype=np.float32)

    def states(self, layer: int | None, **inputs: Tensor | Any) -> Tensor:
        """Return the hidden states of a layer, or the output of the model, [n_tokens, n_features].

        `FeatureError` if there is no such layer.
        """
        if layer is None:
            last: Tensor = self.network(**inputs).last_hidden_state
            return last[0]
        count = self.config.num_hidden_layers
        if not -count - 1 <= layer <= count:
            raise FeatureError(
                f"{self.name} has {count} layers, and no layer {layer}",
                hint=f"Set layer to 0 to {count}, or -1 for the last.",
            )
        states: Tensor = self.network(**inputs, output_hidden_states=True).hidden_states[layer]
        return states[0]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit PyTorch to one thread, for a fixed order of sums; the run decides on parallel work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Waves(Family):
    """Models that take the waveform, of any length: frames of 25 ms, every 20 ms."""

    @override
    def set_up(self) -> None:
        for kernel, stride in zip(
            reversed(self.config.conv_kernel), reversed(self.config.conv_stride), strict=True
        ):
            self.least = (self.least - 1) * stride + kernel

    @override
    def prepared(self, y: Matrix) -> Matrix:
        if not self.settings.get("do_normalize", True):
            return y
        exact = y.astype(np.float64) - y.mean(dtype=np.float64)
        return np.asarray(exact / np.sqrt(np.square(exact).mean() + 1e-7), dtype=np.float32)

    @override
    def compute(self, y: Matrix, layer: int | None) -> Tensor:
        return self.states(layer, input_values=torch.tensor(y)[None])


class Wav2Vec2(Waves):
    """wav2vec 2.0."""

    architecture = "wav2vec2.modeling_wav2vec2:Wav2Vec2Model"


class Hubert(Waves):
    """HuBERT."""

    architecture = "hubert.modeling_hubert:HubertModel"


class WavLM(Waves):
    """WavLM."""

    architecture = "wavlm.modeling_wavlm:WavLMModel"


class Whisper(Family):
    """Encoder of Whisper: windows of 30 s, frames every 20 ms."""

    architecture = "whisper.modeling_whisper:WhisperEncoder"

    @override
    @classmethod
    def own_tensors(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = ((key.removeprefix("model."), value) for key, value in tensors.items())
        return {
            key.removeprefix("encoder."): value
            for key, value in names
            if key.startswith("encoder.")
        }

    @override
    def set_up(self) -> None:
        from transformers import WhisperFeatureExtractor

        names = ("feature_size", "hop_length", "chunk_length", "n_fft")
        given = {name: self.settings[name] for name in names if name in self.settings}
        self.extractor = WhisperFeatureExtractor(sampling_rate=self.rate, **given)
        self.window = int(self.extractor.n_samples)

    @override
    def compute(self, y: Matrix, layer: int | None) -> Tensor:
        inputs = self.extractor(y, sampling_rate=self.rate, return_tensors="pt")
        states = self.states(layer, input_features=inputs.input_features)
        # Two frames of the spectrogram become one.
        return states[: math.ceil(len(y) / self.extractor.hop_length / 2)]


class AST(Family):
    """Audio Spectrogram Transformer: windows of 10.24 s, frames every 0.1 s.

    A frame is the mean over the patches of one time. The spectrogram is that of
    `ASTFeatureExtractor` without torchaudio: its numbers do not depend on another package.
    """

    architecture = "audio_spectrogram_transformer.modeling_audio_spectrogram_transformer:ASTModel"

    _FRAME, _HOP, _FFT = 400, 160, 512

    @override
    def set_up(self) -> None:
        self.window, self.least = self.config.max_length * self._HOP, self._FRAME
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
            self.filters = audio_utils.mel_filter_bank(
                num_frequency_bins=self._FFT // 2 + 1,
                num_mel_filters=self.config.num_mel_bins,
                min_frequency=20,
                max_frequency=self.rate // 2,
                sampling_rate=self.rate,
                norm=None,
                mel_scale="kaldi",
                triangularize_in_mel_space=True,
            )

    def spectrogram(self, y: Matrix) -> Matrix:
        """Return the normalized log-mel spectrogram without padding, [n_frames, n_mels]."""
        spectrogram = audio_utils.spectrogram(
            y,
            audio_utils.window_function(self._FRAME, "hann", periodic=False),
            frame_length=self._FRAME,
            hop_length=self._HOP,
            fft_length=self._FFT,
            power=2.0,
            center=False,
            preemphasis=0.97,
            mel_filters=self.filters,
            log_mel="log",
            mel_floor=1.192092955078125e-07,
            remove_dc_offset=True,
        ).T
        return np.asarray(spectrogram, dtype=np.float32)

    @override
    def compute(self, y: Matrix, layer: int | None) -> Tensor:
        config, spectrogram = self.config, self.spectrogram(y)
        n_frames = len(spectrogram)
        padded = np.pad(spectrogram, ((0, config.max_length - n_frames), (0, 0)))
        if self.settings.get("do_normalize", True):
            mean, std = self.settings.get("mean", -4.2677393), self.settings.get("std", 4.5689974)
            padded = np.asarray((padded - mean) / (2 * std), dtype=np.float32)
        tokens = self.states(layer, input_values=torch.from_numpy(padded)[None])
        bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        # The first two are the class and distillation tokens.
        patches = tokens[2:].reshape(bands, -1, tokens.shape[1])
        return patches.mean(0)[: math.ceil(n_frames / config.time_stride)]


class Clap(Family):
    """Audio part of CLAP: one vector for each window of 10 s, shorter ones repeated."""

    architecture = "clap.modeling_clap:ClapAudioModelWithProjection"

    @override
    def set_up(self) -> None:
        from transformers import ClapFeatureExtractor

        names = "feature_size hop_length max_length_s fft_window_size frequency_min frequency_max"
        given = {name: self.settings[name] for name in names.split() if name in self.settings}
        extractor = ClapFeatureExtractor(sampling_rate=self.rate, **given)
        self.window, self.extractor = int(extractor.nb_max_samples), extractor

    @override
    def compute(self, y: Matrix, layer: int | None) -> Tensor:
        if layer is not None:
            raise FeatureError(
                f"{self.name} has one vector for each window, and no layer {layer}",
                hint="Leave `layer` out.",
            )
        size, padding = self.extractor.nb_max_samples, self.settings.get("padding", "repeatpad")
        if padding == "repeat":
            y = np.resize(y, size)
        elif padding == "repeatpad":
            y = np.tile(y, size // len(y))
        fused = bool(self.config.enable_fusion)
        spectrogram = audio_utils.spectrogram(
            np.pad(y, (0, size - len(y))),
            audio_utils.window_function(self.extractor.fft_window_size, "hann"),
            frame_length=self.extractor.fft_window_size,
            hop_length=self.extractor.hop_length,
            power=2.0,
            mel_filters=self.extractor.mel_filters if fused else self.extractor.mel_filters_slaney,
            log_mel="dB",
        ).T
        # Models with fusion expect a long clip as four spectrograms; of a short one all are equal.
        mel = torch.tensor(spectrogram, dtype=torch.float32).expand(1, 4 if fused else 1, -1, -1)
        embeds: Tensor = self.network(
            input_features=mel, is_longer=torch.tensor([[fused]])
        ).audio_embeds
        return embeds


FAMILIES: dict[str, type[Family]] = {
    "wav2vec2": Wav2Vec2,
    "hubert": Hubert,
    "wavlm": WavLM,
    "whisper": Whisper,
    "audio-spectrogram-transformer": AST,
    "clap": Clap,
    "clap_audio_model": Clap,
}
"""Family by `model_type` in config.json."""
