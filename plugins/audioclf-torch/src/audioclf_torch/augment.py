"""Data augmentation of one batch.

All draws come from NumPy, so that they are the same on every device.

N. Jaitly and G. Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition", ICML
workshop on deep learning for audio, speech and language processing, 2013.
D. S. Park et al., "SpecAugment", Interspeech 2019.
H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as fn

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from audioclf_torch import ConvNet

_KNOTS = 4


def augmented(
    pictures: Tensor, targets: Tensor, component: ConvNet, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return changed pictures and targets, which are shares of the classes [(n, n_classes)].

    Pictures [shape=(n, 1, n_bins, n_frames)] are around 0, in standard deviations of the training
    values.
    """
    pictures = warped(pictures, component, rng)
    pictures = pictures + _curves(pictures, component.equalizer, rng)
    pictures = pictures + _noise(pictures, component.noise, rng)
    pictures, targets = _mixed(pictures, targets, component.mixup, rng)
    pictures = masked(pictures, component.frequency_mask, 2, rng)
    return masked(pictures, component.time_mask, 3, rng), targets


def warped(pictures: Tensor, component: ConvNet, rng: np.random.Generator) -> Tensor:
    """Return pictures stretched and moved along both axes; beyond an edge stands its value.

    A picture reaches from -1 to 1 on both axes. Along frequency the lowest band stays where it is,
    but for the shift.
    """
    n = len(pictures)
    stretch, shift, time_stretch, time_shift = rng.uniform(-1, 1, (4, n)) * np.array(
        [
            [component.frequency_stretch],
            [2 * component.frequency_shift],
            [component.time_stretch],
            [2 * component.time_shift],
        ]
    )
    places = np.zeros((n, 2, 3), dtype=np.float32)
    places[:, 0, 0], places[:, 0, 2] = np.exp(time_stretch), time_shift
    places[:, 1, 1], places[:, 1, 2] = np.exp(stretch), np.exp(stretch) - 1 + shift
    grid = fn.affine_grid(_like(places, pictures), list(pictures.shape), align_corners=False)
    return fn.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def masked(pictures: Tensor, share: float, axis: int, rng: np.random.Generator) -> Tensor:
    """Return pictures with a stripe of zeros across one axis, of up to a share of its length."""
    size, n = pictures.shape[axis], len(pictures)
    widths = rng.uniform(0, share, n) * size
    starts = rng.uniform(0, 1, n) * (size - widths)
    places = np.arange(size)
    kept = (places < starts[:, None]) | (places >= (starts + widths)[:, None])
    shape = [n, 1, 1, 1]
    shape[axis] = size
    return pictures * _like(kept.astype(np.float32), pictures).view(shape)


def _curves(pictures: Tensor, spread: float, rng: np.random.Generator) -> Tensor:
    """Return smooth curves over frequency, the same in all frames [shape=(n, 1, n_bins, 1)]."""
    knots = rng.normal(0, 1, (len(pictures), 1, _KNOTS)).astype(np.float32) * np.float32(spread)
    curves = fn.interpolate(
        _like(knots, pictures), size=pictures.shape[2], mode="linear", align_corners=True
    )
    return curves.unsqueeze(3)


def _noise(pictures: Tensor, level: float, rng: np.random.Generator) -> Tensor:
    levels = rng.uniform(0, level, (len(pictures), 1, 1, 1)).astype(np.float32)
    noise = rng.standard_normal(tuple(pictures.shape), dtype=np.float32)
    return _like(noise * levels, pictures)


def _mixed(
    pictures: Tensor, targets: Tensor, concentration: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mix each picture with another of the batch, and its targets with the same weight."""
    other = torch.from_numpy(rng.permutation(len(pictures))).to(pictures.device)
    weight = float(rng.beta(concentration, concentration)) if concentration > 0 else 1.0
    if weight == 1.0:
        return pictures, targets
    mixed = weight * pictures + (1 - weight) * pictures[other]
    return mixed, weight * targets + (1 - weight) * targets[other]


def _like(values: NDArray[np.float32], pictures: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(pictures.device)
