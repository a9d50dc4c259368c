"""The training of a network: AdamW, one cycle of the step size, averaged weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as fn

from audioclf_torch.augment import augmented
from audioclf_torch.network import Network, Size

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from audioclf_torch import ConvNet

PREDICTED = 256
"""Number of rows that are predicted together."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit PyTorch to one thread, for a fixed order of sums; the run decides on parallel work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def own_random_state(seed: int) -> Iterator[None]:
    """Seed PyTorch's generators within a block, and restore their states."""
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class Rows:
    """Rows with labels, on the device of the network."""

    X: Tensor
    y: Tensor

    @classmethod
    def of(cls, X: NDArray[np.float32], y: NDArray[np.intp], device: torch.device) -> Rows:
        """Copy rows and labels to a device."""
        labels = torch.from_numpy(y.astype(np.int64))
        return cls(torch.from_numpy(X.copy()).to(device), labels.to(device))


def trained(
    component: ConvNet,
    size: Size,
    learned: tuple[NDArray[np.float32], NDArray[np.intp]],
    held: tuple[NDArray[np.float32], NDArray[np.intp]] | None,
    device: torch.device,
    rng: np.random.Generator,
) -> tuple[Network, int]:
    """Return a trained network, and the number of epochs that made its weights.

    Parameters
    ----------
    component : ConvNet
    size : Size
    learned : tuple of arrays
        Rows and labels to learn from.
    held : tuple of arrays, optional
        Rows and labels whose loss says when to stop.
    device : torch.device
    rng : np.random.Generator
        Of the order of clips and their changes.
    """
    network = Network(component, size)
    X = learned[0]
    network.mean.fill_(float(X.mean(dtype=np.float64)))
    network.std.fill_(max(float(X.std(dtype=np.float64)), 1e-6))
    network.to(device)
    rows = Rows.of(*learned, device)
    training = _Training(component, network, math.ceil(len(X) / component.batch_size))
    if held is None:
        for _ in range(training.epochs):
            training.epoch(rows, rng)
        return training.averaged(), training.epochs
    return _stopped_early(training, rows, Rows.of(*held, device), rng)


@dataclass
class _Training:
    component: ConvNet
    network: Network
    steps_per_epoch: int
    average: dict[str, Tensor] = field(init=False)
    optimizer: Any = field(init=False)
    schedule: Any = field(init=False)

    def __post_init__(self) -> None:
        component = self.component
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": weights, "weight_decay": component.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=component.learning_rate,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._step_size)
        self.average = {name: t.clone() for name, t in self.network.state_dict().items()}

    @property
    def epochs(self) -> int:
        """Largest number of epochs."""
        return max(
            self.component.epochs, math.ceil(self.component.min_steps / self.steps_per_epoch)
        )

    def _step_size(self, step: int) -> float:
        """Return the share of the greatest step size: up by a half cosine, down by another."""
        total = self.epochs * self.steps_per_epoch
        rising = max(1, total // 4)
        if step < rising:
            return 0.04 + 0.96 * (1 - math.cos(math.pi * step / rising)) / 2
        return 1e-4 + (1 + math.cos(math.pi * (step - rising) / max(1, total - rising))) / 2

    def epoch(self, rows: Rows, rng: np.random.Generator) -> None:
        """Train one epoch, in batches of about equal size."""
        self.network.train()
        order = rng.permutation(len(rows.y))
        for batch in np.array_split(order, self.steps_per_epoch):
            self._step(rows, torch.from_numpy(batch).to(rows.y.device), rng)

    def _step(self, rows: Rows, batch: Tensor, rng: np.random.Generator) -> None:
        pictures = self.network.scaled(rows.X[batch])
        targets = fn.one_hot(rows.y[batch], self.network.size.n_classes).to(pictures.dtype)
        pictures, targets = augmented(pictures, targets, self.component, rng)
        smoothing = self.component.label_smoothing
        loss = fn.cross_entropy(self.network(pictures), targets, label_smoothing=smoothing)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            for name, now in self.network.state_dict().items():
                if now.dtype.is_floating_point:
                    self.average[name].lerp_(now, 1 - self.component.average)

    def averaged(self) -> Network:
        """Return the network with its averaged weights."""
        self.network.load_state_dict(self.average)
        return self.network.eval()


def _stopped_early(
    training: _Training, rows: Rows, held: Rows, rng: np.random.Generator
) -> tuple[Network, int]:
    """Train with early stopping on the averaged weights, and take the best."""
    judged = Network(training.component, training.network.size).to(rows.X.device)
    best, best_loss, best_epoch = training.average, math.inf, 0
    for epoch in range(1, training.epochs + 1):
        training.epoch(rows, rng)
        judged.load_state_dict(training.average)
        found = _loss(judged.eval(), held)
        if found < best_loss:
            best = {name: t.clone() for name, t in training.average.items()}
            best_loss, best_epoch = found, epoch
        elif epoch - best_epoch >= (training.component.patience or 0):
            break
    training.average = best
    return training.averaged(), best_epoch


@torch.no_grad()
def _loss(network: Network, rows: Rows) -> float:
    losses = []
    for start in range(0, len(rows.y), PREDICTED):
        logits = network(network.scaled(rows.X[start : start + PREDICTED]))
        wanted = rows.y[start : start + PREDICTED]
        losses.append(fn.cross_entropy(logits, wanted, reduction="sum").item())
    return sum(losses) / len(rows.y)
