"""Distance of a row of features to the nearest class.

Each class is a normal distribution around its mean, and all have one covariance of low rank plus
noise (probabilistic PCA; Tipping and Bishop 1999, *J. R. Stat. Soc. B* 61, 611-622). The distance
is that of Mahalanobis to the nearest mean, as in Lee et al., "A simple unified framework for
detecting out-of-distribution samples and adversarial attacks", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.models.arrays import checked_array, to_npy
from audioclf.models.refusal import RefusedError, refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import Codes, Weights
    from audioclf.models.bundle.manifest import Manifest

    Floats = NDArray[np.float32]

MAX_COMPONENTS = 64
FOLDER = "distance/"


@dataclass(frozen=True)
class ClassDistance:
    """The means of the classes and their covariance, in standardized features, float32.

    `center` and `scale` [shape=(n_features,)] standardize, `means` are those of the classes
    [shape=(n_classes, n_features)]; `components` [shape=(n_components, n_features)] span the
    directions whose standard deviations are `spread`, and `noise` [shape=(1,)] is that of the
    others.
    """

    center: Floats
    scale: Floats
    means: Floats
    components: Floats
    spread: Floats
    noise: Floats

    @classmethod
    def fit(
        cls, rows: Floats, codes: Codes, *, seed: int, weights: Weights | None = None
    ) -> ClassDistance:
        """Fit it on rows [shape=(n_rows, n_features)] of known classes."""
        from sklearn.decomposition import PCA

        if weights is None:
            center, scale = rows.mean(axis=0), rows.std(axis=0)
        else:
            used = weights > 0
            rows, codes, weights = rows[used], codes[used], weights[used]
            center = np.average(rows, axis=0, weights=weights)
            scale = np.sqrt(np.average(np.square(rows - center), axis=0, weights=weights))
        scale[scale == 0] = 1.0
        standard = (rows - center) / scale
        present, of_row = np.unique(codes, return_inverse=True)
        of_class = [of_row == code for code in range(len(present))]
        own = [None if weights is None else weights[of] for of in of_class]
        means = np.stack(
            [
                np.average(standard[of], axis=0, weights=w)
                for of, w in zip(of_class, own, strict=True)
            ]
        )
        within = standard - means[of_row]
        if weights is not None:
            within *= np.sqrt(weights / weights.mean())[:, None]
        freedom = max(1, len(rows) - len(present))
        # Three rows for each direction, or its variance is that of few rows.
        n_components = max(1, min(MAX_COMPONENTS, freedom // 3, rows.shape[1] - 1))
        pca = PCA(n_components, svd_solver="randomized", random_state=seed).fit(within)
        widest = max(float(pca.explained_variance_[0]), 1e-12)
        return cls(
            *(center.astype(np.float32), scale.astype(np.float32), means.astype(np.float32)),
            pca.components_.astype(np.float32),
            np.sqrt(np.maximum(pca.explained_variance_, 1e-6 * widest)).astype(np.float32),
            np.sqrt([max(float(pca.noise_variance_), 1e-6 * widest)]).astype(np.float32),
        )

    def of(self, rows: Floats) -> NDArray[np.float64]:
        """Return the distance of each row [shape=(n_rows,)], divided by the root of its width."""
        nearest = np.full(len(rows), np.inf)
        standard = (rows - self.center) / self.scale
        for mean in self.means:
            offset = standard - mean
            along = offset @ self.components.T
            rest = np.square(offset).sum(axis=1) - np.square(along).sum(axis=1)
            squared = np.square(along / self.spread).sum(axis=1)
            squared += np.maximum(rest, 0.0) / np.square(self.noise[0])
            nearest = np.minimum(nearest, squared)
        distance: NDArray[np.float64] = np.sqrt(nearest / rows.shape[1])
        return distance

    def to_files(self) -> dict[str, bytes]:
        """Return it as members of a bundle."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        return {f"{FOLDER}{name}.npy": to_npy(array) for name, array in arrays.items()}

    @classmethod
    def of_model(cls, files: Mapping[str, bytes], manifest: Manifest) -> ClassDistance | None:
        """Read it from a bundle, if its rule needs it; `RefusedError` if an array does not fit."""
        if manifest.unknown is None or manifest.unknown.method != "distance":
            return None
        width, n_classes = manifest.features.width, len(manifest.classes)
        shapes: dict[str, tuple[int | None, ...]] = {
            "center": (width,),
            "scale": (width,),
            "means": (None, width),  # of the classes that have a clip with a weight
            "components": (None, width),
            "spread": (None,),
            "noise": (1,),
        }
        arrays: dict[str, Any] = {}
        for name, shape in shapes.items():
            with refusing("structure", f"its array {name} cannot be read"):
                arrays[name] = checked_array(files[f"{FOLDER}{name}.npy"], np.float32, shape)
        read = cls(**arrays)
        finite = all(np.isfinite(array).all() for array in arrays.values())
        positive = all((arrays[name] > 0).all() for name in ("scale", "spread", "noise"))
        fits = read.components.shape == (len(read.spread), width)
        fits &= 1 <= len(read.means) <= n_classes
        if not (fits and finite and positive):
            raise RefusedError("structure", "its distances to the classes make no sense")
        return read
