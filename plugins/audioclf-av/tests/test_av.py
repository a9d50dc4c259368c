"""Files that PyAV wrote: lengths, parts, damage, and predictions."""

from __future__ import annotations

import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av", reason="audioclf-av needs PyAV")

from numpy.typing import NDArray  # noqa: E402

from audioclf.audio.decode import decode, inspect  # noqa: E402
from audioclf.audio.settings import AudioConfig  # noqa: E402
from audioclf.audio.stream import open_stream  # noqa: E402
from audioclf.base.errors import DecodeError  # noqa: E402
from audioclf.dataset import decoders  # noqa: E402
from audioclf.dataset.sources import PartSource, Span  # noqa: E402
from audioclf_av import AvDecoder  # noqa: E402
from tests.conftest import run_cli  # noqa: E402
from tests.hostile.files import MemorySource  # noqa: E402
from tests.models.making import made  # noqa: E402

FORMATS = {
    "m4a": ("ipod", "aac", 44_100, 1),
    "mp4": ("mp4", "aac", 48_000, 2),
    "alac": ("mp4", "alac", 16_000, 1),
    "mov": ("mov", "pcm_s16le", 22_050, 2),
    "aac": ("adts", "aac", 44_100, 1),
    "webm": ("webm", "libopus", 48_000, 2),
    "mkv": ("matroska", "flac", 44_100, 1),
    "avi": ("avi", "libmp3lame", 44_100, 1),
    "flv": ("flv", "aac", 44_100, 1),
    "caf": ("caf", "pcm_s16le", 8_000, 1),
    "wv": ("wv", "wavpack", 44_100, 2),
    "ac3": ("ac3", "ac3", 48_000, 2),
}
EXACT = ("m4a", "mp4", "alac", "mov", "webm", "mkv", "caf", "wv")
"""Formats that say how many samples of the encoder are no sound."""
SECONDS = 2.3


def sound(sr: int, channels: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    times = np.arange(round(SECONDS * sr)) / sr
    chirp = 0.3 * np.sin(2 * np.pi * (300 * times + 500 * times**2))
    y = chirp + 0.05 * rng.standard_normal((channels, len(times)))
    return y.astype(np.float32)


@cache
def written(name: str, *, video: bool = False, faststart: bool = False) -> bytes:
    container, codec, sr, channels = FORMATS[name]
    path = Path(tempfile.mkdtemp()) / name
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", format=container, options=options) as out:
        pictures: Any = out.add_stream("mpeg4", rate=25) if video else None
        stream: Any = out.add_stream(codec, rate=sr)
        stream.layout = layout = "mono" if channels == 1 else "stereo"
        stream.open()
        if video:
            pictures.width = pictures.height = 64
            for _ in range(50):
                out.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
            out.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(sound(sr, channels), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = sr, 0
        resampler = av.AudioResampler(
            stream.format.name, layout, sr, frame_size=stream.codec_context.frame_size or None
        )
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            out.mux(stream.encode(part))
    data = path.read_bytes()
    shutil.rmtree(path.parent)
    return data


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use this decoder also where the distribution is not installed."""
    if not decoders.decoder_distributions() & {"audioclf-av"}:
        found = decoders.InstalledDecoder("audioclf-av", "0", "av", AvDecoder())
        monkeypatch.setattr(decoders, "installed_decoders", lambda: (found,))


def source(data: bytes, name: str = "clip.bin") -> MemorySource:
    return MemorySource(data, name)


@pytest.mark.parametrize("name", FORMATS)
def test_length_rate_and_parts_are_those_of_the_sound(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("audioclf.audio.stream.BLOCK_SAMPLES", 10_007)
    _, _, sr, channels = FORMATS[name]
    clip = source(written(name))
    info, decoded = inspect(clip), decode(clip, AudioConfig(sr=sr))
    expected = round(SECONDS * sr)
    assert (info.sr, info.channels) == (sr, channels)
    assert info.frames == len(decoded.y) if name in EXACT else info.frames >= expected
    assert decoded.info == info
    if name in EXACT:
        assert info.frames == expected
        original = sound(sr, channels).mean(axis=0)
        errors = [np.abs(original - np.roll(decoded.y, lag)).mean() for lag in range(-3, 4)]
        assert np.argmin(errors) == 3  # no sample earlier or later
    for start in (0.0, 0.5003, 2.2):
        part = decode(PartSource(clip, Span(start, start + 0.1)), AudioConfig(sr=sr)).y
        assert np.array_equal(part, decoded.y[round(start * sr) :][: len(part)])
    with open_stream(clip, sr) as stream:
        assert np.array_equal(np.concatenate(list(stream.blocks)), decoded.y)
    assert capfd.readouterr() == ("", "")


def test_the_sound_of_a_video_is_read() -> None:
    info = inspect(source(written("mp4", video=True), "talk.mp4"))
    assert (info.container, info.subtype, info.frames) == ("MP4", "AAC", round(SECONDS * 48_000))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.995])
@pytest.mark.parametrize("name", ["m4a", "faststart", "webm", "mkv", "avi", "caf", "wv", "aac"])
def test_a_truncated_file_is_refused(name: str, share: float) -> None:
    whole = written("m4a", faststart=True) if name == "faststart" else written(name)
    with pytest.raises(DecodeError, match=r"^clip\.bin: [^\n]*$"):
        decode(source(whole[: int(len(whole) * share)]), AudioConfig())


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_decoded_or_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(25):
        data = bytearray(written(name))
        for at in rng.integers(12, len(data), 3):
            data[at] ^= int(rng.integers(1, 255))
        try:
            y = decode(source(bytes(data)), AudioConfig()).y
        except DecodeError as exc:
            assert exc.message.startswith("clip.bin: ")  # noqa: PT017
            assert "\n" not in exc.message  # noqa: PT017
        else:
            assert np.isfinite(y).all()
    assert capfd.readouterr() == ("", "")


class Failing(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 5000:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_disk_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemorySource, "open", lambda self: Failing(self.data))
    with pytest.raises(DecodeError, match=r"^clip\.bin: Input/output error$"):
        decode(source(written("webm")), AudioConfig())


def test_a_video_without_sound_is_refused() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        pictures: Any = out.add_stream("mpeg4", rate=25)
        pictures.width = pictures.height = 64
        out.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(pictures.encode(None))
    with pytest.raises(DecodeError, match="there is no audio track that can be decoded"):
        inspect(source(buffer.getvalue()))


@pytest.mark.slow
def test_predictions_of_a_video_are_the_same_in_isolation(tmp_path: Path) -> None:
    if not any(i.distribution == "audioclf-av" for i in decoders._installed("")):
        pytest.skip("audioclf-av is not installed")
    model, clip = made(tmp_path / "m.audioclf"), tmp_path / "talk.mp4"
    clip.write_bytes(written("mp4", video=True))
    texts = []
    for option in ((), ("--untrusted",)):
        done = run_cli("predict", model, clip, "--window", "0.5", *option, code=0)
        texts.append(done.stdout)
    assert texts[0] == texts[1]
    assert texts[0].count("talk.mp4") >= 4
