"""More kinds of bad input that users meet, beside the 72 cases."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from audioclf.audio.decode import decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DatasetError, DecodeError
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.config.loading import load_config
from audioclf.dataset.archive import open_archive
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.predict.inputs import collect
from audioclf.predict.sinks import label_files
from tests.conftest import CONFIG as TOY
from tests.conftest import run_cli
from tests.hostile import files

AUDIO = AudioConfig(sr=8000)
DATA = files.chunk(b"data", files.pcm16(1000))


def decoded(data: bytes) -> int:
    found = decode(files.MemorySource(data), AUDIO)
    assert np.isfinite(found.y).all()
    return found.info.frames


def refused(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(files.MemorySource(data), AUDIO)
    assert "\n" not in caught.value.message
    return caught.value.message


def unzipped(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "data.zip"
    path.write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        open_archive(path)
    return caught.value.message


# Headers of recorders


def sparse(path: Path, size: int, **fields: int) -> FileSource:
    """Write a header and let zeros follow, which take no room on the disk."""
    path.write_bytes(files.wav(b"", **fields))
    os.truncate(path, 44 + size)
    return FileSource(path)


def test_kind_1_a_wav_of_three_gigabytes_is_read_in_part(tmp_path: Path) -> None:
    source = sparse(tmp_path / "3.wav", 3 << 30, data_size=3 << 30)
    assert inspect(source).frames == 3 << 29
    assert len(decode(source, AudioConfig(sr=16_000, duration=1.0)).y) == 16_000


def test_kind_1_a_size_that_ran_over_at_four_gigabytes_is_no_short_clip(tmp_path: Path) -> None:
    source = sparse(tmp_path / "5.wav", 5 << 30, data_size=1 << 30)
    with pytest.raises(DecodeError, match="header says 1073741824 bytes of audio, and 5368709120"):
        inspect(source)


def test_kind_2_a_chunk_of_odd_size_without_its_pad_byte() -> None:
    lists = b"LIST" + struct.pack("<I", 5) + b"INFOx"
    assert decoded(files.riff(files.fmt(), lists, DATA)) == 1000
    assert decoded(files.riff(files.fmt(), lists + b"\0", DATA)) == 1000


@pytest.mark.parametrize("ident", [b"LIST", b"bext", b"iXML"])
def test_kind_4_metadata_that_claims_the_rest_of_the_file(ident: bytes) -> None:
    broken = files.chunk(ident, b"INFO", size=2**31)
    assert "no 'data' chunk" in refused(files.riff(files.fmt(), broken, DATA))
    assert decoded(files.riff(files.fmt(), DATA, broken)) == 1000


def test_kind_5_an_mp3_inside_of_a_wav_is_refused() -> None:
    assert "cannot be decoded" in refused(files.wav(tag=0x55, bits=0))


def test_kind_8_a_rate_that_changes_within_an_mp3_does_not_change_what_came_before() -> None:
    first = files.encoded("MP3", "MPEG_LAYER_III", files.noise(16_000), sr=16_000)
    second = files.encoded("MP3", "MPEG_LAYER_III", files.noise(44_100), sr=44_100)
    assert decoded(first + second) == 16_000


def test_kind_9_float_samples_from_denormal_to_full_scale() -> None:
    y = np.array([1e-45, -1e-38, 1.0, -1.0] * 250, dtype=np.float32)
    assert decoded(files.wav(y.tobytes(), tag=3, bits=32, sr=44_100)) == 1000


# Archives


def test_kind_11_the_only_disk_that_says_there_are_others(tmp_path: Path) -> None:
    data = bytearray(files.zip_of(files.Entry(b"dog/1.wav")))
    data[-18:-14] = struct.pack("<HH", 1, 1)
    path = tmp_path / "data.zip"
    path.write_bytes(data)
    assert [member.read() for member in open_archive(path).members] == [b"data"]


def test_kind_12_a_comment_with_an_end_of_its_own_is_never_half_an_archive(tmp_path: Path) -> None:
    plain = files.zip_of(files.Entry(b"dog/1.wav"), files.Entry(b"cat/1.wav"))
    comment = b"PK\5\6" + bytes(18)
    path = tmp_path / "data.zip"
    path.write_bytes(plain[:-2] + struct.pack("<H", len(comment)) + comment)
    with pytest.raises(DatasetError, match="no audio files found"):
        ZipDataset(path=path).load()


# Names and folders


NASTY = [
    "a\nb.wav",
    "\x1b[2J.wav",
    "a\u202egpj.wav",
    "tab\t.wav",
    "a\u0007.wav",
    " .wav",
    "-rf.wav",
]


def test_kind_14_names_that_a_terminal_obeys_fit_into_one_printable_line(tmp_path: Path) -> None:
    for label in ("dog", "cat"):
        for name in NASTY:
            path = tmp_path / label / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
    for clip in FolderDataset(path=tmp_path).load():
        with pytest.raises(DecodeError) as caught:
            decode(clip.source, AUDIO)
        assert caught.value.message.isprintable()


def test_kind_14_no_name_begins_a_message_of_its_own(toy_config: Path, sounds: Path) -> None:
    (sounds / "low" / "x\naudioclf: done: 0 problems\x1b[2J.wav").write_bytes(b"")
    (sounds / "low" / "only 0 bytes").mkdir()
    toy_config.write_text(TOY.replace("zip, path: sounds.zip", "folder, path: sounds"))
    done = run_cli("run", toy_config, "--out", toy_config.parent / "out", code=3)
    assert r"x\naudioclf: done: 0 problems\x1b[2J.wav: only 0 bytes" in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("audioclf: done")] == []


def test_kind_15_classes_that_differ_by_case_or_spaces_are_told() -> None:
    labels = ["Dog", "dog", "dog ", "cat"]
    clips = [Clip(label, label, files.MemorySource(b"")) for label in labels]
    notes = Dataset(clips, name="x").notes
    assert notes == (
        "classes 'Dog' and 'dog' differ only by case or spaces: are they one?",
        "classes 'Dog' and 'dog ' differ only by case or spaces: are they one?",
    )
    assert Dataset(clips, name="x", notes=notes).notes == notes


def test_kind_16_label_files_are_named_as_every_system_can(tmp_path: Path) -> None:
    for name in ("CON.wav", "a:b.wav", "dot. .wav", "line\n.wav", "x" * 240 + ".wav", "a_b.wav"):
        (tmp_path / name).write_bytes(files.wav())
    names = list(label_files(collect([str(tmp_path)]).recordings).values())
    assert len(names) == len(set(names)) == 6
    assert {"_CON.txt", "a_b.txt", "a_b-2.txt", "line_.txt", "dot__.txt"} <= set(names)
    assert all(name.isprintable() and len(name) < 220 for name in names)


def test_kind_17_a_folder_that_is_named_as_a_file(tmp_path: Path) -> None:
    for name in ("a/x.wav/1.wav", "b/2.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(files.wav())
    clips = FolderDataset(path=tmp_path).load().clips
    assert [clip.id for clip in clips] == ["a/x.wav/1.wav", "b/2.wav"]
    with pytest.raises(DecodeError, match=r"x\.wav: Is a directory"):
        decode(FileSource(tmp_path / "a" / "x.wav"), AUDIO)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/stdin"])
def test_kind_18_a_device_is_not_read_without_end(device: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(FileSource(Path(device)), AUDIO)
    assert caught.value.message.startswith(f"{device}: ")


@pytest.mark.slow
def test_kind_19_a_very_long_label_goes_through_a_run(toy_config: Path, sounds: Path) -> None:
    (sounds / "low").rename(sounds / ("l" * 255))
    toy_config.write_text(TOY.replace("zip, path: sounds.zip", "folder, path: sounds"))
    run_cli("run", toy_config, "--out", toy_config.parent / "out", code=0)


# Tables and configs


def test_kind_21_a_config_of_another_system_is_the_same(toy_config: Path) -> None:
    config = load_config(toy_config)
    toy_config.write_bytes(TOY.replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_config(toy_config) == config


def test_kind_23_one_clip_in_two_classes_is_a_finding(toy_config: Path, sounds: Path) -> None:
    (sounds / "low" / "copy.wav").write_bytes((sounds / "high" / "high_0.wav").read_bytes())
    toy_config.write_text(TOY.replace("zip, path: sounds.zip", "folder, path: sounds"))
    done = run_cli("audit", toy_config, "--quick", code=3)
    assert "low/copy.wav" in done.stdout
    assert "high/high_0.wav" in done.stdout


def test_kind_25_a_wav_written_twice_into_one_file() -> None:
    """What stands behind the audio is no part of it; it is another recording."""
    once = files.wav(files.pcm16(1000))
    assert decoded(once + once) == 1000
