"""Sentences on what decoding leaves out."""

from typing import Literal

import pytest

from audioclf.audio.conversions import Conversions
from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig


def info(sr: int = 16_000, channels: int = 1, seconds: float = 1.0) -> AudioInfo:
    return AudioInfo("WAV", "PCM_16", sr, channels, round(seconds * sr))


@pytest.mark.parametrize(
    ("infos", "sentences"),
    [
        ([info()], []),
        (
            [info(250_000), info(250_000), info(8000)],
            [
                "1 file at 8 kHz was resampled to 16 kHz: nothing above 4 kHz is in it",
                "2 files at 250 kHz were resampled to 16 kHz: sound above 8 kHz was left out",
            ],
        ),
        ([info(channels=2), info()], ["1 file with 2 channels was averaged to one"]),
    ],
)
def test_each_kind_of_conversion_is_counted(infos: list[AudioInfo], sentences: list[str]) -> None:
    conversions = Conversions(AudioConfig(sr=16_000, duration=None))
    for item in infos:
        conversions.add(item)
    assert list(conversions.sentences()) == sentences
    assert list(conversions.cut()) == []


@pytest.mark.parametrize(("channel", "one"), [("left", "the left one"), (2, "channel 2")])
def test_the_channel_that_is_read_is_named(channel: Literal["left"] | int, one: str) -> None:
    conversions = Conversions(AudioConfig(sr=16_000, channel=channel))
    conversions.add(info(channels=2))
    assert list(conversions.sentences()) == [f"1 file with 2 channels: only {one} was read"]


def test_a_planned_run_is_described_in_the_present() -> None:
    conversions = Conversions(AudioConfig(sr=8000, duration=2.0, offset=0.5), planned=True)
    for seconds in (2.0, 2.5, 3.0):
        conversions.add(info(seconds=seconds))
    assert list(conversions.sentences()) == [
        "3 files at 16 kHz are resampled to 8 kHz: sound above 4 kHz is left out"
    ]
    (cut,) = conversions.cut()
    assert cut.startswith("1 clip is longer than audio.duration (2 s) behind audio.offset (0.5 s):")
    assert cut.endswith("the rest is left out")
