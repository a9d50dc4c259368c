import gc
import pickle
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audioclf.base.errors import MemoryShortError
from audioclf.engines import sharing
from audioclf.features import matrix
from audioclf.features.matrix import GrowingMatrix, RowFile, keep_rows, new_matrix


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Make a matrix that has no room in memory."""
    monkeypatch.setattr(matrix, "MEMORY_SHARE", 0.0)
    found = new_matrix(1000, 1024)
    found[:] = np.arange(1000, dtype=np.float32)[:, None]
    return found


def open_files(folder: Path) -> list[str]:
    """Return the files of a folder that this process holds open, those without a name included."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(f"{folder}/")]


def test_a_matrix_is_in_memory_if_it_fits_and_else_in_a_file(
    mapped: np.ndarray[tuple[int, int], np.dtype[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type(mapped) is np.ndarray
    assert isinstance(mapped.base, np.memmap)
    monkeypatch.undo()
    assert type(new_matrix(10, 4)) is np.ndarray


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_workers_map_the_file_of_a_matrix_instead_of_copying_it(
    mapped: np.ndarray[tuple[int, int], np.dtype[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied() -> None:
        raise AssertionError("the matrix was copied")

    monkeypatch.setattr(sharing, "file_to_share", copied)
    kept = keep_rows(mapped, list(range(0, 1000, 2)))
    with sharing.packed(kept) as data:
        assert len(data) < 1000
        assert np.array_equal(pickle.loads(data)[:, 0], np.arange(0, 1000, 2))


@pytest.mark.skipif(sys.platform != "linux", reason="needs files in memory")
def test_rows_are_written_in_the_matrix_and_in_no_other_file(tmp_path: Path) -> None:
    found = new_matrix(10, 4, shared=True)
    file = RowFile.of(found)
    assert file is not None
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    assert pickle.loads(pickle.dumps(file)).write(3, rows)
    assert np.array_equal(found[3:5], rows)
    assert found.sum() == rows.sum()
    other = tmp_path / "other"
    other.write_bytes(b"its own content")
    assert not replace(file, path=str(other)).write(0, rows)
    assert other.read_bytes() == b"its own content"
    assert not replace(file, path=str(tmp_path / "none")).write(0, rows)


def test_a_matrix_to_share_is_a_plain_one_without_files_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    found = new_matrix(10, 4, shared=True)
    assert type(found) is np.ndarray
    assert RowFile.of(found) is None
    large = np.arange(sharing.MAPPED_BYTES, dtype=np.uint8)
    with sharing.packed(large) as data:
        assert np.array_equal(pickle.loads(data), large)


@pytest.mark.skipif(sys.platform != "linux", reason="needs limits on the size of files")
def test_a_matrix_to_share_is_a_plain_one_if_no_file_may_be_as_large() -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        found = new_matrix(1000, 1024, shared=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert RowFile.of(found) is None


def test_rows_of_a_matrix_are_sent_back_where_its_file_has_no_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(matrix, "path_of_open_file", lambda file: str(tmp_path / "no proc"))
    assert RowFile.of(new_matrix(10, 4, shared=True)) is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_file_ends_with_the_matrix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(matrix, "MEMORY_SHARE", 0.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = new_matrix(100, 100)
    assert list(tmp_path.iterdir()) == []
    assert len(set(open_files(tmp_path))) == 1
    part = found[10:20]
    del found
    gc.collect()
    assert part.sum() == 0.0
    del part
    gc.collect()
    assert open_files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs limits on the size of files")
def test_a_disk_without_room_for_a_matrix_is_named_before_it_is_filled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import resource

    monkeypatch.setattr(matrix, "MEMORY_SHARE", 0.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(MemoryShortError, match="fit neither in memory nor in") as caught:
            new_matrix(1000, 1024)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.exit_code == 6
    assert "File too large" in caught.value.message
    gc.collect()
    assert open_files(tmp_path) == []


def test_a_growing_matrix_holds_all_blocks_in_their_order() -> None:
    blocks = [np.full((n, 3), n, dtype=np.float32) for n in (1, 40, 2, 0, 7)]
    grown = GrowingMatrix()
    for block in blocks:
        grown.append(block)
    assert (grown.finished() == np.concatenate(blocks)).all()
    assert GrowingMatrix().finished().shape == (0, 0)
