"""The last fit follows the rules of the folds, and its facts come from the run."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ClassifierError
from audioclf.components.classifier import Classifier
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.results import Pipeline
from audioclf.experiment.final_model import evaluated_of, training_of
from tests.models.making import classifier
from tests.targets import targets_of

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = np.repeat([0, 1], 10)


def cell_of(component: Classifier) -> Pipeline:
    return Pipeline("mel/x", "mel", "x", component, "x, audioclf 1")


def test_the_seed_reaches_the_estimator() -> None:
    found = fit_final(cell_of(classifier("random_forest")), X, targets_of(Y), seed=11)
    assert found.estimator.random_state == 11
    assert found.seconds > 0
    assert found.warnings == ()


class Recorder:
    """An estimator that keeps what it was fitted with."""

    def fit(self, X: Any, y: Any, groups: Any = None, shape: Any = None) -> Recorder:
        warnings.warn("careful\nnow", stacklevel=1)
        self.groups = groups
        self.shape = shape
        return self


class Wants(Classifier):
    """A classifier that asks for groups."""

    type: Literal["wants"] = "wants"

    def build(self, *, random_state: int) -> Any:
        return Recorder()


@pytest.mark.parametrize("asks", [False, True])
def test_groups_and_shape_reach_whoever_uses_them(
    asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wants, "uses_groups", asks)
    monkeypatch.setattr(Wants, "uses_shape", asks)
    groups, pipeline = np.arange(20), replace(cell_of(Wants()), shape=(1, 3))
    found = fit_final(pipeline, X, targets_of(Y, groups=groups), seed=0)
    assert found.estimator.groups is (groups if asks else None)
    assert found.estimator.shape == ((1, 3) if asks else None)
    assert found.warnings == ("careful now",)


def test_a_fit_in_batches_takes_all_rows() -> None:
    pipeline = cell_of(classifier("sgd", max_iter=20))
    found = fit_final(pipeline, X, targets_of(Y), seed=0, in_batches=True)
    scaler = found.estimator.steps[0][1]
    assert scaler.n_samples_seen_ == 20
    assert found.estimator.predict(X).shape == (20,)


class Fails(Classifier):
    """A classifier that does not work."""

    type: Literal["fails"] = "fails"

    def build(self, *, random_state: int) -> Any:
        raise KeyError("no\nway")


def test_a_failing_classifier_is_named() -> None:
    with pytest.raises(
        ClassifierError, match=r"'mel/x' \(x, audioclf 1\), on all clips raised Key"
    ):
        fit_final(cell_of(Fails()), X, targets_of(Y), seed=0)


@pytest.mark.slow
def test_facts_come_from_the_run(toy_config: Path, tmp_path: Path) -> None:
    from audioclf.config.loading import load_config
    from audioclf.features.extraction import extract

    result = audioclf.run(toy_config, out=tmp_path / "run", jobs=1)
    found = evaluated_of(result, "logreg")
    accuracy = result["logreg"].metrics["accuracy"]
    assert accuracy is not None
    assert found.metrics["accuracy"] is not None
    assert found.metrics["accuracy"].value == accuracy.value
    assert (found.split, found.unit, found.n_units) == (result.splits, "clip", 16)
    config = load_config(toy_config)
    training = training_of(extract(config.dataset.load(), config.audio, config.featurizers))
    assert training.clips == {"high": 8, "low": 8}
    assert training.dataset == "sounds.zip"  # not the folder of whoever trained
