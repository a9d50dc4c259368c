"""Files that do not give the sound that they promise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig
from audioclf.audit.decoding import NAMES, audit_decode
from audioclf.audit.findings import Audit
from audioclf.audit.inputs import AuditInput
from audioclf.features.worker import LedgerRow
from tests.audit.make import dataset_of, extracted, ledger_of, named, names, ordinary_facts
from tests.conftest import tone, write_wav

AUDIO = AudioConfig(sr=8000)


def audited(folder: Path, audio: AudioConfig = AUDIO) -> Audit:
    extraction = extracted(folder, audio)
    facts = extraction.matrices[""]
    return audit_decode(AuditInput(extraction.dataset, extraction.ledger, audio, facts=facts))


def of_rows(rows: list[LedgerRow], audio: AudioConfig = AUDIO) -> Audit:
    dataset = dataset_of(10)
    return audit_decode(AuditInput(dataset, rows, audio, facts=ordinary_facts(len(dataset))))


def with_row(**changes: object) -> list[LedgerRow]:
    """Return the ledger of 20 ordinary clips, the first of which is changed."""
    first, *rest = ledger_of(dataset_of(10))
    return [replace(first, **changes), *rest]  # type: ignore[arg-type]


def test_ordinary_sounds_give_no_finding(sounds: Path) -> None:
    found = audited(sounds)
    assert names(found) == set()
    assert "16 files" in found.summary
    assert "0 could not be read" in found.summary


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "silence": lambda y: 0.0 * y,
    "faint": lambda y: y * 1e-4,
    "offset": lambda y: 0.0 * y + 0.3,
    "clipped": lambda y: np.clip(10.0 * y, -1.0, 1.0),
    "off center": lambda y: 0.5 * y + 0.1,
}


@pytest.mark.parametrize(
    ("change", "name", "severity"),
    [
        ("silence", "silent", "finding"),
        ("faint", "silent", "finding"),
        ("offset", "constant", "finding"),
        ("clipped", "clipped", "info"),
        ("off center", "dc-offset", "info"),
    ],
)
def test_a_bad_waveform_is_named_alone(sounds: Path, change: str, name: str, severity: str) -> None:
    write_wav(sounds / "low" / "low_2.wav", CHANGES[change](tone(300.0, 0.4, 8000, 2)))
    found = audited(sounds)
    assert names(found) == {name}
    bad = named(found, name)
    assert bad.severity == severity
    assert bad.text.startswith("1 clip is ")
    assert [(row["path"], row["label"]) for row in bad.rows] == [("low/low_2.wav", "low")]


@pytest.mark.parametrize("gain", [-1.0, -0.9])
def test_opposite_channels_are_not_called_silent(sounds: Path, gain: float) -> None:
    y, sr = soundfile.read(sounds / "low" / "low_0.wav")
    soundfile.write(sounds / "low" / "low_0.wav", np.stack([y, gain * y], axis=1), sr)
    found = audited(sounds)
    assert "silent" not in names(found)
    finding = named(found, "cancelled-channels")
    assert [row["path"] for row in finding.rows] == ["low/low_0.wav"]
    assert "`audio.channel: left`" in finding.advice


@pytest.mark.parametrize("right", [lambda y: y, lambda y: 0.0 * y, lambda y: 0.0 * y[::-1] + 1e-5])
def test_channels_that_do_not_cancel_are_no_finding(
    sounds: Path, right: Callable[[np.ndarray], np.ndarray]
) -> None:
    y, sr = soundfile.read(sounds / "low" / "low_0.wav")
    soundfile.write(sounds / "low" / "low_0.wav", np.stack([y, right(y)], axis=1), sr)
    assert "cancelled-channels" not in names(audited(sounds))


@pytest.mark.parametrize(
    ("label", "name", "severity"),
    [
        ("silence", "silent-class", "info"),
        ("_Silence_", "silent-class", "info"),
        ("no_sound", "silent-class", "info"),
        ("owl", "silent", "finding"),
    ],
)
def test_silence_of_a_class_of_silence_is_no_fault(
    tmp_path: Path, label: str, name: str, severity: str
) -> None:
    for n in range(4):
        write_wav(tmp_path / "dog" / f"{n}.wav", tone(440.0 + n, 0.5, 8000, n))
        write_wav(tmp_path / label / f"{n}.wav", 0.0 * tone(440.0, 0.5, 8000, 0))
    found = audited(tmp_path)
    assert {"silent", "silent-class"} & names(found) == {name}
    assert named(found, name).severity == severity
    assert ("Keep them" in named(found, name).advice) == (severity == "info")


def test_clipping_in_many_clips_is_a_finding_that_names_the_class(sounds: Path) -> None:
    for index in range(4):
        y = CHANGES["clipped"](tone(300.0, 0.4, 8000, index))
        write_wav(sounds / "low" / f"low_{index}.wav", y)
    found = named(audited(sounds), "clipped")
    assert found.severity == "finding"
    assert "4 of them are 'low', of 8" in found.text


def test_a_file_that_decodes_short_is_a_finding() -> None:
    info = AudioInfo("MP3", "MPEG_LAYER_III", 8000, 1, 16000)
    message = "header says 16000 frames of audio, file holds 8000"
    found = named(of_rows(with_row(info=info, seconds=1.0, message=message)), "decode-short")
    assert found.severity == "finding"
    assert found.rows[0] == {
        "path": "a/000.wav",
        "label": "a",
        "promised_s": 2.0,
        "decoded_s": 1.0,
        "message": message,
    }


@pytest.mark.parametrize(
    ("audio", "seconds"),
    [
        (AudioConfig(sr=8000, duration=0.5), 0.5),
        (AudioConfig(sr=8000, offset=0.75), 0.25),
        (AudioConfig(sr=22050), 1.00004),
    ],
)
def test_what_the_config_leaves_out_is_not_short(audio: AudioConfig, seconds: float) -> None:
    rows = [replace(row, seconds=seconds) for row in ledger_of(dataset_of(10))]
    assert "decode-short" not in names(of_rows(rows, audio))


def test_a_truncated_file_that_was_refused_is_decoded_short_too(sounds: Path) -> None:
    path = sounds / "low" / "low_2.wav"
    path.write_bytes(path.read_bytes()[:-1000])
    found = audited(sounds)
    assert names(found) == {"decode-short"}
    row = named(found, "decode-short").rows[0]
    assert row["path"] == "low/low_2.wav"
    assert row["message"].startswith("header says")


def test_a_file_that_cannot_be_read_is_a_finding_with_its_reason(sounds: Path) -> None:
    (sounds / "low" / "low_2.wav").write_bytes(b"not audio at all")
    found = audited(sounds)
    bad = named(found, "unreadable")
    assert (bad.severity, found.facts["failed"]) == ("finding", 1)
    assert "not WAV/FLAC/OGG/AIFF/MP3 audio" in bad.rows[0]["message"]


def test_a_remark_of_the_reader_is_passed_on(sounds: Path) -> None:
    path = sounds / "low" / "low_2.wav"
    path.rename(path.with_suffix(".mp3"))
    found = named(audited(sounds), "remark")
    assert found.severity == "info"
    assert found.rows[0]["message"] == "WAV data in a file named .mp3"


@pytest.mark.parametrize("seconds", [0.02, 9.0])
def test_an_odd_length_is_reported_with_the_median(sounds: Path, seconds: float) -> None:
    write_wav(sounds / "low" / "low_2.wav", tone(300.0, seconds, 8000, 2))
    found = named(audited(sounds, AudioConfig(sr=8000, duration=1.0)), "odd-length")
    assert found.severity == "info"
    assert found.rows[0]["seconds"] == pytest.approx(seconds, abs=0.001)
    assert "with a median of 0.4" in found.text


def test_lengths_that_vary_widely_are_not_odd() -> None:
    rows = [
        replace(row, info=AudioInfo("WAV", "PCM_16", 8000, 1, 800 * (index + 1)))
        for index, row in enumerate(ledger_of(dataset_of(10)))
    ]
    assert "odd-length" not in names(of_rows(rows))


def test_mixed_formats_are_counted_by_class(sounds: Path) -> None:
    for index in range(3):
        write_wav(sounds / "low" / f"low_{index}.wav", tone(300, 0.4, 16000, index), 16000)
    found = named(audited(sounds), "mixed-formats")
    assert found.severity == "info"
    assert [(r["format"], r["label"], r["clips"], r["of"]) for r in found.rows] == [
        ("WAV 16-bit, 16000 Hz, mono", "low", 3, 8),
        ("WAV 16-bit, 8000 Hz, mono", "high", 8, 8),
        ("WAV 16-bit, 8000 Hz, mono", "low", 5, 8),
    ]


def test_every_finding_has_a_name_that_can_be_allowed(sounds: Path) -> None:
    for index, change in enumerate(("silence", "offset", "clipped", "off center")):
        write_wav(sounds / "low" / f"low_{index}.wav", CHANGES[change](tone(300.0, 0.4, 8000, 2)))
    write_wav(sounds / "low" / "low_4.wav", tone(300.0, 9.0, 8000, 2), subtype="PCM_24")
    (sounds / "low" / "low_5.wav").write_bytes(b"not audio at all")
    high = sounds / "high" / "high_0.wav"
    high.rename(high.with_suffix(".mp3"))
    high = sounds / "high" / "high_1.wav"
    high.write_bytes(high.read_bytes()[:-1000])
    y, sr = soundfile.read(sounds / "high" / "high_2.wav")
    soundfile.write(sounds / "high" / "high_2.wav", np.stack([y, -y], axis=1), sr)
    write_wav(sounds / "silence" / "0.wav", 0.0 * tone(300.0, 0.4, 8000, 2))
    assert names(audited(sounds)) == set(NAMES)
