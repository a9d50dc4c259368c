"""Time and memory of metrics of several labels per clip with intervals, beside scikit-learn.

    python benchmarks/several.py [--classes 300] [--clips 20000]
    python benchmarks/several.py --one-label     # three pipelines, 10 classes, 10,000 clips

The made-up table has 2 % positives. scikit-learn is timed on a few resamples of one class, and its
seconds are scaled to all classes and the 1,000 resamples of an interval.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import N_RESAMPLES
from audioclf.evaluation.metrics.estimate import estimates
from audioclf.evaluation.metrics.per_class import per_class
from audioclf.evaluation.results import FoldResult, SomeFolds
from audioclf.evaluation.splits import Fold

RANKED: tuple[Metric, ...] = ("average_precision_macro", "roc_auc_macro")
OTHERS: tuple[Metric, ...] = ("f1_macro", "f1_micro", "lwlrap", "subset_accuracy", "hamming_loss")


def main() -> None:
    """Print a line for each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=300)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--one-label", action="store_true")
    given = parser.parse_args()
    if given.one_label:
        of_one_label()
        return
    rng, clips = np.random.default_rng(0), np.arange(given.clips)
    states = (rng.random((given.clips, given.classes)) < 0.02).astype(np.int8)
    scores = 0.9 * rng.random(states.shape) + 0.1 * states
    targets = Targets(tuple(map(str, range(given.classes))), None, "clip", clips, None, states)
    predicted = (scores > 0.9).astype(np.int8)
    fold = FoldResult(Fold(0, "0", clips[:1], clips), predicted, scores, "probability", 0.0, 0.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for metrics in (RANKED, OTHERS):
        started = time.process_time()
        estimates([SomeFolds((fold,))], metrics, targets, seed=0)
        print(f"{', '.join(metrics)}: {time.process_time() - started:.1f} CPU s")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory: {(after - before) / 1024:.0f} MiB more")
    started, n = time.process_time(), 20
    for _ in range(n):
        weights = np.bincount(rng.choice(clips, len(clips)), minlength=len(clips))
        average_precision_score(states[:, 0], scores[:, 0], sample_weight=weights)
        roc_auc_score(states[:, 0], scores[:, 0], sample_weight=weights)
    seconds = (time.process_time() - started) / n * given.classes * N_RESAMPLES
    print(f"{', '.join(RANKED)} by scikit-learn in a loop: about {seconds:.0f} CPU s")


def of_one_label(n_clips: int = 10_000, n_classes: int = 10, n_pipelines: int = 3) -> None:
    """Print the time of all metrics of one label per clip, with clips and with groups as units."""
    rng, clips = np.random.default_rng(0), np.arange(n_clips)
    codes, names = rng.integers(n_classes, size=n_clips), tuple(map(str, range(n_classes)))
    results = []
    for _ in range(n_pipelines):
        odds = np.exp(rng.normal(size=(n_clips, n_classes)) + np.eye(n_classes)[codes])
        scores, tests = odds / odds.sum(axis=1, keepdims=True), np.array_split(clips, 6)
        folds = [
            FoldResult(
                Fold(0, str(number), clips[:1], test),
                scores[test].argmax(axis=1),
                scores[test],
                "probability",
                0.0,
                0.0,
            )
            for number, test in enumerate(tests)
        ]
        results.append(SomeFolds(tuple(folds)))
    metrics: list[Metric] = [
        name
        for name, info in METRICS.items()
        if "class" in info.targets and not info.two_classes_only
    ]
    estimates(results, metrics, Targets(names, codes, "clip", clips), seed=1)  # loads libraries
    of_groups = Targets(names, codes, "group", clips * 6 // n_clips)
    for targets in (Targets(names, codes, "clip", clips), of_groups):
        started = time.process_time()
        estimates(results, metrics, targets, seed=0)
        seconds = time.process_time() - started
        print(f"{len(metrics)} metrics, resampled by {targets.unit}: {seconds:.2f} CPU s")
        started = time.process_time()
        for result in results:
            per_class(result, targets, seed=0)
        seconds = time.process_time() - started
        print(f"precision, recall and F1 of each class: {seconds:.2f} CPU s")


if __name__ == "__main__":
    main()
