"""The 72 cases of bad input, by number: message and exit code.

A case is tried here by the command line on a small dataset, or by the test in `ELSEWHERE`; the last
test checks that none is missing.
"""

import dataclasses
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from audioclf.components.discovery import discover
from audioclf.config.loading import load_config
from audioclf.evaluation.splits import Predefined
from audioclf.experiment.prepared import load_dataset
from audioclf.features.extraction import extract
from tests.conftest import REPO, Done, run_cli
from tests.hostile.files import (
    EXTENSIBLE,
    Entry,
    chunk,
    encoded,
    float_wav,
    fmt,
    noise,
    pcm16,
    rf64,
    riff,
    wav,
    zip_of,
)

MIB = 1 << 20
SOUND = wav(pcm16(2000), sr=8000)
NAN, INF = float("nan"), float("inf")
AUDIO = chunk(b"data", pcm16(1000))
CONFIG = """\
dataset: {type: zip, path: data.zip}
audio: {sr: 8000, duration: 0.3}
featurizers:
  mel: {type: mel, n_fft: 256, hop_length: 128, n_mels: 8}
split: {type: stratified_kfold, n_splits: 2}
classifiers:
  logreg: {type: logistic_regression}
metrics: [accuracy]
audit: false
final: none
report: {html: false, plots: false}
"""


def sounds(label: str, count: int = 3) -> tuple[Entry, ...]:
    """Return good clips of one class."""
    names = (f"data/{label}/{n}.wav".encode() for n in range(count))
    return tuple(
        Entry(name, wav(pcm16(2000, seed=n), sr=8000), method=8) for n, name in enumerate(names)
    )


GOOD = (*sounds("cat"), *sounds("dog"))


def with_entry(*entries: Entry) -> bytes:
    return zip_of(*GOOD, *entries)


def with_clip(data: bytes) -> bytes:
    return with_entry(Entry(b"data/dog/bad.wav", data, method=8))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs a config in a folder of its own."""

    def call(archive: bytes | None = None, text: str = CONFIG, *args: str) -> Done:
        if archive is not None:
            (tmp_path / "data.zip").write_bytes(archive)
        config = tmp_path / "c.yaml"
        config.write_bytes(text.encode("utf-8", "surrogateescape"))
        return run_cli("run", config, "--out", tmp_path / "out", "--jobs", "1", *args)

    return call


Run = Callable[..., Done]


@dataclass(frozen=True)
class Case:
    """One bad input: the archive, or the clip in it, and the words of the refusal."""

    title: str
    archive: Callable[[], bytes]
    words: str
    code: int = 3


def entry(title: str, words: str, *entries: Entry) -> Case:
    return Case(title, lambda: with_entry(*entries), words)


def clip(title: str, words: str, data: Callable[[], bytes]) -> Case:
    return Case(title, lambda: with_clip(data()), words)


def bad_name(name: bytes) -> Entry:
    return Entry(name, SOUND)


def special(kind: int) -> Entry:
    return Entry(b"data/dog/x.wav", b"/etc/passwd", attributes=(kind | 0o777) << 16)


def overlapping() -> tuple[Entry, ...]:
    body = Entry(b"data/dog/a.wav", bytes(10_000), method=8)
    return (body, dataclasses.replace(body, name=b"data/dog/b.wav", offset=0))


REFUSED: dict[str, Case] = {
    "1": Case(
        "text", lambda: b"hello\n" * 9, "data.zip: not a readable zip archive (looks like te"
    ),
    "2": Case(
        "empty-file", lambda: b"", "data.zip: not a readable zip archive (the file is empty)"
    ),
    "3": Case(
        "truncated", lambda: zip_of(*GOOD)[:-40], "data.zip: not a readable zip archive (trun"
    ),
    "4": Case("no-entry", lambda: zip_of(), "data.zip: no audio files found"),
    "4b": Case("junk-only", lambda: zip_of(Entry(b"__MACOSX/._0.wav")), "no audio files found"),
    "5": entry("climbs-out", "!../../x.wav: entry leaves the archive", bad_name(b"../../x.wav")),
    "5b": entry("climbs-inside", "entry leaves the archive", bad_name(b"a/../../x.wav")),
    "6": entry("absolute", "!/abs/x.wav: entry with an absolute path", bad_name(b"/abs/x.wav")),
    "7": entry("drive", "!C:/x.wav: entry with an absolute path", bad_name(rb"C:\x.wav")),
    "7b": entry("share", "entry with an absolute path", bad_name(rb"\\server\x.wav")),
    "9": entry("climbs-out-windows", "entry leaves the archive", bad_name(rb"..\..\evil.wav")),
    "10": entry("symlink", "!data/dog/x.wav: not a regular file", special(stat.S_IFLNK)),
    "11": entry("fifo", "!data/dog/x.wav: not a regular file", special(stat.S_IFIFO)),
    "11b": entry("device", "!data/dog/x.wav: not a regular file", special(stat.S_IFBLK)),
    # Were it read, it would be called damaged: it holds a thousandth of what it declares.
    "12": entry(
        "ratio-bomb",
        f"would unpack to {400 * MIB} (limit 250:1)",
        Entry(b"data/dog/x.wav", bytes(400_000), method=8, size=400 * MIB),
    ),
    "13": Case("overlap-bomb", lambda: zip_of(*overlapping()), "overlaps inside the archive"),
    "14": entry("nested", "more.zip: zip inside zip is not read", Entry(b"data/dog/more.zip")),
    "15": entry(
        "claims-too-little",
        "bad.wav: damaged entry: holds 1001 bytes, 1000 declared",
        Entry(b"data/dog/bad.wav", bytes(2 * MIB), method=8, size=1000),
    ),
    "16": entry(
        "claims-4-gib",
        "4294967294 bytes unpacked (limit 536870912)",
        Entry(b"data/dog/x.wav", bytes(3000), method=8, size=2**32 - 2),
    ),
    "18": entry("encrypted", "unpack with the password first", Entry(b"data/dog/x.wav", flags=1)),
    "19": entry("lzma", "compression method 14 not supported", Entry(b"data/x.wav", method=14)),
    "19b": entry("method-97", "compression method 97 not", Entry(b"data/x.wav", method=97)),
    "20": entry("bad-crc", "bad.wav: damaged entry: its CRC", Entry(b"data/dog/bad.wav", crc=1)),
    "21": entry("same-name", "dog/0.wav: two entries with this name", GOOD[3]),
    "22": entry("only-case", "0.WAV: differs from data/dog/0.wav only", Entry(b"data/dog/0.WAV")),
    "23": entry(
        "not-utf-8", r"b'\xff\xfe.wav' is not valid UTF-8", Entry(b"\xff\xfe.wav", flags=0x800)
    ),
    "24": entry("nul", r"!'data/dog\x00.wav': control character", bad_name(b"data/dog\0.wav")),
    "24b": entry(
        "escape", r"'data/\x1b[31m.wav': control character", bad_name(b"data/\x1b[31m.wav")
    ),
    "25": entry("empty-name", "!'': entry with an empty name", bad_name(b"")),
    "26": entry("long-name", "entry name longer than 1024 bytes", bad_name(b"x" * 5000)),
    "26b": entry("deep", "3000 folders deep (limit 32)", bad_name(b"d/" * 3000 + b"x.wav")),
    "28": clip("no-bytes", "dog/bad.wav: only 0 bytes", lambda: b""),
    "29": clip("riff-only", "no 'data' chunk", lambda: riff()),
    "30": clip("no-fmt", "no 'fmt ' chunk", lambda: riff(AUDIO)),
    "31": clip(
        "cut-short",
        "truncated: header says 32000 bytes of audio, file holds 8000",
        lambda: wav(data_size=32_000),
    ),
    "32": clip("killed-recorder", "unfinished recording?", lambda: wav(data_size=0)),
    "34": clip("no-samples", "no audio samples", lambda: wav(b"")),
    "37": clip("nan", "2 NaN/inf samples of 4", lambda: float_wav([0.1, NAN, INF, 0.2])),
    "37b": clip("all-nan", "100 NaN/inf samples of 100", lambda: float_wav([NAN] * 100)),
    "38": clip("loud", "not normalised audio: samples up to 1e+38", lambda: float_wav([0.1, 1e38])),
    "39": clip("1-hz", "sample rate 1 Hz is outside", lambda: wav(sr=1)),
    "39b": clip("0-hz", "sample rate 0 Hz is outside", lambda: wav(sr=0)),
    "39c": clip("2147483647-hz", "sample rate 2147483647 Hz is", lambda: wav(sr=2**31 - 1)),
    "43": clip("1024-channels", "1024 channels (limit 64)", lambda: wav(channels=1024)),
    "43b": clip("65535-channels", "65535 channels (limit 64)", lambda: wav(channels=65_535)),
    "44": clip(
        "100000-chunks",
        "more than 1000 chunks",
        lambda: riff(*[chunk(b"JUNK", b"")] * 100_000, fmt(), AUDIO),
    ),
    "45": clip("html", "(looks like an HTML page)", lambda: b"<html><body>404</body></html>"),
    "45b": clip("png", "(looks like a PNG image)", lambda: b"\x89PNG\r\n\x1a\n" + bytes(99)),
    "45c": clip("zip-named-wav", "(looks like a zip archive)", lambda: b"PK\3\4" + bytes(99)),
    "45d": clip(
        "lfs",
        "(looks like a Git LFS pointer)",
        lambda: b"version https://git-lfs.github.com/spec/v1\n",
    ),
    "49": Case(
        "one-class", lambda: zip_of(*sounds("cat")), "at least two class folders are needed"
    ),
    "50": Case(
        "class-of-one",
        lambda: zip_of(*sounds("dog"), *sounds("cat", 1)),
        "class 'cat' has 1 clip, needs 2",
    ),
}


@pytest.mark.parametrize(
    "case", REFUSED.values(), ids=[f"case-{n}-{c.title}" for n, c in REFUSED.items()]
)
def test_a_bad_input_is_refused_in_one_sentence(case: Case, run: Run, tmp_path: Path) -> None:
    outside = sorted(tmp_path.parent.iterdir())
    done = run(case.archive())
    assert done.returncode == case.code, done.stderr + done.stdout
    assert case.words in done.stderr
    assert done.stderr.startswith("audioclf: error: ")
    assert done.stdout == ""
    assert "data.zip" in done.stderr
    assert "Traceback" not in done.stderr
    assert max(map(len, done.stderr.splitlines())) < 500
    assert not (tmp_path / "out" / "record.json").exists()
    assert sorted(tmp_path.parent.iterdir()) == outside


@pytest.mark.slow
def test_case_20_one_damaged_entry_leaves_the_others(run: Run, tmp_path: Path) -> None:
    archive = with_entry(Entry(b"data/dog/bad.wav", SOUND, crc=1))
    done = run(archive, CONFIG, "--set", "on_error=skip")
    assert done.returncode == 4, done.stderr
    assert "6 clips, 1 left out" in done.stdout
    assert "damaged entry: its CRC-32" in (tmp_path / "out" / "ledger.csv").read_text()


def test_case_17_too_many_entries(run: Run) -> None:
    done = run(zip_of(*GOOD), CONFIG, "--set", "limits.max_entries=5")
    assert done.returncode == 3
    assert "data.zip: 6 entries (limit 5)" in done.stderr
    assert "set limits.max_entries to accept more" in done.stderr


ACCEPTED: dict[str, bytes] = {
    "33-size-to-the-end": wav(data_size=0xFFFFFFFF),
    "35-one-sample": wav(b"\1\2"),
    "35-shorter-than-a-frame": wav(pcm16(20)),
    "36-silent": wav(bytes(4000)),
    "36-constant": float_wav([0.5] * 1000),
    "36-denormals": float_wav([1e-40, -1e-42] * 500),
    "40-768-khz": wav(pcm16(9000), sr=768_000),
    "40-eight-channels": wav(pcm16(1000, 8), channels=8),
    "40-wavex-six-channels": encoded("WAVEX", "PCM_24", noise(1000, 6)),
    "41-24-bit": encoded("WAV", "PCM_24"),
    "41-32-bit": encoded("WAV", "PCM_32"),
    "41-float": encoded("WAV", "FLOAT"),
    "41-double": encoded("WAV", "DOUBLE"),
    "41-a-law": encoded("WAV", "ALAW"),
    "41-u-law": encoded("WAV", "ULAW"),
    "41-ima-adpcm": encoded("WAV", "IMA_ADPCM"),
    "41-ms-adpcm": encoded("WAV", "MS_ADPCM"),
    "41-gsm": encoded("WAV", "GSM610", sr=8000),
    "41-rifx": encoded("WAV", "PCM_16", endian="BIG"),
    "42-rf64-of-2-60-bytes": rf64(2**60),
    "46-flac-named-wav": encoded("FLAC", "PCM_16"),
    "46-aiff-named-wav": encoded("AIFF", "PCM_16"),
    "46-mp3-named-wav": encoded("MP3", "MPEG_LAYER_III", noise(16_000)),
    "wav-extensible": riff(
        fmt(
            tag=EXTENSIBLE, extra=bytes.fromhex("16001000000000000100000000001000800000aa00389b71")
        ),
        AUDIO,
    ),
}


@pytest.mark.slow
def test_cases_33_35_36_40_41_42_46_and_8_27_are_accepted(run: Run, tmp_path: Path) -> None:
    dogs = [Entry(f"data/dog/{n}.wav".encode(), data) for n, data in ACCEPTED.items()]
    junk = [b"data/__MACOSX/._0.wav", b"data/.DS_Store", b"data/Thumbs.db", b"data/dog/._1.wav"]
    odd = [Entry(rb"data\dog\8-backslashes.wav", SOUND), *map(bad_name, junk)]
    done = run(zip_of(*sounds("cat"), *dogs, *odd))
    assert done.returncode == 0, done.stderr
    assert "ignored 4 hidden entries: .DS_Store, ._*, Thumbs.db, ..." in done.stderr
    assert "ignored 4 hidden entries" in (tmp_path / "out" / "record.json").read_text()
    short = "3 clips are shorter than one frame of 'mel' (256 samples, 0.032 s) and padded"
    assert done.stderr.count(short) == 1
    assert short in (tmp_path / "out" / "record.json").read_text()
    checked = run_cli("check", tmp_path / "c.yaml")
    assert "ignored 4 hidden entries" in checked.stdout
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["classes"] == ["cat", "dog"]
    ledger = (tmp_path / "out" / "ledger.csv").read_text().splitlines()[1:]
    assert [line for line in ledger if ",ok," not in line] == []
    assert len(ledger) == 3 + len(dogs) + 1
    warned = {line.split(",")[0]: line.split(",")[3] for line in ledger if line.split(",")[3]}
    assert warned == {
        "dog/46-flac-named-wav.wav": "FLAC data in a file named .wav",
        "dog/46-aiff-named-wav.wav": "AIFF data in a file named .wav",
        "dog/46-mp3-named-wav.wav": "MP3 data in a file named .wav",
    }
    assert any(line.startswith("dog/8-backslashes.wav,dog,") for line in ledger)


@pytest.mark.slow
def test_cases_35_36_short_and_silent_clips_are_listed(run: Run, tmp_path: Path) -> None:
    silent = Entry(b"data/dog/quiet.wav", wav(bytes(4000), sr=8000))
    report = ("--set", "audit=true", "--set", "report.html=true")
    short = Entry(b"data/dog/short.wav", wav(b"\1\2", sr=8000))
    done = run(with_entry(silent, short), CONFIG, *report)
    assert done.returncode == 0, done.stderr
    assert "silent" in done.stdout
    found = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert "quiet.wav" in json.dumps(found)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "silent: no sample above" in page
    assert "1 clip is shorter than one frame of" in page
    explored = run_cli("explore", tmp_path / "c.yaml", "--out", tmp_path / "look.html", code=0)
    assert "silent: no sample above" in explored.stdout


OF_FOLDER = CONFIG.replace("type: zip, path: data.zip", "type: folder, path: data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of good clips."""
    for each in GOOD:
        path = tmp_path / each.name.decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(each.data)
    return tmp_path / "data"


def test_case_42_a_sparse_recording_of_hours(run: Run, folder: Path) -> None:
    size = 128 << 20
    path = folder / "dog" / "long.wav"
    path.write_bytes(rf64(size, b""))
    os.truncate(path, path.stat().st_size + size)
    done = run(
        None,
        OF_FOLDER.replace(", duration: 0.3", ""),
        "--set",
        "featurizers.mel.pooling={type: stats}",
    )
    assert done.returncode == 3
    assert "long.wav: 4194.3 s of audio (limit 1800 s); limits.max_seconds accepts" in done.stderr


def test_case_47_what_is_no_readable_file(run: Run, folder: Path) -> None:
    os.mkfifo(folder / "dog" / "fifo.wav")
    (folder / "dog" / "dangling.wav").symlink_to("nowhere.wav")
    (folder / "dog" / "loop.wav").symlink_to("loop.wav")
    (folder / "dog" / "around").symlink_to(folder)
    done = run(None, OF_FOLDER)
    assert done.returncode == 3
    assert "3 of 9 clips cannot be used" in done.stderr
    assert "dog/dangling.wav: No such file or directory" in done.stderr
    assert "dog/fifo.wav: not a regular file" in done.stderr
    assert "dog/loop.wav: Too many levels of symbolic links" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_case_47_a_file_without_permission(run: Run, folder: Path) -> None:
    (folder / "dog" / "0.wav").chmod(0)
    done = run(None, OF_FOLDER)
    assert done.returncode == 3
    assert "dog/0.wav: Permission denied" in done.stderr


def test_case_48_a_file_that_goes_between_scan_and_read(run: Run, folder: Path) -> None:
    path = folder.parent / "c.yaml"
    path.write_text(OF_FOLDER)
    config = load_config(path)
    dataset = load_dataset(config, discover())
    (folder / "dog" / "1.wav").unlink()
    found = extract(dataset, config.audio, config.featurizers)
    assert [row.clip.id for row in found.failed] == ["dog/1.wav"]
    assert "dog/1.wav: No such file" in found.failed[0].message
    assert len(found.dataset) == 5


@pytest.mark.slow
def test_case_51_fewest_clips_below_the_folds(run: Run, tmp_path: Path) -> None:
    archive = zip_of(*sounds("dog", 6), *sounds("cat", 2))
    done = run(archive, CONFIG, "--set", "split.n_splits=5")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("folds lowered from 5 to 2") == 1
    assert "folds lowered from 5 to 2" in (tmp_path / "out" / "record.json").read_text()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert np.isfinite(metrics["cells"]["logreg"]["metrics"]["accuracy"]["value"])


LABELS = ["猫", "café", "\U0001f436", " lead", "no", "on", "1e3", "null", "1:30", "~", "=1+1", "-1"]


@pytest.mark.slow
def test_cases_52_53_labels_stay_as_they_are_everywhere(run: Run, folder: Path) -> None:
    for label in [*LABELS, "cafe\u0301"]:
        for n in range(2):
            path = folder / label / f"{len(label)}{n}.wav"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(SOUND)
    done = run(None, OF_FOLDER.replace("html: false", "html: true"))
    assert done.returncode == 0, done.stderr
    out = folder.parent / "out"
    expected = sorted([*LABELS, "cat", "dog"])
    assert json.loads((out / "metrics.json").read_text())["classes"] == expected
    from audioclf.runs.reading import read_run

    saved = read_run(out)
    assert list(saved.classes) == expected
    assert {clip.label for clip in saved.clips} == set(expected)
    page = (out / "report.html").read_text()
    for label in LABELS:
        assert label.strip() in page.replace("&#43;", "+")


def test_case_53_words_in_a_config_stay_words(tmp_path: Path) -> None:
    folds = "predefined, test_folds: [no, on, 1e3, 1:30]"
    (tmp_path / "c.yaml").write_text(CONFIG.replace("stratified_kfold, n_splits: 2", folds))
    config = load_config(tmp_path / "c.yaml")
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    for each in (config, load_config(tmp_path / "again.yaml")):
        assert isinstance(each.split, Predefined)
        assert each.split.test_folds == ("no", "on", "1e3", "1:30")


BOMB = "a0: &a0 [lol]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
CONFIGS = {
    "54-billion-laughs": (BOMB, "aliases are not allowed"),
    "55-python-tag": ("dataset: !!python/object/apply:os.system [id]\n", "tags are not allowed"),
    "56-unknown-key": (CONFIG + "seeds: 3\n", "unknown key 'seeds'. Did you mean 'seed'"),
    "56-wrong-type": (CONFIG.replace("sr: 8000", "sr: [1]"), "audio.sr: expected a valid integer"),
    "56-boolean-number": (CONFIG.replace("sr: 8000", "sr: true"), "audio.sr: expected a valid int"),
    "56-text-number": (CONFIG.replace("sr: 8000", "sr: '8000'"), "audio.sr: expected a valid int"),
    "56-twice": (
        CONFIG + "metrics: [f1]\n",
        "duplicate key 'metrics': remove it here or in line 8",
    ),
    "56-nan": (CONFIG.replace("0.3", ".nan"), ".nan is not a finite number"),
    "56-brackets": ("a: " + "[" * 5000, "nested more than 32 levels deep"),
    "56-not-utf-8": ("name: \udcff\n", "byte 6 is not UTF-8"),
    "56-a-megabyte": ("# " + "x" * MIB, "larger than 256 KiB"),
    "57-output-elsewhere": ("name: ../../etc/passwd\n" + CONFIG, "name: "),
}


@pytest.mark.parametrize(("text", "words"), CONFIGS.values(), ids=[f"case-{n}" for n in CONFIGS])
def test_a_bad_config_is_refused(text: str, words: str, run: Run, tmp_path: Path) -> None:
    done = run(zip_of(*GOOD), text)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "c.yaml" in done.stderr
    assert "pydantic" not in done.stderr
    assert "Traceback" not in done.stderr
    if "54" not in words:
        assert not (tmp_path / "out").exists()


ELSEWHERE = {
    17: "tests/hostile/test_zip_files.py::test_one_entry_too_many_is_refused",
    58: "tests/models/test_forged.py::test_a_pickle_is_never_loaded",
    59: "tests/models/test_forged.py::test_a_function_in_the_estimator_is_refused_by_name",
    60: "tests/models/test_forged.py::test_another_class_in_the_schema_is_refused",
    61: "tests/models/test_damage.py::test_every_flipped_byte_is_found_or_changes_nothing",
    62: "tests/models/test_forged.py::test_a_forged_estimator_is_refused",
    63: "tests/models/test_damage.py::test_limits_hold",
    64: "tests/models/test_compatibility.py::test_a_model_of_other_versions_or_plugins_is_refused",
    65: "tests/models/test_checks.py::test_a_model_of_other_columns_is_refused",
    66: "tests/hostile/test_full_disk.py::test_case_66_a_damaged_cache_is_rebuilt_and_counted",
    67: "tests/hostile/test_full_disk.py::"
    "test_case_67_a_full_cache_is_said_once_and_the_run_goes_on",
    68: "tests/hostile/test_full_disk.py::"
    "test_case_68_a_run_into_a_full_disk_can_be_finished_once_there_is_room",
    69: "tests/engines/test_processes.py::test_a_worker_that_is_killed_from_outside_costs_nothing",
    70: "tests/experiment/test_runs_elsewhere.py::"
    "test_a_clip_that_kills_its_worker_costs_that_clip_alone",
    71: "tests/features/test_cached_runs.py::test_an_interrupted_extraction_resumes",
    72: "tests/features/test_cache.py::test_kill_9_at_any_moment_leaves_no_damage",
}


def numbers_here() -> set[int]:
    """Return the numbers that stand in names of tests and cases of this file."""
    named = [name for name in globals() if name.startswith("test_case")]
    found = {int(n) for name in named for n in re.findall(r"\d+", name)}
    keys = [*REFUSED, *ACCEPTED, *CONFIGS]
    return found | {int(n) for key in keys for n in re.findall(r"^\d+", key)}


def test_all_72_cases_are_tested() -> None:
    assert numbers_here() | set(ELSEWHERE) == set(range(1, 73))
    for place in ELSEWHERE.values():
        file, name = place.split("::")
        assert re.search(rf"^def {name}\(", (REPO / file).read_text(), re.MULTILINE), place
