"""Features of samples in memory: librosa's per-clip calls, torch and the machine's own limits."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import librosa
import numpy as np
from measure import Row, cpu
from numpy.typing import NDArray

from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.short_time_options import Spectral
from audioclf.builtin.featurizers.stft import Stft
from audioclf.components.pooling import Stats
from audioclf.dsp.mel_filters import mel_weights

Matrix = NDArray[np.float32]
Extract = Callable[[Matrix], Any]

SR = 22050
BATCH = 32
FLOP_PER_FRAME = 65e3
"""What a mel frame takes: a real transform of 2,048 samples, the power, and the filters."""


def rows(recordings: Sequence[Matrix], digits: Sequence[Matrix]) -> Iterator[Row]:
    """Yield rows on the tutorial's recordings, on spoken digits, and on noise of exactly 3 s."""
    rng = np.random.default_rng(0)
    noise = list((0.1 * rng.standard_normal((BATCH, 3 * SR))).astype(np.float32))
    mel = MelSpectrogram(db=None)
    yield _against("mel, recordings of at most 3 s", mel, librosa_mel, recordings, 6.0)
    yield _against("mel, noise of exactly 3 s", mel, librosa_mel, noise, 6.0)
    yield _against("mel, spoken digits of 0.4 s", mel, librosa_mel, digits, 14.0)
    yield _against("mel one clip at a time, recordings", mel, librosa_mel, recordings, alone=True)
    yield _against("mel in dB, recordings", MelSpectrogram(), librosa_mel_db, recordings)
    yield _against("mfcc, recordings", Mfcc(), librosa_mfcc, recordings, 5.0)
    yield _against("mfcc, spoken digits", Mfcc(), librosa_mfcc, digits)
    yield _against(
        "magnitude of stft, recordings", Stft(db=None), librosa_magnitude, recordings, 2.5
    )
    yield _against("stft in dB, recordings", Stft(), librosa_stft_db, recordings)
    yield _against(
        "mel in batches, scipy's transform clip by clip",
        mel,
        scipy_alone(),
        recordings,
        name="scipy",
    )
    if importlib.util.find_spec("torch"):
        for name, ys, goal in (("recordings", recordings, 1.6), ("spoken digits", digits, 1.6)):
            yield _against(f"mel, {name}", mel, torch_mel(), ys, goal, name="torch.stft + mm")
    if importlib.util.find_spec("audioclf_onnx") and importlib.util.find_spec("livekit"):
        yield _embedding("speech_embedding, recordings", recordings)
        yield _embedding("speech_embedding, spoken digits", digits[:98])
    yield _pooling(recordings)
    yield _share_of_peak(recordings)


def _against(
    title: str,
    featurizer: Spectral,
    other: Extract,
    ys: Sequence[Matrix],
    goal: float | None = None,
    *,
    alone: bool = False,
    name: str = "librosa",
) -> Row:
    def ours() -> Any:
        if alone:
            return [featurizer.extract(y, SR) for y in ys]
        return [featurizer.extract_many(ys[i : i + BATCH], SR) for i in range(0, len(ys), BATCH)]

    return Row(
        title,
        lambda: cpu(ours),
        lambda: cpu(lambda: [other(y) for y in ys]),
        name,
        goal,
        clips=len(ys),
        seconds=sum(map(len, ys)) / SR,
        note=lambda: "" if name == "scipy" else difference(featurizer, other, ys),
    )


def _embedding(title: str, ys: Sequence[Matrix]) -> Row:
    speech: Any = importlib.import_module("audioclf_onnx.speech")

    def ours() -> Any:
        return [speech.SpeechEmbedding().extract(y, SR) for y in ys]

    def by_window() -> Any:
        with patch.object(speech, "_AT_ONCE", 76):
            return ours()

    return Row(
        title,
        lambda: cpu(ours),
        lambda: cpu(by_window),
        "each window by itself",
        clips=len(ys),
        seconds=sum(map(len, ys)) / SR,
    )


def _pooling(ys: Sequence[Matrix]) -> Row:
    matrices = MelSpectrogram().extract_many(ys, SR)
    return Row(
        "statistics of mel spectrograms",
        lambda: cpu(lambda: [Stats().pool(F, F.shape[1]) for F in matrices]),
        lambda: cpu(lambda: MelSpectrogram().extract_many(ys, SR)),
        "the spectrograms",
        1.0,
        clips=len(ys),
    )


def _share_of_peak(ys: Sequence[Matrix]) -> Row:
    """A row whose other side does the frames' arithmetic at the speed of a matrix product."""
    frames = sum(1 + len(y) // 512 for y in ys)
    n = round((frames * FLOP_PER_FRAME / 2) ** (1 / 3) / 16) * 16
    A = np.random.default_rng(0).standard_normal((n, n)).astype(np.float32)
    mel = MelSpectrogram(db=None)
    return Row(
        "mel against its arithmetic at sgemm speed",
        lambda: cpu(
            lambda: [mel.extract_many(ys[i : i + BATCH], SR) for i in range(0, len(ys), BATCH)]
        ),
        lambda: cpu(lambda: [A @ A for _ in range(8)]),
        f"8 products of {n} x {n}",
        note=lambda: "an eighth of the ratio is the share of the machine's peak; goal 0.1",
    )


def librosa_mel(y: Matrix) -> Any:
    return librosa.feature.melspectrogram(y=y, sr=SR)


def librosa_mel_db(y: Matrix) -> Any:
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR))


def librosa_mfcc(y: Matrix) -> Any:
    return librosa.feature.mfcc(y=y, sr=SR)


def librosa_magnitude(y: Matrix) -> Any:
    return np.abs(librosa.stft(y))


def librosa_stft_db(y: Matrix) -> Any:
    return librosa.amplitude_to_db(np.abs(librosa.stft(y)))


def scipy_alone() -> Extract:
    """Return scipy's single-precision transform of as many frames as a clip has, nothing else."""
    from scipy.fft import rfft

    frames = np.random.default_rng(0).standard_normal((160, 2048)).astype(np.float32)
    return lambda y: rfft(frames[: 1 + len(y) // 512].T, axis=0, workers=1)


def torch_mel() -> Extract:
    """Return a mel spectrogram by the recipe of torchaudio: `torch.stft` and a matrix product."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    window = torch.hann_window(2048)
    weights = torch.from_numpy(mel_weights(sr=SR, n_fft=2048))

    def extract(y: Matrix) -> Any:
        X = torch.stft(
            torch.from_numpy(y), 2048, 512, window=window, pad_mode="constant", return_complex=True
        )
        return (weights @ X.abs().square()).numpy()

    return extract


def difference(featurizer: Spectral, other: Extract, ys: Sequence[Matrix]) -> str:
    """Return the greatest difference: in dB, or as a share of the clip's greatest value."""
    is_db = getattr(featurizer, "db", None) is not None
    worst = 0.0
    for y, ours in zip(ys, featurizer.extract_many(ys, SR), strict=True):
        theirs = np.asarray(other(y))
        scale = 1.0 if is_db else float(np.abs(theirs).max())
        worst = max(worst, float(np.abs(ours - theirs).max()) / scale)
    return f"differs by {worst:.1e}" + (" dB" if is_db else " of the maximum")
