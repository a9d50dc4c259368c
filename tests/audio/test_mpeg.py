"""MP3 files: every frame is found and decoded, and parts have the samples of the whole."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from audioclf.audio.decode import Decoded, decode, inspect
from audioclf.audio.mpeg import FrameIndex, index_frames
from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import DecodeError
from audioclf.dataset.sources import FileSource, PartSource, Span
from tests.hostile.files import MemorySource, encoded, id3


def sound(sr: int, seconds: float = 4.0) -> NDArray[np.float64]:
    """Return noise, a tone and near silence in turn, so that frames differ in size."""
    rng = np.random.default_rng(0)
    y = 0.3 * rng.standard_normal(int(seconds * sr)).clip(-3, 3)
    second = np.arange(len(y)) * 2 // sr
    y[second % 3 == 1] = 0.3 * np.sin(0.05 * np.arange(len(y)))[second % 3 == 1]
    y[second % 3 == 2] *= 1e-4
    return y


def mp3(sr: int, mode: str, level: float = 0.5) -> bytes:
    options = {"bitrate_mode": mode, "compression_level": level}
    return encoded("MP3", "MPEG_LAYER_III", sound(sr), sr, **options)


def index(data: bytes, start: int = 0) -> FrameIndex:
    return index_frames(io.BytesIO(data), start, len(data))


def without_header(data: bytes) -> bytes:
    return data[int(index(data).starts[0]) :]


def decoded(data: bytes, span: Span | None = None) -> Decoded:
    source = MemorySource(data, "clip.mp3")
    sr = inspect(source).sr
    return decode(source if span is None else PartSource(source, span), AudioConfig(sr=sr))


VARIABLE, CONSTANT = mp3(44_100, "VARIABLE"), mp3(44_100, "CONSTANT")
SMALL_FRAMES = mp3(16_000, "VARIABLE", 0.9)
DELAY = 576 + 529
"""Samples that LAME and the decoder put in front of the sound."""


@pytest.mark.parametrize("data", [VARIABLE, CONSTANT, SMALL_FRAMES], ids=["vbr", "cbr", "mpeg-2"])
def test_a_file_without_a_xing_frame_is_read_whole(data: bytes) -> None:
    frames, whole = index(data), decoded(data)
    bare = decoded(without_header(data))
    assert len(bare.y) == bare.info.frames == len(frames.starts) * frames.first.samples
    assert np.abs(bare.y[DELAY:][: len(whole.y)] - whole.y).max() < 1e-6
    assert bare.info.warnings == whole.info.warnings == ()


JUNK_AT = 40
WITH_JUNK = VARIABLE[: index(VARIABLE).starts[JUNK_AT]] + bytes(5000)
WITH_JUNK += VARIABLE[index(VARIABLE).starts[JUNK_AT] :]
FILES = {
    "vbr": VARIABLE,
    "cbr": CONSTANT,
    "small frames": SMALL_FRAMES,
    "vbr without a header": without_header(VARIABLE),
    "small frames without a header": without_header(SMALL_FRAMES),
    "bytes between frames": WITH_JUNK,
    "from inside a frame": CONSTANT[3000:],
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_parts_are_bit_for_bit_those_of_the_whole(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = decoded(data)
    rng = np.random.default_rng(0)
    for start in np.round(rng.uniform(0.0, whole.seconds - 0.11, 20), 3):
        part = decoded(data, Span(float(start), float(start) + 0.1)).y
        first = round(float(start) * whole.sr)
        assert np.array_equal(part, whole.y[first : first + len(part)])
    with open_stream(MemorySource(data, "clip.mp3"), whole.sr) as stream:
        assert np.array_equal(np.concatenate(list(stream.blocks)), whole.y)
    assert capfd.readouterr() == ("", "")


def test_sound_behind_other_bytes_is_read() -> None:
    assert len(decoded(WITH_JUNK).y) == len(decoded(VARIABLE).y)


APE = b"APETAGEX" + struct.pack("<4I", 2000, 32, 0, 0xA0000000) + bytes(8)
APE_WITH_FOOTER = b"APETAGEX" + struct.pack("<4I", 2000, 132, 1, 0xA0000000) + bytes(8 + 132)
IN_FRONT = {
    "a tag and 33 zeros": id3(bytes(20)) + bytes(33),
    "a tag and 1024 zeros": id3(bytes(20)) + bytes(1024),
    "zeros": bytes(4000),
    "two tags": id3(bytes(20)) + id3(bytes(1000)),
    "an APE tag": APE,
    "an APE tag with an item": APE_WITH_FOOTER,
    "APE and ID3": APE + id3(bytes(20)),
    "half a frame": CONSTANT[-400:],
}


@pytest.mark.parametrize("data", IN_FRONT.values(), ids=IN_FRONT)
def test_bytes_in_front_of_the_frames_are_passed_over(data: bytes) -> None:
    plain, behind = decoded(VARIABLE), decoded(data + VARIABLE)
    assert np.array_equal(plain.y, behind.y)
    assert behind.info == plain.info


@pytest.mark.parametrize("front", [b"PK\3\4", b"RIFF", b"OggS", b"ID3\3\0\0\xff\0\0\0", b"<html>"])
def test_mp3_inside_of_another_format_is_refused(front: bytes) -> None:
    with pytest.raises(DecodeError):
        decoded(front + bytes(100) + VARIABLE)


BEHIND = {"ID3v1": b"TAG" + bytes(125), "APE": APE_WITH_FOOTER, "zeros": bytes(3000)}


@pytest.mark.parametrize("tail", BEHIND.values(), ids=BEHIND)
def test_bytes_behind_the_frames_are_no_reason_for_a_warning(
    tail: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    bare = without_header(VARIABLE)
    assert decoded(bare + tail).info == decoded(bare).info
    assert decoded(VARIABLE + tail).info.warnings == ()
    assert capfd.readouterr() == ("", "")


def test_a_file_that_ends_inside_a_frame_has_a_warning() -> None:
    bare = without_header(CONSTANT)
    whole, cut = decoded(bare), decoded(bare[:-100])
    assert cut.info.warnings == ("the file ends inside an MP3 frame: it may be cut off",)
    assert len(cut.y) == len(whole.y) - 1152
    assert np.array_equal(cut.y, whole.y[:-1152])


def with_count(change: Callable[[int], int]) -> bytes:
    """Return the file whose header has another number of frames."""
    data = bytearray(VARIABLE)
    at = data.index(b"Xing") + 8
    count = change(int.from_bytes(data[at : at + 4], "big"))
    data[at : at + 4] = count.to_bytes(4, "big")
    return bytes(data)


def test_sound_that_the_header_does_not_count_is_read_with_a_warning(
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole, read = decoded(VARIABLE), decoded(with_count(lambda count: count // 2))
    assert np.array_equal(read.y, whole.y)
    assert read.info.frames == len(whole.y)
    [warning] = read.info.warnings
    assert warning.endswith(f" frames of audio, file holds {len(whole.y)}")
    assert capfd.readouterr() == ("", "")


def test_a_header_that_counts_itself_is_no_reason_for_a_warning() -> None:
    whole, read = decoded(VARIABLE), decoded(with_count(lambda count: count + 1))
    assert np.array_equal(read.y, whole.y)
    assert read.info == whole.info


def test_files_one_behind_the_other_are_read_with_a_warning(
    capfd: pytest.CaptureFixture[str],
) -> None:
    first, read = decoded(VARIABLE), decoded(VARIABLE + VARIABLE)
    assert len(read.y) > 1.99 * len(first.y)
    assert np.array_equal(read.y[: len(first.y)], first.y)
    [warning] = read.info.warnings
    assert warning.startswith(f"header says {len(first.y)} frames of audio, file holds ")
    assert capfd.readouterr() == ("", "")


HEADERS = {
    "frames only": (21, b"Info" + struct.pack(">2I", 1, len(index(VARIABLE).starts)), 529),
    "nothing": (21, b"Xing" + bytes(4), 0),
    "VBRI": (36, b"VBRI" + bytes(6) + struct.pack(">2I", len(VARIABLE), 100), 0),
}


@pytest.mark.parametrize(("at", "fields", "dropped"), HEADERS.values(), ids=HEADERS)
def test_a_header_frame_is_no_audio(at: int, fields: bytes, dropped: int) -> None:
    first = int(index(VARIABLE).starts[0])
    header = VARIABLE[:4] + bytes(at - 4) + fields
    data = header + bytes(first - len(header)) + VARIABLE[first:]
    bare = decoded(VARIABLE[first:]).y[dropped:]
    assert np.array_equal(decoded(data).y, bare)
    assert np.array_equal(decoded(data, Span(2.0, 2.5)).y, bare[88_200:110_250])


def test_junk_in_place_of_the_last_frame_costs_that_frame(
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole, last = decoded(VARIABLE), int(index(VARIABLE).starts[-1])
    junk = np.random.default_rng(1).bytes(4000)
    read = decoded(VARIABLE[:last] + junk)
    assert len(whole.y) - 1152 <= len(read.y) < len(whole.y)
    assert np.array_equal(read.y, whole.y[: len(read.y)])
    assert "frames of audio, file holds" in read.info.warnings[-1]
    assert capfd.readouterr() == ("", "")


def test_another_rate_within_a_file_has_a_warning() -> None:
    read = decoded(CONSTANT + SMALL_FRAMES)
    assert len(read.y) == len(decoded(CONSTANT).y)
    [warning] = read.info.warnings
    assert warning.startswith("another sample rate or number of channels begins after 4.")


def test_the_frames_of_a_file_are_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.mp3"
    path.write_bytes(VARIABLE)
    walks = []

    def counted(*args: object) -> FrameIndex:
        walks.append(1)
        return index_frames(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("audioclf.audio.container.index_frames", counted)
    for start in range(3):
        decode(PartSource(FileSource(path), Span(start, start + 0.5)), AudioConfig())
    assert len(walks) == 1
    path.write_bytes(CONSTANT)
    decode(PartSource(FileSource(path), Span(0, 0.5)), AudioConfig())
    assert len(walks) == 2
