"""Networks on several labels per clip: one network, states that are not labelled, weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from audioclf.evaluation.class_fits import ClassColumn, OneFitPerClass  # noqa: E402
from audioclf.models.bundle.manifest import SeveralLabels  # noqa: E402
from audioclf.models.estimators.several import dump_classes, restore_classes  # noqa: E402
from audioclf_torch import ConvNet  # noqa: E402
from audioclf_torch.training import loss_of  # noqa: E402

SHAPE = (12, 10)
SMALL: dict[str, Any] = {
    "channels": (16, 32),
    "center": "none",
    "min_steps": 100,
    "batch_size": 16,
    "average": 0.8,
    **dict.fromkeys(("frequency_mask", "frequency_shift", "frequency_stretch"), 0.0),
    **dict.fromkeys(("time_mask", "noise", "equalizer"), 0.0),
}


def bands(n: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noise with a loud band for each of two classes, and the states of the classes."""
    rng = np.random.default_rng(seed)
    states = rng.integers(0, 2, (n, 2)).astype(np.int8)
    frames = rng.normal(size=(n, SHAPE[1], SHAPE[0]))
    frames[:, :, 3] += 4.0 * states[:, :1]
    frames[:, :, 9] += 4.0 * states[:, 1:]
    return frames.reshape(n, -1).astype(np.float32), states


@pytest.mark.parametrize("more", [{}, {"patience": 5, "mixup": 0.2}])
def test_one_network_learns_classes_that_occur_together(more: dict[str, Any]) -> None:
    X, states = bands()
    component = ConvNet(**SMALL, **more)
    states[::5, 0] = -1
    model = component.fit_states(component.build(random_state=0), X, states, shape=SHAPE)
    new, truth = bands(seed=1)
    scores = model.predict_proba(new)
    assert np.mean((scores >= 0.5) == truth) > 0.9
    fitted = OneFitPerClass((ClassColumn(model, 0), 0.0), np.array([0.3, 0.5]))
    files = dump_classes(component, fitted)
    assert {name.partition("/")[0] for name in files} == {"shared"}
    several = {"thresholds": [0.3, 0.5], "constants": [None, 0.0], "shared": True}
    manifest: Any = SimpleNamespace(
        several=SeveralLabels.model_validate(several),
        estimator=SimpleNamespace(format=component.model_format),
        features=SimpleNamespace(width=X.shape[1]),
        classes=("a", "b"),
        seed=0,
    )
    again = restore_classes(component, manifest, files).outputs(new)
    assert again.scores is not None
    np.testing.assert_array_equal(again.scores[:, 0], scores[:, 0])
    np.testing.assert_array_equal(again.states, fitted.outputs(new).states)


def test_what_is_not_labelled_or_has_no_weight_has_no_loss() -> None:
    rng = np.random.default_rng(0)
    logits, targets = torch.tensor(rng.normal(size=(6, 3))), torch.tensor(rng.random((6, 3)))
    targets[2:4, 1] = float("nan")
    weights = torch.tensor([1.0, 1.0, 0.0, 0.0, 2.0, 1.0])
    kept = [0, 1, 4, 4, 5]
    for several in (True, False):
        one = loss_of(
            logits, targets.nan_to_num() if not several else targets, weights, 0.1, several=several
        )
        copies = loss_of(logits[kept], targets[kept], None, 0.1, several=several)
        assert one.item() == pytest.approx(copies.item())
    changed = logits.clone()
    changed[2:4, 1] += 5
    losses = [loss_of(each, targets, None, 0.1, several=True).item() for each in (logits, changed)]
    assert losses[0] == pytest.approx(losses[1])
