"""Any exported model that takes a waveform: `type: onnx`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import override

from audioclf.plugin import ConfigError, Embedding, FeatureError, InputPath, NotInOnnxError, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.plugin import OnnxGraph
    from audioclf_onnx.session import Session, Tensor

    Matrix = NDArray[np.float32]

Seconds = Annotated[FiniteFloat, Field(gt=0, le=3600)]


class Onnx(Embedding):
    """Output of a pre-trained model in an ONNX file that takes a waveform.

    `audioclf weights inspect FILE` prints these fields for a file. The model is called once for
    each clip, or each window, on one thread. Its output is one vector, [n_features] or
    [1, n_features], or one for each frame, [n_frames, n_features] or [1, n_frames, n_features];
    with `frames: last`, [n_features, n_frames] or [1, n_features, n_frames].
    """

    type: Literal["onnx"] = "onnx"

    path: InputPath
    """The model, one ONNX file without external data, relative to the config file."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """SHA-256 of the file, which is compared before the file is parsed; null to take any."""

    license: str = Field(default="", max_length=200)
    """Licence of the weights, for the record of a run and the card of a model."""

    redistributable: bool = False
    """Whether its licence lets anybody pass the file on. Then a trained model holds it, if it has
    at most 5 MB, and needs no other file."""

    sr: int = Field(ge=1_000, le=768_000)
    """Sample rate in Hz that the model expects; clips are resampled to it."""

    input: str | None = None
    """Name of the input for the waveform; null if the model has one input."""

    ones: tuple[str, ...] = ()
    """Names of inputs that get the number one for each sample, such as an attention mask."""

    output: str | None = None
    """Name of the output to use; null if the model has one output."""

    frames: Literal["first", "last"] | None = None
    """Whether frames are the first or the last axis of the output; null is `last` if the model
    says that only the last axis has a free size, else `first`."""

    scale: FiniteFloat = Field(default=1.0, gt=0)
    """Factor of the samples, which are in [-1, 1]; 32768 for a model of 16-bit samples."""

    normalize: bool = False
    """Whether each clip is shifted to mean 0 and scaled to variance 1, as for wav2vec 2.0."""

    window: Seconds | None = None
    """Length in s of the windows that are given to the model one by one, for models of a fixed
    length; null gives the whole clip."""

    hop: Seconds | None = None
    """Distance in s between the starts of two windows; null is `window`. The last window is padded
    with zeros."""

    min_seconds: FiniteFloat = Field(default=0.0, ge=0, le=3600)
    """Least length in s of a clip with its padding; shorter clips are refused."""

    @model_validator(mode="after")
    def _hop_needs_window(self) -> Onnx:
        if self.hop is not None and self.window is None:
            raise ValueError("hop needs a window")
        return self

    @override
    def model_rate(self) -> int:
        return self.sr

    @override
    def weight_files(self) -> Sequence[Weights]:
        if isinstance(self.path, str):
            raise ConfigError(
                f"{self.path}: weights are read from this computer, not from a URL",
                hint="Download the file, and set `path` to it.",
            )
        weights = Weights.of(
            Path(self.path),
            sha256=self.sha256,
            license=self.license,
            field="path",
            digest_field="sha256",
            redistributable=self.redistributable,
        )
        return [weights]

    @override
    @classmethod
    def describe_weights(cls, path: Path) -> str | None:
        from audioclf_onnx.inspection import describe

        return describe(path, cls.model_validate) if path.suffix.lower() == ".onnx" else None

    @override
    def notes(self, sr: int) -> Sequence[str]:
        session = self._session()
        notes = [*super().notes(sr)]
        if session.quantized:
            notes.append(
                f"{session.name} is quantized ({session.quantized[0]}), so its numbers depend on "
                "the processor; an export with 32-bit floats does not"
            )
        return notes

    @override
    def prepare(self, y: Matrix) -> Matrix:
        import numpy as np

        if self.normalize:
            exact = y.astype(np.float64) - y.mean(dtype=np.float64)
            y = np.asarray(exact / np.sqrt(np.square(exact).mean() + 1e-7), dtype=np.float32)
        return y * np.float32(self.scale)

    @override
    def embed(self, y: Matrix) -> Matrix:
        import numpy as np

        least = math.ceil(self.min_seconds * self.sr)
        if len(y) < least:
            raise self.too_short(len(y), least)
        session = self._session()
        waveform = _waveform_input(session, self.input, self.ones)
        output = _chosen(session.name, "output", session.outputs, self.output)
        size = None if self.window is None else max(1, round(self.window * self.sr))
        _check_length(session.name, waveform, size, self.sr)
        parts = [y] if size is None else self._windows(y, size)
        return np.concatenate([self._frames(session, waveform, output, part) for part in parts], 1)

    @override
    def prepare_in_onnx(self, graph: OnnxGraph, y: str) -> str:
        if self.normalize:
            exact = graph.cast(y, "float64")
            exact = graph.op("Sub", exact, graph.mean(exact, 0))
            power = graph.mean(graph.op("Mul", exact, exact), 0)
            power = graph.op("Add", power, graph.constant(1e-7, "float64"))
            y = graph.cast(graph.op("Div", exact, graph.op("Sqrt", power)), "float32")
        return graph.op("Mul", y, graph.constant(self.scale))

    @override
    def embed_in_onnx(self, graph: OnnxGraph, y: str) -> str:
        if self.window is not None:
            raise NotInOnnxError("the windows of the featurizer onnx are not expressed in ONNX")
        session = self._session()
        waveform = _waveform_input(session, self.input, self.ones)
        output = _chosen(session.name, "output", session.outputs, self.output)
        _check_length(session.name, waveform, None, self.sr)
        shaped = graph.reshape(y, [1] * (len(waveform.shape) - 1) + [-1])
        inputs = {waveform.name: graph.cast(shaped, waveform.dtype)}
        one = graph.op("Expand", graph.constant(1.0), graph.op("Shape", y))
        for tensor in session.inputs:
            if tensor.name in self.ones:
                ones = graph.reshape(one, [1, -1][-len(tensor.shape) :])
                inputs[tensor.name] = graph.cast(ones, tensor.dtype)
        (weights,) = self.weight_files()
        value = graph.cast(graph.spliced(weights.read(), inputs, output.name), "float32")
        if len(output.shape) > 2:
            value = graph.op(
                "Squeeze", value, graph.constant(range(len(output.shape) - 2), "int64")
            )
        if len(output.shape) < 2:
            return graph.reshape(value, [-1, 1])
        last = self.frames == "last" or (self.frames is None and _has_frames_last(output))
        return value if last else graph.op("Transpose", value, perm=[1, 0])

    def _session(self) -> Session:
        from audioclf_onnx.session import open_session

        (weights,) = self.weight_files()
        return open_session(weights)

    def _windows(self, y: Matrix, size: int) -> list[Matrix]:
        """Return the fewest windows that cover the clip, the last one padded with zeros."""
        import numpy as np

        hop = size if self.hop is None else max(1, round(self.hop * self.sr))
        count = 1 + max(0, math.ceil((len(y) - size) / hop))
        padded = np.pad(y, (0, max(0, (count - 1) * hop + size - len(y))))
        return [padded[start : start + size] for start in range(0, count * hop, hop)]

    def _frames(self, session: Session, waveform: Tensor, output: Tensor, y: Matrix) -> Matrix:
        import numpy as np

        shape = (1,) * (len(waveform.shape) - 1) + (len(y),)
        inputs = {waveform.name: y.reshape(shape)}
        for tensor in session.inputs:
            if tensor.name in self.ones:
                kind = np.float32 if "float" in tensor.type else np.int64
                inputs[tensor.name] = np.ones((1, len(y))[-len(tensor.shape) :], dtype=kind)
        try:
            result = session.run(output.name, inputs)
        except FeatureError as exc:
            message = f"on {len(y) / self.sr:.3g} s of sound, {exc.message}"
            raise FeatureError(message, hint="Set min_seconds and pad for short clips.") from exc
        shape = result.shape
        while result.ndim > 2 and len(result) == 1:
            result = result[0]
        if result.ndim == 2:
            last = self.frames == "last" or (self.frames is None and _has_frames_last(output))
            return np.ascontiguousarray(result if last else result.T)
        if result.ndim == 1:
            return result[:, np.newaxis]
        raise FeatureError(
            f"the output {output.name!r} of {session.name} has the shape {list(shape)}; "
            "a vector, or one for each frame, is needed",
            hint="Set `output` to another output, or export the model with one vector per frame.",
        )


def _has_frames_last(output: Tensor) -> bool:
    """Return whether only the last axis of an output has a free size, so that it is the frames."""
    *_, before, last = (1, *output.shape)
    return isinstance(before, int) and before > 1 and not isinstance(last, int)


def _waveform_input(session: Session, name: str | None, ones: Sequence[str]) -> Tensor:
    """Return the input for the waveform; `FeatureError` if it is none, or another lacks a value."""
    names = [tensor.name for tensor in session.inputs]
    absent = [each for each in ones if each not in names]
    if absent:
        raise FeatureError(
            f"{session.name} has no input {absent[0]!r}", hint=f"Its inputs: {_list(names, 'and')}."
        )
    rest = tuple(tensor for tensor in session.inputs if tensor.name not in ones)
    waveform = _chosen(session.name, "input", rest, name)
    unset = [tensor.name for tensor in rest if tensor is not waveform]
    if unset:
        raise FeatureError(
            f"{session.name} also needs the input {unset[0]!r}",
            hint="List an attention mask in `ones`; models with other inputs cannot be used.",
        )
    *leading, _ = waveform.shape or (0,)
    is_one_clip = all(size == 1 or not isinstance(size, int) for size in leading)
    if not waveform.shape or len(leading) > 2 or not is_one_clip:
        raise FeatureError(
            f"the input {waveform} of {session.name} is no waveform, [samples] or [1, samples]; it "
            "may be a spectrogram",
            hint="Export the model together with the step that computes its spectrogram.",
        )
    return waveform


def _chosen(model: str, kind: str, tensors: Sequence[Tensor], name: str | None) -> Tensor:
    names = [tensor.name for tensor in tensors]
    if name is None and len(tensors) == 1:
        return tensors[0]
    if name in names:
        return tensors[names.index(name)]
    if name is not None:
        raise FeatureError(
            f"{model} has no {kind} {name!r}", hint=f"Set `{kind}` to {_list(names, 'or')}."
        )
    listed = "; ".join(map(str, tensors))
    raise FeatureError(
        f"{model} has {len(tensors)} {kind}s: {listed}", hint=f"Set `{kind}` to one of them."
    )


def _check_length(model: str, waveform: Tensor, size: int | None, sr: int) -> None:
    fixed = waveform.shape[-1]
    if isinstance(fixed, int) and fixed > 0 and fixed != size:
        raise FeatureError(
            f"{model} takes {fixed} samples at a time, {fixed / sr:.6g} s at {sr} Hz",
            hint=f"Set window: {fixed / sr:.6g}.",
        )


def _list(names: Sequence[str], last: str) -> str:
    return f" {last} ".join(map(repr, names))
