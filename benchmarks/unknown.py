"""Check the rule for unknown sounds by simulation: known clips that it loses, and its intervals."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.dataset.targets import Targets
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.extra_settings import UnknownConfig
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.models.unknown import Search

N_CLASSES, N_CLIPS, N_GROUPS, N_COLUMNS, N_NEW, LOST = 6, 300, 30, 8, 10_000, 0.05
PIPELINE = Pipeline("p", "f", "l", LogisticRegression(), "built in")


def clips(rng: Any, centers: Any, n: int, n_groups: int | None) -> tuple[Any, Any, Any]:
    """Return rows, classes and groups; a group adds half as much variance as a clip."""
    y, group = np.arange(n) % len(centers), np.arange(n) // len(centers) % (n_groups or n)
    rows = centers[y] + rng.normal(size=(n, N_COLUMNS))
    if n_groups:
        rows += np.sqrt(0.5) * rng.normal(size=(n_groups, N_COLUMNS))[group]
    return rows.astype(np.float32), y, group


def one(seed: int, kind: str, method: Any) -> tuple[float, bool, float]:
    """Return lost known clips, whether the interval holds them, and refused ones of a new class."""
    rng = np.random.default_rng(seed)
    centers = 2.0 * rng.normal(size=(N_CLASSES + 1, N_COLUMNS))
    known, groups = centers[:-1], N_GROUPS if kind == "groups" else None
    rows, y, group = clips(rng, known, N_CLIPS, groups)
    weights = rng.choice([0.25, 1.0, 4.0], len(y)) if kind == "weights" else None
    targets = Targets.of(
        [str(code) for code in y],
        [f"{code:03}" if groups else None for code in group],
        [str(at) for at in range(len(y))],
        weights=() if weights is None else weights.tolist(),
    )
    part, every = group % 5, np.arange(len(y))
    folds = [Fold(0, str(at), every[part != at], every[part == at]) for at in range(5)]
    fit = partial(evaluate, matrices={"f": rows}, targets=targets, seed=0)
    (result,) = fit([PIPELINE], splits=Splits(tuple(folds), "five parts"))
    settings = UnknownConfig(method=method, lost=LOST)
    rule, _ = Search(settings, result, rows, targets, fit, seed=0).rule()
    assert rule is not None
    record = rule.record
    assert record.measured_lost is not None
    assert record.refused is not None
    model = fit_final(PIPELINE, rows, targets, seed=0).estimator
    above = []
    for of_classes in (known, centers[-1:]):
        new, *_ = clips(rng, of_classes, N_NEW, groups and N_NEW)
        of_scores = 1 - model.predict_proba(new).max(axis=1)
        strangeness = of_scores if rule.distance is None else rule.distance.of(new)
        above.append(float(np.mean(strangeness > record.above)))
    lost, refused = above
    return lost, record.measured_lost.low <= lost <= record.measured_lost.high, refused


def main() -> None:
    """Print a row for each kind of data and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=100, help="datasets for each row")
    n = parser.parse_args().datasets
    print("| data | `method` | known clips lost | in its interval | refused |")
    print("|---|---|---|---|---|")
    for kind in ("clips", "groups", "weights"):
        for method in ("distance", "score"):
            lost, held, refused = np.array([one(s, kind, method) for s in range(n)]).T
            shares = f"{100 * lost.mean():.1f} % | {100 * held.mean():.0f} %"
            print(f"| {kind} | `{method}` | {shares} | {100 * refused.mean():.0f} % |", flush=True)


if __name__ == "__main__":
    main()
