"""First two principal components of the features, standardised to mean 0 and variance 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Points = NDArray[np.float64]

MAX_CELLS = 40_000_000
"""Size of the matrix that is fitted at most; more clips are only projected."""

_BLOCK = 2048
_EXACT = 600


@dataclass(frozen=True)
class Plane:
    """Clips on the first two principal components.

    `points` have [shape=(n_clips, 2)]; `variance` is the share that each component explains.
    Of the features `n_columns` are not constant; the components were fitted on `n_fitted` clips.
    """

    points: Points
    variance: tuple[float, float]
    n_columns: int
    n_fitted: int

    @property
    def kept(self) -> float:
        """Share of the variance that both components explain, in [0, 1]."""
        return sum(self.variance)


def project(X: Matrix, seed: int) -> Plane:
    """Return the features of clips on a plane.

    All points are at 0 if all columns are constant. The seed is for the sample of clips and the
    approximate solver.
    """
    most = max(2, MAX_CELLS // max(1, X.shape[1]))
    rows = np.arange(len(X))
    if len(X) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(X), most, replace=False))
    fitted = X[rows].astype(np.float64)
    mean, deviation = fitted.mean(axis=0), fitted.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(1.0, np.abs(mean))
    n_columns = int(varies.sum())
    if not n_columns or len(rows) < 2:
        return Plane(np.zeros((len(X), 2)), (0.0, 0.0), n_columns, len(rows))
    mean, deviation = mean[varies], deviation[varies]
    components, shares = _components((fitted[:, varies] - mean) / deviation, seed)
    points = np.zeros((len(X), 2))
    for start in range(0, len(X), _BLOCK):
        block = (X[start : start + _BLOCK][:, varies] - mean) / deviation
        points[start : start + _BLOCK, : len(components)] = block @ components.T
    return Plane(points, shares, n_columns, len(rows))


def _components(Z: Points, seed: int) -> tuple[Points, tuple[float, float]]:
    """Return the first two principal components [shape=(n, n_columns)] and their shares."""
    from sklearn.decomposition import PCA

    n = min(2, *Z.shape)
    solver = "full" if min(Z.shape) <= _EXACT else "randomized"
    pca = PCA(n_components=n, svd_solver=solver, random_state=seed).fit(Z)
    shares = [float(share) for share in pca.explained_variance_ratio_]
    return pca.components_, (shares[0], shares[1] if n > 1 else 0.0)
