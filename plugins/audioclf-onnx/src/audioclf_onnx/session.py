"""A model in onnxruntime, opened from compared bytes, on one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from audioclf.plugin import FeatureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.plugin import Weights

Shape = tuple[int | str | None, ...]

_SILENT = 4
_EXTERNAL = b"\x0a\x08location\x12"
"""Key of the file name in a tensor whose numbers are in another file."""
_QUANTIZED = (
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
    "QLinearConv",
    "QuantizeLinear",
)
_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


@dataclass(frozen=True)
class Tensor:
    """An input or output; `shape` has numbers where a size is fixed."""

    name: str
    shape: Shape
    type: str

    @property
    def dtype(self) -> str:
        """The type in NumPy of numbers that are given."""
        return _FLOATS.get(self.type, "int64")

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} [{sizes}] {self.type}"


@dataclass(frozen=True, eq=False)
class Session:
    """An opened model; `quantized` names the operators that compute with integers.

    `_constants` are replaced constants, which have to live as long as the session.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]
    quantized: tuple[str, ...]
    _inference: Any
    _constants: tuple[Any, ...] = ()

    def run(self, output: str, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return one output of one call; `FeatureError` if the model cannot be run on the input."""
        import numpy as np

        types = {tensor.name: _FLOATS.get(tensor.type) for tensor in self.inputs}
        typed = {
            name: value.astype(types[name], copy=False) if types.get(name) else value
            for name, value in inputs.items()
        }
        try:
            (result,) = self._inference.run([output], typed)
        except Exception as exc:  # onnxruntime has a class for each of its codes
            reason = " ".join(str(exc).split())
            raise FeatureError(f"{self.name} cannot be run: {reason[:300]}") from exc
        return np.asarray(result, dtype=np.float32)


@lru_cache(maxsize=8)
def open_session(
    weights: Weights, constants: tuple[tuple[str, tuple[int, ...]], ...] = ()
) -> Session:
    """Open a model on one thread; its bytes are compared with the digest before they are parsed.

    `constants` replace vectors of integers in the model, by name.

    Raises `ConfigError` if the digest is another one, `FeatureError` if it is no model in one file.
    """
    import numpy as np
    import onnxruntime

    content = weights.read()
    if _EXTERNAL in content:
        raise FeatureError(
            f"{weights.name} keeps its weights in other files, which are not read",
            hint="Export the model as one file, without external data.",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    replaced = []
    for name, numbers in constants:
        value = onnxruntime.OrtValue.ortvalue_from_numpy(np.array(numbers, dtype=np.int64))
        options.add_initializer(name, value)
        replaced.append(value)
    try:
        inference = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as exc:
        version, reason = onnxruntime.__version__, " ".join(str(exc).split())[:300]
        raise FeatureError(
            f"{weights.name} is no ONNX model that onnxruntime {version} can open: {reason}"
        ) from exc
    return Session(
        weights.name,
        _tensors(inference.get_inputs()),
        _tensors(inference.get_outputs()),
        dict(inference.get_modelmeta().custom_metadata_map),
        tuple(name for name in _QUANTIZED if _has_operator(content, name)),
        inference,
        tuple(replaced),
    )


def _tensors(arguments: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(each.name, tuple(each.shape), each.type) for each in arguments)


def _has_operator(content: bytes, name: str) -> bool:
    """Whether a node of this type is in the file: field 4 of a node is its type."""
    return bytes((0x22, len(name))) + name.encode() in content
