"""Models written before the layout of ten layers: they open, show and predict as they did.

`tests/data/models` holds four, made from `audioclf sample-data clean` by audioclf 0.1.0.dev0 at
commit ce38037, and a later one with an ONNX graph, with the scores that it gave to `sound.wav`.
Where scikit-learn is another version, the latter predicts by its graph.
"""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from audioclf.base.errors import ModelError
from audioclf.models.bundle.reading import load, open_bundle
from audioclf.models.bundle.self_check import SCORE_TOLERANCE
from audioclf.models.model import Model
from audioclf.models.onnx.graph_model import GraphModel
from audioclf.models.onnx.names import GRAPH
from tests.conftest import run_cli
from tests.models.making import registry

FOLDER = Path(__file__).parents[1] / "data" / "models"
SOUND = FOLDER / "sound.wav"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
PATHS = {name: FOLDER / f"{name}.audioclf" for name in EXPECTED}

pytestmark = pytest.mark.parametrize("name", EXPECTED)


def opened(name: str) -> Model:
    if name == "xgboost":
        pytest.importorskip("audioclf_xgboost")
    manifest = open_bundle(PATHS[name]).manifest
    here, there = metadata.version("scikit-learn"), manifest.versions["scikit-learn"]
    if manifest.estimator.format == "skops" and here.split(".")[:2] != there.split(".")[:2]:
        if GRAPH in manifest.members:
            pytest.importorskip("onnxruntime")
            with pytest.warns(UserWarning, match=f"scikit-learn {there}.*predicts by the ONNX"):
                return load(PATHS[name], registry=registry())
        with pytest.raises(ModelError, match="refused by the version check"):
            load(PATHS[name], registry=registry())
        pytest.skip(f"written with scikit-learn {there}, and {here} is installed")
    return load(PATHS[name], registry=registry())


def test_an_old_model_predicts_as_it_did(name: str) -> None:
    # Within the tolerance of the self check: the last bits depend on the processor.
    model, expected = opened(name), EXPECTED[name]
    assert model.predict(SOUND) == expected["label"]
    tolerance = 1e-5 if isinstance(model, GraphModel) else SCORE_TOLERANCE
    assert model.scores(SOUND).tolist() == pytest.approx(expected["scores"], abs=tolerance)
    assert (model.classes, model.score_name) == (tuple(expected["classes"]), expected["score_name"])


def test_an_old_model_is_shown(name: str) -> None:
    done = run_cli("model", "show", PATHS[name], "--json")
    shown = json.loads(done.stdout)
    assert {key: shown[key] for key in ("name", "cell", "classes")} == {
        key: EXPECTED[name][key] for key in ("name", "cell", "classes")
    }
