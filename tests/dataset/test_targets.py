"""Targets: the only form in which labels and groups reach evaluation and audits."""

from __future__ import annotations

import pytest

from audioclf.dataset.dataset import Clip, Dataset


def dataset(groups: list[str | None]) -> Dataset:
    made = [
        Clip(f"{i}.wav", "ba"[i % 2], source=None, group=group)  # type: ignore[arg-type]
        for i, group in enumerate(groups)
    ]
    return Dataset(made, name="d")


def test_codes_are_positions_in_the_sorted_classes() -> None:
    targets = dataset(["x"] * 5).targets
    assert targets.classes == ("a", "b")
    assert targets.codes.tolist() == [1, 0, 1, 0, 1]
    assert targets.counts.tolist() == [2, 3]
    assert (len(targets), targets.n_classes) == (5, 2)


def test_the_resampling_unit_is_the_group_where_every_clip_has_one() -> None:
    targets = dataset(["y", "x", "y", "x"]).targets
    assert targets.unit == "group"
    assert targets.unit_codes.tolist() == [1, 0, 1, 0]
    assert targets.groups is targets.unit_codes


@pytest.mark.parametrize("groups", [["x", None, "x", "y"], [None] * 4])
def test_the_resampling_unit_is_the_clip_where_one_has_no_group(
    groups: list[str | None],
) -> None:
    targets = dataset(groups).targets
    assert (targets.unit, targets.groups) == ("clip", None)
    assert targets.unit_codes.tolist() == [0, 1, 2, 3]


def test_targets_are_made_once() -> None:
    made = dataset(["x", "y"])
    assert made.targets is made.targets
