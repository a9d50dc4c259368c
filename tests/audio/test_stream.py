"""A recording in blocks has the samples of the whole."""

from pathlib import Path

import numpy as np
import pytest

from audioclf.audio import stream as streaming
from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import DecodeError
from audioclf.dataset.sources import AudioSource, FileSource, PartSource, Span
from tests.conftest import write_wav
from tests.predict.making import noise, written_in_blocks

SR = 16_000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BLOCK_SAMPLES", 10_007)


@pytest.fixture(params=["wav", "flac", "ogg", "mp3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written_in_blocks(tmp_path / f"long.{request.param}", noise(6.3, SR), SR)


def streamed(source: AudioSource, sr: int) -> np.ndarray:
    with open_stream(source, sr) as stream:
        return np.concatenate(list(stream.blocks))


@pytest.mark.parametrize("sr", [SR, 22_050, 8_000])
@pytest.mark.parametrize("part", [None, Span(1.3, 4.7)])
def test_blocks_are_the_samples_of_the_whole(path: Path, sr: int, part: Span | None) -> None:
    source: AudioSource = FileSource(path)
    if part is not None:
        source = PartSource(source, part)
    whole, found = decode(source, AudioConfig(sr=sr)).y, streamed(source, sr)
    assert found.shape == whole.shape
    if sr == SR:
        assert (found == whole).all()
    assert np.abs(found - whole).max() <= 1e-6


def test_stereo_is_averaged_as_in_the_whole(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "s.wav", noise(3, SR, channels=2), SR)
    source = FileSource(path)
    assert (streamed(source, SR) == decode(source, AudioConfig(sr=SR)).y).all()


def test_a_recording_beyond_the_limit_of_a_clip_is_read(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "s.wav", np.zeros(1000 * 1900, np.float32), 1000)
    with pytest.raises(DecodeError, match="limit 1800 s"):
        decode(FileSource(path), AudioConfig(sr=1000))
    with open_stream(FileSource(path), 1000) as stream:
        assert sum(map(len, stream.blocks)) == 1_900_000


def test_a_bad_sample_far_inside_is_an_error(tmp_path: Path) -> None:
    y = noise(4, SR)
    y[50_000] = np.nan
    path = write_wav(tmp_path / "s.wav", y, SR, "FLOAT")
    with pytest.raises(DecodeError, match=r"s\.wav: 1 NaN/inf samples of"):
        streamed(FileSource(path), SR)


def test_a_flac_that_ends_early_is_an_error(tmp_path: Path) -> None:
    path = written_in_blocks(tmp_path / "s.flac", noise(4, SR), SR)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DecodeError, match=r"s\.flac: "):
        streamed(FileSource(path), SR)
