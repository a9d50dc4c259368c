"""A featurizer whose module imports numpy."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from tests.testing.broken_components import Level


class Eager(Level):
    """The level of the whole clip."""

    type: Literal["eager"] = "eager"  # type: ignore[assignment]
    breaks: ClassVar[str] = "imports_nothing_heavy"
    says: ClassVar[str] = "importing tests.testing.heavy imports numpy; import inside the method"

    size: int = np.dtype(np.float32).itemsize
    """Bytes of a sample."""
