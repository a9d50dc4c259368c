"""Sound and pictures inside the page."""

import base64
import io

import numpy as np
import pytest
import soundfile
from matplotlib import colormaps
from PIL import Image

from audioclf.report import media
from tests.report.builders import Tones


def content(uri: str) -> tuple[str, bytes]:
    head, _, body = uri.partition(";base64,")
    return head.removeprefix("data:"), base64.b64decode(body, validate=True)


def tone(sr: int, seconds: float, frequency: float = 440.0) -> np.ndarray:
    times = np.arange(round(seconds * sr)) / sr
    return (0.4 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


@pytest.mark.parametrize("sr", [1000, 8000, 16000, 22050, 44100, 96000])
def test_sound_plays_at_any_sample_rate(sr: int) -> None:
    mime, found = content(media.sound_of(tone(sr, 2.0, 200.0), sr))
    y, got = soundfile.read(io.BytesIO(found))
    assert mime.startswith("audio/")
    assert got == min(sr, media.SAMPLE_RATE)
    assert len(y) / got == pytest.approx(2.0, abs=0.06)
    strongest = np.abs(np.fft.rfft(y)).argmax() * got / len(y)
    assert strongest == pytest.approx(200.0, abs=2)


def test_sound_is_small_and_clipped() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 22050 * 3).astype(np.float32)
    assert len(media.sound_of(noise, 22050)) < 50_000
    _, found = content(media.sound_of(4 * tone(8000, 0.1), 8000))
    assert np.abs(soundfile.read(io.BytesIO(found))[0]).max() <= 1.0


def test_without_a_codec_sound_is_wav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf.report.media._CODECS", [("OPUS", "", "")])
    assert content(media.sound_of(tone(8000, 2.0), 8000))[0] == "audio/wav"


def test_a_picture_shows_low_frequencies_below() -> None:
    item = media.thumbnail_of(tone(22050, 1.0, 9000.0), 22050)
    _, found = content(media.picture_of(item.levels))
    with Image.open(io.BytesIO(found)) as image:
        grey = np.asarray(image.convert("L"))
    assert image.size == item.levels.shape[::-1]
    assert grey[: len(grey) // 4].mean() > grey[3 * len(grey) // 4 :].mean()
    assert len(found) < 4000


@pytest.mark.parametrize("n_samples", [1, 7, 400, 200_000])
@pytest.mark.parametrize("sr", [1000, 8000, 44100])
def test_a_clip_of_any_length_has_a_small_picture(n_samples: int, sr: int) -> None:
    y = np.random.default_rng(1).normal(0, 0.1, n_samples).astype(np.float32)
    item = media.thumbnail_of(y, sr)
    assert 1 <= item.levels.shape[1] <= 194
    assert 1 <= item.levels.shape[0] <= 64
    assert media.thumbnail_of(0 * y, sr).levels.max() == 0


def test_a_clip_that_has_ended_counts_as_silent_in_the_mean() -> None:
    full = np.full((4, 10), 200, dtype=np.uint8)
    mean = media.mean_thumbnail(
        [media.Thumbnail(full, 1.0, 4000.0), media.Thumbnail(full, 2.0, 4000.0)], 2.0
    )
    assert mean[0, 0] == 200
    assert mean[0, -1] == 100


def test_a_mask_is_one_colour_on_nothing() -> None:
    _, found = content(media.mask_of(np.array([[0.0, 1.0]]), (1, 2, 3)))
    with Image.open(io.BytesIO(found)) as image:
        assert [image.getpixel((x, 0)) for x in (0, 1)] == [(1, 2, 3, 0), (1, 2, 3, 255)]


def test_the_maker_gives_up_when_nothing_can_be_read() -> None:
    maker = media.MediaMaker(Tones(missing=["all"]))
    assert maker.media([f"{i}.wav" for i in range(500)], 1.0) == {}
    assert len(maker.problems) < 50


def test_the_maker_decodes_ten_seconds_at_most() -> None:
    maker = media.MediaMaker(Tones(seconds=30.0))
    ((_, sound),) = maker.media(["a.wav"], 10.0).values()
    y, sr = soundfile.read(io.BytesIO(content(sound)[1]))
    assert len(y) / sr == pytest.approx(10.0, abs=0.1)


def test_pictures_have_the_colours_of_magma() -> None:
    magma = colormaps["magma"](np.arange(256), bytes=True)[:, :3].astype(int)
    assert np.abs(media._magma() - magma).max() <= 3
