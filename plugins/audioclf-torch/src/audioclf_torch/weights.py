"""Weights of a network as files; nothing is executed to restore them.

The tensors are in the safetensors format: a header in JSON and plain numbers. What their names and
shapes must be follows from the component and from the network's size, so a file that holds anything
else is refused before any of it is used.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from audioclf_torch.network import Network, Size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from audioclf_torch import ConvNet

WEIGHTS, SIZE = "weights.safetensors", "size.json"
MAX_BYTES = 1 << 30
_KEYS = ("n_bins", "n_frames", "n_classes")
_MOST = 1 << 24


def dumped(network: Network) -> dict[str, bytes]:
    """Return the files of a network, the same bytes for the same weights.

    ValueError for a weight that is not finite.
    """
    from safetensors.torch import save

    tensors = {name: t.detach().cpu().contiguous() for name, t in _floats(network).items()}
    _check_values(tensors)
    size: dict[str, Any] = {name: getattr(network.size, name) for name in _KEYS}
    if network.size.several:
        size["several"] = True
    return {WEIGHTS: save(tensors), SIZE: json.dumps(size, sort_keys=True).encode()}


def restored(component: ConvNet, files: Mapping[str, bytes]) -> Network:
    """Return the network that `dumped` saved; ValueError for files that hold anything else."""
    if set(files) != {WEIGHTS, SIZE}:
        raise ValueError(f"it is not in {WEIGHTS!r} and {SIZE!r} alone")
    size = _size(files[SIZE])
    # On this device tensors have shapes and take no memory, whatever size the file claims.
    with torch.device("meta"):
        expected = Network(component, size)
    tensors = _tensors(files[WEIGHTS])
    _check_shapes(tensors, expected)
    _check_values(tensors)
    network = Network(component, size)
    network.load_state_dict({**network.state_dict(), **tensors})
    return network


def _floats(network: Network) -> dict[str, Tensor]:
    """Return all tensors that a prediction depends on: no counts of batches."""
    return {n: t for n, t in network.state_dict().items() if t.dtype.is_floating_point}


def _size(data: bytes) -> Size:
    found: Any = json.loads(data) if len(data) < 1000 else None
    if not isinstance(found, dict) or set(found) - {"several"} != set(_KEYS):
        raise ValueError(f"{SIZE} does not hold {', '.join(_KEYS)}")
    several = found.pop("several", False) is True
    for name, value in found.items():
        if type(value) is not int or not 1 <= value <= _MOST:
            raise ValueError(f"{name} in {SIZE} is not a whole number from 1 to {_MOST}")
    return Size(**found, several=several)


def _tensors(data: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes of weights (limit {MAX_BYTES})")
    try:
        tensors: dict[str, Tensor] = load(data)
    except SafetensorError as exc:
        raise ValueError(f"{WEIGHTS} is no safetensors file: {exc}") from exc
    return tensors


def _check_shapes(tensors: Mapping[str, Tensor], expected: Network) -> None:
    wanted = _floats(expected)
    if set(tensors) != set(wanted):
        name = min(set(tensors) ^ set(wanted))
        raise ValueError(f"{WEIGHTS} has {'no' if name in wanted else 'a foreign'} tensor {name!r}")
    for name, tensor in sorted(tensors.items()):
        if tensor.dtype != wanted[name].dtype or tensor.shape != wanted[name].shape:
            what = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
            raise ValueError(
                f"tensor {name!r} is {what} instead of {tuple(wanted[name].shape)} in float32"
            )


def _check_values(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"tensor {name!r} holds a number that is not finite")
        if name.endswith("running_var") and (tensor < 0).any():
            raise ValueError(f"tensor {name!r} holds a negative variance")
    if not tensors["std"] > 0:
        raise ValueError("the standard deviation of the training values is not above 0")
