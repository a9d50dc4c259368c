"""Decoding: the samples of librosa.load, bit for bit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from audioclf.audio.decode import decode, inspect
from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import ConfigError, DecodeError
from audioclf.base.limits import Limits
from audioclf.config.loading import load_config
from audioclf.dataset.archive import open_archive
from audioclf.dataset.sources import FileSource, ZipSource
from tests.hostile.files import Entry, MemorySource, encoded, float_wav, noise, pcm16, wav, zip_of

# librosa.load imports audioread, which imports modules that Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")

Y = NDArray[np.float32]

FORMATS: dict[str, tuple[str, str, int, int]] = {
    "pcm 16": ("WAV", "PCM_16", 48_000, 1),
    "pcm 16 at 8 kHz": ("WAV", "PCM_16", 8_000, 1),
    "pcm 16 at the target rate": ("WAV", "PCM_16", 22_050, 1),
    "pcm 16 stereo": ("WAV", "PCM_16", 44_100, 2),
    "pcm 24": ("WAV", "PCM_24", 48_000, 1),
    "pcm 24 stereo": ("WAV", "PCM_24", 48_000, 2),
    "pcm 32": ("WAV", "PCM_32", 16_000, 1),
    "float": ("WAV", "FLOAT", 16_000, 1),
    "float stereo": ("WAV", "FLOAT", 44_100, 2),
    "float with 3 channels": ("WAV", "FLOAT", 16_000, 3),
    "pcm 16 with 8 channels": ("WAV", "PCM_16", 16_000, 8),
    "pcm 24 with 6 channels, extensible": ("WAVEX", "PCM_24", 48_000, 6),
    "float with 16 channels, extensible": ("WAVEX", "FLOAT", 48_000, 16),
    "rf64": ("RF64", "PCM_24", 48_000, 2),
    "wave64": ("W64", "PCM_24", 48_000, 2),
    "wave64 u-law": ("W64", "ULAW", 8_000, 1),
    "768 kHz": ("WAV", "PCM_16", 768_000, 1),
    "pcm 8": ("WAV", "PCM_U8", 16_000, 1),
    "double": ("WAV", "DOUBLE", 16_000, 2),
    "a-law": ("WAV", "ALAW", 8_000, 1),
    "u-law": ("WAV", "ULAW", 8_000, 1),
    "ima adpcm": ("WAV", "IMA_ADPCM", 16_000, 1),
    "ms adpcm": ("WAV", "MS_ADPCM", 16_000, 2),
    "flac": ("FLAC", "PCM_16", 48_000, 1),
    "flac 24 stereo": ("FLAC", "PCM_24", 44_100, 2),
    "vorbis": ("OGG", "VORBIS", 44_100, 2),
    "opus": ("OGG", "OPUS", 48_000, 1),
    "aiff": ("AIFF", "PCM_16", 44_100, 2),
    "mp3": ("MP3", "MPEG_LAYER_III", 44_100, 1),
    "mp3 stereo": ("MP3", "MPEG_LAYER_III", 16_000, 2),
}
PARTS: tuple[dict[str, Any], ...] = ({}, {"offset": 0.0513, "duration": 0.1037}, {"duration": 9.0})


def same(ours: Y, theirs: Y) -> None:
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("part", PARTS, ids=["all", "a part", "more than all"])
@pytest.mark.parametrize(("container", "subtype", "sr", "channels"), FORMATS.values(), ids=FORMATS)
def test_samples_are_those_of_librosa(
    container: str, subtype: str, sr: int, channels: int, part: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{'wav' if container in {'WAVEX', 'RF64'} else container.lower()}"
    path.write_bytes(encoded(container, subtype, noise(sr * 3 // 10, channels), sr))
    decoded = decode(FileSource(path), AudioConfig(**part))
    theirs, _ = librosa.load(path, **part)
    same(decoded.y, theirs)
    assert decoded.info.warnings == ()


@pytest.mark.parametrize("sr", [8_000, 16_000, 44_100, 96_000])
def test_any_rate_gives_the_samples_of_librosa(sr: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(encoded("WAV", "PCM_16", noise(4567), 22_050))
    same(decode(FileSource(path), AudioConfig(sr=sr)).y, librosa.load(path, sr=sr)[0])


def test_gsm_is_decoded_but_only_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(encoded("WAV", "GSM610", noise(2000), 8_000))
    same(decode(FileSource(path), AudioConfig(duration=0.2)).y, librosa.load(path, duration=0.2)[0])
    with pytest.raises(DecodeError, match="cannot be decoded: Seek attempted on unseekable"):
        decode(FileSource(path), AudioConfig(offset=0.1))


def test_big_endian_wav_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(encoded("WAV", "PCM_16", endian="BIG"))
    assert path.read_bytes()[:4] == b"RIFX"
    same(decode(FileSource(path), AudioConfig()).y, librosa.load(path)[0])


def test_negative_zero_is_mixed_as_librosa_does(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(encoded("WAV", "FLOAT", np.full((50, 2), -0.0)))
    same(decode(FileSource(path), AudioConfig(sr=16_000)).y, librosa.load(path, sr=16_000)[0])


@pytest.mark.parametrize(("channel", "column"), [("left", 0), ("right", 1), (1, 0), (3, 2)])
def test_one_channel_is_read_instead_of_the_average(channel: Any, column: int) -> None:
    y = noise(4000, 3).astype(np.float32)
    y[:, 1] = -y[:, 0]
    source = MemorySource(encoded("WAV", "FLOAT", y))
    decoded = decode(source, AudioConfig(sr=16_000, channel=channel))
    same(decoded.y, y[:, column])
    with open_stream(source, 16_000, channel=channel) as stream:
        same(np.concatenate(list(stream.blocks)), y[:, column])
    assert decoded.info.warnings == tuple(stream.warnings) == ()


def test_a_channel_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DecodeError, match=r"^clip\.wav: no channel 2, since it has 1\n") as caught:
        decode(MemorySource(wav()), AudioConfig(channel="right"))
    assert caught.value.hint == "Set audio.channel: mix, or leave this clip out."


@pytest.mark.parametrize("channel", [0, 65, "middle", True, 1.5])
def test_a_bad_channel_is_named_in_one_sentence(toy_config: Path, channel: object) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(toy_config, overrides=[f"audio.channel={channel}"])
    assert "audio.channel: expected mix, left, right, each, or a number" in caught.value.message
    assert "\n" not in caught.value.message


def test_the_default_channel_leaves_files_and_keys_as_they_were() -> None:
    assert AudioConfig().model_dump() == {"sr": 22_050, "duration": None, "offset": 0.0}
    chosen = AudioConfig(channel=2)
    assert AudioConfig(**chosen.model_dump(mode="json")) == chosen


def test_a_zip_member_gives_the_same_samples_as_the_file(tmp_path: Path) -> None:
    file, archive = tmp_path / "clip.flac", tmp_path / "data.zip"
    file.write_bytes(encoded("FLAC", "PCM_16"))
    archive.write_bytes(zip_of(Entry(b"dog/clip.flac", file.read_bytes(), method=8)))
    (member,) = open_archive(archive).members
    zipped = decode(ZipSource(member), AudioConfig())
    filed = decode(FileSource(file), AudioConfig())
    same(zipped.y, filed.y)
    assert zipped.info == filed.info


@pytest.mark.parametrize("name", ["barbie_vs_puppy.zip", "free_spoken_digits.zip"])
def test_real_recordings_give_the_samples_of_librosa(
    real_data: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    members = open_archive(real_data(name)).members
    path = tmp_path / "clip.wav"
    for member in members[:: len(members) // 12]:
        path.write_bytes(member.read())
        ours = decode(ZipSource(member), AudioConfig(duration=3.0))
        same(ours.y, librosa.load(path, duration=3.0)[0])


@pytest.mark.parametrize("name", ["barbie_vs_puppy.zip", "free_spoken_digits.zip"])
def test_all_real_recordings_are_decoded(real_data: Callable[[str], Path], name: str) -> None:
    config = AudioConfig(sr=8000, duration=3.0)
    for member in open_archive(real_data(name)).members:
        decoded = decode(ZipSource(member), config)
        assert 0.1 < decoded.seconds <= 3.0
        assert decoded.info.warnings == ()


def test_samples_may_be_written_to() -> None:
    for data in (wav(), float_wav([0.5] * 9), encoded("WAV", "PCM_16", noise(9, 2))):
        y = decode(MemorySource(data), AudioConfig(sr=16_000)).y
        y[0] = 0.0
        assert y.flags.c_contiguous


def test_threads_give_the_same_samples() -> None:
    sources = [MemorySource(encoded("FLAC", "PCM_16", noise(2000, seed=n))) for n in range(20)]
    serial = [decode(source, AudioConfig()).y.tobytes() for source in sources]
    with ThreadPoolExecutor(4) as pool:
        parallel = pool.map(lambda source: decode(source, AudioConfig()).y.tobytes(), sources)
        assert list(parallel) == serial


def test_length_of_the_waveform_and_of_the_file_are_told_apart() -> None:
    decoded = decode(MemorySource(wav()), AudioConfig(sr=8000, duration=0.1))
    assert (decoded.sr, len(decoded.y), decoded.seconds) == (8000, 800, 0.1)
    assert (decoded.info.sr, decoded.info.frames, decoded.info.seconds) == (16_000, 4000, 0.25)


INFOS = {
    "wav": (wav(), AudioInfo("WAV", "PCM_16", 16_000, 1, 4000, (), "fmt data")),
    "24 bits": (
        encoded("WAV", "PCM_24", noise(9, 2)),
        AudioInfo("WAV", "PCM_24", 16_000, 2, 9, (), "fmt data"),
    ),
    "u-law": (
        encoded("WAV", "ULAW", noise(9)),
        AudioInfo("WAV", "ULAW", 16_000, 1, 9, (), "fmt fact data"),
    ),
    "rf64": (
        encoded("RF64", "FLOAT", noise(9)),
        AudioInfo("RF64", "FLOAT", 16_000, 1, 9, (), "ds64 fmt data"),
    ),
    "empty": (wav(b""), AudioInfo("WAV", "PCM_16", 16_000, 1, 0, (), "fmt data")),
    "flac": (
        encoded("FLAC", "PCM_24"),
        AudioInfo("FLAC", "PCM_24", 16_000, 1, 4000, ("FLAC data in a file named .wav",)),
    ),
}


@pytest.mark.parametrize(("data", "info"), INFOS.values(), ids=INFOS)
def test_inspect_tells_what_the_header_says(data: bytes, info: AudioInfo) -> None:
    assert inspect(MemorySource(data)) == info


def test_inspect_and_decode_agree() -> None:
    for container, subtype, sr, channels in FORMATS.values():
        source = MemorySource(encoded(container, subtype, noise(sr // 10, channels), sr))
        assert inspect(source) == decode(source, AudioConfig()).info


def test_inspect_decodes_no_sample() -> None:
    data = encoded("FLAC", "PCM_16")
    damaged = MemorySource(data[:200] + bytes(len(data) - 200))
    assert inspect(damaged).frames == 4000
    with pytest.raises(DecodeError):
        decode(damaged, AudioConfig())


def test_an_mp3_with_fewer_frames_than_its_header_says_is_a_warning() -> None:
    data = bytearray(encoded("MP3", "MPEG_LAYER_III", noise(16_000)))
    count = data.index(b"Xing") + 8
    data[count : count + 4] = (2 * int.from_bytes(data[count : count + 4])).to_bytes(4)
    source = MemorySource(bytes(data), "clip.mp3")
    decoded = decode(source, AudioConfig(sr=16_000))
    (warning,) = decoded.info.warnings
    assert (
        warning == f"header says {decoded.info.frames} frames of audio, file holds {len(decoded.y)}"
    )
    with pytest.raises(DecodeError, match=r"clip.mp3: truncated: .* frames of audio, file holds 0"):
        decode(source, AudioConfig(offset=decoded.seconds))


NATIVE = AudioConfig(sr=16_000)


def message(data: bytes, limits: Limits | None = None, **config: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(MemorySource(data), AudioConfig(**config), limits or Limits())
    return str(caught.value)


@pytest.mark.parametrize("data", [wav(), encoded("FLAC", "PCM_16")], ids=["wav", "flac"])
@pytest.mark.parametrize(("offset", "shown"), [(0.25, "0.25"), (5.0, "5"), (1e300, "1e+300")])
def test_an_offset_beyond_the_end_is_named(data: bytes, offset: float, shown: str) -> None:
    text = message(data, offset=offset)
    assert text.startswith(f"clip.wav: the offset of {shown} s lies beyond the end (0.25 s)")
    assert text.endswith("Lower audio.offset, or leave this clip out.")


def test_a_duration_shorter_than_a_sample_is_named() -> None:
    assert "no audio samples in a duration of 1e-05 s at 16000 Hz" in message(wav(), duration=1e-5)


PART = "\n  Set audio.duration to read a part of it."


def test_a_long_recording_is_refused_unless_a_part_is_asked_for() -> None:
    limits, data = Limits(max_seconds=0.2), wav()
    assert message(data, limits) == (
        f"clip.wav: 0.25 s of audio (limit 0.2 s); limits.max_seconds accepts more{PART}"
    )
    assert decode(MemorySource(data), AudioConfig(duration=0.2), limits).seconds == 0.2
    assert decode(MemorySource(data), NATIVE, Limits(max_seconds=0.25)).seconds == 0.25


@pytest.mark.parametrize(
    ("data", "sr", "samples"),
    [
        (encoded("WAV", "PCM_16", noise(4000, 2)), 16_000, 8000),
        (wav(), 48_000, 12_000),
        (wav(pcm16(4001)), 8000, 4001),
        (wav(pcm16(4001)), 24_000, 6002),
    ],
    ids=["channels", "resampled", "as they are", "rounded up"],
)
def test_the_number_of_samples_is_limited_before_and_after_resampling(
    data: bytes, sr: int, samples: int
) -> None:
    assert message(data, Limits(max_samples=samples - 1), sr=sr) == (
        f"clip.wav: {samples} samples (limit {samples - 1}); limits.max_samples accepts more{PART}"
    )
    assert len(decode(MemorySource(data), AudioConfig(sr=sr), Limits(max_samples=samples)).y) > 0


@pytest.mark.parametrize(
    "bad",
    [
        {"sr": 999},
        {"sr": 768_001},
        {"duration": 0},
        {"duration": float("inf")},
        {"offset": -1},
        {"offset": float("nan")},
        {"mono": False},
        {"channel": 0},
        {"channel": "middle"},
    ],
    ids=str,
)
def test_an_impossible_config_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AudioConfig(**bad)


def test_the_config_is_that_of_librosa_by_default() -> None:
    config = AudioConfig()
    assert (config.sr, config.duration, config.offset) == (22_050, None, 0.0)
    assert hash(config) == hash(AudioConfig(sr=22_050))
