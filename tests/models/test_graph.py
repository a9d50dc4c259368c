"""The ONNX graph in a bundle: predictions by it, where other versions are installed."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import EXIT_MODEL, ModelError
from audioclf.models.bundle import writing
from audioclf.models.bundle.reading import load, open_model
from audioclf.models.model import Model
from audioclf.models.onnx import untrusted
from audioclf.models.onnx.graph_model import GraphModel
from audioclf.models.onnx.names import CHECK_SCORES, GRAPH
from audioclf.models.onnx.session import open_session
from audioclf.models.onnx.untrusted import MAX_GRAPH_BYTES, check_structure
from audioclf.models.refusal import RefusedError
from tests.conftest import run_cli, write_wav
from tests.models.making import classifier, fitted, forged, unpacked, written

onnx = pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

AUDIO = AudioConfig(sr=8000, offset=0.1, duration=0.5)
SOUND = np.random.default_rng(5).normal(0, 0.1, 12_000).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "m.audioclf"
    found = fitted(classifier("logistic_regression"))
    return written(path, found, audio=AUDIO, graph=True)


@pytest.fixture
def path(bundle: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "m.audioclf"
    copy.write_bytes(bundle.read_bytes())
    return copy


def other_versions(manifest: dict[str, Any]) -> None:
    manifest["versions"]["scikit-learn"] = "1.2.2"


def other_plugin(manifest: dict[str, Any]) -> None:
    manifest["classifier"] = {"type": "oracle"}
    manifest["components"]["classifier"].update(type="oracle", distribution="audioclf-oracle")


def test_a_graph_gives_the_scores_of_the_model(path: Path) -> None:
    model, (by_graph, notes) = load(path), open_model(path, graph="always")
    assert (type(model), type(by_graph), notes) == (Model, GraphModel, ())
    assert repr(by_graph) == repr(model)
    sounds = [SOUND, np.zeros(6_000, np.float32)]
    again = pickle.loads(pickle.dumps(by_graph))
    for other in (by_graph, again):
        assert other.scores(sounds, sr=8000) == pytest.approx(
            model.scores(sounds, sr=8000), abs=1e-5
        )
        assert other.predict(sounds, sr=8000) == model.predict(sounds, sr=8000)
    features = by_graph.features_of(SOUND, 8000)
    assert features == pytest.approx(model.features_of(SOUND, 8000), rel=1e-3, abs=1e-3)
    assert "its scores differ by at most" in unpacked(path)["MODEL_CARD.md"].decode()


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (other_versions, "written with scikit-learn 1.2.2"),
        (other_plugin, "'oracle' of audioclf-oracle .*, which is not installed"),
    ],
)
def test_other_versions_predict_by_the_graph(
    path: Path, edit: Callable[[dict[str, Any]], None], why: str
) -> None:
    expected = load(path).scores(SOUND, sr=8000)
    forged(path, edit=edit)
    with pytest.warns(UserWarning, match=f"{why}.*predicts by the ONNX graph"):
        model = load(path)
    assert model.scores(SOUND, sr=8000) == pytest.approx(expected, abs=1e-5)
    assert model.clips is not None
    (note,) = open_model(path)[1]
    assert note.endswith("training clips are not recognized by their features")
    with pytest.raises(ModelError, match=why):
        load(path, graph="never")


def test_predict_says_so_or_refuses(path: Path, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "a.wav", SOUND, 8000)
    args = ("predict", path, sound, "--window", "0.5")
    expected = run_cli(*args, code=0).stdout
    assert _rows(run_cli(*args, "--fast", code=0).stdout) == _rows(expected)
    forged(path, edit=other_versions)
    done = run_cli(*args, code=0)
    assert _rows(done.stdout) == _rows(expected)
    assert "so it predicts by the ONNX graph in the file, whose scores differed by" in done.stderr
    refused = run_cli(*args, "--strict", code=EXIT_MODEL)
    assert (refused.stdout, "refused by the version check" in refused.stderr) == ("", True)


def test_other_versions_are_exported_as_the_graph_in_the_file(path: Path, tmp_path: Path) -> None:
    forged(path, edit=other_versions)
    done = run_cli("export", path, "--out", tmp_path / "m.onnx", code=0)
    assert "not compared, as it is the graph in the file" in done.stdout
    label, scores, _ = open_session((tmp_path / "m.onnx").read_bytes()).run(
        None, {"waveform": SOUND}
    )
    model = open_model(path)[0]
    assert scores == pytest.approx(model.scores(SOUND, sr=8000), abs=1e-6)
    assert model.classes[label] == model.predict(SOUND, sr=8000)
    run_cli("export", path, "--from", "features", "--out", tmp_path / "f.onnx", code=EXIT_MODEL)


@pytest.mark.slow
def test_other_versions_are_evaluated_and_asked_by_the_graph(
    bundle: Path, path: Path, tmp_path: Path
) -> None:
    forged(path, edit=other_versions)
    data = tmp_path / "data"
    for number in range(8):
        sound = np.roll(SOUND, 700 * number) * (1 + number)
        write_wav(data / ("barbie", "ken")[number % 2] / f"{number}.wav", sound, 8000)
    run_cli("evaluate", bundle, path, data, "--no-cache", "--out", tmp_path / "run", code=0)
    cells = json.loads((tmp_path / "run" / "metrics.json").read_text())["cells"]
    first, second = (cell["metrics"] for name, cell in cells.items() if name != "baseline")
    assert first["accuracy"] == second["accuracy"]
    shown, lists = [], []
    for number, model in enumerate((bundle, path)):
        done = run_cli("stress", model, data, "--only", "level", "--no-cache", code=0)
        shown.append(done.stdout.partition("\n\n")[0])
        out = tmp_path / f"{number}.csv"
        run_cli("suggest", model, data, "--window", "0.5", "-n", "4", "--no-cache", "--out", out)
        lists.append([line.split(",")[:3] for line in out.read_text().splitlines()])
    assert shown[0] == shown[1]
    assert lists[0] == lists[1]


def _rows(text: str) -> list[str]:
    """Return labels and times without the last digits of scores."""
    return re.sub(r"(0\.\d{4})\d+", r"\1", text).splitlines()


def _edited(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        model = onnx.load_from_string(content)
        change(model)
        edited: bytes = model.SerializeToString()
        return edited

    return edit


def _looping(model: Any) -> None:
    body = helper.make_graph([helper.make_node("Loop", [], [])], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=body))


def _scanning(model: Any) -> None:
    body = helper.make_graph([helper.make_node("Scan", [], [])], "body", [], [])
    model.graph.node.append(helper.make_node("Scan", ["x"], ["y"], body=body))


def _elsewhere(model: Any) -> None:
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")


def _texts(**attribute: Any) -> Callable[[Any], object]:
    node = helper.make_node("Constant", [], ["text"], **attribute)
    return lambda model: model.graph.node.append(node)


def _hungry(model: Any) -> None:
    number = numpy_helper.from_array(np.array([1 << 32]), "many")
    model.graph.initializer.append(number)
    nodes = [
        helper.make_node("ConstantOfShape", ["many"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        helper.make_node("Add", ["waveform", "zero"], ["louder"]),
    ]
    for node in model.graph.node:
        node.input[:] = ["louder" if name == "waveform" else name for name in node.input]
    for at, node in enumerate(nodes):
        model.graph.node.insert(at, node)


def _slow(model: Any) -> None:
    many = numpy_helper.from_array(np.array([1_000, 1_000]), "many")
    model.graph.initializer.append(many)
    steps = [helper.make_node("ConstantOfShape", ["many"], ["s0"])]
    steps += [helper.make_node("MatMul", [f"s{n}", "s0"], [f"s{n + 1}"]) for n in range(2_000)]
    model.graph.node.extend([*steps, helper.make_node("Identity", ["s2000"], ["more"])])
    model.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, None))


def _renamed(model: Any) -> None:
    (item,) = [item for item in model.metadata_props if item.key == "audioclf.classes"]
    item.value = '["puppy", "barbie"]'


def _other_scores(model: Any) -> None:
    (item,) = [item for item in model.metadata_props if item.key == CHECK_SCORES]
    item.value = "[0.5, 0.5]"


def _other_features(model: Any) -> None:
    for node in model.graph.node:
        node.output[:] = ["half" if name == "features" else name for name in node.output]
    model.graph.node.append(helper.make_node("Add", ["half", "half"], ["features"]))


def _wide(model: Any) -> None:
    for node in model.graph.node:
        node.output[:] = ["one" if name == "scores" else name for name in node.output]
    model.graph.node.append(helper.make_node("Concat", ["one", "one"], ["scores"], axis=0))
    (output,) = [output for output in model.graph.output if output.name == "scores"]
    output.CopyFrom(helper.make_tensor_value_info("scores", TensorProto.FLOAT, None))


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda content: b"no graph" + content, "its graph is no ONNX"),
        (lambda content: content[:-3], "its graph is no ONNX"),
        (_edited(_looping), "its graph has a loop"),
        (_edited(_scanning), "its graph has a loop in another graph"),
        (_edited(_elsewhere), "its graph reads data from another file"),
        (
            _edited(lambda model: model.functions.add(name="f", domain="mine")),
            "its graph has functions",
        ),
        (
            _edited(lambda model: setattr(model.graph.node[0], "domain", "com.microsoft")),
            "its graph has operators of its own",
        ),
        (_edited(_texts(value_string=b"x" * 100)), "its graph holds long texts"),
        (_edited(_texts(value_strings=[b"x", b"x" * 100])), "its graph holds long texts"),
        (
            _edited(_texts(value=helper.make_tensor("t", TensorProto.STRING, [1], [b"x"]))),
            "its graph works with texts",
        ),
        (
            _edited(
                lambda model: model.graph.node.append(
                    helper.make_node("StringConcat", ["a", "a"], ["b"])
                )
            ),
            "its graph works with texts",
        ),
        (_edited(lambda model: model.graph.node.pop()), "ONNX Runtime does not take its graph"),
        (_edited(_hungry), "the graph of the model cannot be run: "),
        (_edited(_renamed), "its graph has other classes"),
        (_edited(_other_scores), "scores of its graph differ by up to"),
        (_edited(_other_features), "features of its graph differ by up to 1"),
        (_edited(_wide), "the graph of the model gives no finite numbers"),
    ],
)
def test_a_hostile_graph_is_refused(path: Path, edit: Callable[[bytes], bytes], why: str) -> None:
    forged(path, {GRAPH: edit(unpacked(path)[GRAPH])}, other_versions)
    with pytest.raises(ModelError, match="written with scikit-learn 1") as caught:
        load(path)
    assert "; its graph is no help: " in caught.value.message
    assert why in caught.value.message


def test_a_graph_that_runs_too_long_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "MAX_SECONDS", 0.05)
    forged(path, {GRAPH: _edited(_slow)(unpacked(path)[GRAPH])})
    with pytest.raises(ModelError, match=r"the graph of the model cannot be run: .*terminate"):
        load(path, graph="always")


def test_a_large_graph_is_refused() -> None:
    with pytest.raises(RefusedError, match="bytes"):
        check_structure(bytes(MAX_GRAPH_BYTES + 1))


def test_a_damaged_estimator_is_not_replaced_by_the_graph(path: Path) -> None:
    forged(path, {"estimator/model.skops": b"PK"})
    with pytest.raises(ModelError, match=r"refused by the (type|structure) check"):
        load(path)


def test_a_model_without_a_graph_says_why(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dummy = written(tmp_path / "d.audioclf", fitted(classifier("dummy")), graph=True)
    assert "none, since it cannot be made: " in _card(dummy)
    monkeypatch.setattr(writing, "MAX_ESTIMATOR_BYTES", 100)
    large = written(tmp_path / "l.audioclf", fitted(classifier("logistic_regression")), graph=True)
    assert re.search(r"none, since the estimator has \d+ bytes \(limit 100\)", _card(large))
    with pytest.raises(ModelError, match="it holds no ONNX graph"):
        load(large, graph="always")


def _card(path: Path) -> str:
    return unpacked(path)["MODEL_CARD.md"].decode().replace("\\", "")


def test_equal_models_have_equal_bytes(bundle: Path, tmp_path: Path) -> None:
    found = fitted(classifier("logistic_regression"))
    again = written(tmp_path / "again.audioclf", found, audio=AUDIO, graph=True)
    assert again.read_bytes() == bundle.read_bytes()
