"""Built-in augmenters: levels and ratios to 0.1 dB, bands, time and pitch, codecs."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from audioclf.base.errors import ConfigError
from audioclf.builtin.augmenters.channel import Codec, Filter, Resample, Reverb
from audioclf.builtin.augmenters.encoding import _WRITTEN, _options
from audioclf.builtin.augmenters.level import Clipping, Gain
from audioclf.builtin.augmenters.noise import Background, Noise
from audioclf.builtin.augmenters.time import Mask, Pitch, Shift, Stretch
from audioclf.components.augmenter import Augmenter
from audioclf.dsp.mel_filters import mel_frequencies
from tests.conftest import write_wav

SR = 16_000


def speech_like(seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    times = np.arange(round(seconds * SR)) / SR
    y = 0.3 * np.sin(2 * np.pi * 400 * times) * np.exp(-4 * times) + 0.02 * rng.normal(
        size=times.shape
    )
    return y.astype(np.float32)


def changed(augmenter: Augmenter, y: np.ndarray, seed: int = 0) -> np.ndarray:
    return augmenter.augment(y, SR, np.random.default_rng(seed))


def level(y: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(y, dtype=float))))


def peak_frequency(y: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(y * np.hanning(len(y)))).argmax() * SR / len(y))


@pytest.fixture
def noises(tmp_path: Path) -> Path:
    """Return a folder with a short, a long and a silent recording, at other sample rates."""
    rng = np.random.default_rng(5)
    write_wav(tmp_path / "short.wav", rng.uniform(-0.2, 0.2, 3000), 8000)
    write_wav(tmp_path / "long.wav", rng.uniform(-0.4, 0.4, 12 * 8000), 8000)
    write_wav(tmp_path / "silent.wav", np.zeros(4000), 22_050)
    return tmp_path


@pytest.mark.parametrize("snr", [-5.0, 0.0, 20.0])
def test_background_has_the_ratio_to_a_tenth_of_a_db(noises: Path, snr: float) -> None:
    y = speech_like()
    for seed in range(8):
        noise = changed(Background(path=noises, snr=(snr, snr)), y, seed) - y
        assert level(y) - level(noise) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize(("color", "slope"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_noise_has_the_ratio_and_the_slope(color: str, slope: float) -> None:
    y = speech_like(4.0)
    noise = changed(Noise.model_validate({"color": color, "snr": (6.0, 6.0)}), y) - y
    assert level(y) - level(noise) == pytest.approx(6.0, abs=0.1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[f * 4 : 2 * f * 4].mean() for f in (250, 500, 1000, 2000)]
    assert np.diff(10 * np.log10(octaves)).mean() == pytest.approx(slope, abs=0.5)


@pytest.mark.parametrize("db", [-12.0, 6.0])
def test_gain_is_exact(db: float) -> None:
    y = speech_like()
    assert level(changed(Gain(db=(db, db)), y)) - level(y) == pytest.approx(db, abs=0.01)


def test_clipping_lowers_the_peak_alone() -> None:
    y = speech_like()
    result = changed(Clipping(db=(6.0, 6.0)), y)
    limit = np.abs(y).max() * 10 ** (-6 / 20)
    assert np.abs(result).max() == pytest.approx(limit, rel=1e-5)
    assert np.array_equal(result[np.abs(y) < limit], y[np.abs(y) < limit])


def test_filter_removes_what_lies_outside_of_its_band() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, SR).astype(np.float32)
    result = changed(Filter(low=(300.0, 300.0), high=(3400.0, 3400.0)), noise)
    ratio = np.abs(np.fft.rfft(result)) ** 2 / np.abs(np.fft.rfft(noise)) ** 2
    band = {f: 10 * np.log10(np.median(ratio[f - 20 : f + 20])) for f in (100, 1000, 7000)}
    assert band[1000] == pytest.approx(0.0, abs=0.2)
    assert max(band[100], band[7000]) < -25


def test_resample_removes_high_frequencies() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, SR).astype(np.float32)
    power = np.abs(np.fft.rfft(changed(Resample(rates=(8000,)), noise))) ** 2
    assert power[4500:].sum() < 1e-3 * power[:3500].sum()
    assert np.array_equal(changed(Resample(rates=(48_000,)), noise), noise)


def test_shift_moves_and_fills_with_silence() -> None:
    y = speech_like()
    later = changed(Shift(share=(0.25, 0.25)), y)
    assert np.array_equal(later[4000:], y[:-4000])
    assert not later[:4000].any()
    assert not changed(Shift(share=(-1.0, -1.0)), y).any()


def test_mask_is_silent_for_its_share_of_the_time_and_of_the_mel_scale() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, SR).astype(np.float32)
    for seed in range(4):
        result = changed(Mask(time=(0.25, 0.25), frequency=(0.0, 0.0)), noise, seed)
        silent = np.flatnonzero(result == 0)
        assert len(silent) == pytest.approx(SR / 4, abs=1)
        assert np.ptp(silent) == len(silent) - 1
        assert np.array_equal(result[result != 0], noise[result != 0])
        result = changed(Mask(time=(0.0, 0.0), frequency=(0.2, 0.2)), noise, seed)
        lost = np.flatnonzero(np.abs(np.fft.rfft(result)) < 1e-3)
        mels = np.interp(lost[[0, -1]], mel_frequencies(999, fmax=SR / 2), np.linspace(0, 1, 999))
        assert np.ptp(mels) == pytest.approx(0.2, abs=0.01)
        assert len(lost) == np.ptp(lost) + 1


@pytest.mark.parametrize("semitones", [-7.0, 4.0])
def test_pitch_moves_the_frequency_and_keeps_the_level(semitones: float) -> None:
    y = (0.3 * np.sin(2 * np.pi * 500 * np.arange(SR) / SR)).astype(np.float32)
    result = changed(Pitch(semitones=(semitones, semitones)), y)
    assert peak_frequency(result) == pytest.approx(500 * 2 ** (semitones / 12), abs=2)
    assert level(result) == pytest.approx(level(y), abs=1)


def test_stretch_changes_the_speed_and_keeps_the_pitch() -> None:
    y = np.zeros(SR, np.float32)
    y[: SR // 2] = 0.3 * np.sin(2 * np.pi * 500 * np.arange(SR // 2) / SR)
    result = changed(Stretch(rate=(0.8, 0.8)), y)
    assert len(result) == SR
    assert peak_frequency(result) == pytest.approx(500, abs=2)
    sounding = np.flatnonzero(np.abs(result) > 0.15)[-1] / SR
    assert sounding == pytest.approx(0.5 / 0.8, abs=0.02)


@pytest.mark.parametrize("augmenter", [Stretch(rate=(0.9, 0.9)), Pitch(semitones=(3.0, 3.0))])
def test_sound_after_silence_keeps_its_level(augmenter: Augmenter) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, SR // 2).astype(np.float32)
    result = changed(augmenter, np.concatenate([noise, np.zeros_like(noise), noise]))
    assert level(result[-SR // 4 :]) == pytest.approx(level(result[: SR // 4]), abs=1.5)


@pytest.mark.parametrize("kind", ["mp3", "opus", "vorbis"])
@pytest.mark.parametrize("kbps", [16.0, 64.0])
def test_codec_keeps_time_and_level(kind: str, kbps: float) -> None:
    y = 3 * speech_like()  # beyond full scale
    result = changed(Codec.model_validate({"formats": (kind,), "kbps": (kbps, kbps)}), y)
    assert not np.array_equal(result, y)
    lag = np.correlate(result[:4000], y[:4000], "full").argmax() - 3999
    assert abs(lag) <= 1
    assert level(result) == pytest.approx(level(y), abs=1)


@pytest.mark.parametrize("rate", [8_000, 12_000, 16_000, 24_000, 44_100])
def test_an_mp3_has_the_bit_rate(rate: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * rate).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, noise, rate, **_WRITTEN["mp3"], **_options("mp3", rate, 32))
    assert len(file.getvalue()) * 8 / 10 == pytest.approx(32_000, rel=0.05)


def test_reverb_keeps_the_level_and_decays_by_60_db_in_rt60() -> None:
    y = np.zeros(SR, np.float32)
    y[0] = 1.0
    result = changed(Reverb(rt60=(0.5, 0.5), direct=(0.0, 0.0)), y)
    assert level(result) == pytest.approx(level(y), abs=0.1)
    assert level(result[1600:2400]) - level(result[4800:5600]) == pytest.approx(24, abs=2)


def test_a_given_impulse_response_begins_with_its_peak(tmp_path: Path) -> None:
    response = np.zeros(2000)
    response[700] = 0.9
    write_wav(tmp_path / "room.wav", response, SR)
    y = speech_like()
    np.testing.assert_allclose(changed(Reverb(path=tmp_path / "room.wav"), y), y, atol=1e-3)


def test_a_silent_clip_stays_silent(noises: Path) -> None:
    silent = np.zeros(2000, np.float32)
    for augmenter in (Background(path=noises), Noise(), Reverb(), Clipping()):
        assert not changed(augmenter, silent).any()


@pytest.mark.parametrize(
    ("cls", "fields", "message"),
    [
        (Gain, {"db": (3.0, -3.0)}, "the lower limit comes first"),
        (Background, {"path": "https://example.org/noise.zip"}, "not a URL"),
        (Filter, {"low": (0.0, 10.0)}, "greater than 0"),
        (Pitch, {"probability": 0.0}, "greater than 0"),
    ],
)
def test_impossible_fields_are_refused(
    cls: type[Augmenter], fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        cls.model_validate(fields)


def test_a_folder_without_sounds_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no audio files"):
        Background(path=tmp_path).sounds()
