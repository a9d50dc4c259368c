"""Nodes of an ONNX graph, to which components add their part of the way from sound to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Shape = Sequence[int | str] | None

OPSET = 17
"""Version of the operators: ONNX Runtime supports it since 1.12."""

IR_VERSION = 8
"""Version of the format: that of opset 17."""

_TO_THE_END = (1 << 63) - 1


class OnnxGraph:
    """Nodes in the order in which they are added, in opset 17.

    A value is the name of the tensor that holds it. Arithmetic is that of the types of the
    operands, which must be equal: see `cast`.

    Examples
    --------
    >>> graph = OnnxGraph()
    >>> y = graph.op("Mul", "waveform", graph.constant(2.0))
    >>> [node.op_type for node in graph.nodes]
    ['Mul']
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def op(self, kind: str, *inputs: str, n_outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return its first output."""
        from onnx import helper

        name = f"sound_{len(self.nodes)}"
        outputs = [name, *(f"{name}_{number}" for number in range(1, n_outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return name

    def constant(self, value: ArrayLike, dtype: Any = "float32") -> str:
        """Return a constant."""
        import numpy as np
        from onnx import numpy_helper

        array = np.ascontiguousarray(value, dtype=dtype)
        array = array.reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = f"sound_constant_{len(self._names)}"
            self.constants.append(numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def cast(self, value: str, dtype: Any) -> str:
        """Return a value as another type of NumPy."""
        import numpy as np
        from onnx import helper

        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def size(self, value: str, axis: int) -> str:
        """Return the length of an axis [shape=(1,)], int64."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def part(self, value: str, axis: int, start: str | int, stop: str | int | None) -> str:
        """Return a slice along an axis; ends are numbers or values [shape=(1,)], int64."""
        ends = (start, _TO_THE_END if stop is None else stop)
        names = (self.constant([end], "int64") if isinstance(end, int) else end for end in ends)
        return self.op("Slice", value, *names, self.constant([axis], "int64"))

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """Return a value in another shape, in which one length may be -1."""
        return self.op("Reshape", value, self.constant(list(shape), "int64"))

    def mean(self, value: str, axis: int) -> str:
        """Return the mean over an axis, which keeps the length 1."""
        return self.op("ReduceMean", value, axes=[axis], keepdims=1)

    def padded(
        self, value: str, before: str | int, after: str | int, *, mode: str, rank: int = 1
    ) -> str:
        """Return a value with more elements at both ends of its last axis, of `rank` axes.

        `mode` is constant (zeros), reflect or edge; numbers may be values [shape=(1,)], int64.
        """
        none = [0] * (rank - 1)
        ends = (before, after)
        names = [
            self.constant([*none, end], "int64")
            if isinstance(end, int)
            else self.op("Concat", self.constant(none, "int64"), end, axis=0)
            if none
            else end
            for end in ends
        ]
        return self.op("Pad", value, self.op("Concat", *names, axis=0), mode=mode)

    def spliced(self, content: bytes, inputs: Mapping[str, str], output: str) -> str:
        """Add the nodes of a whole model, an ONNX file, and return one of its outputs.

        `inputs` names the value for each of its inputs. NotInOnnxError if its operators are not
        those of ONNX, or too new.
        """
        import onnx

        model = onnx.load_from_string(content)
        versions = {item.domain: item.version for item in model.opset_import}
        used = {node.domain for node in model.graph.node} | {""}
        if used - {"", "ai.onnx"} or model.functions:
            raise NotInOnnxError("its model has operators that are not those of ONNX")
        if versions.get("", versions.get("ai.onnx", 0)) != OPSET:
            try:
                model = onnx.version_converter.convert_version(model, OPSET)
            except Exception as exc:
                what = f"the operators of its model cannot become those of version {OPSET}"
                raise NotInOnnxError(what) from exc
        prefix = f"model_{len(self.nodes)}_"
        self.inserted(model, inputs, prefix)
        return prefix + output

    def inserted(self, model: Any, inputs: Mapping[str, str], prefix: str) -> list[str]:
        """Add the nodes of an `onnx.ModelProto`, and return the names of its outputs.

        `inputs` names the value for each of its inputs; the prefix is that of all its names.
        """
        import onnx

        inner = onnx.compose.add_prefix(model, prefix).graph
        values = {prefix + name: value for name, value in inputs.items()}
        for node in inner.node:
            node.input[:] = [values.get(name, name) for name in node.input]
        self.nodes += inner.node
        self.constants += inner.initializer
        return [output.name for output in inner.output]

    def to_model(
        self,
        inputs: Mapping[str, tuple[str, Shape]],
        outputs: Mapping[str, tuple[str, str, Shape]],
        opsets: Mapping[str, int] = MappingProxyType({"": OPSET}),
    ) -> Any:
        """Return the graph as `onnx.ModelProto`.

        `inputs` are types and shapes by name, `outputs` values, types and shapes; lengths are
        numbers or names, and a shape None is unknown. `opsets` are the versions of the operators.
        """
        import numpy as np
        from onnx import helper

        def info(name: str, dtype: Any, shape: Any) -> Any:
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            return helper.make_tensor_value_info(name, kind, shape)

        for name, (value, *_) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self.nodes,
            "audioclf",
            [info(name, *kind) for name, kind in inputs.items()],
            [info(name, *kind) for name, (_, *kind) in outputs.items()],
            self.constants,
        )
        imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


class NotInOnnxError(Exception):
    """A component, or a value of one of its fields, cannot be expressed in ONNX."""
