"""Clips that are parts of a recording: the samples between two times, and no others."""

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest

from audioclf.audio.decode import decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DecodeError
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.components.registry import Origin
from audioclf.dataset.archive import open_archive
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import AudioSource, FileSource, PartSource, Span, ZipSource
from audioclf.features.extraction import extract
from audioclf.plugin import inspect as plugin_inspect
from tests.hostile.files import Entry, MemorySource, encoded, float_wav, noise, zip_of

pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")

NATIVE = AudioConfig(sr=16_000)


def ramp(frames: int = 16_000) -> MemorySource:
    """Return a file at 16 kHz in which each sample tells its position."""
    return MemorySource(float_wav(np.arange(frames) / 65_536), "rec.wav")


def positions(source: AudioSource, audio: AudioConfig = NATIVE) -> list[int]:
    y = decode(source, audio).y * 65_536
    return [round(float(y[0])), round(float(y[-1]))]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(), [0, 15_999]),
        (Span(0.25), [4000, 15_999]),
        (Span(0.0, 0.25), [0, 3999]),
        (Span(0.25, 0.5), [4000, 7999]),
        (Span(0.25, 0.25 + 1 / 16_000), [4000, 4000]),
    ],
    ids=str,
)
def test_a_part_starts_with_its_start_and_ends_before_its_end(
    span: Span, expected: list[int]
) -> None:
    assert positions(PartSource(ramp(), span)) == expected


def test_times_are_rounded_to_the_nearest_frame() -> None:
    assert positions(PartSource(ramp(), Span(10.4 / 16_000, 20.6 / 16_000))) == [10, 20]
    # 0.29 * 44100 is 12788.999999999998 in floating point.
    source = MemorySource(encoded("WAV", "PCM_16", noise(22_050), 44_100))
    assert inspect(PartSource(source, Span(0.28, 0.29))).frames == 441


def test_parts_that_meet_share_no_frame_and_leave_none_out() -> None:
    times = [0.0, *np.sort(np.random.default_rng(0).uniform(0.0, 1.0, 40)).tolist(), 1.0]
    spans = [Span(a, b) for a, b in pairwise(times)]
    parts = [decode(PartSource(ramp(), span), NATIVE).y for span in spans]
    assert np.concatenate(parts).tobytes() == decode(ramp(), NATIVE).y.tobytes()


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_part_is_what_librosa_loads_by_offset_and_duration(
    container: str, tmp_path: Path
) -> None:
    path = tmp_path / f"rec.{container.lower()}"
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(container, "PCM_16")
    path.write_bytes(encoded(container, subtype, noise(32_000, 2), 16_000))
    ours = decode(PartSource(FileSource(path), Span(0.5, 1.25)), AudioConfig())
    theirs, _ = librosa.load(path, offset=0.5, duration=0.75)
    assert ours.y.tobytes() == theirs.tobytes()


def test_offset_and_duration_are_those_of_the_part() -> None:
    part = PartSource(ramp(), Span(0.5, 0.75))
    assert positions(part, AudioConfig(sr=16_000, offset=0.125)) == [10_000, 11_999]
    assert positions(part, AudioConfig(sr=16_000, duration=0.125)) == [8000, 9999]
    assert positions(part, AudioConfig(sr=16_000, duration=9.0)) == [8000, 11_999]
    with pytest.raises(DecodeError, match=r"offset of 0\.25 s lies beyond the end \(0\.25 s\)"):
        decode(part, AudioConfig(offset=0.25))


def test_only_the_part_is_read_and_checked() -> None:
    source = MemorySource(float_wav([0.5] * 16_000 + [float("nan")] * 16_000), "rec.wav")
    assert decode(PartSource(source, Span(0.0, 1.0)), AudioConfig()).seconds == 1.0
    with pytest.raises(DecodeError, match=r"rec\.wav@1\.0-2\.0: 16000 NaN/inf samples of 16000"):
        decode(PartSource(source, Span(1.0, 2.0)), AudioConfig())


def test_a_part_of_a_recording_too_long_to_decode_is_decoded() -> None:
    samples = np.zeros(1000 * 1900, dtype=np.int16)
    source = MemorySource(encoded("WAV", "PCM_16", samples, 1000))
    with pytest.raises(DecodeError, match=r"1900 s of audio \(limit 1800 s\)"):
        decode(source, AudioConfig(sr=1000))
    assert decode(PartSource(source, Span(1890.0)), AudioConfig(sr=1000)).seconds == 10.0


@pytest.mark.parametrize("read", [inspect, lambda source: decode(source, AudioConfig())])
@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Span(1.0), "from 1.0 s lies"),
        (Span(2.5, 3.0), "from 2.5 s to 3.0 s lies"),
        (Span(0.5, 1.1), "from 0.5 s to 1.1 s lies"),
        (Span(1e300, 1.1e300), "from 1e+300 s to 1.1e+300 s lies"),
    ],
    ids=str,
)
def test_a_part_outside_the_file_names_both(
    read: Callable[[AudioSource], Any], span: Span, words: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        read(PartSource(ramp(), span))
    ends = "outside the file, which ends at 1.0 s"
    assert caught.value.message == f"rec.wav@{span}: the part {words} {ends}"
    assert caught.value.hint == "Correct the times of this clip, or leave it out."


def test_an_end_that_was_rounded_up_to_a_millisecond_is_the_end_of_the_file() -> None:
    assert positions(PartSource(ramp(15_993), Span(0.5, 1.0))) == [8000, 15_992]


def test_a_part_between_two_frames_is_named() -> None:
    message = r"rec\.wav@0\.1-0\.10001: no audio samples in this part at 16000 Hz"
    with pytest.raises(DecodeError, match=message):
        decode(PartSource(ramp(), Span(0.1, 0.10001)), AudioConfig())


@pytest.mark.parametrize(
    "times", [(-1, 1), (1, 1), (2, 1), (np.nan, 1), (0, np.nan), (np.inf, None), (0, np.inf)]
)
def test_impossible_times_are_refused(times: tuple[float, float | None]) -> None:
    with pytest.raises(ValueError, match="not a part of a recording"):
        Span(*times)


def test_the_info_of_a_part_counts_its_own_frames() -> None:
    part = PartSource(ramp(), Span(0.25, 0.75))
    assert inspect(part) == decode(part, AudioConfig()).info == plugin_inspect(part)
    assert inspect(part).seconds == 0.5
    assert inspect(ramp()).seconds == 1.0


def test_a_clip_has_the_times_of_its_part() -> None:
    part = Clip("rec.wav@1.5-3.0", "a", PartSource(ramp(), Span(1.5, 3.0)))
    whole = Clip("rec.wav", "a", ramp())
    assert (part.start, part.end) == (1.5, 3.0)
    assert (whole.start, whole.end) == (None, None)
    assert pickle.loads(pickle.dumps(part)) == part


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedClip(Clip):
    rating: int = 0


@dataclass(frozen=True)
class SiteFile(FileSource):
    site: str = ""


@pytest.mark.parametrize(
    "value",
    [
        RatedClip("a.wav", "a", FileSource(Path("a.wav")), rating=3),
        SiteFile("a.wav", "north"),
        Clip("a.wav", "a", FileSource(Path("a.wav")), "g", subgroups=(("site", "north"),)),
    ],
)
def test_a_clip_is_pickled_with_the_fields_of_a_subclass(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


class TitledFile(FileSource):
    @property
    def name(self) -> str:
        return f"the file {self.path}"


def test_a_file_of_a_subclass_has_a_name_of_text_or_its_own() -> None:
    assert SiteFile(Path("a.wav"), "north") == SiteFile("a.wav", "north")  # type: ignore[arg-type]
    assert TitledFile(Path("a.wav")).name == "the file a.wav"


def fingerprint(clip: Clip) -> str:
    return Dataset([clip], name="d").fingerprint({clip.id: "0"})


def test_the_fingerprint_follows_times() -> None:
    clip = Clip("x", "a", ramp())
    parts = [replace(clip, source=PartSource(ramp(), Span(0.0, end))) for end in (0.5, 1.0)]
    assert len({fingerprint(variant) for variant in [clip, *parts]}) == 3


def test_fingerprints_are_those_of_earlier_versions() -> None:
    expected = "68bb5108bfcc99064d04f2438de433633978b7699de8abadaaf5f8673a2cf602"
    assert fingerprint(Clip("x.wav", "a", ramp(), "g", "1")) == expected
    part = Clip("x.wav", "a", PartSource(ramp(), Span(0.5, 1.0)), "g", "1")
    assert fingerprint(part) == "9cee4e148398d0a1e07c58dfa652c9e459df68745dc6c0ec0d1cb9f6e400e169"


def test_parts_have_digests_of_their_own() -> None:
    spans = [Span(0.0, 0.5), Span(0.5, 1.0), Span(0.5)]
    digests = {PartSource(ramp(), span).digest() for span in spans}
    assert len(digests | {ramp().digest()}) == 4
    assert PartSource(ramp(), Span(0.5)).digest() == PartSource(ramp(), Span(0.5)).digest()


def test_the_digest_of_a_part_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rec.wav"
    part = PartSource(FileSource(path), Span(0.0, 0.1))
    path.write_bytes(b"one")
    before = part.digest()
    path.write_bytes(b"other")
    assert part.digest() != before


def zipped(tmp_path: Path, data: bytes, name: str = "set.zip") -> ZipSource:
    path = tmp_path / name
    path.write_bytes(zip_of(Entry(b"rec.wav", data)))
    return ZipSource(open_archive(path).members[0])


def test_a_recording_in_a_zip_is_unpacked_once_for_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = []
    read = ZipSource.open

    def counting(self: ZipSource) -> Any:
        unpacked.append(self.name)
        return read(self)

    monkeypatch.setattr(ZipSource, "open", counting)
    source = zipped(tmp_path, ramp().data)
    for start in (0.0, 0.25, 0.5):
        assert positions(PartSource(source, Span(start, start + 0.25)))[0] == start * 16_000
    assert len(unpacked) == 1


def test_a_recording_in_a_zip_that_was_replaced_is_unpacked_again(tmp_path: Path) -> None:
    first = positions(PartSource(zipped(tmp_path, ramp(8000).data), Span(0.25)))
    second = positions(PartSource(zipped(tmp_path, ramp(12_000).data), Span(0.25)))
    assert (first, second) == ([4000, 7999], [4000, 11_999])


def test_a_recording_that_was_replaced_with_equal_size_and_time_has_another_digest(
    tmp_path: Path,
) -> None:
    path, digests = tmp_path / "rec.wav", set()
    for seed in (0, 1):
        path.write_bytes(encoded("WAV", "PCM_16", noise(16_000, seed=seed)))
        os.utime(path, (1.6e9, 1.6e9))
        digests.add(PartSource(FileSource(path), Span(0.0, 0.5)).digest())
    assert len(digests) == 2


def test_features_of_parts_are_cached_apart(tmp_path: Path) -> None:
    path = tmp_path / "rec.wav"
    path.write_bytes(encoded("WAV", "PCM_16", noise(16_000)))
    spans = [Span(0.0, 0.5), Span(0.5, 1.0)]
    clips = [Clip(str(span), "a", PartSource(FileSource(path), span)) for span in spans]
    origins = {"mel": (Origin("audioclf", "0", "builtin"),)}

    def features(folder: Path | None) -> Any:
        dataset = Dataset(clips, name="d")
        mel = {"mel": MelSpectrogram(n_mels=8)}
        return extract(dataset, AudioConfig(), mel, cache_folder=folder, origins=origins)

    plain = features(None)
    cold, warm = features(tmp_path / "cache"), features(tmp_path / "cache")
    assert (cold.cache.written, warm.cache.hits) == (2, 2)
    assert not np.array_equal(*plain.matrices["mel"])
    for found in (cold, warm):
        assert found.matrices["mel"].tobytes() == plain.matrices["mel"].tobytes()
        assert found.fingerprint == plain.fingerprint
    assert [row.info.frames for row in warm.ledger if row.info] == [8000, 8000]
