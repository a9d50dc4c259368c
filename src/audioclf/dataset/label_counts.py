"""Counts of clips with several labels: by class and state, and of two classes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.label_sets import States


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Clips of each class that are yes, no and not labelled, and clips of two classes at once.

    `together` [shape=(n_classes, n_classes)] has the clips of a class in its diagonal; in `none`
    clips no class is yes.
    """

    classes: tuple[str, ...]
    yes: tuple[int, ...]
    no: tuple[int, ...]
    unlabelled: tuple[int, ...]
    together: NDArray[np.intp]
    none: int

    @classmethod
    def of(cls, classes: tuple[str, ...], states: States) -> LabelCounts:
        """Return the counts of states [shape=(n_clips, n_classes)]."""
        yes, no, unlabelled = (
            tuple(np.count_nonzero(states == state, axis=0).tolist()) for state in (1, 0, -1)
        )
        has = (states == 1).astype(np.float32)  # exact up to 16 million clips, and fast
        together = (has.T @ has).astype(np.intp)
        return cls(classes, yes, no, unlabelled, together, int((~has.any(axis=1)).sum()))

    def pairs(self, most: int = 5) -> list[tuple[str, str, int]]:
        """Return the pairs of classes that are together most often, with their clips."""
        first, second = np.triu_indices(len(self.classes), 1)
        counts = self.together[first, second]
        order = np.argsort(-counts, kind="stable")[:most]
        return [
            (self.classes[first[at]], self.classes[second[at]], int(counts[at]))
            for at in order
            if counts[at]
        ]

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        rows = zip(self.yes, self.no, self.unlabelled, strict=True)
        return {
            "classes": {
                name: dict(zip(("yes", "no", "not_labelled"), row, strict=True))
                for name, row in zip(self.classes, rows, strict=True)
            },
            "without_any": self.none,
            "together": [
                {"classes": [one, other], "clips": clips} for one, other, clips in self.pairs()
            ],
        }

    def words(self) -> list[tuple[str, str]]:
        """Return titles and texts for the terminal."""
        states = zip(self.classes, self.yes, self.no, self.unlabelled, strict=True)
        counts = ", ".join(f"{name} {yes}/{no}/{rest}" for name, yes, no, rest in states)
        pairs = ", ".join(f"{one} and {other} {clips}" for one, other, clips in self.pairs())
        return [
            ("classes", f"{len(self.classes)}, as yes/no/not labelled: {counts}"),
            ("together", f"in most clips: {pairs}" if pairs else "no two classes"),
            ("no class", f"{self.none} clip{'s' * (self.none != 1)}"),
        ]
