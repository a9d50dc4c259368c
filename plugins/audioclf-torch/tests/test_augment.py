from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from audioclf_torch import ConvNet  # noqa: E402
from audioclf_torch.augment import augmented, masked, warped  # noqa: E402

OFF: dict[str, Any] = {
    "mixup": 0.0,
    "frequency_stretch": 0.0,
    "frequency_shift": 0.0,
    "time_stretch": 0.0,
    "time_shift": 0.0,
    "frequency_mask": 0.0,
    "time_mask": 0.0,
    "equalizer": 0.0,
    "noise": 0.0,
}
TARGETS = torch.eye(2)[[0, 1] * 4]


def pictures() -> Any:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 1, 20, 16, generator=generator)


def changed(**fields: Any) -> tuple[Any, Any]:
    component = ConvNet(**{**OFF, **fields})
    return augmented(pictures(), TARGETS, component, np.random.default_rng(0))


def test_with_nothing_asked_for_nothing_changes() -> None:
    found, targets = changed()
    torch.testing.assert_close(found, pictures(), atol=1e-5, rtol=0)
    assert torch.equal(targets, TARGETS)


@pytest.mark.parametrize("name", sorted(OFF))
def test_each_field_does_something(name: str) -> None:
    found, targets = changed(**{name: 3.0 if name == "mixup" else 0.3})
    assert (found - pictures()).abs().max() > 0.01
    assert torch.equal(targets, TARGETS) == (name != "mixup")
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(8))


def test_one_seed_gives_one_change() -> None:
    fields = dict.fromkeys(OFF, 0.3)
    assert torch.equal(changed(**fields)[0], changed(**fields)[0])


def test_a_stretch_along_frequency_moves_a_peak_and_leaves_the_lowest_band() -> None:
    tone = torch.zeros(64, 1, 40, 8)
    tone[:, :, 20] = 1.0
    tone[:, :, 0] = 1.0
    component = ConvNet(**{**OFF, "frequency_stretch": 0.3})
    found = warped(tone, component, np.random.default_rng(0))
    peaks = found[:, 0, 5:, 4].argmax(dim=1) + 5
    assert peaks.min() < 18
    assert peaks.max() > 22
    assert (found[:, 0, 0, 4] > 0.5).all()


def test_a_shift_in_time_moves_an_onset_within_its_bound() -> None:
    onset = torch.zeros(64, 1, 8, 40)
    onset[..., 20:] = 1.0
    component = ConvNet(**{**OFF, "time_shift": 0.1})
    found = warped(onset, component, np.random.default_rng(0))
    moved = 40 - (found[:, 0, 0] > 0.5).sum(dim=1)
    assert moved.min() >= 16
    assert moved.max() <= 24
    assert len(set(moved.tolist())) > 3


@pytest.mark.parametrize("axis", [2, 3])
def test_a_mask_is_one_stripe_of_at_most_its_share(axis: int) -> None:
    ones = torch.ones(200, 1, 20, 20)
    found = masked(ones, 0.25, axis, np.random.default_rng(0))
    lines = found[:, 0, :, 0] if axis == 2 else found[:, 0, 0, :]
    lost = (lines == 0).sum(dim=1)
    assert lost.max() == 5
    assert lost.min() == 0
    edges = (lines.diff(dim=1) != 0).sum(dim=1)
    assert edges.max() <= 2
