"""Runs with ensembles whose members have featurizers of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ConfigError
from audioclf.components.discovery import discover
from audioclf.experiment.evaluating.evaluate import evaluate_models
from audioclf.experiment.prepared import prepare
from audioclf.experiment.resources import Resources
from audioclf.experiment.run import run
from audioclf.features.extraction import extract
from audioclf.runs.reading import read_run
from audioclf.runs.results import RunResult
from tests.conftest import tone, write_wav

FEATURIZERS = """featurizers={
  mel: {type: mel, n_fft: 512, hop_length: 256, n_mels: 8, n_steps: 4, pooling: {type: flatten}},
  stft: {type: stft, n_fft: 512, hop_length: 256},
  mfcc: {type: mfcc, n_fft: 512, hop_length: 256, n_mels: 16, n_mfcc: 5}}"""
MEMBERS = "a: {type: logistic_regression}, b: {type: knn}"
VOTE = f"type: vote, classifiers: {{{MEMBERS}}}, features: {{a: mfcc, b: mel}}"


def _overrides(both: str = VOTE, *more: str) -> tuple[str, ...]:
    return (FEATURIZERS, f"classifiers={{{MEMBERS}, both: {{{both}}}}}", *more)


@pytest.fixture(scope="module")
def result(shared_config: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    overrides = _overrides(VOTE, "final=mel+mfcc/both")
    out = tmp_path_factory.mktemp("ensembles") / "run"
    return run(shared_config, overrides=overrides, out=out, jobs=1, cache=False)


def test_the_ensemble_is_one_pipeline_and_the_mean_of_those_of_its_members(
    result: RunResult,
) -> None:
    names = {pipeline.name for pipeline in result.pipelines}
    assert {name for name in names if name.endswith("both")} == {"mel+mfcc/both"}
    assert len(names) == 3 * 2 + 1 + 1  # with the baseline
    folds = {item.name: item.folds for item in read_run(result.folder).pipelines}
    for fold in zip(folds["mfcc/a"], folds["mel/b"], folds["mel+mfcc/both"], strict=True):
        first, second, both = (np.asarray(item.scores) for item in fold)
        np.testing.assert_allclose(both, (first + second) / 2, atol=1e-9)


def test_the_ensemble_is_compared_with_its_best_member(result: RunResult) -> None:
    """The featurizers and classifiers of members decide, not `mel/a` or `stft/a`."""
    ranked = [pipeline.name for pipeline in result.pipelines]
    best = min("mfcc/a", "mel/b", key=ranked.index)
    (note,) = [note for note in result.notes if note.startswith("mel+mfcc/both ")]
    assert f"over its best member, {best}: " in note or f"than its best member, {best}: " in note


def test_the_model_is_evaluated_on_other_recordings(result: RunResult, tmp_path: Path) -> None:
    """Its classifier needs no featurizers of a config."""
    for label, frequency in (("low", 310.0), ("high", 1790.0)):
        for seed in (90, 91):
            y = tone(frequency, 0.4, 8000, seed)
            write_wav(tmp_path / "other" / label / f"{seed}.wav", y)
    model, data = result.folder / "model.audioclf", str(tmp_path / "other")
    overrides = ["report.html=false", "report.plots=false"]
    evaluated = evaluate_models(
        [model], data, discover(), Resources(), overrides=overrides, out=tmp_path / "out"
    )
    accuracy = evaluated.pipelines[0].metrics["accuracy"]
    assert accuracy is not None
    assert accuracy.value == 1.0


def test_the_model_predicts_from_sound(result: RunResult) -> None:
    y = 0.4 * np.sin(2 * np.pi * 300 * np.arange(4000) / 8000)
    y += np.random.default_rng(0).normal(0, 0.05, 4000)
    assert audioclf.load(result.folder).predict(y, sr=8000) == "low"


@pytest.mark.parametrize("more", [(), ("augment=[{type: gain}]", "copies=2")])
def test_joined_rows_are_those_of_concat(more: tuple[str, ...], shared_config: Path) -> None:
    prepared = prepare(shared_config, _overrides(VOTE, *more))
    config, joined = prepared.config, prepared.featurizers["mel+mfcc"]
    engine: Any = None
    rows = prepared.extract(prepared.featurizers, engine, None, progress=lambda *_: None)
    alone = extract(prepared.dataset, config.audio, {"alone": joined})
    np.testing.assert_array_equal(rows.matrices["mel+mfcc"], alone.matrices["alone"])
    plan, expected = rows.plans["mel+mfcc"], alone.plans["alone"]
    assert (plan.n_bins, plan.max_frames) == (expected.n_bins, expected.max_frames)


@pytest.mark.parametrize(
    ("both", "message"),
    [
        (
            VOTE.replace("b: mel", "b: mle"),
            "classifiers.both.features.b: no featurizer is named 'mle'; there are mel, stft, mfcc",
        ),
        (VOTE.replace(", b: mel", ""), "`features` lacks 'b': give it for every classifier"),
        (VOTE.replace("b: mel", "c: mel"), "`features` names 'c'; the classifiers are a, b"),
        (
            f"type: mixup, classifier: {{{VOTE}}}",
            "classifiers.both.classifier.features: a classifier inside of another",
        ),
    ],
)
def test_features_that_make_no_sense_are_refused(
    both: str, message: str, shared_config: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(shared_config, _overrides(both))
    assert message in str(caught.value)


def test_a_featurizer_that_no_pipeline_uses_is_refused(shared_config: Path) -> None:
    with pytest.raises(ConfigError, match=r"featurizers.stft is in no `features`"):
        prepare(shared_config, (FEATURIZERS, f"classifiers={{both: {{{VOTE}}}}}"))
