"""Which format a file has by its content."""

import io
import struct

import pytest

from audioclf.audio import ogg
from audioclf.audio.container import Container, check_container
from audioclf.base.errors import DecodeError
from audioclf.base.limits import DEFAULT_LIMITS, Limits
from tests.hostile.files import encoded, id3, noise, rf64, wav

MP3 = encoded("MP3", "MPEG_LAYER_III", noise(16_000))
KINDS = {
    "clip.wav": (wav(), "WAV"),
    "clip.WAVE": (rf64(8000), "RF64"),
    "clip.rf64": (rf64(8000), "RF64"),
    "clip.W64": (encoded("W64", "PCM_16"), "W64"),
    "clip.bw64.wav": (b"BW64" + rf64(8000)[4:], "RF64"),
    "clip.flac": (encoded("FLAC", "PCM_16"), "FLAC"),
    "clip.ogg": (encoded("OGG", "VORBIS"), "OGG"),
    "clip.opus": (encoded("OGG", "OPUS"), "OGG"),
    "clip.aiff": (encoded("AIFF", "PCM_16"), "AIFF"),
    "clip.aifc": (encoded("AIFF", "FLOAT"), "AIFF"),
    "clip.mp3": (MP3, "MP3"),
}


def checked(data: bytes, name: str = "clip.wav", limits: Limits = DEFAULT_LIMITS) -> Container:
    return check_container(io.BytesIO(data), name, limits)


@pytest.mark.parametrize(
    ("name", "data", "kind"), [(n, *rest) for n, rest in KINDS.items()], ids=[*KINDS]
)
def test_the_kind_is_that_of_the_content(name: str, data: bytes, kind: str) -> None:
    container = checked(data, name)
    assert (container.kind, container.start, container.size) == (kind, 0, len(data))
    assert container.warnings == ()


@pytest.mark.parametrize(
    ("name", "warnings"),
    [
        ("a/clip.wav", ("FLAC data in a file named .wav",)),
        ("data.zip!a/clip.MP3", ("FLAC data in a file named .mp3",)),
        ("clip.flac", ()),
        ("clip.dat", ()),
        ("clip", ()),
    ],
)
def test_a_name_that_promises_another_format_is_a_warning(
    name: str, warnings: tuple[str, ...]
) -> None:
    assert checked(encoded("FLAC", "PCM_16"), name).warnings == warnings


def test_only_uncompressed_wav_needs_no_decoder() -> None:
    plain = {name for name, (data, _) in KINDS.items() if checked(data, name).pcm is not None}
    assert plain == {"clip.wav", "clip.WAVE", "clip.rf64", "clip.bw64.wav"}


def test_an_id3_tag_with_a_footer_is_passed_over() -> None:
    tag = bytearray(id3(bytes(20)))
    tag[5] = 0x10
    assert checked(bytes(tag) + bytes(10) + MP3, "clip.mp3").start == 40


@pytest.mark.parametrize("tag", [id3(bytes(10**6))[:200], b"ID3\3\0\0\xff\xff\xff\xff" + MP3])
def test_an_id3_tag_without_audio_is_refused(tag: bytes) -> None:
    with pytest.raises(DecodeError, match="not WAV/FLAC/OGG/AIFF/MP3 audio"):
        checked(tag)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 500, 20_000, 2**21 + 1])
def test_the_size_of_an_id3_tag_has_seven_bits_in_each_byte(size: int) -> None:
    assert checked(id3(bytes(size)) + MP3, "clip.mp3").start == 10 + size


@pytest.mark.parametrize("at", range(6, 10))
def test_an_id3_tag_whose_size_has_eight_bits_is_none(at: int) -> None:
    tag = bytearray(id3(b""))
    tag[at] = 128
    with pytest.raises(DecodeError, match=r"not WAV/FLAC/OGG/AIFF/MP3 audio\n"):
        checked(bytes(tag) + MP3, "clip.mp3")


TAGGED = {
    "wav": wav(),
    "rifx": encoded("WAV", "PCM_16", noise(9), endian="BIG"),
    "rf64": rf64(8000),
    "ogg": encoded("OGG", "VORBIS"),
    "aiff": encoded("AIFF", "PCM_16"),
}


@pytest.mark.parametrize("data", TAGGED.values(), ids=TAGGED)
def test_an_id3_tag_in_front_of_other_formats_is_named(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        checked(id3(bytes(20)) + data)
    assert caught.value.message == (
        "clip.wav: not WAV/FLAC/OGG/AIFF/MP3 audio (looks like an ID3 tag in front of another "
        "format, which only FLAC and MP3 may have)"
    )
    assert caught.value.hint == "Convert it to WAV or FLAC, or remove it."


def test_an_id3_tag_in_front_of_anything_else_is_not_blamed() -> None:
    with pytest.raises(DecodeError, match=r"audio \(looks like a PNG image\)\n"):
        checked(id3(bytes(20)) + b"\x89PNG" + bytes(20))


FRAME = b"\xff\xfb\x90\x00" + bytes(413)


@pytest.mark.parametrize("left", range(4))
def test_an_mp3_may_end_with_less_than_a_header(left: int) -> None:
    assert checked(FRAME + b"\0" * left, "clip.mp3").kind == "MP3"


@pytest.mark.parametrize("data", [FRAME[:-1], FRAME + bytes(4), FRAME + b"\xff\xfb\xf0\0"])
def test_an_mp3_frame_without_another_is_no_audio(data: bytes) -> None:
    with pytest.raises(DecodeError, match="not WAV/FLAC/OGG/AIFF/MP3 audio"):
        checked(data, "clip.mp3")


def frame_bytes(header: bytes) -> int | None:
    """Return the distance at which a second MP3 header must stand."""
    for distance in range(4, 3000):
        try:
            checked(header + bytes(distance - 4) + header + bytes(3000), "clip.mp3")
        except DecodeError:
            continue
        return distance
    return None


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"\xff\xfb\x90\x00", 417),  # MPEG-1, 128 kbit/s, 44.1 kHz
        (b"\xff\xfb\x92\x00", 418),  # the same, padded
        (b"\xff\xfb\x94\x00", 384),  # 48 kHz
        (b"\xff\xf3\x80\x00", 208),  # MPEG-2, 64 kbit/s, 22.05 kHz
        (b"\xff\xe3\x18\x00", 72),  # MPEG-2.5, 8 kbit/s, 8 kHz
        (b"\xff\xfb\xe0\x00", 1044),  # the greatest bit rate
        (b"\xff\xfb\x00\x00", None),  # free bit rate
        (b"\xff\xfb\xf0\x00", None),  # no bit rate
        (b"\xff\xfb\x9c\x00", None),  # no sample rate
        (b"\xff\xfd\x90\x00", None),  # layer II
        (b"\xff\xeb\x90\x00", None),  # no version
        (b"\xff\xdb\x90\x00", None),  # no sync
    ],
)
def test_mp3_frames_have_the_length_of_the_standard(header: bytes, length: int | None) -> None:
    assert frame_bytes(header) == length


@pytest.mark.parametrize("cut", [0.98, 0.5])
def test_an_mp3_cut_short_is_refused(cut: float) -> None:
    with pytest.raises(DecodeError) as caught:
        checked(MP3[: int(len(MP3) * cut)], "clip.mp3")
    held = int(len(MP3) * cut)
    expected = f"clip.mp3: truncated: header says {len(MP3)} bytes of audio, file holds {held}"
    assert caught.value.message == expected


def counted(
    declared: int, *, flags: int = 3, at: int = 36, tag: bytes = b"Xing", frames: int = 10
) -> bytes:
    """Return MP3 frames, of which the first says how many bytes there are."""
    fields = (declared, declared, declared)
    if flags & 2:
        fields = (7, declared, 3) if flags & 1 else (declared, 7, 3)
    first = bytearray(FRAME)
    first[at : at + 20] = tag + struct.pack(">4I", flags, *fields)
    return bytes(first) + FRAME * (frames - 1)


@pytest.mark.parametrize("flags", [2, 3, 6, 15])
@pytest.mark.parametrize(("tag", "at"), [(b"Xing", 36), (b"Info", 21), (b"Xing", 60)])
def test_an_mp3_may_lack_a_hundredth_of_its_bytes(flags: int, tag: bytes, at: int) -> None:
    declared = 4212  # ten frames have 4170
    assert checked(counted(declared, flags=flags, at=at, tag=tag), "clip.mp3").kind == "MP3"
    with pytest.raises(DecodeError) as caught:
        checked(counted(declared + 1, flags=flags, at=at, tag=tag), "clip.mp3")
    assert caught.value.message == (
        f"clip.mp3: truncated: header says {declared + 1} bytes of audio, file holds 4170"
    )


SMALL = b"\xff\xe3\x18\x00" + bytes(68)


def test_an_mp3_of_one_small_frame_may_end_inside_its_header() -> None:
    tag = b"Xing" + struct.pack(">2I", 2, 1000)
    assert checked(SMALL[:60] + tag, "clip.mp3").kind == "MP3"
    with pytest.raises(DecodeError, match="header says 1000 bytes of audio, file holds 72"):
        checked(SMALL[:56] + tag + bytes(4), "clip.mp3")


def test_an_mp3_without_such_a_header_is_accepted_whatever_its_bytes() -> None:
    assert checked((FRAME[:4] + b"\xff" * 413) * 2, "clip.mp3").kind == "MP3"


@pytest.mark.parametrize(
    "data",
    [
        counted(10**6, flags=1),
        counted(10**6, flags=4),
        counted(10**6, at=61),
        counted(10**6, at=61, tag=b"Info"),
        counted(10**6, tag=b"xing"),
        counted(10**6)[:40] + bytes(377) + FRAME,
        counted(100),
    ],
    ids=[
        "frames only",
        "neither",
        "too far inside",
        "info too far inside",
        "another tag",
        "no numbers",
        "more bytes",
    ],
)
def test_an_mp3_whose_header_gives_no_size_is_accepted(data: bytes) -> None:
    assert checked(data, "clip.mp3").kind == "MP3"


def page(*, begins: bool, segments: bytes = b"\1\2") -> bytes:
    """Return a page of an Ogg stream (RFC 3533, 6) with segments of these lengths."""
    flags = 2 if begins else 0
    head = b"OggS" + bytes([0, flags]) + bytes(20) + bytes([len(segments)])
    return head + segments + bytes(sum(segments))


BEGIN, GO_ON = page(begins=True), page(begins=False, segments=b"\xff" * 255)


@pytest.mark.parametrize(
    "data",
    [
        BEGIN,
        BEGIN + GO_ON * 3,
        BEGIN + BEGIN + GO_ON,
        BEGIN + GO_ON + b"junk" + BEGIN,
        BEGIN + GO_ON + BEGIN[:26],
        BEGIN + GO_ON + BEGIN.replace(b"OggS", b"oggs"),
    ],
    ids=["one page", "pages", "side by side", "junk behind it", "half a page", "no page"],
)
def test_one_ogg_stream_or_several_side_by_side_are_accepted(data: bytes) -> None:
    assert checked(data, "clip.ogg").kind == "OGG"


@pytest.mark.parametrize(
    "data",
    [BEGIN + GO_ON + BEGIN, BEGIN + GO_ON * 2 + BEGIN + GO_ON, BEGIN + page(begins=False) + BEGIN],
)
def test_ogg_streams_one_behind_the_other_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        checked(data, "clip.ogg")
    assert caught.value.message == (
        "clip.ogg: several Ogg streams in sequence, of which only the first would be read"
    )
    assert caught.value.hint == "Write them into one stream or into files of their own."


def test_of_an_ogg_without_end_only_so_many_pages_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chained = encoded("OGG", "VORBIS") * 2
    with pytest.raises(DecodeError, match="several Ogg streams"):
        checked(chained, "clip.ogg")
    monkeypatch.setattr(ogg, "_PAGES", 2)
    assert checked(chained, "clip.ogg").kind == "OGG"
