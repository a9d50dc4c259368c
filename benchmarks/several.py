"""Time and memory of metrics of several labels per clip with intervals, beside scikit-learn.

    python benchmarks/several.py [--classes 300] [--clips 20000]

The made-up table has 2 % positives. scikit-learn is timed on a few resamples of one class, and its
seconds are scaled to all classes and the 1,000 resamples of an interval.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import N_RESAMPLES
from audioclf.evaluation.metrics.estimate import estimates
from audioclf.evaluation.results import FoldResult, SomeFolds
from audioclf.evaluation.splits import Fold

RANKED: tuple[Metric, ...] = ("average_precision_macro", "roc_auc_macro")
OTHERS: tuple[Metric, ...] = ("f1_macro", "f1_micro", "lwlrap", "subset_accuracy", "hamming_loss")


def main() -> None:
    """Print a line for each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=300)
    parser.add_argument("--clips", type=int, default=20_000)
    given = parser.parse_args()
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


if __name__ == "__main__":
    main()
