"""Chunks of WAV and AIFF files: what is accepted, and where the samples are."""

import io
import struct

import numpy as np
import pytest

from audioclf.audio.decode import decode, inspect
from audioclf.audio.pcm import PcmLayout
from audioclf.audio.riff import WavHeader, check_aiff, check_wav
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DecodeError
from audioclf.base.limits import DEFAULT_LIMITS, Limits
from tests.hostile.files import (
    EXTENSIBLE,
    FLOAT,
    MemorySource,
    chunk,
    encoded,
    fmt,
    noise,
    pcm16,
    rf64,
    riff,
    wav,
)

AUDIO = pcm16(100)


def header(data: bytes, limits: Limits = DEFAULT_LIMITS, *, size: int | None = None) -> WavHeader:
    """Check a file, or the beginning of one of `size` bytes."""
    return check_wav(io.BytesIO(data), size or len(data), "clip.wav", limits)


def layout(data: bytes) -> PcmLayout:
    pcm = header(data).pcm
    assert pcm is not None
    assert data[pcm.offset :].startswith(AUDIO[:20])
    return pcm


def test_the_header_tells_where_the_samples_are() -> None:
    data = wav(AUDIO)
    pcm = PcmLayout("PCM_16", 16_000, 1, 44, 100)
    assert header(data) == WavHeader(16_000, 1, pcm, chunks="fmt data")


LIST = chunk(b"LIST", b"INFO1234")


def test_the_chunks_are_listed_in_order_up_to_64() -> None:
    data = riff(LIST, LIST, fmt(), chunk(b"data", AUDIO), *[LIST] * 99)
    assert header(data).chunks.split() == ["LIST", "LIST", "fmt", "data", *["LIST"] * 60]


ACCEPTED = {
    "chunks around the audio": riff(LIST, fmt(), LIST, chunk(b"data", AUDIO), LIST),
    "an odd chunk": riff(fmt(), chunk(b"LIST", b"odd"), chunk(b"data", AUDIO)),
    "an odd chunk without padding": riff(fmt(), chunk(b"LIST", b"odd")[:-1], chunk(b"data", AUDIO)),
    "an odd chunk with a space as padding": riff(
        fmt(), chunk(b"LIST", b"odd")[:-1] + b" ", chunk(b"data", AUDIO)
    ),
    "size to the end, by ffmpeg": wav(AUDIO, data_size=0xFFFFFFFF),
    "size to the end, by sox": wav(AUDIO, data_size=0x7FFFF000),
    "rf64": rf64(200, AUDIO),
    "rf64, absurd size": rf64(2**60, AUDIO),
    "rf64, least absurd size": rf64(2**48, AUDIO),
    "rf64, size -1": rf64(2**64 - 1, AUDIO),
    "rf64 without ds64": riff(fmt(), chunk(b"data", AUDIO, size=0xFFFFFFFF), magic=b"RF64"),
    "junk after the audio": wav(AUDIO) + b"\x00\x01\x02 junk",
    "half a chunk after the audio": wav(AUDIO) + b"LIST\xff\xff",
    "wrong riff size": b"RIFF\0\0\0\0" + wav(AUDIO)[8:],
    "a second fmt after the audio": riff(fmt(), chunk(b"data", AUDIO), fmt(sr=8000)),
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED)
def test_harmless_oddities_are_accepted(data: bytes) -> None:
    assert layout(data).frames == 100
    assert layout(data).sr == 16_000


def test_the_audio_ends_before_the_chunks_that_follow() -> None:
    data = riff(fmt(), chunk(b"data", AUDIO[:-1]), LIST)
    assert layout(data).frames == 99


def test_a_last_incomplete_frame_is_left_out() -> None:
    assert layout(wav(AUDIO, channels=2)[:-2] + b"\0\0").frames == 50
    assert layout(wav(AUDIO[:-1], channels=2)).frames == 49


@pytest.mark.parametrize("more", [b"", b"\0", LIST, LIST + b"\0", chunk(b"LIST", b"odd")[:-1]])
def test_no_audio_at_all_is_no_unfinished_recording(more: bytes) -> None:
    pcm = header(riff(fmt(), chunk(b"data", b"")) + more).pcm
    assert pcm is not None
    assert pcm.frames == 0


@pytest.mark.parametrize("more", [b"\0\0", LIST + b"\0\0", LIST[:-2]])
def test_audio_behind_a_size_of_zero_is_an_unfinished_recording(more: bytes) -> None:
    data = riff(fmt(), chunk(b"data", b"")) + more
    with pytest.raises(DecodeError) as caught:
        header(data)
    expected = (
        f"clip.wav: unfinished recording? its header says 0 bytes of audio, {len(more)} follow"
    )
    assert caught.value.message == expected
    assert caught.value.hint is not None
    assert "`sox --ignore-length in.wav out.wav`" in caught.value.hint


def test_a_size_just_below_the_absurd_is_believed() -> None:
    with pytest.raises(DecodeError) as caught:
        header(rf64(2**48 - 1, AUDIO))
    assert caught.value.message == (
        f"clip.wav: truncated: header says {2**48 - 1} bytes of audio, file holds 200"
    )


def test_so_much_may_follow_the_audio_as_a_header_can_say() -> None:
    data = wav(AUDIO) + b"\0" * 8
    assert header(data, size=44 + 200 + 0xFFFFFFFF) == header(data)
    with pytest.raises(DecodeError) as caught:
        header(data, size=44 + 201 + 0xFFFFFFFF)
    assert caught.value.message == (
        f"clip.wav: its header says 200 bytes of audio, and {0xFFFFFFFF + 201} follow, more than "
        "such a header can say"
    )
    assert caught.value.hint is not None
    assert "RF64 or FLAC" in caught.value.hint


def test_an_rf64_header_that_counts_its_samples_too_is_read() -> None:
    assert layout(rf64(200, AUDIO, samples=100) + LIST).frames == 100


def test_an_rf64_header_can_say_how_much_follows() -> None:
    data = rf64(200, AUDIO) + b"\0" * 8
    assert header(data, size=len(data) + 2**40) == header(data)


def extensible(
    subformat: int, *, bits: int = 16, valid: int = 16, tail: str | None = None
) -> bytes:
    guid = bytes.fromhex(tail or "000000001000800000aa00389b71")
    extra = struct.pack("<HHIH", 22, valid, 4, subformat) + guid
    return riff(fmt(tag=EXTENSIBLE, bits=bits, extra=extra), chunk(b"data", AUDIO))


def test_an_extensible_header_names_its_format_inside() -> None:
    assert layout(extensible(1)).subtype == "PCM_16"
    assert layout(extensible(1, valid=0)).subtype == "PCM_16"
    assert layout(extensible(FLOAT, bits=32, valid=32)).subtype == "FLOAT"


LEFT_TO_THE_DECODER = {
    "u-law": wav(AUDIO, tag=7, bits=8),
    "8 bits": wav(AUDIO, bits=8),
    "double": wav(AUDIO, tag=FLOAT, bits=64),
    "big-endian": encoded("WAV", "PCM_16", noise(9), endian="BIG"),
    "no channel": wav(AUDIO, channels=0),
    "12 valid bits": extensible(1, valid=12),
    "unknown extensible": extensible(1, tail="00" * 14),
    "cut extensible": wav(AUDIO, tag=EXTENSIBLE),
}


SIZES_OF_RECORDERS = {
    "the greatest": 0x7FFFFFFF,
    "arecord that was ended": 0x80000000,
    "arecord to a pipe": 0x7FFFFF00,
    "the greatest less a header": 0xFFFFFFFF - 36,
    "2 GiB and a header": 0x80000024,
    "with its header": 200 + 44,
    "with a part of its header": 200 + 36,
}


@pytest.mark.parametrize("size", SIZES_OF_RECORDERS.values(), ids=SIZES_OF_RECORDERS)
def test_a_size_that_a_recorder_left_means_to_the_end(size: int) -> None:
    assert layout(wav(AUDIO, data_size=size)).frames == 100
    u_law = wav(AUDIO, data_size=size, tag=7, bits=8)
    assert inspect(MemorySource(u_law)).frames == 200
    aiff(COMMON, chunk(b"SSND", bytes(200), size=size, order=">"))


def test_a_size_that_counts_a_longer_header_means_to_the_end() -> None:
    for more in (len(LIST) + 44, len(LIST) + 36):
        assert layout(riff(LIST, fmt(), chunk(b"data", AUDIO, size=200 + more))).frames == 100


@pytest.mark.parametrize("size", [202, 200 + 43, 400, 0x7FFF0000, 0x80002000])
def test_any_other_size_beyond_the_end_is_truncated(size: int) -> None:
    with pytest.raises(DecodeError, match="truncated: header says"):
        header(wav(AUDIO, data_size=size))


SAMPLES_24 = np.random.default_rng(0).integers(-(2**23), 2**23, 2000)
IN_FOUR_BYTES = {
    "the sign above": SAMPLES_24,
    "zero above": SAMPLES_24 & 0xFFFFFF,
    "anything above": SAMPLES_24 & 0xFFFFFF | 0x5A000000,
    "zero below": SAMPLES_24 << 8,
}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", IN_FOUR_BYTES.values(), ids=IN_FOUR_BYTES)
def test_24_bits_in_four_bytes_have_their_value(samples: np.ndarray, channels: int) -> None:
    audio = samples.astype("<i8").astype("<u4").tobytes()
    data = wav(audio, bits=24, channels=channels, frame_bytes=4 * channels)
    decoded = decode(MemorySource(data), AudioConfig(sr=16_000))
    expected = (SAMPLES_24 / 2**23).reshape(-1, channels).mean(axis=1)
    assert decoded.info.subtype == (
        "PCM_32" if samples is IN_FOUR_BYTES["zero below"] else "PCM_24"
    )
    assert np.abs(decoded.y - expected).max() < 1e-7


def test_32_bits_of_which_24_are_valid_have_their_value() -> None:
    extra = struct.pack("<HHIH", 22, 24, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    for samples in (SAMPLES_24, SAMPLES_24 << 8, (SAMPLES_24 << 8) | 1):
        audio = samples.astype("<i4").tobytes()
        data = wav(audio, tag=EXTENSIBLE, bits=32, extra=extra)
        y = decode(MemorySource(data), AudioConfig(sr=16_000)).y
        assert np.abs(y - SAMPLES_24 / 2**23).max() < 1e-7


@pytest.mark.parametrize("data", LEFT_TO_THE_DECODER.values(), ids=LEFT_TO_THE_DECODER)
def test_other_samples_are_left_to_the_decoder(data: bytes) -> None:
    assert header(data).pcm is None


def test_as_many_chunks_as_the_limit_are_accepted() -> None:
    data = riff(*[LIST] * 8, fmt(), chunk(b"data", AUDIO))
    assert header(data, Limits(max_chunks=10)).sr == 16_000
    with pytest.raises(DecodeError) as caught:
        header(data, Limits(max_chunks=9))
    assert caught.value.message == ("clip.wav: more than 9 chunks; limits.max_chunks accepts more")


def test_aiff_may_begin_with_its_audio() -> None:
    assert aiff(SOUND, COMMON) == "SSND COMM"


SOUND = chunk(b"SSND", bytes(20), order=">")
COMMON = chunk(b"COMM", bytes(18), order=">")


def aiff(*chunks: bytes) -> str:
    data = riff(*chunks, magic=b"FORM", form=b"AIFF", order=">")
    return check_aiff(io.BytesIO(data), len(data), "clip.aiff", DEFAULT_LIMITS)


def test_aiff_whose_audio_goes_on_to_the_end_is_accepted() -> None:
    aiff(COMMON, chunk(b"SSND", bytes(20), size=0xFFFFFFFF, order=">"))


def test_aiff_metadata_that_claims_more_than_there_is_is_harmless() -> None:
    aiff(COMMON, SOUND, chunk(b"ANNO", b"note", size=99, order=">"))
