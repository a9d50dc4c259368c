"""BirdNET in the interpreter of TensorFlow Lite, opened from compared bytes, on one thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

from audioclf.plugin import FeatureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.plugin import Weights

Output = Literal["embedding", "scores"]

EMBEDDING = "model/GLOBAL_AVG_POOL/Mean"
"""Name of the tensor that is no output of the model."""


class Model:
    """An opened model; one thread at a time may call it."""

    def __init__(self, weights: Weights) -> None:
        """Open a model; `ConfigError` for another digest, `FeatureError` for no model."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        content = weights.read()
        self._name = weights.name
        try:
            # Delegates such as XNNPACK write to stderr, and keep no tensor that is no output.
            self._interpreter = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        except Exception as exc:  # ValueError, RuntimeError and others of the bindings
            raise FeatureError(
                f"{self._name} is no model that TensorFlow Lite can open: {_reason(exc)}"
            ) from exc
        self._inputs = self._interpreter.get_input_details()
        self._tensors = {
            **{item["name"]: item["index"] for item in self._interpreter.get_tensor_details()},
            "scores": self._interpreter.get_output_details()[0]["index"],
        }

    def run(self, window: NDArray[np.float32], output: Output) -> NDArray[np.float32]:
        """Return the embedding or the scores of one window [shape=(n_features,)]."""
        import numpy as np

        shapes = [item["shape"].tolist() for item in self._inputs]
        if shapes != [[1, len(window)]]:
            raise FeatureError(
                f"{self._name} has the inputs {shapes}, and BirdNET 2.4 takes [[1, {len(window)}]]"
            )
        name = EMBEDDING if output == "embedding" else "scores"
        if name not in self._tensors:
            raise FeatureError(f"{self._name} has no tensor {name!r}, so it is not BirdNET 2.4")
        try:
            self._interpreter.set_tensor(self._inputs[0]["index"], window[np.newaxis])
            self._interpreter.invoke()
            result: NDArray[Any] = self._interpreter.get_tensor(self._tensors[name])
        except Exception as exc:
            raise FeatureError(f"{self._name} cannot be run: {_reason(exc)}") from exc
        return result.astype(np.float32).ravel()


class _Opened(threading.local):
    """The model of this thread, which was opened last."""

    weights: Weights | None = None
    model: Model | None = None


_opened = _Opened()


def model_of_thread(weights: Weights) -> Model:
    """Return the model for this thread; it is opened once. Errors are those of `Model`."""
    if _opened.model is None or _opened.weights != weights:
        _opened.model, _opened.weights = Model(weights), weights
    return _opened.model


def _reason(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300]
