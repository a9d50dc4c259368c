"""Export to ONNX: the estimator with its calibration, compared with the original on real rows.

Converters may be made for other versions of scikit-learn, and some give wrong numbers without an
error. So a converted model is returned only if it gives the same scores as the original.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import DatasetError, EnvironmentMissingError, ModelError
from audioclf.components.onnx_graph import OPSET, OnnxGraph
from audioclf.evaluation.class_fits import OneFitPerClass
from audioclf.models.estimators.store import MEMBERS
from audioclf.models.onnx.fits import graph_of_fits
from audioclf.models.onnx.names import INPUT, LABEL, SCORES
from audioclf.models.onnx.scores import with_scores
from audioclf.models.onnx.session import open_session
from audioclf.models.refusal import RefusedError, reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audioclf.components.classifier import Classifier
    from audioclf.components.registry import Registry
    from audioclf.dataset.dataset import Dataset
    from audioclf.models.bundle.reading import Bundle
    from audioclf.models.model import Model

TOLERANCE = 1e-5
"""Largest difference of a score; ONNX computes in 32 bits."""

N_FRESH = 512
"""Number of rows that are made for the comparison."""
FRESH_TOLERANCE = 1e-2
"""Largest difference of a score on these; far from the training clips some estimators themselves
are less exact."""

OPSETS = {"": OPSET, "ai.onnx.ml": 3}
"""Versions of the operators: ONNX Runtime supports them since 1.12."""

_BATCH = 256
_CONVERTED = "`audioclf docs models` lists the classifiers that were converted."
_TOOLS = ("onnx", "skl2onnx", "onnxmltools", "onnxruntime")


@dataclass(frozen=True)
class Exported:
    """A converted model, and the largest differences from the scores of the original.

    `worst` is that of the `n_rows` rows of clips, `worst_fresh` that of the `fresh_rows`.
    """

    content: bytes
    n_rows: int
    worst: float
    worst_fresh: float


def rows_of_clips(
    bundle: Bundle,
    dataset: Dataset,
    registry: Registry,
    *,
    cache_folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float32]:
    """Return the features of the clips of a dataset; `DatasetError` if no clip can be read."""
    from audioclf.features.extraction import extract

    extraction = extract(
        dataset,
        bundle.manifest.audio,
        {INPUT: bundle.featurizer.views()[0]},  # models that average views are not exported
        cache_folder=cache_folder,
        origins={INPUT: registry.origins_of(bundle.featurizer)},
        progress=progress,
    )
    if not len(extraction.dataset):
        raise DatasetError(f"{dataset.name}: no clip can be read")
    return extraction.matrices[INPUT]


def to_onnx(bundle: Bundle, *rows: NDArray[np.float32]) -> Exported:
    """Convert a model to ONNX and compare it with the original on its stored and these rows.

    The input `features` [shape=(n_rows, n_features)], float32, holds rows of the design matrix.
    The outputs are `label` [shape=(n_rows,)], int64, positions in the classes, and `scores`
    [shape=(n_rows, n_classes)], float32, as `Model.scores_of` gives them. With several labels per
    clip, the first is `labels` [shape=(n_rows, n_classes)], 1 where a score reaches its threshold.
    The metadata hold the names of the classes, the thresholds and how features are made.

    `EnvironmentMissingError` if the extra is not installed, `ModelError` if the model cannot be
    converted or the conversion gives other scores.
    """
    if bundle.manifest.number is not None:
        raise ModelError(
            f"{bundle.path}: a model of numbers is not exported to ONNX",
            hint="Use it with `audioclf.load` of Python.",
        )
    check_tools()
    everything, fresh = [bundle.check.rows, *rows], fresh_rows(bundle.check.rows)
    tried = np.concatenate([bundle.check.rows, fresh])

    def badness(model: Any) -> tuple[bool, int, float]:
        worst, n_wrong = _differences(bundle, model.SerializeToString(), tried)
        return worst > FRESH_TOLERANCE, n_wrong, worst

    try:
        best = min(_candidates(bundle), key=badness)
        content = _described(bundle, best)
        worst = max(_compared(bundle, content, each) for each in everything)
        worst_fresh = _compared(bundle, content, fresh, tolerance=FRESH_TOLERANCE)
    except RefusedError as exc:
        message = f"{bundle.path}: {bundle.manifest.cell!r} is not exported: {exc.what}"
        raise ModelError(message, hint=exc.hint) from exc
    return Exported(content, sum(map(len, everything)), worst, worst_fresh)


def fresh_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `N_FRESH` rows around some rows, on the lines through two of them, with noise.

    They stand for new clips, on which an estimator is less sure than on its training clips.
    """
    chance = np.random.default_rng(0)
    first, second = chance.integers(len(rows), size=(2, N_FRESH))
    along = chance.uniform(-0.25, 1.25, size=(N_FRESH, 1))
    noise = chance.normal(scale=0.25, size=(N_FRESH, rows.shape[1])) * rows.std(axis=0)
    fresh: NDArray[np.float32] = rows[first] + along * (rows[second] - rows[first]) + noise
    return fresh.astype(np.float32)


def check_tools() -> None:
    """Check that the extra `onnx` is installed; `EnvironmentMissingError` if not."""
    for name in _TOOLS:
        try:
            import_module(name)
        except ImportError as exc:
            raise EnvironmentMissingError(
                f"export to ONNX needs {name}, which cannot be imported: {reason(exc)}",
                hint="Run `pip install onnx onnxmltools onnxruntime skl2onnx`.",
            ) from exc


def _candidates(bundle: Bundle) -> Iterator[Any]:
    """Yield converted models.

    The positive class of a converted support vector machine differs between versions of skl2onnx,
    and estimators differ in the class that they give where scores are equal, so both are tried.
    """
    manifest = bundle.manifest
    if manifest.scores == "none":
        raise RefusedError("score", "its classifier gives no scores")
    if bundle.model.views.averaged:
        what = f"its scores are means over {bundle.model.views.count} views of each clip"
        raise RefusedError("score", what, hint="Train it with `test_time: false` in `augment`.")
    fits = bundle.estimator if isinstance(bundle.estimator, OneFitPerClass) else None
    both = fits is not None or len(manifest.classes) == 2
    both &= manifest.scores == "decision" or bundle.classifier.model_format == MEMBERS
    for sign in (1.0, -1.0) if both else (1.0,):
        if fits is not None:
            converted = partial(_converted, bundle, sign=sign)
            yield graph_of_fits(fits, manifest, converted, sign=sign, opsets=OPSETS)
            continue
        for is_first_of_ties in (False, True) if manifest.scores == "probability" else (False,):
            yield with_scores(
                _converted(bundle, bundle.estimator, sign=sign),
                manifest,
                sign=sign,
                is_first_of_ties=is_first_of_ties,
                opsets=OPSETS,
            )


def _converted(bundle: Bundle, estimator: Any, sign: float = 1.0) -> Any:
    """Return the estimator of a model, or one of those in it, as `onnx.ModelProto`."""
    n_classes = len(bundle.manifest.classes) if estimator is bundle.estimator else 2
    facts = _Facts(bundle.manifest.features.width, n_classes, sign)
    return _model_of(bundle.classifier, estimator, facts)


@dataclass(frozen=True)
class _Facts:
    """Columns and classes of an estimator, and the order of two decision values of its members."""

    width: int
    n_classes: int
    sign: float


def _model_of(classifier: Classifier, estimator: Any, facts: _Facts) -> Any:
    """Return an estimator as `onnx.ModelProto`: codes, and probabilities or decision values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if classifier.model_format == MEMBERS:
            return _of_members(classifier, estimator, facts)
        try:
            model = classifier.to_onnx(estimator, facts.width, OPSETS)
        except Exception as exc:
            what = f"{classifier.type_name()} cannot convert it: {reason(exc)[:160]}"
            raise RefusedError("type", what) from exc
        if model is None:
            model = _by_skl2onnx(classifier, estimator, facts.width)
    if len(model.graph.output) != 2:
        raise RefusedError("score", f"it has {len(model.graph.output)} outputs in ONNX, not 2")
    return model


def _of_members(classifier: Classifier, estimator: Any, facts: _Facts) -> Any:
    """Return the graph that combines those of the members."""
    graph, n_classes = OnnxGraph(), facts.n_classes
    members, fitted = classifier.members(facts.width, n_classes), classifier.take_apart(estimator)

    def scored(name: str, rows: str) -> str:
        member, width = members[name]
        try:
            model = _model_of(member, fitted[name], replace(facts, width=width))
        except RefusedError as exc:
            raise RefusedError(exc.stage, f"its {name!r}: {exc.what}", hint=exc.hint) from exc
        scores = graph.inserted(model, {model.graph.input[0].name: rows}, f"{name}_")[1]
        if n_classes == 2 and not _has_probabilities(member, fitted[name]):
            scores = graph.op("Mul", scores, graph.constant(facts.sign))
        return scores

    scores = classifier.members_to_onnx(graph, INPUT, n_classes, scored)
    label = graph.op("ArgMax", scores, axis=1, keepdims=0)
    return graph.to_model(
        {INPUT: ("float32", ["n_rows", facts.width])},
        {LABEL: (label, "int64", ["n_rows"]), SCORES: (scores, "float32", ["n_rows", n_classes])},
        OPSETS,
    )


def _has_probabilities(classifier: Classifier, estimator: Any) -> bool:
    return hasattr(classifier.scorer(estimator), "predict_proba")


def _by_skl2onnx(classifier: Classifier, estimator: Any, width: int) -> Any:
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    options: dict[str, Any] = {"zipmap": False}
    if not _has_probabilities(classifier, estimator):
        options["raw_scores"] = True
    try:
        return skl2onnx.to_onnx(
            estimator,
            initial_types=[(INPUT, FloatTensorType([None, width]))],
            options={id(estimator): options},
            target_opset=OPSETS,
        )
    except Exception as exc:
        message = reason(exc).split(". ")[0][:160]
        tools = f"skl2onnx {metadata.version('skl2onnx')}"
        what = f"{tools} cannot convert it, with scikit-learn {metadata.version('scikit-learn')}"
        raise RefusedError("type", f"{what}: {message}", hint=_CONVERTED) from exc


def _described(bundle: Bundle, model: Any) -> bytes:
    """Return the file, with classes, features and calibration in its metadata."""
    from onnx import helper

    manifest = bundle.manifest
    features = {
        "audio": manifest.audio.model_dump(mode="json"),
        "featurizer": dict(manifest.featurizer),
        **manifest.features.model_dump(),
    }
    how = manifest.calibration.method if manifest.calibration is not None else None
    facts = {
        "audioclf": manifest.audioclf,
        "model": f"{manifest.name}: {manifest.cell}",
        "classes": json.dumps(manifest.classes, ensure_ascii=False),
        "features": json.dumps(features, ensure_ascii=False),
        "scores": "score" if how is None else f"probability, calibrated: {how}",
        "abstain_below": json.dumps(manifest.abstain_below),
        "dataset_sha256": manifest.training.fingerprint,
    }
    if manifest.several is not None:
        facts["thresholds"] = json.dumps(manifest.several.thresholds)
    del model.metadata_props[:]
    helper.set_model_props(model, {f"audioclf.{key}": value for key, value in facts.items()})
    content: bytes = model.SerializeToString()
    return content


def _largest(scores: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    if scores.shape != expected.shape:
        what = f"its scores have shape {scores.shape} in ONNX instead of {expected.shape}"
        raise RefusedError("score", what)
    # NaN must not pass as a small difference.
    return float(np.nan_to_num(np.abs(scores - expected), nan=np.inf).max(initial=0.0))


def _differences(bundle: Bundle, content: bytes, rows: NDArray[np.float32]) -> tuple[float, int]:
    """Return the largest difference of a score, and the number of rows with another class."""
    worst, n_wrong = 0.0, 0
    for start in range(0, len(rows), _BATCH):
        batch = np.ascontiguousarray(rows[start : start + _BATCH])
        codes, scores = _run(content, batch)
        expected = bundle.model.scores_of(batch)
        worst = max(worst, _largest(scores, expected))
        n_wrong += int(_are_wrong(codes, bundle.model, batch, scores, expected).sum())
    return worst, n_wrong


def _compared(
    bundle: Bundle, content: bytes, rows: NDArray[np.float32], *, tolerance: float = TOLERANCE
) -> float:
    """Return the largest difference of a score; `RefusedError` if a score or a class differs."""
    worst, n_wrong = _differences(bundle, content, rows)
    if not worst <= tolerance:
        what = f"a score of {len(rows)} rows differs by {worst:.2g} (tolerance {tolerance:g})"
        raise RefusedError("score", what, hint=_CONVERTED)
    if n_wrong:
        what = f"ONNX gives another class to {n_wrong} of {len(rows)} rows"
        raise RefusedError("score", what)
    return worst


def _are_wrong(
    codes: NDArray[np.int64],
    model: Model,
    rows: NDArray[np.float32],
    onnx_scores: NDArray[np.float32],
    scores: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which rows have another class or label, unless scores differ only by rounding.

    Where the scores are equal, the estimator has a rule, and the classes must be the same.
    """
    errors = np.maximum(np.abs(onnx_scores - scores), TOLERANCE)
    if (several := model.manifest.several) is not None:
        gaps = np.abs(scores - np.array(several.thresholds))
        rounding = (gaps > 0) & (gaps <= 2 * errors)
        return np.asarray(((codes != model.states_of(rows)) & ~rounding).any(axis=1))
    expected = model.codes_of(rows)
    if codes.shape != expected.shape or codes.min() < 0 or codes.max() >= scores.shape[1]:
        return np.ones(len(expected), dtype=bool)
    at = np.arange(len(codes))
    gaps = np.abs(scores[at, codes] - scores[at, expected])
    rounding = (gaps > 0) & (gaps <= 2 * errors.max(axis=1))
    return np.asarray((codes != expected) & ~rounding)


def _run(
    content: bytes, rows: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    import onnxruntime

    try:
        codes, scores = open_session(content).run(None, {INPUT: rows})
    except Exception as exc:
        version = onnxruntime.__version__
        what = f"ONNX Runtime {version} cannot run the converted model: {reason(exc)[:160]}"
        raise RefusedError("score", what) from exc
    return codes, scores
