"""ONNX Runtime on one thread, without its messages."""

from __future__ import annotations

from typing import Any

_ERRORS = 3
_NOTHING = 4


def open_session(content: bytes, *, limited: bool = False) -> Any:
    """Return a session; with `limited`, its memory is that of the registered allocator."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NOTHING if limited else _ERRORS
    options.intra_op_num_threads = 1
    if limited:
        options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        content,
        options,
        providers=["CPUExecutionProvider"],
        # Constants are computed with memory of their own.
        disabled_optimizers=["ConstantFolding"] if limited else None,
    )
