"""Graphs of strangers: their structure is checked before ONNX Runtime parses them.

The format is protocol buffers; numbers of fields are those of `onnx.proto`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from audioclf.models.onnx.session import open_session
from audioclf.models.refusal import RefusedError, refusing

MAX_GRAPH_BYTES = 32_000_000
MAX_MEMORY_BYTES = 1 << 30
"""Memory that all graphs of strangers together may take while they run."""

MAX_SECONDS = 60.0
"""Longest time of one run, which ends after the operator that it is at."""

_DEEPEST = 4
_DOMAINS = (b"", b"ai.onnx", b"ai.onnx.ml")
_NUMBERS = re.compile(rb"(?:\x3d[\s\S]{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f])*+")
"""A run of the numbers of an attribute, of which those of trees have thousands."""

_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_TYPE, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_ATTRIBUTE_TEXTS = (4, 9)
_TENSOR_TYPE, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 2, 13, 14
_TEXTS = 8
_LONGEST_TEXT = 32
"""Bytes of a text in an attribute; no limit of memory holds for copies of texts."""


def open_untrusted(content: bytes) -> Any:
    """Return a session whose memory is limited; `RefusedError` if the graph is not acceptable."""
    check_structure(content)
    with refusing("structure", "ONNX Runtime does not take its graph"):
        _limit_memory()
        return open_session(content, limited=True)


def run_untrusted(session: Any, inputs: Mapping[str, Any]) -> Any:
    """Return the outputs of a session; an error of ONNX Runtime after `MAX_SECONDS`."""
    import onnxruntime as ort

    options = ort.RunOptions()
    late = threading.Timer(MAX_SECONDS, setattr, (options, "terminate", True))
    late.daemon = True
    late.start()
    try:
        return session.run(None, inputs, options)
    finally:
        late.cancel()


def check_structure(content: bytes) -> None:
    """Check a graph: standard operators, no loops, no functions or long texts, no other files."""
    if len(content) > MAX_GRAPH_BYTES:
        raise _refused(f"has {len(content)} bytes (limit {MAX_GRAPH_BYTES})")
    with refusing("structure", "its graph is no ONNX"):
        for number, value in _fields(memoryview(content)):
            if number in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
                raise _refused("has functions")
            if number == _MODEL_GRAPH:
                _check_graph(_bytes(value), 0)


@cache
def _limit_memory() -> None:
    """Register an allocator with a limit, which holds for sessions that ask for it."""
    import onnxruntime as ort

    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(MAX_MEMORY_BYTES, -1, -1, -1))


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth > _DEEPEST:
        raise _refused(f"has graphs in graphs, more than {_DEEPEST} deep")
    for number, value in _fields(graph):
        if number == _GRAPH_NODE:
            _check_node(_bytes(value), depth)
        elif number == _GRAPH_INITIALIZER:
            _check_tensor(_bytes(value))
        elif number == _GRAPH_SPARSE:
            raise _refused("has sparse tensors")


def _check_node(node: memoryview, depth: int) -> None:
    for number, value in _fields(node):
        if number == _NODE_TYPE:
            operator = bytes(_bytes(value))
            if operator == b"Loop":
                raise _refused("has a loop")
            if operator == b"Scan" and depth:
                raise _refused("has a loop in another graph")
            if operator.startswith(b"String"):
                raise _refused("works with texts")
        if number == _NODE_DOMAIN and bytes(_bytes(value)) not in _DOMAINS:
            raise _refused("has operators of its own")
        if number == _NODE_ATTRIBUTE:
            _check_attribute(_bytes(value), depth)


def _check_attribute(attribute: memoryview, depth: int) -> None:
    for number, value in _fields(attribute, _NUMBERS):
        if number in _ATTRIBUTE_TEXTS and len(_bytes(value)) > _LONGEST_TEXT:
            raise _refused("holds long texts")
        if number in _ATTRIBUTE_TENSORS:
            _check_tensor(_bytes(value))
        elif number in _ATTRIBUTE_GRAPHS:
            _check_graph(_bytes(value), depth + 1)
        elif number in _ATTRIBUTE_SPARSE:
            raise _refused("has sparse tensors")


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == _TENSOR_TYPE and value == _TEXTS:
            raise _refused("works with texts")
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value):
            raise _refused("reads data from another file")


def _fields(
    data: memoryview, skipped: re.Pattern[bytes] | None = None
) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message; ValueError if it is none."""
    at = 0
    while True:
        if skipped is not None and (match := skipped.match(data, at)):
            at = match.end()
        if at >= len(data):
            return
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"a field of kind {kind}")
        size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if size > len(data) - at:
            raise ValueError("it ends early")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it ends early, or has a number of more than 64 bits")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number instead of a message")
    return value


def _refused(what: str) -> RefusedError:
    return RefusedError("structure", f"its graph {what}")
