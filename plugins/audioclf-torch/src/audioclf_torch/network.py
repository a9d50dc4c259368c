"""The network: stages of convolution, averages over parts of the time, one linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

if TYPE_CHECKING:
    from audioclf_torch import ConvNet


@dataclass(frozen=True)
class Size:
    """Sizes that depend on the data; with `several` labels each class has a sigmoid of its own."""

    n_bins: int
    n_frames: int
    n_classes: int
    several: bool = False


class Network(nn.Module):
    """Maps matrices of levels to a score per class.

    `mean` and `std` of the training values are part of it, so that whoever has the weights has all
    that prediction takes.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, component: ConvNet, size: Size) -> None:
        super().__init__()
        self.size = size
        self.center = component.center
        self.segments = component.segments
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        widths = (2 if self.center == "both" else 1, *component.channels)
        pairs = list(zip(widths, component.channels, strict=False))
        self.stages = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in component.channels)
        self.dropout = nn.Dropout(component.dropout)
        self.head = nn.Linear(widths[-1] * self.segments, size.n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def scaled(self, rows: Tensor) -> Tensor:
        """Return flat rows as pictures around 0, shape (n, 1, n_bins, n_frames)."""
        pictures = rows.view(-1, self.size.n_frames, self.size.n_bins).transpose(1, 2)
        return ((pictures - self.mean) / self.std).unsqueeze(1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits, shape (n, n_classes), of the output of `scaled`."""
        found = self._centered(pictures).contiguous(memory_format=torch.channels_last)
        last = len(self.stages) - 1
        for number, (stage, norm) in enumerate(zip(self.stages, self.norms, strict=True)):
            found = fn.relu(norm(stage(found)))
            if number < last:
                found = fn.max_pool2d(found, 2, ceil_mode=True)
        averages = fn.adaptive_avg_pool2d(found, (1, self.segments)).flatten(1)
        logits: Tensor = self.head(self.dropout(averages))
        return logits

    def scores(self, logits: Tensor) -> Tensor:
        """Return scores from logits: those of a clip sum to 1, or are each in [0, 1]."""
        return torch.sigmoid(logits) if self.size.several else torch.softmax(logits, dim=1)

    def _centered(self, pictures: Tensor) -> Tensor:
        if self.center == "none":
            return pictures
        centered = pictures - pictures.mean(dim=3, keepdim=True)
        return centered if self.center == "time" else torch.cat([pictures, centered], dim=1)
