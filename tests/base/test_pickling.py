"""Many values that are pickled as the columns of a table."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from audioclf.base.pickling import Columns
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource, PartSource, Span

FILE = FileSource(Path("a.wav"))
CLIPS = [Clip("a", "x", FILE), Clip("b", "y", FileSource("b.wav"), "group", weight=2.0)]
PART = Clip("c", "x", PartSource(FILE, Span(0.5, 1.0)))


@pytest.mark.parametrize("values", [[], CLIPS, [*CLIPS, PART], [PART], [*CLIPS, "text"], [1, None]])
def test_columns_are_the_values_again(values: list[Any]) -> None:
    assert pickle.loads(pickle.dumps(Columns(values))).values == values


def test_a_dataset_is_pickled_with_all_that_it_has() -> None:
    dataset = Dataset(CLIPS, name="d", notes=["note"], hard={"windows": 3})
    _ = dataset.targets
    copy = pickle.loads(pickle.dumps(dataset))
    assert vars(copy).keys() == vars(dataset).keys()
    assert (copy.clips, copy.notes, copy.hard) == (dataset.clips, dataset.notes, dataset.hard)
    assert copy.classes == dataset.classes
