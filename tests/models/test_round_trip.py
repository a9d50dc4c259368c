"""What is written comes back: the same predictions to the last bit, from the same bytes."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from uuid import UUID

import numpy as np
import pytest

from audioclf.base.errors import ModelError, ResultError
from audioclf.builtin.classifiers.anomaly import Detector
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.components.classifier import Classifier
from audioclf.evaluation.class_fits import ClassFitter
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.predictions import scores_of_rows
from audioclf.evaluation.results import Pipeline
from audioclf.models.bundle.manifest import MANIFEST, SeveralLabels
from audioclf.models.bundle.reading import open_bundle, read_bundle
from audioclf.models.estimators.several import dump_classes, restore_classes
from audioclf.models.estimators.store import restore_estimator
from audioclf.models.refusal import RefusedError
from tests.models.making import (
    EVALUATED,
    NAMES,
    SEED,
    Fitted,
    classifier,
    fitted,
    made,
    registry,
    unpacked,
    written,
)
from tests.models.test_damage import MEMBERS
from tests.targets import several_targets, targets_of

CLASSIFIERS: list[tuple[str, dict[str, Any]]] = [
    ("dummy", {}),
    ("extra_trees", {"n_estimators": 10}),
    ("gradient_boosting", {"n_estimators": 10}),
    ("gradient_boosting", {"n_estimators": 3, "init": "zero"}),
    ("hist_gradient_boosting", {"max_iter": 3}),
    ("knn", {}),
    ("knn", {"algorithm": "kd_tree"}),
    ("knn", {"algorithm": "ball_tree", "p": 1.0, "weights": "distance"}),
    ("logistic_regression", {}),
    ("random_forest", {"n_estimators": 10}),
    ("sgd", {}),
    ("sgd", {"loss": "hinge"}),
    ("svm", {}),
    ("svm", {"probability": True}),
    ("xgboost", {"n_estimators": 10}),
    ("cnn", {"epochs": 1, "min_steps": 0, "channels": (4, 8)}),
]
each_classifier = pytest.mark.parametrize(
    ("type_name", "fields"),
    [
        pytest.param(
            name, fields, id=f"{name}-{fields}", marks=[pytest.mark.slow] * (name == "cnn")
        )
        for name, fields in CLASSIFIERS
    ],
)


def skip_without(type_name: str) -> None:
    if type_name not in registry().types("classifier"):
        pytest.skip(f"the plugin of {type_name} is not installed")


def test_every_installed_classifier_is_tried() -> None:
    types = set(registry().types("classifier"))
    learn_numbers = {n for n in types if registry().resolve("classifier", n).target == "number"}  # type: ignore[attr-defined]
    tried = {name for name, _ in CLASSIFIERS} | {"mixup", "stack", "tuned", "vote"}
    tried |= {cls.type_name() for cls in Detector.__subclasses__()} | learn_numbers
    assert types - tried == set()


@pytest.mark.parametrize("n_classes", [2, pytest.param(3, marks=pytest.mark.slow)])
@each_classifier
def test_scores_and_labels_are_the_same_and_equal_models_have_equal_bytes(
    type_name: str, fields: dict[str, Any], n_classes: int, tmp_path: Path
) -> None:
    skip_without(type_name)
    component = classifier(type_name, **fields)
    found = fitted(component, n_classes)
    expected, kind = scores_of_rows(found.estimator, found.X, n_classes)
    assert expected is not None
    path = written(tmp_path / "m.audioclf", found)
    again = written(tmp_path / "again.audioclf", fitted(component, n_classes))
    assert path.read_bytes() == again.read_bytes()
    model = read_bundle(path, registry()).model
    np.testing.assert_array_equal(model.scores_of(found.X), expected)
    np.testing.assert_array_equal(model.codes_of(found.X), found.estimator.predict(found.X))
    assert (model.score_kind, model.classes) == (kind, NAMES[:n_classes])


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.models.making import made; "
        f"made(Path({str(tmp_path / 'b.audioclf')!r}), 'random_forest', n_estimators=3)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
    first = made(tmp_path / "a.audioclf", "random_forest", n_estimators=3)
    assert first.read_bytes() == (tmp_path / "b.audioclf").read_bytes()


def test_a_fit_in_batches_with_weights_is_stored(tmp_path: Path) -> None:
    component = classifier("sgd", class_weight="balanced", max_iter=20)
    found = fitted(component)
    y = np.repeat([0, 1], 25)
    batched = fit_final(
        found.pipeline, found.X, targets_of(y), seed=SEED, in_batches=True
    ).estimator
    path = written(tmp_path / "m.audioclf", found, estimator=batched)
    restored = read_bundle(path, registry()).estimator
    np.testing.assert_array_equal(restored.predict_proba(found.X), batched.predict_proba(found.X))


def test_a_file_that_is_there_is_replaced_whole(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    written(path, fitted(classifier("svm")))
    assert open_bundle(path).manifest.cell == "mel/svm"
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.audioclf"]


def test_a_place_that_cannot_be_written_is_an_error_of_results(tmp_path: Path) -> None:
    (tmp_path / "m.audioclf").mkdir()
    with pytest.raises(ResultError, match=r"m\.audioclf: cannot be written"):
        written(tmp_path / "m.audioclf", fitted(classifier("dummy")))


def test_nothing_in_a_bundle_is_pickled(tmp_path: Path) -> None:
    files = unpacked(made(tmp_path / "m.audioclf", "random_forest", n_estimators=2))
    assert set(files) == {*MEMBERS, MANIFEST}
    assert not any(content.startswith(b"\x80") for content in files.values())


class Handmade(Classifier):
    """A classifier that no plugin brings."""

    type: Literal["handmade"] = "handmade"

    def build(self, *, random_state: int) -> Any:
        from sklearn.naive_bayes import GaussianNB

        return GaussianNB()


def strange() -> Fitted:
    found = fitted(classifier("dummy"))
    found.estimator.extra_ = UUID
    return found


@pytest.mark.parametrize(
    ("make", "changes", "expected", "hint"),
    [
        (
            lambda: fitted(Handmade()),
            {},
            "classifier 'handmade' belongs to no plugin",
            "Put the class into a plugin; `audioclf docs plugins` shows how.",
        ),
        (strange, {}, r"the estimator of dummy holds uuid\.UUID, which", "('uuid.UUID',)"),
        (
            lambda: fitted(classifier("dummy")),
            {"estimator": fitted(classifier("random_forest", n_estimators=2)).estimator},
            "a RandomForestClassifier instead of a DummyClassifier",
            "",
        ),
        (
            lambda: fitted(classifier("dummy")),
            {"classes": ("same", "same")},
            "a value does not fit into the manifest: ",
            "",
        ),
        (
            lambda: fitted(classifier("dummy")),
            {"name": "x" * 2000},
            "manifest: name: String should have at most 1024 characters$",
            "",
        ),
    ],
    ids=["no-plugin", "foreign-type", "other-estimator", "equal-classes", "long-name"],
)
def test_a_model_that_could_not_be_loaded_is_not_written(
    make: Any, changes: dict[str, Any], expected: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=f"cannot be written: .*{expected}") as caught:
        written(tmp_path / "m.audioclf", make(), **changes)
    assert hint in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_trusted_types_of_a_classifier_extend_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = strange()
    monkeypatch.setattr(type(found.pipeline.classifier), "trusted_types", ("uuid.UUID",), False)
    path = written(tmp_path / "m.audioclf", found)
    assert read_bundle(path, registry()).estimator.extra_ is UUID


@pytest.mark.parametrize("inner", ["svm", "xgboost"])
def test_of_a_search_what_it_chose_is_stored(inner: str, tmp_path: Path) -> None:
    skip_without(inner)
    field, values = {"svm": ("C", [0.1, 7.0]), "xgboost": ("n_estimators", [1, 5])}[inner]
    data = {"classifier": classifier(inner), "search": {field: values}, "n_splits": 2}
    found = fitted(Tuned.model_validate(data))
    bundle = read_bundle(written(tmp_path / "m.audioclf", found), registry())
    assert bundle.manifest.classifier["type"] == inner
    assert bundle.manifest.classifier[field] == found.estimator.best_params_[field]
    assert bundle.manifest.configured is not None
    assert bundle.manifest.configured["type"] == "tuned"
    expected = scores_of_rows(found.estimator, found.X, 2)[0]
    np.testing.assert_array_equal(bundle.model.scores_of(found.X), expected)


def test_eight_rows_of_the_training_are_kept_from_the_first_to_the_last(tmp_path: Path) -> None:
    found = fitted(classifier("dummy"))
    check = read_bundle(written(tmp_path / "m.audioclf", found), registry()).check
    np.testing.assert_array_equal(check.rows, found.X[[0, 7, 14, 21, 28, 35, 42, 49]])


def test_a_model_that_is_not_restored_to_the_last_bit_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restore(*args: Any, **kwargs: Any) -> Any:
        estimator = restore_estimator(*args, **kwargs)
        estimator.steps[-1][1].intercept_ += 1e-6
        return estimator

    monkeypatch.setattr("audioclf.models.bundle.reading.restore_estimator", restore)
    with pytest.raises(ModelError, match="cannot be written: the estimator's scores of its stored"):
        written(tmp_path / "m.audioclf", fitted(classifier("logistic_regression")))
    assert list(tmp_path.iterdir()) == []


def test_the_seed_and_the_cell_are_kept(tmp_path: Path) -> None:
    found = fitted(classifier("svm", C=2.0))
    manifest = open_bundle(written(tmp_path / "m.audioclf", found)).manifest
    assert (manifest.seed, manifest.cell, manifest.classifier["C"]) == (SEED, "mel/svm", 2.0)
    assert manifest.configured is None
    assert manifest.evaluation == EVALUATED
    assert isinstance(found.pipeline, Pipeline)


@pytest.mark.parametrize("name", ["random_forest", "knn"])
def test_an_estimator_of_all_classes_is_stored_once(name: str) -> None:
    component = classifier(name, **({"n_estimators": 3} if name == "random_forest" else {}))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6)).astype(np.float32)
    states = np.column_stack([X[:, 0] > 0, np.zeros(40), X[:, 1] > 1])  # none has the second
    model = ClassFitter(Pipeline("p", "x", "c", component, ""), X, several_targets(states), 0).fit(
        np.arange(40)
    )
    files = dump_classes(component, model)
    assert {file.partition("/")[0] for file in files} == {"shared"}
    constants: tuple[float | None, ...] = (None, 0.0, None)
    thresholds = tuple(model.thresholds.tolist())
    manifest: Any = SimpleNamespace(
        several=SeveralLabels(thresholds=thresholds, constants=constants, shared=True),
        estimator=SimpleNamespace(format="skops"),
        features=SimpleNamespace(width=6),
        seed=0,
    )
    again = restore_classes(component, manifest, files).outputs(X)
    np.testing.assert_array_equal(again.scores, model.outputs(X).scores)
    one_label: dict[str, Any] = {"seed": 0, "n_classes": 3, "n_features": 6}
    stored = {"model.skops": files["shared/model.skops"]}
    with pytest.raises(RefusedError, match="other classes than the 3"):
        restore_estimator(component, "skops", stored, **one_label)
