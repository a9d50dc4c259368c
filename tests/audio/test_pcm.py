"""Uncompressed samples: the numbers of libsndfile."""

import io

import numpy as np
import pytest
import soundfile

from audioclf.audio.pcm import SAMPLE_BYTES, PcmLayout, read_pcm
from tests.hostile.files import FLOAT, PCM, wav

BITS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32}
HEADER = 44


def all_kinds_of_bytes(subtype: str, channels: int) -> bytes:
    audio = np.random.default_rng(3).bytes(SAMPLE_BYTES[subtype] * channels * 500)
    if subtype == "FLOAT":
        return np.frombuffer(audio, "<u4").astype("<f4").tobytes()
    extremes = b"\0\0\0\x80" + b"\xff\xff\xff\x7f" + b"\xff" * 4 + b"\0" * 4
    return extremes * SAMPLE_BYTES[subtype] * channels + audio


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("subtype", BITS)
def test_samples_are_those_of_libsndfile(subtype: str, channels: int) -> None:
    audio = all_kinds_of_bytes(subtype, channels)
    tag = FLOAT if subtype == "FLOAT" else PCM
    file = io.BytesIO(wav(audio, tag=tag, bits=BITS[subtype], channels=channels))
    theirs, _ = soundfile.read(file, dtype="float32", always_2d=True)
    layout = PcmLayout(subtype, 16_000, channels, HEADER, len(theirs))
    ours = read_pcm(file, layout, 0, len(theirs))
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("subtype", BITS)
def test_a_part_is_a_slice_of_the_whole(subtype: str) -> None:
    file = io.BytesIO(all_kinds_of_bytes(subtype, 2))
    layout = PcmLayout(subtype, 16_000, 2, 0, 500)
    whole = read_pcm(file, layout, 0, 500)
    assert np.array_equal(read_pcm(file, layout, 123, 45), whole[123:168])


@pytest.mark.parametrize("subtype", BITS)
def test_a_stream_that_ends_early_gives_its_whole_frames(subtype: str) -> None:
    layout = PcmLayout(subtype, 16_000, 2, 0, 500)
    file = io.BytesIO(bytes(layout.frame_bytes * 7 + 1))
    assert read_pcm(file, layout, 0, 500).shape == (7, 2)
    assert read_pcm(file, layout, 400, 100).shape == (0, 2)


def test_full_scale_is_one() -> None:
    file = io.BytesIO(np.array([-32768, 0, 16384], "<i2").tobytes())
    samples = read_pcm(file, PcmLayout("PCM_16", 16_000, 1, 0, 3), 0, 3)
    assert samples[:, 0].tolist() == [-1.0, 0.0, 0.5]
