"""Simulated surveys: coverage of the intervals of `audioclf score`, and promises of thresholds.

    python benchmarks/detections.py --surveys 500

Each survey has 8 to 40 recordings. Recordings differ in the number of events, in the share
that the detector finds, and in the rate of false alarms, so that the events of a recording are not
independent.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from audioclf.evaluation.detection.event_based import event_scores
from audioclf.evaluation.detection.events import Events, Survey
from audioclf.evaluation.detection.matching import match
from audioclf.evaluation.detection.thresholds import Aim, choose_thresholds

_SECONDS = 3600.0
_AIM = Aim("false_per_hour", 2.0)


def simulated(n_recordings: int, rng: np.random.Generator) -> Survey:
    """Return a survey of one class with gamma-distributed rates and beta-distributed recall."""
    truth, found = [], []
    for recording in range(n_recordings):
        starts = 10.0 * rng.choice(300, size=int(rng.poisson(rng.gamma(4.0, 5.0))), replace=False)
        recall = rng.beta(6.0, 3.0)
        for start in starts:
            truth.append((recording, 0, start, start + 1.0, math.nan))
            if rng.uniform() < recall:
                found.append(
                    (recording, 0, start + rng.normal(0, 0.05), start + 1.0, rng.beta(4, 2))
                )
        n_false = min(int(rng.poisson(rng.gamma(2.0, 6.0))), 300)
        false = 5.0 + 10.0 * rng.choice(300, size=n_false, replace=False)
        found += [(recording, 0, start, start + 1.0, rng.beta(2, 4)) for start in false]
    names = tuple(map(str, range(n_recordings)))
    seconds = np.full(n_recordings, _SECONDS)
    return Survey(names, seconds, ("a",), Events.of(truth), Events.of(found))


def metrics_of(survey: Survey) -> dict[str, object]:
    scores = event_scores(survey, match(survey.truth, survey.detections))[0]
    return {name: getattr(scores, name) for name in ("precision", "recall", "f1", "false_per_hour")}


def rate_above(survey: Survey, threshold: float) -> float:
    """Return the false alarms per hour at a threshold."""
    matching = match(survey.truth, survey.detections)
    false = ~matching.hits & (survey.detections.scores >= threshold)
    return float(false.sum() / survey.hours.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=500)
    surveys = parser.parse_args().surveys
    rng = np.random.default_rng(0)
    large = simulated(4000, rng)
    true = {name: metric.value for name, metric in metrics_of(large).items()}
    for n_recordings in (8, 15, 40):
        covered = dict.fromkeys(true, 0)
        kept = chosen = 0
        for _ in range(surveys):
            survey = simulated(n_recordings, rng)
            for name, metric in metrics_of(survey).items():
                covered[name] += metric.low <= true[name] <= metric.high
            matching = match(survey.truth, survey.detections)
            threshold = choose_thresholds(survey, matching, _AIM)[0].threshold
            if not math.isnan(threshold):
                chosen += 1
                kept += rate_above(large, threshold) <= _AIM.value
        shares = ", ".join(f"{name} {100 * n / surveys:.1f} %" for name, n in covered.items())
        print(
            f"{n_recordings} recordings: {shares}; at most 2 false alarms per hour: a threshold in "
            f"{100 * chosen / surveys:.1f} %, kept in {100 * kept / max(chosen, 1):.1f} % of these"
        )


if __name__ == "__main__":
    main()
