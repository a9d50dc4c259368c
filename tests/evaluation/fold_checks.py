"""Checks of the folds of any split."""

from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.splits import Split


def check_folds(split: Split, data: Dataset) -> None:
    """Check that the sides of a fold are all clips, and that folds depend on the seed alone."""
    for fold, again in zip(split.folds(data, 1).folds, split.folds(data, 1).folds, strict=True):
        assert sorted([*fold.train, *fold.test]) == list(range(len(data)))
        assert fold.test.tolist() == again.test.tolist()


def check_groups(split: Split, data: Dataset) -> None:
    """Check that no group is on both sides of a fold."""
    for fold in split.folds(data, 0).folds:
        train = {data.clips[i].group for i in fold.train}
        assert train.isdisjoint({data.clips[i].group for i in fold.test})
