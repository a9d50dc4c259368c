from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from safetensors.torch import load, save  # noqa: E402

from audioclf_torch import ConvNet  # noqa: E402
from audioclf_torch.weights import SIZE, WEIGHTS  # noqa: E402

COMPONENT = ConvNet(channels=(4, 8), epochs=1, batch_size=8, min_steps=0)
X = np.random.default_rng(0).normal(size=(20, 60)).astype(np.float32)
Y = np.arange(20) % 2


@pytest.fixture(scope="module")
def model() -> Any:
    built: Any = COMPONENT.build(random_state=0)
    return built.fit(X, Y, shape=(6, 10))


@pytest.fixture(scope="module")
def files(model: Any) -> dict[str, bytes]:
    return COMPONENT.dump(model)


def test_what_is_saved_comes_back_to_the_last_bit(model: Any, files: dict[str, bytes]) -> None:
    restored: Any = COMPONENT.restore(files)
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(restored.classes_, [0, 1])
    assert restored.n_features_in_ == 60
    assert COMPONENT.dump(restored) == files


def test_a_network_of_a_gpu_is_restored_on_the_cpu(files: dict[str, bytes]) -> None:
    component = COMPONENT.model_copy(update={"device": "cuda"})
    restored: Any = component.restore(files)
    assert next(restored.network_.parameters()).device.type == "cpu"


def tensors(edit: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes]], object]:
    def change(files: dict[str, bytes]) -> None:
        found = load(files[WEIGHTS])
        edit(found)
        files[WEIGHTS] = save(found)

    return change


def size(**values: Any) -> Callable[[dict[str, bytes]], object]:
    def change(files: dict[str, bytes]) -> None:
        files[SIZE] = json.dumps({**json.loads(files[SIZE]), **values}).encode()

    return change


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda f: f.pop(SIZE), "is not in 'weights.safetensors' and 'size.json' alone"),
        (lambda f: f.update({"x.pkl": b""}), "is not in 'weights.safetensors'"),
        (lambda f: f.update({WEIGHTS: b""}), "is no safetensors file"),
        (lambda f: f.update({WEIGHTS: f[WEIGHTS][:-1]}), "is no safetensors file"),
        (lambda f: f.update({WEIGHTS: b"\xff" * 8 + f[WEIGHTS][8:]}), "is no safetensors file"),
        (lambda f: f.update({WEIGHTS: b"\x80\x04K\x01."}), "is no safetensors file"),
        (lambda f: f.update({SIZE: b"[]"}), "does not hold n_bins, n_frames, n_classes"),
        (lambda f: f.update({SIZE: b" " * 2000}), "does not hold n_bins, n_frames, n_classes"),
        (size(extra=1), "does not hold n_bins"),
        (size(n_bins=0), "n_bins in size.json is not a whole number"),
        (size(n_frames=True), "n_frames in size.json is not a whole number"),
        (size(n_frames="10"), "n_frames in size.json is not a whole number"),
        (size(n_classes=1 << 40), "n_classes in size.json is not a whole number"),
        (size(n_classes=3), r"tensor 'head.bias' is .* instead of \(3,\)"),
        (size(n_classes=1 << 24), r"instead of \(16777216,\)"),
        (tensors(lambda t: t.pop("head.bias")), "has no tensor 'head.bias'"),
        (tensors(lambda t: t.update(more=torch.ones(1))), "has a foreign tensor 'more'"),
        (
            tensors(lambda t: t.update({"head.bias": t["head.bias"].double()})),
            "tensor 'head.bias' is torch.float64",
        ),
        (
            tensors(lambda t: t.update({"head.bias": torch.ones(2, 1)})),
            r"torch.float32 of shape \(2, 1\) instead of \(2,\)",
        ),
        (
            tensors(lambda t: t["head.bias"].fill_(float("nan"))),
            "'head.bias' holds a number that is not finite",
        ),
        (tensors(lambda t: t["norms.0.running_var"].fill_(-1.0)), "holds a negative variance"),
        (tensors(lambda t: t["std"].fill_(0.0)), "is not above 0"),
    ],
)
def test_a_forged_or_damaged_file_is_refused(
    edit: Callable[[dict[str, bytes]], object], words: str, files: dict[str, bytes]
) -> None:
    changed = dict(files)
    edit(changed)
    with pytest.raises(ValueError, match=words):
        COMPONENT.restore(changed)


def test_weights_of_another_network_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="tensor"):
        ConvNet(channels=(4, 9)).restore(files)
    with pytest.raises(ValueError, match="has no tensor"):
        ConvNet(channels=(4, 8, 8)).restore(files)


def test_a_huge_file_is_not_read(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf_torch.weights.MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"bytes of weights \(limit 100\)"):
        COMPONENT.restore(files)


def test_weights_that_are_not_finite_are_not_saved(files: dict[str, bytes]) -> None:
    model: Any = COMPONENT.restore(files)
    with torch.no_grad():
        model.network_.head.bias[0] = float("inf")
    with pytest.raises(ValueError, match="not finite"):
        COMPONENT.dump(model)
