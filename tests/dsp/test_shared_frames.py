"""Windows that overlap: frames are shared, and the numbers are those of each window alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.builtin.featurizers.chroma import Chroma
from audioclf.builtin.featurizers.clip_options import TrimSilence
from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.cqt import Cqt
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.pcen import Pcen
from audioclf.builtin.featurizers.short_time_options import Decibels
from audioclf.builtin.featurizers.spectral_shape import SpectralShape
from audioclf.builtin.featurizers.stft import Stft
from audioclf.dsp import short_time
from audioclf.dsp.framing import Framing
from audioclf.dsp.shared_frames import Windows, overlap_of
from audioclf.plugin import FeatureError, Featurizer

SR = 8000
FFT: dict[str, Any] = {"n_fft": 256, "hop_length": 64}
FEATURIZERS = {
    "mel": MelSpectrogram(**FFT, n_mels=20),
    "mel of the loudest": MelSpectrogram(**FFT, n_mels=20, db=Decibels(ref="max", top_db=30.0)),
    "pcen": MelSpectrogram(**FFT, n_mels=20, pcen=Pcen()),
    "stft": Stft(**FFT),
    "reflected": Stft(**FFT, pad_mode="reflect", db=None),
    "not centered": Stft(**FFT, center=False),
    "odd": MelSpectrogram(n_fft=255, hop_length=50, n_mels=20),
    "mfcc": Mfcc(**FFT, n_mels=20, n_mfcc=8, deltas=2),
    "options": MelSpectrogram(**FFT, n_mels=20, normalize="mean_variance", n_steps=7),
    "trimmed": MelSpectrogram(**FFT, n_mels=20, trim_silence=TrimSilence(top_db=20)),
    "chroma": Chroma(**FFT),
    "spectral": SpectralShape(**FFT, n_bands=3),
    "cqt": Cqt(fmin=220.0, n_bins=12, hop_length=64),
    "concat": Concat(parts={"mfcc": Mfcc(**FFT, n_mels=20, n_mfcc=8), "shape": Stft(**FFT)}),
}


def recording(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = round(seconds * SR)
    loudness = np.repeat(rng.choice([0.0, 0.01, 0.5], -(-n // 700)), 700)[:n]
    return (loudness * rng.normal(size=n)).clip(-1, 1).astype(np.float32)


def check_equal(featurizer: Featurizer, y: np.ndarray, starts: list[int], size: int) -> None:
    found = featurizer.extract_windows(y, SR, starts, size)
    assert len(found) == len(starts)
    for matrix, start in zip(found, starts, strict=True):
        alone = featurizer.extract(y[start : start + size].copy(), SR)
        assert matrix.dtype == alone.dtype
        np.testing.assert_array_equal(matrix, alone)


@pytest.mark.parametrize("name", FEATURIZERS)
def test_a_window_has_the_features_that_it_has_alone(name: str) -> None:
    y = recording()
    y.flags.writeable = False
    for hop in (640, 33):
        check_equal(FEATURIZERS[name], y, list(range(0, len(y) - 3200, hop))[:9], 3200)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    n_fft=st.integers(4, 300),
    hop_length=st.integers(1, 200),
    center=st.booleans(),
    pad_mode=st.sampled_from(["constant", "edge", "linear_ramp", "reflect", "symmetric"]),
    double=st.booleans(),
)
def test_any_framing_and_any_windows(
    data: st.DataObject, n_fft: int, hop_length: int, center: bool, pad_mode: Any, double: bool
) -> None:
    y = recording(0.2, seed=n_fft)
    size = data.draw(st.integers(n_fft, 1000), "size")
    starts = data.draw(st.lists(st.integers(0, len(y) - size), max_size=6), "starts")
    framing = Framing(n_fft, hop_length, n_fft, "hann", center, pad_mode)
    windows = Windows(y, starts, size)

    def spectra(ys: Any) -> list[Any]:
        return short_time.transform(ys, framing, framing.n_bins, np.copy, double=double)

    for found, alone in zip(spectra(windows), (spectra([w])[0] for w in windows), strict=True):
        np.testing.assert_array_equal(found, alone)


def transformed(monkeypatch: pytest.MonkeyPatch, featurizer: Featurizer, hop: int) -> float:
    """Return the frames that are transformed for ten windows, per frame of the ten windows."""
    counted: list[int] = []
    pack = short_time._pack

    def counting(counts: Any, size: int) -> Any:
        counted.append(sum(counts))
        return pack(counts, size)

    monkeypatch.setattr(short_time, "_pack", counting)
    y, size = recording(10.0), 8000
    windows = [index * hop for index in range(10)]
    featurizer.extract_windows(y, SR, windows, size)
    shared = counted.pop()
    featurizer.extract_many([y[start : start + size] for start in windows], SR)
    return shared / counted.pop()


@pytest.mark.parametrize("name", ["mel", "stft", "mfcc", "options", "not centered", "chroma"])
def test_hops_of_whole_frames_share_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    featurizer = FEATURIZERS[name]
    step = featurizer.shared_step(SR)
    assert step == 64
    assert transformed(monkeypatch, featurizer, 12 * step) < 0.25
    assert transformed(monkeypatch, featurizer, 8000) == 1.0


def test_other_hops_share_where_windows_meet_the_grid_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert transformed(monkeypatch, FEATURIZERS["mel"], 640 + 32) < 0.5
    assert transformed(monkeypatch, FEATURIZERS["mel"], 640 + 1) == 1.0


def test_the_step_is_said_where_there_is_one() -> None:
    assert FEATURIZERS["trimmed"].shared_step(SR) is None
    assert FEATURIZERS["cqt"].shared_step(SR) is None
    parts = {"mel": MelSpectrogram(hop_length=48), "stft": Stft(hop_length=64), "cqt": Cqt()}
    assert Concat(parts=parts).shared_step(SR) == 192
    assert Concat(parts={"cqt": Cqt()}).shared_step(SR) is None


def test_windows_that_do_not_overlap_share_nothing() -> None:
    framing = Framing(256, 64, 256, "hann", True, "constant")
    y = recording()
    assert overlap_of(Windows(y, [0, 3200], 3200), framing, 51) is None
    assert overlap_of(Windows(y, [0, 0], 3200), framing, 51) is not None
    assert overlap_of(Windows(y, [0, 64], 200), framing, 4) is None  # all frames see padding


def test_windows_that_are_too_short_are_refused_as_clips_are() -> None:
    with pytest.raises(FeatureError, match="the clip has 100 samples"):
        FEATURIZERS["not centered"].extract_windows(recording(), SR, [0, 64], 100)


def test_windows_are_clips_in_their_order() -> None:
    windows = Windows(np.arange(10, dtype=np.float32), [4, 0], 3)
    assert [w.tolist() for w in windows] == [[4, 5, 6], [0, 1, 2]]
    assert [w.tolist() for w in windows[1:]] == [[0, 1, 2]]
