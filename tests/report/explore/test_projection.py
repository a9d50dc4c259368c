"""The map: principal components of standardised columns."""

from pathlib import Path

import numpy as np
import pytest

from audioclf.report.explore import projection
from audioclf.report.explore.projection import project
from tests.report.explore.making import explored, make_config


def made(n_clips: int = 40, n_columns: int = 6, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n_clips, n_columns)) @ rng.normal(size=(n_columns, n_columns))
    return (mixed * 10.0 ** np.arange(n_columns) + 5).astype(np.float32)


def test_shares_and_points_are_those_of_the_correlation_matrix() -> None:
    X = made()
    expected = np.sort(np.linalg.eigvalsh(np.corrcoef(X, rowvar=False)))[::-1] / X.shape[1]
    plane = project(X, seed=0)
    assert plane.variance == pytest.approx(tuple(expected[:2]), abs=1e-5)
    assert plane.kept == pytest.approx(sum(expected[:2]), abs=1e-5)
    shares = plane.points.var(axis=0) / X.shape[1]
    assert tuple(shares) == pytest.approx(plane.variance, rel=1e-4)
    between = np.asarray(np.corrcoef(plane.points.T))[0, 1]
    assert between == pytest.approx(0, abs=1e-5)


def test_units_and_constant_columns_change_nothing() -> None:
    X = made()
    scaled = X * np.array([1, 1000, 1, 1, 0.01, 1], dtype=np.float32)
    more = np.column_stack([scaled, np.full(40, 7.0), np.zeros(40)]).astype(np.float32)
    plane = project(more, seed=0)
    assert plane.n_columns == 6
    np.testing.assert_allclose(plane.points, project(X, 0).points, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (5, 1), (3, 0)])
def test_few_clips_or_columns_still_have_a_place(shape: tuple[int, int]) -> None:
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    plane = project(X, seed=0)
    assert plane.points.shape == (shape[0], 2)
    assert np.isfinite(plane.points).all()
    assert 0 <= plane.kept <= 1 + 1e-9


def test_equal_clips_lie_on_one_point_and_keep_nothing() -> None:
    plane = project(np.ones((4, 3), dtype=np.float32), seed=0)
    assert plane.kept == 0
    assert not plane.points.any()


def test_many_clips_are_placed_by_the_directions_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    X = made(400)
    whole = project(X, seed=0)
    monkeypatch.setattr(projection, "MAX_CELLS", 200 * X.shape[1])
    some = project(X, seed=0)
    assert (whole.n_fitted, some.n_fitted) == (400, 200)
    assert len(some.points) == 400
    assert some.kept == pytest.approx(whole.kept, abs=0.05)
    np.testing.assert_array_equal(some.points, project(X, seed=0).points)


def test_wide_features_are_solved_about_as_well() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(700, 3)) @ rng.normal(size=(3, 700))).astype(np.float32)
    X += rng.normal(scale=0.1, size=X.shape).astype(np.float32)
    exact = np.linalg.svd((X - X.mean(0)) / X.std(0), compute_uv=False) ** 2
    assert project(X, seed=0).kept == pytest.approx((exact[:2] / exact.sum()).sum(), abs=1e-3)


def test_copies_of_a_clip_are_not_on_the_map(tmp_path: Path) -> None:
    path = make_config(tmp_path, ["cat", "dog"])
    plain = explored(path)
    text = path.read_text()
    path.write_text(text.replace("n_mfcc: 8}", "n_mfcc: 8, augment: {type: vtlp}}"))
    augmented = explored(path)
    assert augmented.config != plain.config
    np.testing.assert_array_equal(augmented.plane.points, plain.plane.points)
