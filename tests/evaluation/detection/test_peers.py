"""Metrics of detections against sed_eval and psds_eval.

Neither works with current packages: sed_eval needs `setuptools<81`, psds_eval `pandas<3` and
`numpy<2.3`. Install them so in an environment of their own; elsewhere these tests are skipped, and
`test_detection.py` has numbers by hand.
"""

import importlib
import warnings
from typing import Any

import numpy as np
import pytest

from audioclf.evaluation.detection.event_based import event_scores
from audioclf.evaluation.detection.events import Events, Survey
from audioclf.evaluation.detection.matching import match
from audioclf.evaluation.detection.psds import DCASE_1, DCASE_2, psds
from audioclf.evaluation.detection.segment_based import segment_scores
from tests.evaluation.detection.surveys import random_survey

N_TABLES = 200


def peer(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as exc:
            pytest.skip(f"{name}: {exc}")


def as_dicts(survey: Survey, events: Events, recording: int) -> list[dict[str, Any]]:
    rows = events.at(events.recordings == recording)
    return [
        {"event_label": survey.classes[code], "onset": start, "offset": end, "file": "x"}
        for code, start, end in zip(rows.classes, rows.starts, rows.ends, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["event", "segment"])
def test_sed_eval(kind: str) -> None:
    sed_eval = peer("sed_eval")
    dcase_util = peer("dcase_util")
    compared = 0
    for seed in range(N_TABLES):
        survey = random_survey(seed)
        if kind == "event":
            theirs = sed_eval.sound_event.EventBasedMetrics(
                event_label_list=list(survey.classes), t_collar=0.2, percentage_of_length=0.5
            )
            ours: Any = event_scores(survey, match(survey.truth, survey.detections))
        else:
            theirs = sed_eval.sound_event.SegmentBasedMetrics(
                event_label_list=list(survey.classes), time_resolution=1.0
            )
            ours = segment_scores(survey)
        for recording in range(len(survey.recordings)):
            lists = [
                dcase_util.containers.MetaDataContainer(as_dicts(survey, events, recording))
                for events in (survey.truth, survey.detections)
            ]
            if lists[0] or lists[1]:
                theirs.evaluate(*lists)
        for code, name in enumerate(survey.classes):
            rates = theirs.results_class_wise_metrics()[name]
            compared += same(ours[code], rates["f_measure"])
            if kind == "segment":
                compared += equal(ours[code].error_rate.value, rates["error_rate"]["error_rate"])
        overall = theirs.results_overall_metrics()
        compared += same(ours[-1], overall["f_measure"])
        if kind == "segment":
            compared += equal(ours[-1].error_rate.value, overall["error_rate"]["error_rate"])
    assert compared >= 4 * N_TABLES


def same(ours: Any, theirs: dict[str, float]) -> int:
    equal(ours.precision.value, theirs["precision"])
    equal(ours.recall.value, theirs["recall"])
    # Their F1 is NaN without detections; ours counts the misses.
    if np.isfinite(theirs["f_measure"]):
        equal(ours.f1.value, theirs["f_measure"])
    return 1


def equal(ours: float, theirs: float) -> int:
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    return 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scenario", [DCASE_1, DCASE_2])
def test_psds_eval(scenario: Any) -> None:
    psds_eval, pandas = peer("psds_eval"), peer("pandas")
    if not hasattr(pandas.Series, "pad"):
        pytest.skip("psds_eval does not work with pandas 3")
    compared = 0
    for seed in range(N_TABLES):
        survey = random_survey(seed, overlapping=False)
        if not set(survey.truth.classes.tolist()) >= set(range(3)):
            continue  # its rates of such a class are whatever was in the memory
        compared += 1
        theirs = psds_eval.PSDSEval(
            dtc_threshold=scenario.dtc,
            gtc_threshold=scenario.gtc,
            cttc_threshold=scenario.cttc,
            ground_truth=frame(pandas, survey, survey.truth),
            metadata=pandas.DataFrame({"filename": survey.recordings, "duration": survey.seconds}),
        )
        for threshold in np.unique(survey.detections.scores):
            kept = survey.detections.at(survey.detections.scores >= threshold)
            theirs.add_operating_point(frame(pandas, survey, kept))
        value = theirs.psds(
            alpha_ct=scenario.alpha_ct, alpha_st=scenario.alpha_st, max_efpr=scenario.e_max
        ).value
        assert psds(survey, scenario).value == pytest.approx(value, abs=1e-9), seed
    assert compared > 0.9 * N_TABLES


def frame(pandas: Any, survey: Survey, events: Events) -> Any:
    return pandas.DataFrame(
        {
            "filename": [survey.recordings[code] for code in events.recordings],
            "onset": events.starts,
            "offset": events.ends,
            "event_label": [survey.classes[code] for code in events.classes],
        }
    )
