"""What a bundle remembers of its training clips, and what it says about predictions of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import ModelError
from audioclf.models.arrays import from_npy, to_npy
from audioclf.models.bundle.reading import load
from audioclf.models.bundle.training_clips import DIGESTS, SECONDS, TrainingClips
from tests.models.making import classifier, fitted, forged, made, packed, unpacked, written

KEY = "ab" * 32


def rows(n: int = 5, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, 7)).astype(np.float32)


def test_a_clip_is_known_by_its_features_to_the_last_bit() -> None:
    clips = TrainingClips.of(rows(), KEY)
    changed = rows()
    changed[3, 2] = np.nextafter(changed[3, 2], np.float32(9))
    assert clips.contains(changed).tolist() == [True, True, True, False, True]
    assert not clips.contains(rows(50, seed=1)).any()
    assert TrainingClips.of(rows(0), KEY).contains(rows()).tolist() == [False] * 5


def test_a_file_is_known_by_its_digest(tmp_path: Path) -> None:
    path = written(tmp_path / "m.audioclf", fitted(classifier("dummy")), digests=["ef" * 32, KEY])
    clips = load(path).clips
    assert clips is not None
    assert clips.contains_files([KEY, "cd" * 32, "ef" * 32]).tolist() == [True, False, True]
    assert not TrainingClips.of(rows(), KEY).contains_files([KEY]).any()


def test_what_is_kept_of_a_clip_is_eight_bytes_that_differ_between_datasets() -> None:
    one, other = TrainingClips.of(rows(), KEY), TrainingClips.of(rows(), "cd" * 32)
    assert one.digests.nbytes == 8 * 5
    assert not set(one.digests.tolist()) & set(other.digests.tolist())


def test_it_is_read_back_from_a_bundle(tmp_path: Path) -> None:
    found = fitted(classifier("dummy"))
    path = written(tmp_path / "m.audioclf", found, seconds=[0.5] * 40 + [0.2] * 10)
    model = load(path)
    assert model.clips is not None
    assert model.clips.seconds is not None
    assert model.clips.seconds.tolist() == [0.2, 0.5, 0.5]
    assert model.trained_on(found.X).all()
    turned = to_npy(from_npy(unpacked(path)[DIGESTS])[::-1])
    assert load(forged(path, {DIGESTS: turned})).trained_on(found.X).all()
    assert not model.trained_on(found.X + 1).any()


def test_an_older_bundle_remembers_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf")
    files = {name: data for name, data in unpacked(path).items() if name != DIGESTS}
    model = load(forged(packed(tmp_path / "old.audioclf", files)))
    assert model.clips is None
    assert not model.trained_on(np.zeros((2, model.row_width), np.float32)).any()


@pytest.mark.parametrize(
    "files",
    [
        {DIGESTS: to_npy(np.zeros((2, 2), np.uint64))},
        {DIGESTS: to_npy(np.zeros(2))},
        {DIGESTS: b"nothing"},
        {SECONDS: to_npy(np.array([3.0, 2.0, 1.0]))},
        {SECONDS: to_npy(np.array([1.0, np.nan, 2.0]))},
        {SECONDS: to_npy(np.array([-1.0, 1.0, 2.0]))},
        {SECONDS: to_npy(np.array([1.0, 2.0]))},
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = forged(made(tmp_path / "m.audioclf"), files)
    with pytest.raises(ModelError, match="its record of the training clips cannot be read"):
        load(path)


def test_lengths_unlike_those_of_the_training_are_said() -> None:
    clips = TrainingClips.of(rows(), KEY, [1.0, 2.0, 2.0, 2.0, 4.0])
    assert clips.length_warning(0.7) == clips.length_warning(2.0) == clips.length_warning(7.0) == ""
    assert clips.length_warning(0.2).startswith("0.2 s is much shorter than the training clips")
    assert clips.length_warning(9.0).endswith("most of which have 1.2 to 3.6 s")
    assert TrainingClips.of(rows(), KEY, [3.0, 3.0]).length_warning(0.5).endswith("have 3 s")
    assert TrainingClips.of(rows(), KEY).length_warning(0.001) == ""
