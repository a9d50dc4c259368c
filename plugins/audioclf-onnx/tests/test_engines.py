"""Runs with a network of ONNX are equal wherever the work is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.components.discovery import discover
from audioclf.starters.sample_data.registry import sample_named, write_sample

onnx = pytest.importorskip("onnx", reason="the tests make models with onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


def network(path: Path) -> Path:
    """Write a model of frames of 100 samples with random weights: two layers, 16 numbers."""
    rng = np.random.default_rng(0)
    arrays = {"first": rng.normal(0, 0.1, (100, 64)), "second": rng.normal(0, 0.1, (64, 16))}
    constants = [onnx.numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()]
    constants.append(onnx.numpy_helper.from_array(np.array([-1, 100]), "shape"))
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["frames"]),
        helper.make_node("MatMul", ["frames", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tests",
        [helper.make_tensor_value_info("x", FLOAT, [1, "n"])],
        [helper.make_tensor_value_info("y", FLOAT, ["t", 16])],
        constants,
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def cluster() -> Any:
    distributed = pytest.importorskip("distributed", reason="needs Dask")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made


def test_predictions_are_equal_with_all_engines(tmp_path: Path, cluster: Any) -> None:
    if "onnx" not in discover().types("featurizer"):
        pytest.skip("the plugin is not installed")
    sample, model = tmp_path / "sample", network(tmp_path / "net.onnx")
    write_sample(sample_named("clean"), sample)
    net = f"{{type: onnx, path: {model}, sr: 8000, window: 0.5, hop: 0.25}}"
    settings = (
        f"featurizers={{net: {net}}}",
        "audit=false",
        "final=none",
        "report={html: false, plots: false}",
    )
    chosen = [word for text in settings for word in ("--set", text)]
    engines = {
        "one": ("--jobs", "1"),
        "two": ("--jobs", "2"),
        "isolated": ("--jobs", "2", "--isolate"),
        "dask": ("--engine", "dask", "--scheduler", cluster.scheduler_address),
    }
    found = {}
    for name, options in engines.items():
        out = tmp_path / name
        command = ["run", sample / "config.yaml", "--out", out, "--no-cache", "-q"]
        done = subprocess.run(
            [sys.executable, "-m", "audioclf", *map(str, command), *chosen, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found[name] = (out / "predictions.csv").read_bytes()
    assert set(found.values()) == {found["one"]}
