"""Audio files with false headers, beside those of `test_cases.py`: the message for each."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.audio.decode import Decoded, decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import EXIT_DATA, DecodeError
from audioclf.base.limits import DEFAULT_LIMITS
from audioclf.dataset.sources import FileSource, PartSource, Span
from tests.hostile.files import (
    EXTENSIBLE,
    MemorySource,
    chunk,
    encoded,
    float_wav,
    fmt,
    noise,
    pcm16,
    rf64,
    riff,
    wav,
)
from tests.hostile.fuzzing import attempt_audio, fuzz, seeds_of

GUID = bytes.fromhex("000000001000800000aa00389b71")
CONFIG = AudioConfig(sr=8000)
NAN, INF = float("nan"), float("inf")
AUDIO = pcm16(1000)
DATA = chunk(b"data", AUDIO)


def refusal(data: bytes, name: str = "data.zip!dog/3.wav") -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(MemorySource(data, name), CONFIG)
    assert caught.value.exit_code == EXIT_DATA
    assert caught.value.message.startswith(f"{name}: ")
    assert "\n" not in caught.value.message
    return caught.value


HEADERS = {
    "eleven bytes": (wav()[:11], "only 11 bytes"),
    "no data": (riff(fmt()), "no 'data' chunk"),
    "header cut in fmt": (wav()[:30], "no 'data' chunk"),
    "fmt after data": (riff(DATA, fmt()), "no 'fmt ' chunk before the audio"),
    "short fmt": (riff(chunk(b"fmt ", bytes(14)), DATA), "'fmt ' chunk of 14 bytes"),
    "two fmt": (riff(fmt(), fmt(), DATA), "two 'fmt ' chunks"),
    "two data": (riff(fmt(), DATA, DATA), "two 'data' chunks"),
    "two data, odd": (riff(fmt(), chunk(b"data", AUDIO[:-1]), DATA), "two 'data' chunks"),
    "file cut": (wav(AUDIO)[:-1], "truncated: header says 2000 bytes of audio, file holds 1999"),
    "rf64 longer than the file": (
        rf64(2001, AUDIO),
        "truncated: header says 2001 bytes of audio, file holds 2000",
    ),
    "killed recorder, silence": (wav(bytes(2000), data_size=0), "unfinished recording?"),
    "no samples, then a list": (riff(fmt(), chunk(b"data", b""), chunk(b"LIST", b"INFO")), "no au"),
    "half a frame": (wav(b"x"), "no audio samples"),
    "no samples in aiff": (encoded("AIFF", "PCM_16", noise(0)), "no audio samples"),
    "1 Hz, u-law": (wav(tag=7, bits=8, sr=1), "sample rate 1 Hz is outside"),
    "1 Hz, flac": (encoded("FLAC", "PCM_16", sr=1), "sample rate 1 Hz is outside"),
    "no channel": (wav(channels=0), "0 channels (limit 64)"),
    "100000 chunks after": (
        riff(fmt(), DATA, *[chunk(b"JUNK", b"")] * 100_000),
        "more than 1000 chunks",
    ),
    "known codec": (wav(tag=0x161), "a WAV file with WMA audio that cannot be decoded"),
    "unknown codec": (wav(tag=0x9999), "with format 0x9999 audio that cannot be decoded"),
    "bad codec": (wav(tag=0x11), "with IMA ADPCM audio that cannot be decoded: Error in ADPCM WAV"),
    "codec in an extensible header": (
        wav(tag=EXTENSIBLE, extra=struct.pack("<HHIH", 22, 16, 4, 0x55) + GUID),
        "a WAV file with MP3 audio that cannot be decoded",
    ),
    "wave64 cut": (encoded("W64", "ULAW")[:3000], "truncated: header says 4136 bytes, file holds"),
    "truncated aiff": (
        encoded("AIFF", "PCM_16")[:4000],
        "truncated: header says 8008 bytes of audio, file holds 3954",
    ),
    "aiff without sound": (encoded("AIFF", "PCM_16")[:38], "no 'SSND' chunk"),
    "aiff without format": (
        riff(chunk(b"SSND", bytes(8), order=">"), magic=b"FORM", form=b"AIFF", order=">"),
        "no 'COMM' chunk",
    ),
    "truncated flac": (encoded("FLAC", "PCM_16")[:3000], "FLAC audio that cannot be decoded: flac"),
    "flac without a length": (
        encoded("FLAC", "PCM_16")[:21] + b"\xf0" + bytes(4) + encoded("FLAC", "PCM_16")[26:],
        "its FLAC header lacks the number of samples",
    ),
    "truncated ogg": (encoded("OGG", "VORBIS")[:500], "OGG audio that cannot be decoded: "),
    "truncated opus": (encoded("OGG", "OPUS")[:500], "OGG audio that cannot be decoded: "),
    "mp3 of zeros": (b"\xff\xfb\x90\x00" + bytes(413), "the decoder finds no audio in it"),
    "truncated mp3": (
        encoded("MP3", "MPEG_LAYER_III", noise(16_000))[:2000],
        "truncated: header says 4968 bytes of audio, file holds 2000",
    ),
}


@pytest.mark.parametrize(("data", "words"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_cannot_be_true_is_refused(data: bytes, words: str) -> None:
    assert words in refusal(data).message


SAMPLES = {
    "inf": (float_wav([0.1, INF, -INF]), "2 NaN/inf samples of 3"),
    "nan among loud": (float_wav([NAN, 1e38]), "1 NaN/inf samples of 2"),
    "nan in double": (float_wav([0.1, NAN], bits=64), "1 NaN/inf samples of 2"),
    "double beyond float": (float_wav([1e300, 0.1], bits=64), "1 NaN/inf samples of 2"),
    "loud below": (
        float_wav([0.1, -10_001.0]),
        "samples up to 10001 (full scale is 1, limit 10000",
    ),
    "integers as floats": (float_wav([0.0, -32_768.0]), "samples up to 32768"),
}


@pytest.mark.parametrize(("data", "words"), SAMPLES.values(), ids=SAMPLES)
def test_samples_that_are_no_audio_are_refused(data: bytes, words: str) -> None:
    assert words in refusal(data).message


FOREIGN = {
    "text": (b"this is not audio at all", "text"),
    "m4a": (b"\0\0\0\x20ftypM4A " + bytes(100), "an MP4 or M4A file"),
    "avi": (riff(form=b"AVI "), "an AVI video"),
    "riff": (riff(form=b"sfbk"), "a RIFF file of type 'sfbk'"),
    "zeros": (bytes(5000), "nothing but zero bytes"),
    "au": (encoded("AU", "PCM_16"), "AU audio"),
    "caf": (encoded("CAF", "PCM_16"), "CAF audio"),
}


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize(("data", "kind"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_audio_is_named(data: bytes, kind: str) -> None:
    error = refusal(data)
    by_av = kind in {"an MP4 or M4A file", "an AVI video", "CAF audio"}
    plugin = ", which the plugin audioclf-av decodes" if by_av else ""
    assert f": not WAV/FLAC/OGG/AIFF/MP3 audio (looks like {kind}{plugin})" in error.message
    assert error.hint == (
        "Convert it to WAV or FLAC, for example with ffmpeg, or install the decoder: in a checkout "
        "of audioclf, run `pip install ./plugins/audioclf-av`."
        if by_av
        else "Convert it to WAV or FLAC, or remove it."
    )


def test_a_git_lfs_pointer_says_how_to_fetch_the_file() -> None:
    error = refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "(looks like a Git LFS pointer)" in error.message
    assert error.hint == "Fetch the real file with `git lfs pull`."


def test_unknown_bytes_are_not_guessed() -> None:
    message = refusal(b"\x01\x02\x03\x04" * 10, "x.wav").message
    assert message == "x.wav: not WAV/FLAC/OGG/AIFF/MP3 audio"


def test_a_repair_is_named_for_a_file_that_went_through_a_pipe() -> None:
    data, words = HEADERS["flac without a length"]
    error = refusal(data, "x.flac")
    assert error.message == f"x.flac: {words}"
    assert error.hint == "Convert it again, to a file instead of a pipe."
    with pytest.raises(DecodeError, match=r"^x.flac@0\.1-0\.2: its FLAC header lacks"):
        inspect(PartSource(MemorySource(data, "x.flac"), Span(0.1, 0.2)))


def test_a_repair_is_named_for_an_unfinished_recording() -> None:
    assert "sox --ignore-length" in str(refusal(wav(AUDIO, data_size=0)))


def test_adpcm_may_be_padded() -> None:
    decoded = decode(MemorySource(encoded("WAV", "MS_ADPCM", noise(16_000))), CONFIG)
    assert decoded.info.frames >= 16_000
    check(decoded)


def test_a_huge_sparse_file_is_refused_without_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    with path.open("wb") as stream:
        stream.write(wav(b"", data_size=0xFFFFFFFF))
        stream.truncate(5 * 10**9)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match=r"156250 s of audio \(limit 1800 s\)"):
            decode(FileSource(path), CONFIG)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_a_claim_of_many_samples_takes_no_time() -> None:
    data = bytearray(encoded("FLAC", "PCM_16"))
    data[21] |= 0x0F  # the total number of samples, 36 bits
    assert " s of audio (limit 1800 s)" in refusal(bytes(data)).message


def check(decoded: Decoded) -> None:
    """Check what every waveform that leaves `decode` must be."""
    assert decoded.y.dtype == np.float32
    assert decoded.y.ndim == 1
    assert len(decoded.y) >= 1
    assert np.isfinite(decoded.y).all()
    assert DEFAULT_LIMITS.min_sr <= decoded.info.sr <= DEFAULT_LIMITS.max_sr


U32 = st.sampled_from([0, 1, 8, 0x7FFFF000, 2**31 - 1, 2**32 - 1]) | st.integers(0, 2**32 - 1)
U16 = st.sampled_from([0, 1, 2, 3, 8, 16, 24, 32, 0xFFFE, 65_535])
CHUNKS = st.one_of(
    st.builds(
        chunk,
        st.sampled_from([b"data", b"LIST", b"ds64", b"fact", b"\0\0\0\0"]),
        st.binary(max_size=40),
        size=st.none() | U32,
    ),
    st.builds(fmt, tag=U16, channels=U16, sr=U32, bits=U16, frame_bytes=st.none() | U16),
)
RIFFS = st.builds(
    riff,
    st.just(fmt()) | CHUNKS,
    CHUNKS,
    CHUNKS,
    CHUNKS,
    magic=st.sampled_from([b"RIFF", b"RIFX", b"RF64"]),
)


@st.composite
def flipped(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Return a file with up to four bytes changed."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
    return bytes(data)


SEEDS = st.sampled_from(list(seeds_of("audio").values()))


@settings(max_examples=300, deadline=None)
@given(data=RIFFS | flipped(RIFFS) | flipped(SEEDS) | st.binary(max_size=100))
def test_any_file_is_decoded_or_refused(data: bytes) -> None:
    attempt_audio(Path())(data)


EXTRA = st.builds(chunk, st.sampled_from([b"LIST", b"bext", b"JUNK"]), st.binary(max_size=9))
SAMPLES_16 = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=50)


@settings(max_examples=200, deadline=None)
@given(samples=SAMPLES_16, before=st.lists(EXTRA, max_size=3), after=st.lists(EXTRA, max_size=3))
def test_the_samples_of_a_sound_file_come_back(
    samples: list[int], before: list[bytes], after: list[bytes]
) -> None:
    audio = np.array(samples, dtype="<i2")
    data = riff(*before, fmt(sr=8000), chunk(b"data", audio.tobytes()), *after)
    y = decode(MemorySource(data), CONFIG).y
    assert np.array_equal(y * np.float32(2**15), audio.astype(np.float32))


MUTANTS = 20_000
"""How many are tried in every run of the tests; `make fuzz` tries a million."""


@pytest.mark.slow
def test_mutated_files_raise_nothing_else() -> None:
    found = fuzz("audio", MUTANTS)
    assert found.findings == ()
    assert found.tried == MUTANTS
    assert min(found.accepted, found.refused) > MUTANTS // 10
