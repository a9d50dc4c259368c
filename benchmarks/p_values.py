"""Check that p-values of detectors are uniform on new normal clips, by simulation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import kstest

from audioclf.builtin.classifiers.anomaly import (
    Detector,
    IsolationForest,
    LocalOutlierFactor,
    NearestNormal,
    OneClassSvm,
)

DETECTORS: dict[Detector, int] = {
    NearestNormal(): 25,
    LocalOutlierFactor(): 25,
    OneClassSvm(): 25,
    IsolationForest(n_estimators=50): 8,
}
"""Detectors, with the number of training sides."""
SIDES = [(50, 4, None), (200, 4, None), (200, 40, None), (200, 10, 10), (200, 10, 40)]
"""Clips, columns and groups of a training side; new clips are of new groups."""


def clips(rng: Any, n: int, columns: int, groups: int | None) -> tuple[Any, Any]:
    """Return rows and the group of each; groups and clips contribute the same variance."""
    rows = rng.normal(size=(n, columns))
    if groups is None:
        return rows.astype(np.float32), None
    of_clip = np.arange(n) % groups
    rows += rng.normal(size=(groups, columns))[of_clip]
    return rows.astype(np.float32), of_clip


def main() -> None:
    """Print a row for each detector and kind of training side."""
    warnings.simplefilter("ignore")
    print("| detector | clips | columns | groups | p <= 0.05 | p <= 0.1 | p <= 0.5 | KS distance |")
    print("|---|---|---|---|---|---|---|---|")
    for detector, repeats in DETECTORS.items():
        for n, columns, groups in SIDES:
            found = []
            for seed in range(repeats):
                rng = np.random.default_rng(seed)
                rows, of_clip = clips(rng, n, columns, groups)
                model: Any = detector.build(random_state=0)
                model.fit(rows, np.zeros(n, dtype=int), groups=of_clip)
                found.append(model.p_values(clips(rng, 200, columns, groups and 200)[0]))
            p = np.concatenate(found)
            shares = " | ".join(f"{np.mean(p <= limit):.3f}" for limit in (0.05, 0.1, 0.5))
            distance = kstest(p, "uniform").statistic
            sizes = f"{n} | {columns} | {groups or ''}"
            print(f"| `{detector.type_name()}` | {sizes} | {shares} | {distance:.3f} |", flush=True)


if __name__ == "__main__":
    main()
