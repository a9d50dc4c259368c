"""Full and read-only disks: one sentence, and no finished work is lost."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from audioclf.base.errors import ResultError
from tests.conftest import Done, damage_entries, run_cli
from tests.hostile.disks import Disk, mounted
from tests.models.making import classifier, fitted, made, written
from tests.predict.making import many

FULL = "cannot be written: No space left on device"
N_MELS = 16  # of the config that is run
READ_ONLY = "Read-only file system"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", mib=3) as found:
        yield found


def go(config: Path, out: Path, *args: str | Path) -> Done:
    model = ("--set", "final=best")
    return run_cli("run", config, "--out", out, "--no-cache", "--jobs", "1", *model, *args)


def final_files(folder: Path) -> dict[str, bytes]:
    """Return the files that stand under the name of a result."""
    if not folder.exists():
        return {}
    paths = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.slow
def test_case_68_a_run_into_a_full_disk_can_be_finished_once_there_is_room(
    toy_config: Path, disk: Disk
) -> None:
    older = disk.path / "older"
    assert go(toy_config, older).returncode == 0
    whole = final_files(older)
    out, ends = disk.path / "out", []
    for leave in (0, 12_000, 36_000):
        disk.fill(leave)
        done = go(toy_config, out)
        assert done.returncode == 6, (leave, done.stdout, done.stderr)
        errors = [line for line in done.stderr.splitlines() if "error: " in line]
        assert len(errors) == 1
        assert FULL in errors[0]
        assert str(out) in errors[0]
        assert "Free some space and run the same command" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        found = final_files(out)
        assert "record.json" not in found
        for name in ("folds.csv", "ledger.csv", "predictions.csv"):
            assert found.get(name, whole[name]) == whole[name]
        if "model.audioclf" in found:
            assert zipfile.ZipFile(out / "model.audioclf").testzip() is None
        ends.append(len(found))
        disk.make_room()
    assert ends[-1] > 0
    assert final_files(older) == whole
    assert go(toy_config, out).returncode == 0
    assert final_files(out)["predictions.csv"] == whole["predictions.csv"]


@pytest.mark.slow
def test_case_67_a_full_cache_is_said_once_and_the_run_goes_on(
    toy_config: Path, tmp_path: Path, disk: Disk
) -> None:
    disk.fill(12_000)
    args = ("run", toy_config, "--jobs", "1")
    done = run_cli(*args, "--cache-dir", disk.path / "cache", "--out", tmp_path / "a", code=0)
    assert done.stderr.count("features are not cached") == 1
    run_cli(*args, "--no-cache", "--out", tmp_path / "b", code=0)
    first, second = ((tmp_path / run / "predictions.csv").read_bytes() for run in "ab")
    assert first == second
    run_cli("cache", "verify", "--cache-dir", disk.path / "cache", code=0)


@pytest.mark.slow
def test_case_66_a_damaged_cache_is_rebuilt_and_counted(toy_config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    args = ("run", toy_config, "--jobs", "1", "--cache-dir", folder)
    run_cli(*args, "--out", tmp_path / "a", code=0)
    assert damage_entries(folder, N_MELS, 3) > 3
    pack = next(folder.rglob("*.pack"))
    left = [pack.with_name(f".{pack.name}.1.tmp"), pack.with_name("thesis.tex")]
    for path in left:
        path.write_bytes(b"half")
    os.utime(left[0], (0, 0))  # older than a day
    again = run_cli(*args, "--out", tmp_path / "b", code=0)
    assert again.stderr.count("3 damaged cache entries rebuilt") == 1
    assert "3 damaged cache entries rebuilt" in (tmp_path / "b" / "record.json").read_text()
    first, second = ((tmp_path / run / "predictions.csv").read_bytes() for run in "ab")
    assert first == second
    assert [path.exists() for path in left] == [False, True]
    assert "damaged" not in run_cli(*args, "--out", tmp_path / "c").stderr


def test_predictions_stay_whole_and_resume_with_the_same_bytes(tmp_path: Path, disk: Disk) -> None:
    model, folder = made(tmp_path / "m.audioclf"), many(tmp_path / "in", 30, 1.2)
    args = ("predict", model, folder, "--window", "0.5", "--hop", "0.05", "--jobs", "1")
    run_cli(*args, "--out", tmp_path / "whole.csv", code=0)
    whole = (tmp_path / "whole.csv").read_bytes()
    disk.fill(len(whole) // 2)
    out = disk.path / "found.csv"
    done = run_cli(*args, "--out", out, code=6)
    assert FULL in done.stderr
    assert "Traceback" not in done.stderr
    written = out.read_bytes()
    assert 0 < len(written) < len(whole)
    assert whole.startswith(written)
    assert written.endswith(b"\n")
    disk.make_room()
    run_cli(*args, "--out", out, "--resume", code=0)
    assert out.read_bytes() == whole


def test_case_68_a_bundle_survives_another_that_finds_no_room(disk: Disk) -> None:
    path = made(disk.path / "m.audioclf")
    before = path.read_bytes()
    disk.fill()
    with pytest.raises(ResultError, match=FULL) as caught:
        written(path, fitted(classifier("knn")))
    assert caught.value.exit_code == 6
    assert path.read_bytes() == before
    assert {each.name for each in disk.path.iterdir()} == {"m.audioclf", "filler"}


def test_what_cannot_be_written_to_a_read_only_disk_is_one_sentence(
    toy_config: Path, tmp_path: Path, disk: Disk
) -> None:
    model = made(disk.path / "m.audioclf")
    folder = many(disk.path / "in", 2)
    disk.make_read_only()
    out = disk.path / "out"
    for done in (
        go(toy_config, out),
        run_cli("predict", model, folder, "--out", disk.path / "found.csv"),
        run_cli("init", toy_config.parent / "sounds.zip", "--out", disk.path / "c.yaml"),
    ):
        assert done.returncode == 6, done.stderr
        assert done.stderr.startswith("audioclf: error: ")
        assert f"cannot be written: {READ_ONLY}" in done.stderr
        assert len(done.stderr.splitlines()) <= 2
    # What is read from there needs no writing beside it.
    run_cli("predict", model, folder, "--out", tmp_path / "found.csv", code=0)


@pytest.mark.slow
def test_case_67_a_read_only_cache_is_said_once_and_its_entries_are_used(
    toy_config: Path, tmp_path: Path, disk: Disk
) -> None:
    args = ("run", toy_config, "--jobs", "1", "--cache-dir", disk.path / "cache")
    run_cli(*args, "--out", tmp_path / "a", code=0)
    disk.make_read_only()
    run_cli(*args, "--out", tmp_path / "b", code=0)
    other = run_cli(*args, "--out", tmp_path / "c", "--set", "featurizers.mel.n_mels=12", code=0)
    assert other.stderr.count("features are not cached") == 1
    first, second = ((tmp_path / run / "predictions.csv").read_bytes() for run in "ab")
    assert first == second
