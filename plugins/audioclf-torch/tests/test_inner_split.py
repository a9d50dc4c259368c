from __future__ import annotations

import numpy as np
import pytest

from audioclf_torch.inner_split import held_out


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(20))
def test_clips_of_one_group_stand_on_one_side(seed: int) -> None:
    draws = rng(seed)
    y, groups = draws.integers(3, size=200), draws.integers(9, size=200)
    held = held_out(y, groups, 0.2, rng(seed))
    assert held.any()
    for group in np.unique(groups):
        assert len(np.unique(held[groups == group])) == 1


@pytest.mark.parametrize("seed", range(20))
def test_every_class_is_still_learned(seed: int) -> None:
    draws = rng(seed)
    y, groups = draws.integers(4, size=60), draws.integers(6, size=60)
    held = held_out(y, groups, 0.5, rng(seed))
    assert set(y[~held]) == set(y)
    assert held.sum() <= 30


def test_without_groups_each_class_gives_its_share() -> None:
    y = np.repeat(np.arange(4), 50)
    held = held_out(y, None, 0.2, rng(0))
    assert np.bincount(y[held]).tolist() == [10, 10, 10, 10]


def test_what_cannot_be_held_out_is_kept() -> None:
    y = np.repeat([0, 1], 10)
    assert not held_out(y, y, 0.1, rng(0)).any()


def test_the_seed_decides() -> None:
    y = np.repeat([0, 1], 50)
    first, second, other = (held_out(y, None, 0.1, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
