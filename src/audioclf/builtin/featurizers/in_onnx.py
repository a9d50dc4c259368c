"""Short-time spectra and options of clips as nodes of an ONNX graph.

Each function adds what the function of the same name in `audioclf.dsp` or of a featurizer computes.
Values are float32 matrices [shape=(n_bins, n_frames)], unless said otherwise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from audioclf.dsp.analysis_windows import analysis_window
from audioclf.plugin import NotInOnnxError

if TYPE_CHECKING:
    from audioclf.dsp.framing import Framing
    from audioclf.plugin import OnnxGraph

_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect"}
_TRIM_FRAME, _TRIM_HOP = 2048, 512


def magnitudes(graph: OnnxGraph, y: str, framing: Framing, *, double: bool) -> str:
    """Return the squared magnitudes [shape=(n_fft // 2 + 1, n_frames)], float32 or float64."""
    dtype = np.float64 if double else np.float32
    if framing.center:
        if framing.pad_mode not in _MODES:
            raise NotInOnnxError(f"pad_mode: {framing.pad_mode} has no form in ONNX")
        half = framing.n_fft // 2
        y = graph.padded(y, half, half, mode=_MODES[framing.pad_mode])
    window = analysis_window(framing.window, framing.win_length, framing.n_fft)
    signal = graph.reshape(graph.cast(y, dtype), [1, -1, 1])
    hop = graph.constant(framing.hop_length, np.int64)
    spectra = graph.op("STFT", signal, hop, graph.constant(window, dtype), onesided=1)
    squares = graph.op("ReduceSumSquare", spectra, axes=[3], keepdims=0)
    return graph.op("Transpose", graph.op("Squeeze", squares, graph.constant([0], np.int64)))


def raised(graph: OnnxGraph, squares: str, exponent: float) -> str:
    """Return magnitudes to a power, from their squares, float32."""
    return squares if exponent == 2.0 else graph.op("Pow", squares, graph.constant(exponent / 2))


def to_db(
    graph: OnnxGraph,
    power: str,
    reference: float | str = 1.0,
    least: float = 1e-10,
    top_db: float | None = 80.0,
) -> str:
    """Return levels in dB, as `power_to_db`; the names of its parameters are ref and amin."""
    amin = graph.constant(least)
    decibels = graph.constant(10.0 / math.log(10.0))

    def level_of(value: str) -> str:
        return graph.op("Mul", graph.op("Log", graph.op("Max", value, amin)), decibels)

    level = level_of(power)
    if isinstance(reference, str):
        level = graph.op("Sub", level, level_of(graph.op("ReduceMax", power, keepdims=0)))
    elif reference != 1.0:
        level = graph.op("Sub", level, graph.constant(10 * math.log10(max(least, reference))))
    if top_db is not None:
        highest = graph.op("ReduceMax", level, keepdims=0)
        level = graph.op("Max", level, graph.op("Sub", highest, graph.constant(top_db)))
    return level


def trimmed(graph: OnnxGraph, y: str, top_db: float) -> str:
    """Return the waveform without silence at its ends, as `TrimSilence.trim`."""
    half = _TRIM_FRAME // 2
    padded = graph.padded(graph.op("Mul", y, y), half, half, mode="constant")
    means = graph.op(
        "AveragePool",
        graph.reshape(padded, [1, 1, -1]),
        kernel_shape=[_TRIM_FRAME],
        strides=[_TRIM_HOP],
    )
    power = graph.reshape(means, [-1])
    floor = graph.constant(1e-10)  # as librosa's power_to_db of a mean square with amin 1e-5 ** 2
    loudest = graph.op("Max", graph.op("ReduceMax", power, keepdims=0), floor)
    threshold = graph.op("Mul", loudest, graph.constant(10.0 ** (-top_db / 10.0)))
    is_loud = graph.cast(graph.op("Greater", graph.op("Max", power, floor), threshold), np.int64)
    n_samples = graph.size(y, 0)
    hop, one = graph.constant([_TRIM_HOP], np.int64), graph.constant([1], np.int64)
    first = graph.op("ArgMax", is_loud, axis=0, keepdims=1)
    last = graph.op("ArgMax", is_loud, axis=0, keepdims=1, select_last_index=1)
    stop = graph.op("Min", graph.op("Mul", graph.op("Add", last, one), hop), n_samples)
    return graph.part(y, 0, graph.op("Mul", first, hop), stop)


def normalized(graph: OnnxGraph, matrix: str, how: str) -> str:
    """Return frames with mean 0 in each bin, and with `mean_variance` variance 1."""
    exact = graph.cast(matrix, np.float64)
    centred = graph.op("Sub", exact, graph.mean(exact, axis=1))
    if how == "mean_variance":
        std = graph.op("Sqrt", graph.mean(graph.op("Mul", centred, centred), axis=1))
        largest = graph.op("ReduceMax", graph.op("Abs", exact), axes=[1], keepdims=1)
        eps = graph.constant(np.finfo(np.float32).eps, np.float64)
        varies = graph.op("Greater", std, graph.op("Mul", largest, eps))
        one, zero = graph.constant(1.0, np.float64), graph.constant(0.0, np.float64)
        centred = graph.op("Div", centred, graph.op("Where", varies, std, one))
        centred = graph.op("Where", varies, centred, zero)
    return graph.cast(centred, np.float32)


def resampled(graph: OnnxGraph, matrix: str, n_steps: int) -> str:
    """Return the matrix at `n_steps` points in time, interpolated linearly."""
    n_frames = graph.cast(graph.size(matrix, axis=1), np.float64)
    one, zero = graph.constant([1.0], np.float64), graph.constant([0.0], np.float64)
    steps = graph.constant((np.arange(n_steps) + 0.5) / n_steps, np.float64)
    place = graph.op("Sub", graph.op("Mul", steps, n_frames), graph.constant([0.5], np.float64))
    last = graph.op("Sub", n_frames, one)
    place = graph.op("Max", graph.op("Min", place, last), zero)
    below = graph.op("Floor", place)
    above = graph.op("Min", graph.op("Add", below, one), last)
    exact = graph.cast(matrix, np.float64)
    low, high = (
        graph.op("Gather", exact, graph.cast(at, np.int64), axis=1) for at in (below, above)
    )
    rise = graph.op("Mul", graph.op("Sub", high, low), graph.op("Sub", place, below))
    return graph.cast(graph.op("Add", low, rise), np.float32)


def derivative(graph: OnnxGraph, matrix: str, weights: list[float]) -> str:
    """Return the derivative by nine frames, as `mfcc.delta`; short clips are prolonged first."""
    half = len(weights) // 2
    n_frames = graph.size(matrix, axis=1)
    is_short = graph.op("Less", n_frames, graph.constant([len(weights)], np.int64))
    several, none = graph.constant([half], np.int64), graph.constant([0], np.int64)
    before = graph.op("Where", is_short, several, none)
    after = graph.op("Where", is_short, none, several)
    exact = graph.padded(graph.cast(matrix, np.float64), before, before, mode="edge", rank=2)
    terms = [
        graph.op(
            "Mul",
            graph.part(exact, 1, place, place - 2 * half or None),
            graph.constant(weight, np.float64),
        )
        for place, weight in enumerate(weights)
    ]
    inner = graph.op("Sum", *terms)
    return graph.cast(graph.padded(inner, after, after, mode="edge", rank=2), np.float32)
