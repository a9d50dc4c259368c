"""ONNX Runtime on one thread, without its messages."""

from __future__ import annotations

from typing import Any

_ERRORS = 3


def open_session(content: bytes) -> Any:
    """Return a session for a model of ours."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
