"""`audioclf weights inspect`: the YAML that it prints works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from audioclf.cli import app
from audioclf_onnx import Onnx
from audioclf_onnx.inspection import describe

onnx = pytest.importorskip("onnx", reason="the tests make models with onnx")
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def model(path: Path, shape: list[Any], metadata: dict[str, str]) -> Path:
    """Write a model of a waveform and a mask, in frames of 400 samples in hops of 160."""
    helper = onnx.helper
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["factor"], to=FLOAT),
        helper.make_node("Mul", ["x", "factor"], ["sound"]),
        helper.make_node("Unsqueeze", ["sound", "axis"], ["channel"]),
        helper.make_node("Conv", ["channel", "filters"], ["bands"], strides=[160]),
        helper.make_node("Transpose", ["bands"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["frames"], ["mean"], axes=[1], keepdims=0),
    ]
    filters = np.random.default_rng(0).normal(size=(4, 1, 400)).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "tests",
        [
            helper.make_tensor_value_info("x", FLOAT, shape),
            helper.make_tensor_value_info("attention_mask", INT64, shape),
        ],
        [
            helper.make_tensor_value_info("frames", FLOAT, [1, "t", 4]),
            helper.make_tensor_value_info("mean", FLOAT, [1, 4]),
        ],
        [
            onnx.numpy_helper.from_array(np.array([1]), "axis"),
            onnx.numpy_helper.from_array(filters, "filters"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in metadata.items():
        made.metadata_props.add(key=key, value=value)
    onnx.save(made, path)
    return path


@pytest.mark.parametrize(
    ("samples", "metadata", "fields"),
    [
        ("n", {}, {"sr": 16_000, "min_seconds": 0.0251}),
        ("n", {"sample_rate": "8000"}, {"sr": 8000, "min_seconds": 0.0502}),
        (1600, {"sample_rate": "8000"}, {"sr": 8000, "window": 0.2}),
    ],
)
def test_the_yaml_can_be_pasted(
    tmp_path: Path, samples: Any, metadata: dict[str, str], fields: dict[str, Any]
) -> None:
    path = model(tmp_path / "a model.onnx", [1, samples], metadata)
    facts, _, text = describe(path, Onnx.model_validate).partition("\n\n")
    pasted = yaml.safe_load(text)["featurizers"]["embedding"]
    masked = {"input": "x", "ones": ["attention_mask"], "output": "frames"}
    assert fields.items() <= pasted.items()
    assert masked.items() <= pasted.items()
    assert "  # or mean" in text
    assert ("a guess" in text) == (not metadata)
    y = np.random.default_rng(1).normal(size=pasted["sr"]).astype(np.float32)
    assert Onnx.model_validate(pasted).extract(y, pasted["sr"]).shape[0] == 4
    assert f"x [1, {samples}] tensor(float)" in facts


def test_a_model_that_cannot_be_used_has_a_reason_and_no_yaml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    tensors = [
        [onnx.helper.make_tensor_value_info(name, FLOAT, [1, 96, 64])] for name in ("x", "y")
    ]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", *tensors)
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    with pytest.raises(SystemExit) as caught:
        app(args=["weights", "inspect", str(path)], prog_name="audioclf")
    printed = capsys.readouterr().out
    assert not caught.value.code
    assert "cannot be used  the input x [1, 96, 64] tensor(float) of m.onnx is no wave" in printed
    assert "featurizers:" not in printed
