"""What a comparison promises: fair pairs, sound verdicts, plain sentences."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from audioclf.evaluation.comparison.result import (
    ALPHA,
    Comparison,
    Pair,
    baseline_sentence,
    verdict_sentence,
)
from audioclf.evaluation.comparison.significance import holm
from audioclf.evaluation.results import SomeFolds
from tests.evaluation.paired_cases import cell_of, compared, guesser, make_folds

Y = np.arange(100) % 2
FOLDS = make_folds(100, repeats=2)


def field(*accuracies: float, y: np.ndarray = Y) -> dict[str, SomeFolds]:
    folds = make_folds(len(y), repeats=2)
    return {f"c{i}": guesser(y, folds, share, seed=i) for i, share in enumerate(accuracies)}


def constant(code: int) -> SomeFolds:
    return cell_of(FOLDS, [np.full(len(fold.test), code) for fold in FOLDS])


def only(comparison: Comparison) -> Pair:
    (pair,) = comparison.pairs
    return pair


def test_a_difference_is_that_of_the_values_and_lies_in_its_interval() -> None:
    pipelines = field(0.6, 0.9)
    pair = only(compared(pipelines, Y))
    right = {
        name: np.mean([f.y_pred == Y[f.fold.test] for f in pipelines[name].folds])
        for name in pipelines
    }
    assert pair.difference == pytest.approx(right["c1"] - right["c0"])
    assert pair.low < pair.difference < pair.high


def test_a_clear_difference_is_reported_in_one_sentence() -> None:
    pair = only(compared(field(0.6, 0.95), Y))
    assert pair.verdict == "better"
    interval = f"{pair.difference:.2f} ({pair.low:.2f} to {pair.high:.2f})"
    assert pair.sentence == f"c1 beats c0 by {interval}"


def test_an_unclear_difference_says_what_would_not_have_shown() -> None:
    pair = only(compared(field(0.7, 0.72), Y))
    assert pair.verdict == "undecided"
    names = f"{pair.better} and {pair.worse}"
    assert pair.sentence == (
        f"{names} cannot be told apart on 100 clips; the difference is {pair.difference:.2f}, "
        f"and one below about {pair.detectable:.2f} would not show"
    )


def test_within_the_margin_two_pipelines_are_equivalent() -> None:
    pair = only(compared(field(0.8, 0.8), Y, equivalence_margin=0.5))
    assert pair.verdict == "equivalent"
    assert pair.sentence == f"{pair.better} and {pair.worse} are equivalent within 0.5"


def test_equivalence_is_judged_by_the_90_percent_interval() -> None:
    pipelines = field(0.8, 0.8)
    half = only(compared(pipelines, Y)).high - only(compared(pipelines, Y)).difference
    narrower = half * 1.6606 / 1.9845  # Student's t with 98 df: 95 % and 97.5 %
    edge = only(compared(pipelines, Y)).difference + narrower
    assert only(compared(pipelines, Y, equivalence_margin=edge * 1.001)).verdict == "equivalent"
    assert only(compared(pipelines, Y, equivalence_margin=edge * 0.999)).verdict == "undecided"


def test_a_metric_that_is_better_when_lower_reverses_the_difference() -> None:
    pipelines = field(0.6, 0.95)
    pair = only(compared(pipelines, Y, "log_loss"))
    assert (pair.better, pair.worse) == ("c1", "c0")
    assert pair.difference > 0
    assert pair.verdict == "better"


def test_the_order_of_the_pipelines_does_not_matter() -> None:
    pipelines = field(0.6, 0.9, 0.75)
    assert compared(pipelines, Y) == compared(dict(reversed(pipelines.items())), Y)


def test_the_deciding_p_is_holms_of_all_pairs() -> None:
    found = compared(field(0.6, 0.95, 0.75, 0.74), Y)
    raw = [pair.p_bootstrap for pair in found.pairs]
    assert None not in raw
    assert [pair.p_holm for pair in found.pairs] == holm([p for p in raw if p is not None])
    for pair in found.pairs:
        assert (pair.verdict == "better") == (pair.p_holm < ALPHA)


def test_pairs_with_the_baseline_are_a_family_of_their_own() -> None:
    pipelines = {**field(0.6, 0.95, 0.75, 0.74), "baseline": constant(0)}
    found = compared(pipelines, Y, baseline="baseline")
    for ours in (True, False):
        family = [p for p in found.pairs if ("baseline" in (p.better, p.worse)) == ours]
        raw = [pair.p_bootstrap for pair in family if pair.p_bootstrap is not None]
        assert len(raw) == (4 if ours else 6)
        assert [pair.p_holm for pair in family] == holm(raw)


@pytest.mark.parametrize("seed", range(5))
def test_an_undecided_difference_is_below_what_would_show(seed: int) -> None:
    shares = np.random.default_rng(seed).uniform(0.5, 0.95, 8)
    found = compared(field(*shares), Y)
    undecided = [pair for pair in found.pairs if pair.verdict == "undecided"]
    assert 0 < len(undecided) < len(found.pairs)
    assert all(pair.difference < pair.detectable for pair in undecided)


def test_a_pair_that_is_distinguished_has_an_interval_above_zero() -> None:
    found = compared(field(0.5, 0.6, 0.7, 0.8, 0.9), Y)
    better = [pair for pair in found.pairs if pair.verdict == "better"]
    assert better
    assert all(pair.low > 0 for pair in better)


def test_pipelines_with_equal_predictions_are_not_distinguished() -> None:
    pipeline = guesser(Y, FOLDS, 0.8, seed=0)
    pair = only(compared({"a": pipeline, "b": pipeline}, Y))
    assert (pair.difference, pair.low, pair.high) == (0.0, 0.0, 0.0)
    assert (pair.p_holm, pair.p_mcnemar) == (1.0, 1.0)
    assert pair.sentence == "a and b cannot be told apart on 100 clips; the difference is 0.00"


def test_mcnemar_counts_each_clip_once_in_the_first_repeat() -> None:
    right = cell_of(FOLDS, [Y[fold.test] for fold in FOLDS])
    wrong_later = cell_of(FOLDS, [abs(Y[fold.test] - fold.repeat) for fold in FOLDS])
    found = compared({"a": right, "b": wrong_later}, Y)
    assert only(found).p_mcnemar == 1.0
    assert found.notes == (
        "McNemar's test counts each clip once, with its predictions in the first repeat",
    )


def test_groups_are_the_units_and_forbid_mcnemar() -> None:
    groups = np.arange(100) % 8
    found = compared(field(0.6, 0.95), Y, groups=groups)
    assert (found.unit_name, found.n_units, found.n_clips) == ("group", 8, 100)
    assert only(found).p_mcnemar is None
    assert "not" in found.notes[0]
    undecided = only(compared(field(0.7, 0.7), Y, groups=groups))
    assert "cannot be told apart on 8 groups (100 clips)" in undecided.sentence


def test_groups_that_succeed_together_say_less_than_clips() -> None:
    groups = np.arange(100) // 20
    wrong = cell_of(FOLDS, [np.where(groups[f.test] < 2, 1 - Y[f.test], Y[f.test]) for f in FOLDS])
    pipelines = {"good": guesser(Y, FOLDS, 0.95, seed=0), "bad": wrong}
    assert only(compared(pipelines, Y)).verdict == "better"
    assert only(compared(pipelines, Y, groups=groups)).verdict == "undecided"


def test_groups_are_resampled_whole() -> None:
    groups = np.arange(100) % 10
    pipelines = {name: SomeFolds(pipeline.folds[:5]) for name, pipeline in field(0.6, 0.9).items()}
    pair = only(compared(pipelines, Y, groups=groups))
    differences = np.zeros(100)
    for one, other in zip(pipelines["c1"].folds, pipelines["c0"].folds, strict=True):
        differences[one.fold.test] = np.subtract(
            one.y_pred == Y[one.fold.test], other.y_pred == Y[one.fold.test], dtype=np.float64
        )
    means = differences.reshape(10, 10).mean(axis=0)
    expected = 2.2622 * means.std(ddof=1) / math.sqrt(10) * math.sqrt(1 + 5 / 4)
    half = pair.high - pair.difference
    assert half == pytest.approx(expected, rel=0.08)
    t = 2.26216 * pair.difference / half
    assert pair.p_bootstrap == pytest.approx(2 * stats.t.sf(t, 9), rel=1e-4)


def test_one_group_decides_nothing() -> None:
    pair = only(compared(field(0.5, 1.0), Y, groups=np.zeros(100, dtype=np.intp)))
    assert math.isnan(pair.low)
    assert pair.p_bootstrap is None
    assert pair.sentence == (
        f"1 group (100 clips) is too few for a verdict on c1 and c0; "
        f"the difference is {pair.difference:.2f}"
    )


def test_a_constant_classifier_is_compared_within_the_classes() -> None:
    pipelines = {"good": guesser(Y, FOLDS[:5], 0.9, seed=0), "constant": constant(0)}
    pipelines["constant"] = SomeFolds(pipelines["constant"].folds[:5])
    pair = only(compared(pipelines, Y))
    right = np.zeros(100)
    for fold in pipelines["good"].folds:
        right[fold.fold.test] = fold.y_pred == Y[fold.fold.test]
    differences = right - (Y == 0)
    variance = sum(50 * differences[code == Y].var(ddof=1) for code in (0, 1)) / 100**2
    expected = 1.9845 * math.sqrt(variance * (1 + 5 / 4))
    assert pair.high - pair.difference == pytest.approx(expected, rel=0.06)


def test_a_pipeline_without_scores_is_named_and_left_out() -> None:
    bare = {"bare": cell_of(FOLDS, [Y[fold.test] for fold in FOLDS])}
    found = compared({**field(0.6, 0.9), **bare}, Y, "log_loss")
    assert found.pipelines == ("c1", "c0")
    assert found.notes[0] == "not compared, since they have no log_loss: bare"


@pytest.mark.parametrize("metric", ["f1", "matthews_corrcoef", "roc_auc"])
def test_the_corrected_test_wants_the_metric_on_every_fold(metric: str) -> None:
    y = np.arange(100) // 50
    blocks = np.array_split(np.arange(100), 4)
    folds = [
        type(FOLDS[0])(0, str(i), np.setdiff1d(np.arange(100), block), block)
        for i, block in enumerate(blocks)
    ]
    pipelines = {f"c{i}": guesser(y, folds, share, seed=i) for i, share in enumerate((0.6, 0.9))}
    pair = only(compared(pipelines, y, metric))  # type: ignore[arg-type]
    assert pair.p_corrected_t is None
    assert pair.p_bootstrap is not None


def test_one_split_is_compared_too() -> None:
    pipelines = {name: SomeFolds(pipeline.folds[:1]) for name, pipeline in field(0.3, 1.0).items()}
    found = compared(pipelines, Y)
    assert found.n_clips == 20
    assert only(found).p_corrected_t is None
    assert only(found).verdict == "better"


def test_many_classes_on_few_clips_are_compared() -> None:
    y = np.arange(30) % 15
    found = compared(field(0.2, 0.95, y=y), y, "f1_macro")
    assert only(found).verdict == "better"


def test_one_clip_of_each_class_leaves_something_to_resample() -> None:
    y = np.arange(20)
    pair = only(compared(field(0.3, 0.6, y=y), y))
    assert pair.high - pair.difference > 0.1


def test_data_is_plain_json() -> None:
    found = compared(field(0.5, 1.0), Y, groups=np.zeros(100, dtype=np.intp), baseline="c0")
    data = json.loads(json.dumps(found.to_data(), allow_nan=False))
    assert data["unit"] == {"name": "group", "count": 1}
    assert (data["metric"], data["n_clips"], data["alpha"]) == ("accuracy", 100, 0.05)
    assert (data["baseline"], data["equivalence_margin"]) == ("c0", None)
    assert data["verdict"] == verdict_sentence(found)
    (pair,) = data["pairs"]
    assert pair["low"] is None
    assert set(pair) == {field.name for field in fields(Pair)}


def test_one_pipeline_has_no_pairs() -> None:
    found = compared(field(0.5), Y)
    assert found.pairs == ()
    assert verdict_sentence(found) == "there are no two pipelines with accuracy to compare"
    assert found.to_data()["pairs"] == []


def test_a_metric_that_no_pipeline_has_compares_nothing() -> None:
    bare = cell_of(FOLDS, [Y[fold.test] for fold in FOLDS])
    assert compared({"a": bare, "b": bare}, Y, "roc_auc").pipelines == ()


def test_other_folds_are_refused() -> None:
    pipelines = {"a": constant(0), "b": SomeFolds(constant(0).folds[1:])}
    with pytest.raises(ValueError, match="folds"):
        compared(pipelines, Y)
    moved = list(constant(0).folds)
    moved[0], moved[1] = moved[1], moved[0]
    with pytest.raises(ValueError, match="same folds"):
        compared({"a": constant(0), "b": SomeFolds(tuple(moved))}, Y)


@pytest.mark.parametrize(
    ("accuracies", "verdict", "about_baseline"),
    [
        (
            (0.75, 0.95, 0.93),
            (
                "it beats c0 and baseline and cannot be told apart from c2 on 100 clips; "
                "the difference to c2 is 0.01"
            ),
            "every other pipeline beats baseline",
        ),
        ((0.52, 0.55), "on 100 clips; the differences are 0.07 to baseline and 0.12 to c0", ""),
        (
            (0.3, 0.2),
            "no pipeline has a better accuracy than baseline, which ignores the features",
            "",
        ),
        (
            (0.55, 0.95),
            "c1 has the best accuracy: it beats both others",
            "1 of 2 pipelines beats baseline; not c0",
        ),
    ],
)
def test_the_verdict_on_a_run(
    accuracies: tuple[float, ...], verdict: str, about_baseline: str
) -> None:
    pipelines = {**field(*accuracies), "baseline": constant(0)}
    found = compared(pipelines, Y, baseline="baseline")
    assert verdict_sentence(found).endswith(verdict)
    assert baseline_sentence(found) == about_baseline
    assert baseline_sentence(compared(pipelines, Y)) == ""


@pytest.mark.parametrize(
    ("accuracies", "differences"),
    [((0.85,), "the difference to baseline is 0."), ((0.6, 0.85), "the differences are 0.")],
)
def test_few_units_are_named_once_with_the_difference(
    accuracies: tuple[float, ...], differences: str
) -> None:
    pipelines = {**field(*accuracies), "baseline": constant(0)}
    groups = np.arange(100) // 50
    found = compared(pipelines, Y, groups=groups, baseline="baseline", unit_word="site")
    best, text = found.pipelines[0], verdict_sentence(found)
    few = "2 sites (100 clips) are too few for a verdict"
    assert text.startswith(f"{best} has the best accuracy; {few}; {differences}")
    assert ("to baseline" in text) == ("baseline" in text)
    assert "told apart" not in text
    assert baseline_sentence(found) == ""
    assert all(pair.sentence.startswith(few) for pair in found.pairs)


def test_equivalent_pipelines_stand_in_the_verdict() -> None:
    found = compared(field(0.9, 0.9), Y, equivalence_margin=0.4)
    first, second = found.pipelines
    expected = f"{first} has the best accuracy: it is equivalent to {second} within 0.4"
    assert verdict_sentence(found) == expected
