"""Export to ONNX from sound on: one graph from a waveform to scores, compared with the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import DecodeError, FeatureError, ModelError
from audioclf.components.onnx_graph import NotInOnnxError, OnnxGraph
from audioclf.models.bundle.self_check import probe_signal
from audioclf.models.onnx.export import to_onnx
from audioclf.models.onnx.names import (
    CHECK_SCORES,
    DIFFERENCE,
    INPUT,
    LABEL,
    LABELS,
    SCORES,
    WAVEFORM,
)
from audioclf.models.onnx.session import open_session
from audioclf.models.onnx.untrusted import open_untrusted
from audioclf.models.refusal import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.settings import AudioConfig
    from audioclf.components.featurizer import Featurizer
    from audioclf.models.bundle.reading import Bundle
    from audioclf.models.model import Model

    Waveform = NDArray[np.float32]

SOUND_TOLERANCE = 1e-2
"""Largest difference of a score; the features are computed in another order, in 32 bits."""

FEATURE_TOLERANCE = 0.05
"""Largest difference of a feature, in standard deviations over rows of training clips."""

_OF_FEATURES = "features_"
"""Prefix of the names in the part from features to scores."""


@dataclass(frozen=True)
class ExportedSound:
    """A graph from sound to scores, and the largest difference of a score on `n_sounds` sounds."""

    content: bytes
    n_sounds: int
    worst: float


def to_onnx_from_sound(
    bundle: Bundle, sounds: Sequence[Waveform] = (), *, trims: bool = True
) -> ExportedSound:
    """Convert a model to ONNX, and compare it with the original on made sounds and on these.

    The input is `waveform` [shape=(n_samples,)], float32: one mono sound in [-1, 1] at the rate of
    the model. The outputs are `label`, int64, the position of the class, or `labels`, 1 or 0 for
    each of several, `scores`
    [shape=(n_classes,)], float32, as `Model.scores` gives them, and the `features` that they depend
    on [shape=(n_features,)], float32. `trims` says whether the graph applies `audio.offset` and
    `audio.duration`. Errors are those of `to_onnx`, and ModelError if a featurizer cannot be
    expressed, or gives other features.
    """
    used = _used(bundle.manifest.audio) if trims else slice(0, None)
    content = _with_sound(bundle, to_onnx(bundle).content, used)
    n_sounds, worst = _compared(bundle, content, sounds, used)
    return ExportedSound(_noted(content, DIFFERENCE, f"{worst:.3g}"), n_sounds, worst)


def stored_graph(bundle: Bundle, *, trims: bool = True) -> bytes:
    """Return the graph in a bundle that predicts by it, which is not compared again."""
    import onnx
    from onnx import helper

    assert bundle.graph is not None
    content, used = bundle.graph.graph.content, _used(bundle.manifest.audio)
    if not trims or used == slice(0, None):
        return content
    model, graph = onnx.load_from_string(content), OnnxGraph()
    y = graph.part(WAVEFORM, 0, used.start, used.stop)
    names = graph.inserted(model, {WAVEFORM: y}, "all_")
    for name, output in zip(names, model.graph.output, strict=True):
        graph.nodes.append(helper.make_node("Identity", [name], [output.name]))
    for field, items in (("node", graph.nodes), ("initializer", graph.constants)):
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(items)
    serialized: bytes = model.SerializeToString()
    return serialized


def graph_of(bundle: Bundle) -> tuple[bytes, float]:
    """Return the graph for a bundle, and the largest difference of a score.

    It does not trim sounds, as recordings are decoded and cut into windows before. Errors are those
    of `to_onnx_from_sound`.
    """
    exported = to_onnx_from_sound(bundle, trims=False)
    audio = bundle.manifest.audio
    probe = probe_signal(audio.sr, audio.duration)
    (scores,) = open_untrusted(exported.content).run([SCORES], {WAVEFORM: probe})
    content = _noted(exported.content, CHECK_SCORES, json.dumps(scores.astype(float).tolist()))
    return content, exported.worst


def _noted(content: bytes, key: str, value: str) -> bytes:
    """Return a graph with one more entry in its metadata."""
    import onnx

    model = onnx.load_from_string(content)
    model.metadata_props.add(key=key, value=value)
    serialized: bytes = model.SerializeToString()
    return serialized


def _with_sound(bundle: Bundle, from_features: bytes, used: slice) -> bytes:
    """Return the graph from the waveform on, which ends with the graph from features on."""
    import onnx
    from onnx import helper

    model = onnx.load_from_string(from_features)
    metadata = {item.key: item.value for item in model.metadata_props}
    graph, is_several = OnnxGraph(), bundle.model.is_several
    row = _row(graph, bundle, used)
    label, scores = graph.inserted(model, {INPUT: row}, _OF_FEATURES)
    first = graph.constant([0], np.int64)
    label, scores, features = (graph.op("Squeeze", each, first) for each in (label, scores, row))
    n_classes, width = len(bundle.manifest.classes), bundle.manifest.features.width
    complete = graph.to_model(
        {WAVEFORM: ("float32", ["n_samples"])},
        {
            LABELS if is_several else LABEL: (label, "int64", [n_classes] if is_several else []),
            SCORES: (scores, "float32", [n_classes]),
            INPUT: (features, "float32", [width]),
        },
        {item.domain: item.version for item in model.opset_import},
    )
    helper.set_model_props(complete, {**metadata, "audioclf.sample_rate": str(bundle.model.sr)})
    content: bytes = complete.SerializeToString()
    return content


def featurizer_session(featurizer: Featurizer, sr: int, max_frames: int | None = None) -> Any:
    """Return a session from `waveform` to the matrix of a featurizer, or to its pooled row.

    It is pooled if the frames of the longest clip are given. NotInOnnxError as `to_onnx`.
    """
    graph = OnnxGraph()
    value = featurizer.to_onnx(graph, WAVEFORM, sr)
    if max_frames is not None:
        value = featurizer.pooling.to_onnx(graph, value, max_frames)
    outputs = {"matrix": (value, "float32", None)}
    model = graph.to_model({WAVEFORM: ("float32", ["n_samples"])}, outputs)
    return open_session(model.SerializeToString())


def _row(graph: OnnxGraph, bundle: Bundle, used: slice) -> str:
    """Add the nodes from the waveform to the row of features [shape=(1, width)]."""
    features = bundle.manifest.features
    featurizer = bundle.featurizer.views()[0]  # models that average views are not exported
    y = WAVEFORM if used == slice(0, None) else graph.part(WAVEFORM, 0, used.start, used.stop)
    try:
        matrix = featurizer.to_onnx(graph, y, bundle.model.sr)
        row = featurizer.pooling.to_onnx(graph, matrix, features.max_frames)
    except NotInOnnxError as exc:
        raise _refused(bundle, str(exc)) from exc
    return graph.reshape(row, [1, features.width])


def _used(audio: AudioConfig) -> slice:
    """Return the samples of a waveform that the model uses."""
    first = int(audio.offset * audio.sr)
    return slice(first, None if audio.duration is None else first + int(audio.duration * audio.sr))


def _compared(
    bundle: Bundle, content: bytes, sounds: Sequence[Waveform], used: slice
) -> tuple[int, float]:
    """Return the number of sounds that were compared, and the largest difference of a score.

    ModelError if a score differs by more than `SOUND_TOLERANCE`, a feature by more than
    `FEATURE_TOLERANCE`, or if a sound has another class whose score is not equal up to the
    difference. Scores alone prove little: they may be saturated.
    """
    session, model = open_session(content), bundle.model
    spread = bundle.check.rows.std(axis=0)
    spread = np.maximum(spread, max(1e-6, 1e-2 * float(spread.max())))
    worst, count = 0.0, 0
    for kind, y in (*_made(model), *(("a clip", y) for y in sounds)):
        name = f"{kind} of {len(y) / model.sr:.2g} s"
        try:
            row = model.features_of(y[used], model.sr)
        except (DecodeError, FeatureError):
            continue  # the model refuses it
        expected = model.scores_of(row[None])[0]
        try:
            label, scores, features = session.run(None, {WAVEFORM: y})
        except Exception as exc:
            what = f"ONNX Runtime cannot run it on {name}: {reason(exc)[:160]}"
            raise _refused(bundle, what) from exc
        off, difference = _largest((features - row) / spread), _largest(scores - expected)
        if off > FEATURE_TOLERANCE:
            what = f"a feature of {name} differs by {off:.2g} standard deviations"
            raise _refused(bundle, f"{what} (tolerance {FEATURE_TOLERANCE:g})")
        if difference > SOUND_TOLERANCE:
            what = f"a score of {name} differs by {difference:.2g}"
            raise _refused(bundle, f"{what} (tolerance {SOUND_TOLERANCE:g})")
        if model.manifest.several is not None:
            gaps = np.abs(expected - model.manifest.several.thresholds)
            is_wrong = bool((gaps[label != model.states_of(row[None])[0]] > 2 * difference).any())
        else:
            is_wrong = bool(expected.max() - expected[label] > 2 * difference)
        if is_wrong:
            what = "other labels" if model.is_several else "another class"
            raise _refused(bundle, f"{name} has {what}")
        worst, count = max(worst, difference), count + 1
    return count, worst


def _largest(differences: NDArray[np.floating[Any]]) -> float:
    # NaN must not pass as a small difference.
    return float(np.nan_to_num(np.abs(differences), nan=np.inf).max())


def _refused(bundle: Bundle, what: str) -> ModelError:
    return ModelError(
        f"{bundle.path}: {bundle.manifest.cell!r} is not exported from sound on: {what}",
        hint="Export the part behind the features with --from features.",
    )


def _made(model: Model) -> Iterator[tuple[str, Waveform]]:
    """Yield five kinds of sound at the rate of the model."""
    rng = np.random.default_rng(0)
    seconds = model.manifest.audio.duration or 2.0

    def noise(length: float, level: float = 0.1) -> Waveform:
        y = rng.normal(0.0, level, max(1, round(length * model.sr)))
        return y.astype(np.float32)

    yield "silence", np.zeros(round(seconds * model.sr), dtype=np.float32)
    yield "noise", noise(seconds).clip(-1, 1)
    yield "clipped noise", noise(seconds, 2.0).clip(-1, 1)
    yield "very short noise", noise(0.02)
    yield "long noise", noise(4 * seconds, 0.02)
