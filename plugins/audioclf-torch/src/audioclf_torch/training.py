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
    """Rows with labels, on the device of the network.

    `y` are codes [shape=(n,)], or of several labels 1, 0 or NaN for not labelled [(n, n_classes)].
    """

    X: Tensor
    y: Tensor
    weights: Tensor | None = None

    @classmethod
    def of(
        cls,
        X: NDArray[np.float32],
        y: NDArray[Any],
        device: torch.device,
        weights: NDArray[np.float64] | None = None,
    ) -> Rows:
        """Copy rows and labels to a device."""
        labels = torch.from_numpy(y.astype(np.int64 if y.ndim == 1 else np.float32))
        of_rows = None if weights is None else torch.from_numpy(weights.astype(np.float32))
        return cls(
            torch.from_numpy(X.copy()).to(device),
            labels.to(device),
            None if of_rows is None else of_rows.to(device),
        )

    def targets(self, batch: Any, n_classes: int, kind: torch.dtype) -> Tensor:
        """Return the share of each class in some rows [shape=(n, n_classes)]."""
        y = self.y[batch]
        return y.to(kind) if y.ndim == 2 else fn.one_hot(y, n_classes).to(kind)

    def weights_of(self, batch: Any) -> Tensor | None:
        """Return the weights of some rows; None if all count the same."""
        return None if self.weights is None else self.weights[batch]


def loss_of(
    logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float, *, several: bool
) -> Tensor:
    """Return the mean loss of rows; pairs of row and class that are not labelled have none."""
    if several:
        known = ~torch.isnan(targets)
        wanted = torch.nan_to_num(targets) * (1 - smoothing) + smoothing / 2
        losses = fn.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        counts = known.to(losses.dtype)
        if weights is not None:
            counts = counts * weights[:, None]
        return (losses * counts).sum() / counts.sum().clamp(min=1e-12)
    if weights is None:
        return fn.cross_entropy(logits, targets, label_smoothing=smoothing)
    losses = fn.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp(min=1e-12)


def trained(
    component: ConvNet, size: Size, rows: Rows, held: Rows | None, rng: np.random.Generator
) -> tuple[Network, int]:
    """Return a trained network, and the number of epochs that made its weights.

    The loss of the rows that are `held` out says when to stop; `rng` draws the order of the other
    rows and their changes.
    """
    network = Network(component, size)
    X = rows.X.cpu().numpy()
    network.mean.fill_(float(X.mean(dtype=np.float64)))
    network.std.fill_(max(float(X.std(dtype=np.float64)), 1e-6))
    network.to(rows.X.device)
    training = _Training(component, network, math.ceil(len(X) / component.batch_size))
    if held is None:
        for _ in range(training.epochs):
            training.epoch(rows, rng)
        return training.averaged(), training.epochs
    return _stopped_early(training, rows, held, rng)


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
        size = self.network.size
        targets = rows.targets(batch, size.n_classes, pictures.dtype)
        pictures, targets = augmented(pictures, targets, self.component, rng)
        smoothing, weights = self.component.label_smoothing, rows.weights_of(batch)
        logits = self.network(pictures)
        loss = loss_of(logits, targets, weights, smoothing, several=size.several)
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
    size = network.size
    parts: list[tuple[float, float]] = []
    for start in range(0, len(rows.y), PREDICTED):
        batch = slice(start, start + PREDICTED)
        logits = network(network.scaled(rows.X[batch]))
        if rows.weights is None and not size.several:
            total = fn.cross_entropy(logits, rows.y[batch], reduction="sum").item()
            parts.append((total, len(logits)))
            continue
        targets, weights = rows.targets(batch, size.n_classes, logits.dtype), rows.weights_of(batch)
        mean = loss_of(logits, targets, weights, 0.0, several=size.several).item()
        count = len(logits) if weights is None else float(weights.sum())
        parts.append((mean * count, count))
    return sum(total for total, _ in parts) / max(sum(count for _, count in parts), 1e-12)
