"""Channels of recordings as clips: ids, groups, samples, digests, and whole runs."""

import csv
from pathlib import Path

import numpy as np
import pytest

from audioclf.audio.decode import decode
from audioclf.audio.headers import with_channels
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DecodeError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import AudioSource, FileSource, PartSource, Span
from tests.conftest import run_cli, tone, write_config, write_wav, zip_folder

EACH = AudioConfig(sr=8000, channel="each")


def stereo(path: Path, seed: int = 0) -> Path:
    y = np.stack([tone(400, 0.4, 8000, seed), tone(900, 0.4, 8000, seed + 100)], axis=1)
    return write_wav(path, y, subtype="FLOAT")


def clips(folder: Path, group: str | None = None) -> Dataset:
    two, one = FileSource(stereo(folder / "a.wav")), write_wav(folder / "b.wav", np.zeros(800))
    part = PartSource(two, Span(0.1, 0.3))
    sources: dict[str, AudioSource] = {
        "a.wav": two,
        "a.wav@0.1-0.3": part,
        "b.wav": FileSource(one),
    }
    return Dataset([Clip(name, "x", s, group) for name, s in sources.items()], name="toys")


def test_each_channel_is_a_clip_with_its_samples_in_the_group_of_the_recording(
    tmp_path: Path,
) -> None:
    dataset = with_channels(clips(tmp_path))
    assert {clip.id: (clip.group, clip.recording) for clip in dataset} == {
        "a.wav@0.1-0.3@channel1": ("a.wav", "a.wav"),
        "a.wav@0.1-0.3@channel2": ("a.wav", "a.wav"),
        "a.wav@channel1": ("a.wav", "a.wav"),
        "a.wav@channel2": ("a.wav", "a.wav"),
        "b.wav": ("b.wav", "b.wav"),
    }
    by_id = {clip.id: clip for clip in dataset}
    whole, part = by_id["a.wav@channel2"], by_id["a.wav@0.1-0.3@channel2"]
    y = tone(900, 0.4, 8000, 100)
    assert np.array_equal(decode(whole.source, EACH).y, y)
    assert np.array_equal(decode(part.source, EACH).y, y[800:2400])
    assert (part.start, part.end) == (0.1, 0.3)
    assert len({clip.source.digest() for clip in dataset}) == len(dataset)


def test_a_given_group_stays(tmp_path: Path) -> None:
    assert {clip.group for clip in with_channels(clips(tmp_path, "site"))} == {"site"}


def test_mono_and_unreadable_files_stay_one_clip(tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_bytes(b"no sound")
    mono = write_wav(tmp_path / "b.wav", np.zeros(800))
    sources = [FileSource(mono), FileSource(tmp_path / "no.wav")]
    dataset = Dataset([Clip(s.path.name, "x", s) for s in sources], name="toys")
    assert with_channels(dataset) is dataset


def test_several_channels_where_one_is_expected_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"a\.wav: has 2 channels, and with .* a clip is one"):
        decode(FileSource(stereo(tmp_path / "a.wav")), EACH)


@pytest.mark.slow
def test_a_run_and_its_model_take_each_channel(tmp_path: Path) -> None:
    for index in range(8):
        stereo(tmp_path / "data" / ("ab"[index % 2]) / f"{index}.wav", index)
    config = write_config(zip_folder(tmp_path / "data", tmp_path / "sounds.zip"))
    each = ("--set", "audio.channel=each", "--set", "final=best", "--set", "report.html=true")
    run_cli("run", config, *each, "--out", tmp_path / "run", code=0)
    with (tmp_path / "run" / "folds.csv").open(encoding="utf-8") as stream:
        folds = {(row["fold"], row["group"]) for row in csv.DictReader(stream)}
    assert len(folds) == 8  # each recording is on test in one fold
    assert "@channel2" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    run_cli("report", tmp_path / "run", code=0)
    done = run_cli("predict", tmp_path / "run", tmp_path / "data", code=0)
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert [line["channel"] for line in lines] == ["1", "2"] * 8
