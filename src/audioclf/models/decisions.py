"""The class that a model names: one of its own, none, or `unknown`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audioclf.models.calibration.maps import abstained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.models.bundle.manifest import Manifest
    from audioclf.models.class_distance import ClassDistance

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

UNKNOWN = "unknown"
"""Name of a sound of no known class, which no class may have."""

UNKNOWN_CODE = -2
"""Its code among predictions, where -1 is a class that the model withholds."""


def name_of(code: int, classes: tuple[str, ...]) -> str:
    """Return the name of a code; it is empty where the model withholds the class."""
    return UNKNOWN if code == UNKNOWN_CODE else classes[code] if code >= 0 else ""


def strangeness_of_scores(scores: Floats) -> Floats:
    """Return 1 - the highest score of each row [shape=(n_rows, n_classes)]."""
    strangeness: Floats = 1.0 - scores.max(axis=1)
    return strangeness


def decided(
    codes: Codes,
    scores: Floats | None,
    rows: NDArray[np.float32],
    manifest: Manifest,
    distance: ClassDistance | None,
) -> Codes:
    """Return the codes of rows of features with -1 where a model abstains, -2 where unknown."""
    codes = abstained(codes, scores, manifest.abstain_below)
    if (rule := manifest.unknown) is None:
        return codes
    if distance is not None:
        strangeness = distance.of(rows[:, : manifest.features.width])
    else:
        assert scores is not None
        strangeness = strangeness_of_scores(scores)
    return np.where(strangeness > rule.above, UNKNOWN_CODE, codes)
