import numpy as np
import pytest

from audioclf.components import batches as module
from audioclf.components.batches import Batches


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Batches:
    monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 3 * 10)  # ten rows of three columns
    matrix = np.arange(300, dtype=np.float32).reshape(100, 3)
    rows = np.arange(0, 100, 3)
    return Batches(matrix, rows, rows % 2, 2)


def test_blocks_hold_all_rows_in_order(batches: Batches) -> None:
    blocks = list(batches)
    assert [len(X) for X, _ in blocks] == [10, 10, 10, 4]
    assert np.array_equal(np.concatenate([X for X, _ in blocks]), batches.matrix[batches.rows])
    assert np.array_equal(np.concatenate([y for _, y in blocks]), batches.y)


def test_shuffled_blocks_hold_each_row_once_with_its_label(batches: Batches) -> None:
    X = np.concatenate([X for X, _ in batches.shuffled(seed=1)])
    y = np.concatenate([y for _, y in batches.shuffled(seed=1)])
    found = (X[:, 0] // 3).astype(int)
    assert sorted(found) == batches.rows.tolist()
    assert np.array_equal(found % 2, y)
    assert found.tolist() != batches.rows.tolist()


def test_a_seed_deals_the_same_blocks(batches: Batches) -> None:
    first, again, other = (next(iter(batches.shuffled(seed)))[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_row_wider_than_a_block_comes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 8)
    rows = np.arange(3)
    assert [len(X) for X, _ in Batches(np.zeros((3, 5), np.float32), rows, rows, 3)] == [1, 1, 1]
