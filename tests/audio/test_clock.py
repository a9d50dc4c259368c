"""Clock times of recordings: names and metadata of recorders, and the column of predictions."""

import csv
import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioclf.audio.clock import any_clock_time, clock_time
from audioclf.dataset.sources import FileSource, PartSource, Span
from tests.conftest import run_cli, tone
from tests.hostile.files import MemorySource, chunk, fmt, pcm16, riff, wav
from tests.models.making import made

DATA = chunk(b"data", pcm16(100))


def wamd(text: bytes) -> bytes:
    fields = ((0, b"\1\0"), (1, b"SM4"), (5, text), (6, b"WGS84,1,2"))
    return chunk(b"wamd", b"".join(struct.pack("<HI", k, len(v)) + v for k, v in fields))


def audiomoth(text: bytes) -> bytes:
    comment = text + b" by AudioMoth 24E144085F256A3A at gain setting 2\0"
    return chunk(b"LIST", b"INFO" + chunk(b"ICMT", comment))


NAMES = {
    "20181012_191730.WAV": "2018-10-12T19:17:30",
    "20181012_191730T.WAV": "2018-10-12T19:17:30",
    "SM4_0+1_20150620_060000.wav": "2015-06-20T06:00:00",
    "site 7-20170429_035637_125.flac": "2017-04-29T03:56:37",
    "a/b\\S4A01_20240501_193000.wav": "2024-05-01T19:30:00",
    "5BC0E1A2.WAV": "2018-10-12T18:02:10+00:00",
    "20181312_191730.WAV": None,
    "20181012_251730.WAV": None,
    "120181012_191730.wav": None,
    "99991231_235959.wav": None,
    "20181012.WAV": None,
    "DEADBEEF.WAV": None,
    "dog_1.wav": None,
}


@pytest.mark.parametrize(("name", "time"), NAMES.items(), ids=NAMES)
def test_the_time_in_a_name_is_found(name: str, time: str | None) -> None:
    found = clock_time(MemorySource(b"", name))
    assert (None if found is None else found.isoformat()) == time


GUANO = b"GUANO|Version: 1.0\r\nTimestamp: 2017-04-29T03:56:37-06:00\r\nTE: 10\r\n"
CHUNKS = {
    "guano": (chunk(b"guan", GUANO), "2017-04-29T03:56:37-06:00"),
    "guano in utc": (chunk(b"guan", b"Timestamp:2017-04-29 03:56:37.5Z"), "03:56:37.500000+00:00"),
    "song meter": (wamd(b"2014-04-02 22:59:14-05:00"), "2014-04-02T22:59:14-05:00"),
    "song meter without an offset": (wamd(b"2014-04-02 22:59:14"), "2014-04-02T22:59:14"),
    "audiomoth": (audiomoth(b"Recorded at 19:17:30 12/10/2018 (UTC)"), "10-12T19:17:30+00:00"),
    "audiomoth elsewhere": (
        audiomoth(b"Recorded at 19:17:30.250 12/10/2018 (UTC-5:30)"),
        "2018-10-12T19:17:30.250000-05:30",
    ),
    "two": (wamd(b"2014-04-02 22:59:14") + chunk(b"guan", GUANO), "2017-04-29T03:56:37-06:00"),
    "no time in it": (chunk(b"guan", b"Timestamp: yesterday") + wamd(b"")[:30], "2020-01-02T"),
    "impossible": (audiomoth(b"Recorded at 19:17:30 40/10/2018 (UTC+99)"), "2020-01-02T03:04:05"),
}


@pytest.mark.parametrize(("extra", "time"), CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("behind", [True, False], ids=["behind", "before"])
def test_the_time_in_metadata_comes_before_that_in_the_name(
    extra: bytes, time: str, behind: bool, tmp_path: Path
) -> None:
    path = tmp_path / "20200102_030405.wav"
    path.write_bytes(riff(fmt(), *((DATA, extra) if behind else (extra, DATA))))
    found = clock_time(PartSource(FileSource(path), Span(0.0, 0.001)))
    assert found is not None
    assert time in found.isoformat()


@given(st.binary(max_size=60), st.sampled_from([b"guan", b"wamd", b"LIST"]))
def test_any_metadata_is_read_or_passed_over(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, ident: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "x.wav"
    path.write_bytes(riff(chunk(ident, b"Recorded at 1:" + body), chunk(ident, body)))
    assert not any_clock_time([FileSource(path), FileSource(Path("gone.wav"))])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
def test_predictions_of_windows_and_events_have_a_column_of_times(tmp_path: Path) -> None:
    model = made(tmp_path / "m.audioclf")
    sound = (tone(400, 1.0, 8000, 0) * 32767).astype("<i2").tobytes()
    timed, other = tmp_path / "20240501_235959.wav", tmp_path / "other.wav"
    for path in (timed, other):
        path.write_bytes(wav(sound, sr=8000))
    args = ("predict", model, timed, other, "--window", "0.5", "--hop", "0.5")
    found = rows(run_cli(*args, code=0).stdout)
    assert list(found[0])[-1] == "time"
    times = ["2024-05-01T23:59:59.000", "2024-05-01T23:59:59.500", "", ""]
    assert [row["time"] for row in found] == times
    lines = run_cli(*args, "--format", "jsonl", code=0).stdout.splitlines()
    assert [json.loads(line)["time"] for line in lines] == [time or None for time in times]
    events = rows(run_cli(*args, "--events", "--threshold", "0", code=0).stdout)
    assert {row["time"] for row in events} == {times[0], ""}
    assert "time" not in rows(run_cli("predict", model, timed, code=0).stdout)[0]
    assert "time" not in rows(run_cli("predict", model, other, *args[4:], code=0).stdout)[0]
