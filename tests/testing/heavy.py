"""A featurizer whose module imports numpy."""

from typing import Literal

import numpy as np

from tests.testing.broken_components import Level, breaking


@breaking("imports_nothing_heavy", "importing tests.testing.heavy imports numpy; import inside")
class Eager(Level):
    """The level of the whole clip."""

    type: Literal["eager"] = "eager"  # type: ignore[assignment]

    size: int = np.dtype(np.float32).itemsize
    """Bytes of a sample."""
