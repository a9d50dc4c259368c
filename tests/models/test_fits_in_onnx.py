"""Several labels and ordered classes as ONNX graphs, alone and in a bundle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.evaluation.class_fits import ClassFitter
from audioclf.evaluation.ordered_fits import fit_final_ranks
from audioclf.models.bundle.reading import open_model, read_bundle
from audioclf.models.onnx.export import to_onnx
from audioclf.models.onnx.graph_model import GraphModel
from tests.models.making import SEED, Fitted, classifier, fitted, registry, written
from tests.targets import several_targets, targets_of

pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")
from audioclf.models.onnx.session import open_session

SOUNDS = [np.random.default_rng(5).normal(0, 0.1, 8_000), np.zeros(6_000)]
CLASSIFIERS: list[Any] = [
    ("logistic_regression", {}),
    ("svm", {}),
    pytest.param("random_forest", {"n_estimators": 3}, marks=pytest.mark.slow),
    pytest.param("knn", {}, marks=pytest.mark.slow),
]


def of_states(name: str, fields: dict[str, Any]) -> Fitted:
    """Return a fit of three classes, of which no clip has the second."""
    found = fitted(classifier(name, **fields), 3)
    chance = np.random.default_rng(0).normal(size=(75, 3))
    states = (found.X[:, :3] + chance > 0.3).astype(np.int8)
    states[:, 1] = 0
    fitter = ClassFitter(found.pipeline, found.X, several_targets(states), SEED, choose=True)
    return Fitted(found.pipeline, fitter.fit(np.arange(75)), found.X, 3)


@pytest.mark.parametrize(("name", "fields"), CLASSIFIERS)
def test_a_graph_gives_scores_and_labels_of_each_class(
    tmp_path: Path, name: str, fields: dict[str, Any]
) -> None:
    path = written(tmp_path / "m.audioclf", of_states(name, fields), graph=True)
    (model, _), (by_graph, _) = open_model(path), open_model(path, graph="always")
    assert isinstance(by_graph, GraphModel)
    assert by_graph.scores(SOUNDS, sr=8000) == pytest.approx(
        model.scores(SOUNDS, sr=8000), abs=1e-5
    )
    assert by_graph.predict(SOUNDS, sr=8000) == model.predict(SOUNDS, sr=8000)
    bundle = read_bundle(path, registry())
    session = open_session(to_onnx(bundle).content)
    labels, scores = session.run(["labels", "scores"], {"features": bundle.check.rows})
    assert model.manifest.several is not None
    thresholds = np.array(model.manifest.several.thresholds)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["audioclf.thresholds"]) == thresholds.tolist()
    np.testing.assert_array_equal(labels, scores >= thresholds - 1e-6)
    assert not scores[:, 1].any()


@pytest.mark.parametrize(("name", "fields"), CLASSIFIERS[:3])
def test_a_graph_gives_the_scores_of_ordered_classes(
    tmp_path: Path, name: str, fields: dict[str, Any]
) -> None:
    found = fitted(classifier(name, **fields), 4)
    targets = targets_of(np.repeat(np.arange(4), 25))
    estimator = fit_final_ranks(found.pipeline, found.X, targets, seed=SEED).estimator
    found = Fitted(found.pipeline, estimator, found.X, 4)
    path = written(tmp_path / "m.audioclf", found, graph=True)
    (model, _), (by_graph, _) = open_model(path), open_model(path, graph="always")
    assert isinstance(by_graph, GraphModel)
    assert by_graph.scores(SOUNDS, sr=8000) == pytest.approx(
        model.scores(SOUNDS, sr=8000), abs=1e-5
    )
    assert by_graph.predict(SOUNDS, sr=8000) == model.predict(SOUNDS, sr=8000)
