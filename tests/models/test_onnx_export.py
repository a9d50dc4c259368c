"""What is written as ONNX gives the scores of the original, or is not written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import EnvironmentMissingError, ModelError
from audioclf.components.registry import Origin, PluginRecord, Registry
from audioclf.models.bundle.reading import Bundle, read_bundle
from audioclf.models.calibration.records import Curve, Isotonic, Sigmoid, Temperature
from audioclf.models.onnx import export as onnx_export
from audioclf.models.onnx.export import TOLERANCE, check_tools, fresh_rows, to_onnx
from tests.models.making import classifier, fitted, registry, written
from tests.models.test_calibration import of_model
from tests.testing.broken_components import Convertible

pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

Maker = Callable[..., Bundle]


@pytest.fixture
def bundle(tmp_path: Path) -> Maker:
    """Return a function that makes a bundle."""

    def make(type_name: str, n_classes: int = 2, calibration: Any = None, **fields: Any) -> Bundle:
        found = fitted(classifier(type_name, **fields), n_classes)
        changes: dict[str, Any] = (
            {} if calibration is None else {"calibration": of_model(calibration)}
        )
        return read_bundle(written(tmp_path / "m.audioclf", found, **changes), registry())

    return make


def new_rows(bundle: Bundle, n_rows: int = 600) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.normal(0.5, 1.2, (n_rows, bundle.manifest.features.width)).astype(np.float32)


def run(content: bytes, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    label, scores = session.run(["label", "scores"], {"features": rows})
    return label, scores


each_number_of_classes = pytest.mark.parametrize(
    "n_classes", [2, pytest.param(4, marks=pytest.mark.slow)]
)


@each_number_of_classes
@pytest.mark.parametrize(
    ("type_name", "fields"),
    [
        ("extra_trees", {"n_estimators": 5}),
        ("gradient_boosting", {"n_estimators": 5}),
        ("knn", {"n_neighbors": 4}),
        ("logistic_regression", {}),
        ("random_forest", {"n_estimators": 4}),
        ("sgd", {"alpha": 0.1}),
        ("svm", {}),
        ("svm", {"kernel": "linear"}),
        ("xgboost", {"n_estimators": 5}),
    ],
)
def test_scores_are_those_of_the_original(
    type_name: str, fields: dict[str, Any], n_classes: int, bundle: Maker
) -> None:
    if type_name not in registry().types("classifier"):
        pytest.skip(f"the plugin of {type_name} is not installed")
    original = bundle(type_name, n_classes, **fields)
    rows = new_rows(original)
    found = to_onnx(original, rows)
    label, scores = run(found.content, rows)
    expected = original.model.scores_of(rows)
    assert np.abs(scores - expected).max() <= TOLERANCE
    ordered = np.sort(expected, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * TOLERANCE
    np.testing.assert_array_equal(label[clear], original.model.codes_of(rows)[clear])
    assert found.n_rows == len(rows) + 8
    assert 0 <= found.worst <= TOLERANCE
    if type_name in {"knn", "random_forest", "svm"}:
        check_unclear_rows(found.content, original)


def check_unclear_rows(content: bytes, original: Bundle) -> None:
    """Compare the classes of rows whose scores are equal or saturate."""
    rows = fresh_rows(new_rows(original))
    label, _ = run(content, rows)
    np.testing.assert_array_equal(label, original.model.codes_of(rows))


def test_a_plugin_with_its_own_format_converts_its_own_estimators(tmp_path: Path) -> None:
    component = Convertible()
    origin = Origin("audioclf-nearest", "1.0", "nearest")
    plugin = PluginRecord(origin, "ok", components=(Convertible,))
    plugins = Registry((*registry().plugins, plugin))
    path = written(tmp_path / "m.audioclf", fitted(component, 3), plugins=plugins)
    original = read_bundle(path, plugins)
    rows = new_rows(original)
    _, scores = run(to_onnx(original, rows).content, rows)
    np.testing.assert_allclose(scores, original.model.scores_of(rows), atol=TOLERANCE)


def test_a_conversion_that_fails_is_one_sentence(
    bundle: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = bundle("dummy")
    monkeypatch.setattr(type(original.classifier), "to_onnx", lambda *_: 1 / 0)
    said = refusal(original)
    assert "dummy cannot convert it: ZeroDivisionError: division by zero" in said.message


@pytest.mark.parametrize(
    ("type_name", "n_classes", "mapping"),
    [
        ("logistic_regression", 2, Temperature(temperature=2.5)),
        ("svm", 4, Temperature(temperature=0.4)),
        ("svm", 2, Sigmoid(slopes=(1.3,), intercepts=(-0.2,))),
        ("random_forest", 2, Sigmoid(slopes=(0.6,), intercepts=(0.4,))),
        (
            "random_forest",
            4,
            Sigmoid(slopes=(0.6, 1.2, 0.0, 2.0), intercepts=(0.4, -1.0, 0.1, 0.0)),
        ),
    ],
)
def test_a_calibration_goes_along(
    type_name: str, n_classes: int, mapping: Any, bundle: Maker
) -> None:
    fields = {"n_estimators": 5} if type_name == "random_forest" else {}
    original = bundle(type_name, n_classes, calibration=mapping, **fields)
    rows = new_rows(original)
    _, scores = run(to_onnx(original, rows).content, rows)
    np.testing.assert_allclose(scores, original.model.scores_of(rows), atol=TOLERANCE)


def test_what_a_user_must_know_is_in_the_metadata(bundle: Maker) -> None:
    original = bundle("logistic_regression", calibration=Temperature(temperature=2.0))
    session = onnxruntime.InferenceSession(to_onnx(original).content)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["audioclf.classes"]) == ["barbie", "ken"]
    features = json.loads(facts["audioclf.features"])
    assert features["width"] == original.manifest.features.width
    assert (features["audio"]["sr"], features["featurizer"]["type"]) == (8000, "mel")
    assert facts["audioclf.scores"] == "probability, calibrated: temperature"
    assert facts["audioclf.abstain_below"] == "null"
    (only,) = session.get_inputs()
    assert (only.name, only.shape[1]) == ("features", original.manifest.features.width)


def test_equal_models_have_equal_bytes(bundle: Maker) -> None:
    original = bundle("random_forest", n_estimators=3)
    assert to_onnx(original).content == to_onnx(original).content


def refusal(bundle: Bundle, *rows: np.ndarray) -> ModelError:
    with pytest.raises(ModelError) as caught:
        to_onnx(bundle, *rows)
    return caught.value


CURVES = Isotonic(curves=(Curve(scores=(0.2, 0.8), shares=(0.1, 0.9)),))


@pytest.mark.parametrize(
    ("type_name", "fields", "expected", "hint"),
    [
        ("dummy", {}, "cannot convert it, with scikit-learn ", "`audioclf docs models` lists the"),
        ("logistic_regression", {"calibration": CURVES}, "isotonic calibration is not", "sigmoid"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence(
    type_name: str, fields: dict[str, Any], expected: str, hint: str, bundle: Maker
) -> None:
    said = refusal(bundle(type_name, **fields))
    assert f"'mel/{type_name}' is not exported: " in said.message
    assert expected in said.message
    assert "\n" not in said.message
    assert hint in str(said.hint)


@each_number_of_classes
@pytest.mark.parametrize("type_name", ["vote", "stack"])
def test_an_ensemble_is_made_of_the_graphs_of_its_members(
    type_name: str, n_classes: int, bundle: Maker
) -> None:
    """A stack takes decision values too; the members have other columns of the rows."""
    first = classifier("svm") if type_name == "stack" else classifier("knn")
    members = {"first": first, "linear": classifier("logistic_regression")}
    width = fitted(members["linear"], n_classes).X.shape[1]
    columns = {"first": (0, 2), "linear": (1, width)}
    original = bundle(type_name, n_classes, classifiers=members, columns=columns)
    rows = new_rows(original)
    label, scores = run(to_onnx(original).content, rows)
    np.testing.assert_array_equal(label, original.model.codes_of(rows))
    np.testing.assert_allclose(scores, original.model.scores_of(rows), atol=1e-5)


def test_a_converter_that_is_wrong_without_a_word_is_found(
    bundle: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = bundle("logistic_regression", C=1.0)
    worse = bundle("logistic_regression", C=0.01)
    other = onnx_export._converted(worse, worse.estimator).SerializeToString()

    def wrong(*_: Any, **options: Any) -> Any:
        import onnx

        return onnx.load_from_string(other)

    monkeypatch.setattr(onnx_export, "_converted", wrong)
    said = refusal(right)
    assert "a score of 8 rows differs by 0." in said.message
    assert "(tolerance 1e-05)" in said.message


def test_rows_that_differ_are_found_beyond_the_stored_ones(
    bundle: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = bundle("logistic_regression")
    rows = new_rows(original, 300)
    run_onnx = onnx_export._run

    def nearly(content: bytes, batch: np.ndarray) -> Any:
        codes, scores = run_onnx(content, batch)
        if len(batch) == 44:  # the last batch of 300
            scores[-1] += 2e-5
        return codes, scores

    monkeypatch.setattr(onnx_export, "_run", nearly)
    assert to_onnx(original).n_rows == 8
    assert "a score of 300 rows differs by 2e-05" in refusal(original, rows).message


def test_another_class_is_found(bundle: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    run_onnx = onnx_export._run

    def swapped(content: bytes, batch: np.ndarray) -> Any:
        codes, scores = run_onnx(content, batch)
        return 1 - codes, scores

    monkeypatch.setattr(onnx_export, "_run", swapped)
    said = refusal(bundle("logistic_regression"))
    assert "ONNX gives another class to 8 of 8 rows" in said.message


def test_scores_that_are_no_numbers_are_no_small_difference() -> None:
    nothing = np.full((2, 2), np.nan, np.float32)
    assert onnx_export._largest(nothing, np.ones((2, 2))) > 1


@each_number_of_classes
@pytest.mark.parametrize("loss", ["log_loss", "modified_huber", "hinge"])
def test_onnx_names_the_classes_of_the_model_where_scores_saturate(
    loss: str, n_classes: int, bundle: Maker
) -> None:
    original = bundle("sgd", n_classes, alpha=1e-3, loss=loss)
    check_unclear_rows(to_onnx(original).content, original)


@pytest.mark.parametrize("tool", ["skl2onnx", "onnxmltools", "onnxruntime"])
def test_a_missing_extra_is_named(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, tool, None)
    with pytest.raises(EnvironmentMissingError, match=f"needs {tool}, which cannot be") as caught:
        check_tools()
    assert caught.value.hint == "Run `pip install onnx onnxmltools onnxruntime skl2onnx`."


def test_tools_find_the_libraries_that_they_adapt_and_remember(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As skl2onnx does pandas: without it, it refuses the tables of its user until the end."""
    (tmp_path / "cupy.py").write_text("")
    (tmp_path / "adapting_tool.py").write_text("import cupy")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(onnx_export, "_TOOLS", ("adapting_tool",))
    check_tools()
    del sys.modules["adapting_tool"], sys.modules["cupy"]
