"""Ogg files: parts of the last page, streams that were cut off, codecs that are not decoded."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from audioclf.audio.decode import decode, inspect
from audioclf.audio.ogg import OggPages, check_ogg
from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import DecodeError
from audioclf.dataset.sources import FileSource, PartSource, Span
from tests.hostile.files import MemorySource, noise

SR = 48_000
NO_END = "the Ogg stream has no last page: the file may be cut off"


def ogg(subtype: str, seconds: float, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    y = noise(int(seconds * SR), channels)
    with soundfile.SoundFile(buffer, "w", SR, channels, format="OGG", subtype=subtype) as file:
        for start in range(0, len(y), 4096):
            file.write(y[start : start + 4096])
    return buffer.getvalue()


def without_beginning(data: bytes) -> bytes:
    """Return the file without its first pages of sound, as after joining a broadcast."""
    pages = []
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        pages.append((int.from_bytes(data[6:14], "little"), data[:size]))
        data = data[size:]
    headers = [page for granule, page in pages if granule == 0]
    sound = [page for granule, page in pages if granule]
    return b"".join(headers + sound[len(sound) // 3 :])


LONG, SHORT = ogg("VORBIS", 3.0), ogg("VORBIS", 0.4)
FILES = {
    "long": LONG,
    "short": SHORT,
    "stereo": ogg("VORBIS", 2.0, 2),
    "opus": ogg("OPUS", 3.0),
    "vorbis from the middle": without_beginning(LONG),
    "opus from the middle": without_beginning(ogg("OPUS", 3.0)),
    "cut": LONG[: len(LONG) * 2 // 3],
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_parts_are_those_of_the_whole(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf.audio.stream.BLOCK_SAMPLES", 10_007)
    source, audio = MemorySource(data, "clip.ogg"), AudioConfig(sr=SR)
    whole = decode(source, audio).y
    seconds = len(whole) / SR
    rng = np.random.default_rng(0)
    starts = [
        *rng.uniform(0.0, seconds - 0.02, 12),
        *rng.uniform(seconds - 0.3, seconds - 0.02, 12),
    ]
    for start in np.round(starts, 3):
        span = Span(float(start), float(start) + 0.01)
        part = decode(PartSource(source, span), audio).y
        first = round(span.start * SR)
        assert np.abs(part - whole[first : first + len(part)]).max() <= 1e-6
    with open_stream(PartSource(source, Span(0.1)), SR) as stream:
        blocks = np.concatenate(list(stream.blocks))
    assert np.abs(blocks - whole[round(0.1 * SR) :]).max() <= 1e-6


@pytest.mark.parametrize("data", [FILES["cut"], LONG[:-100]], ids=["pages", "inside the last page"])
def test_a_stream_without_its_last_page_has_a_warning(data: bytes) -> None:
    assert inspect(MemorySource(data, "clip.ogg")).warnings == (NO_END,)
    assert decode(MemorySource(data, "clip.ogg"), AudioConfig()).info.warnings == (NO_END,)


@pytest.mark.parametrize(
    "data",
    [LONG, SHORT, FILES["opus"], LONG + bytes(100)],
    ids=["long", "short", "opus", "zeros behind"],
)
def test_a_stream_with_its_last_page_has_none(data: bytes) -> None:
    assert inspect(MemorySource(data, "clip.ogg")).warnings == ()


def test_the_pages_of_a_file_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.ogg"
    path.write_bytes(LONG)
    names = []

    def counted(stream: BinaryIO, size: int, name: str) -> OggPages | None:
        names.append(name)
        return check_ogg(stream, size, name)

    monkeypatch.setattr("audioclf.audio.container.check_ogg", counted)
    for start in range(3):
        decode(PartSource(FileSource(path), Span(start, start + 0.5)), AudioConfig())
    assert names == [str(path)]


@pytest.mark.parametrize(("head", "codec"), [(b"\x7fFLAC\1\0", "FLAC"), (b"Speex   1.2", "Speex")])
def test_a_codec_that_is_not_decoded_is_named(head: bytes, codec: str) -> None:
    page = b"OggS\0\2" + bytes(20) + bytes([1, len(head)]) + head
    with pytest.raises(DecodeError) as caught:
        inspect(MemorySource(page, "clip.ogg"))
    assert caught.value.message == (
        f"clip.ogg: {codec} in Ogg cannot be decoded, only Vorbis and Opus"
    )
    assert "ffmpeg -i in.ogg" in str(caught.value.hint)
