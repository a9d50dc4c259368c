"""Readers: streams that fail, and decoders that must not print."""

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from audioclf.audio.decode import decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DecodeError
from tests.hostile.files import MemorySource, encoded, id3, noise, wav


class _Failing(io.BytesIO):
    """A stream on a disk that fails after so many reads."""

    def __init__(self, data: bytes, reads: int) -> None:
        super().__init__(data)
        self.reads = reads

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads -= 1
        if self.reads < 0:
            raise OSError(5, "Input/output error")
        return super().read(size)


@dataclass(frozen=True)
class FailingSource(MemorySource):
    reads: int = 0

    def open(self) -> BinaryIO:
        return _Failing(self.data, self.reads)


def outcome(source: MemorySource) -> str:
    """Return the message of the error, or an empty string."""
    try:
        decode(source, AudioConfig())
    except DecodeError as error:
        return error.message
    return ""


@pytest.mark.parametrize("data", [wav(), encoded("FLAC", "PCM_16")], ids=["wav", "flac"])
def test_a_disk_that_fails_at_any_read_is_named(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes = [outcome(FailingSource(data, reads=reads)) for reads in range(40)]
    needed = outcomes.index("")
    assert needed > 2
    assert outcomes == ["clip.wav: Input/output error"] * needed + [""] * (40 - needed)
    assert capfd.readouterr() == ("", "")


class _NoMemory(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > 1000:
            raise MemoryError
        return super().read(size)


@dataclass(frozen=True)
class NoMemorySource(MemorySource):
    def open(self) -> BinaryIO:
        return _NoMemory(self.data)


@pytest.mark.parametrize("data", [wav(), encoded("FLAC", "PCM_16")], ids=["wav", "flac"])
def test_too_little_memory_is_named(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DecodeError, match=r"^clip.wav: not enough memory to decode it$"):
        decode(NoMemorySource(data), AudioConfig())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (MemoryError(), "not enough memory to decode it"),
        (ZeroDivisionError(), "FLAC audio that cannot be decoded: ZeroDivisionError"),
        (ValueError("no such frame"), "FLAC audio that cannot be decoded: no such frame"),
        (soundfile.LibsndfileError(2), "FLAC audio that cannot be decoded: System error."),
    ],
    ids=repr,
)
def test_whatever_a_decoder_raises_has_words(
    failure: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    with pytest.raises(DecodeError) as caught:
        decode(MemorySource(encoded("FLAC", "PCM_16")), AudioConfig())
    assert caught.value.message == f"clip.wav: {words}"


def test_a_flac_that_counts_more_samples_than_it_holds_is_truncated() -> None:
    data = bytearray(encoded("FLAC", "PCM_16", noise(40_000)))
    data[22:26] = (int.from_bytes(data[22:26], "big") + 40_000).to_bytes(4, "big")
    held = {
        "file holds 40000": AudioConfig(),
        "file holds fewer": AudioConfig(offset=3.0),
        "holds 1600": AudioConfig(offset=2.4, duration=1.0),
    }
    for words, audio in held.items():
        with pytest.raises(DecodeError, match=f"^clip.wav: truncated: header says .*{words}$"):
            decode(MemorySource(bytes(data)), audio)


def test_the_stream_is_closed() -> None:
    stream = io.BytesIO(wav())

    @dataclass(frozen=True)
    class Source(MemorySource):
        def open(self) -> BinaryIO:
            return stream

    inspect(Source(b""))
    assert stream.closed


@pytest.mark.parametrize("container", ["MP3", "FLAC"])
def test_samples_behind_an_id3_tag_are_the_same(container: str) -> None:
    subtype = "MPEG_LAYER_III" if container == "MP3" else "PCM_16"
    data = encoded(container, subtype, noise(8000))
    plain = decode(MemorySource(data, "clip"), AudioConfig())
    tagged = decode(MemorySource(id3(b"TIT2" + bytes(500)) + data, "clip"), AudioConfig())
    assert np.array_equal(plain.y, tagged.y)
    assert plain.info == tagged.info


@pytest.mark.parametrize(
    ("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("AIFF", "PCM_16")]
)
def test_damaged_files_print_nothing(
    container: str, subtype: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(container, subtype)
    cuts = range(0, len(data), len(data) // 40)
    damaged = [data[:cut] for cut in cuts]
    damaged += [data[:cut] + bytes(20) + data[cut + 20 :] for cut in cuts]
    outcomes = [outcome(MemorySource(each)) for each in damaged]
    assert sum(map(bool, outcomes)) >= 40
    assert all(each.startswith("clip.wav: ") for each in outcomes if each)
    assert capfd.readouterr() == ("", "")
