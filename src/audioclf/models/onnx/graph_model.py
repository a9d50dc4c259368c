"""A model that predicts by the ONNX graph in its bundle, without its featurizer and estimator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import PrivateAttr
from typing_extensions import override

from audioclf.base.errors import ClassifierError, FeatureError
from audioclf.components.classifier import Classifier
from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Pooling, Stats
from audioclf.evaluation.class_fits import StateOutputs
from audioclf.features.worker import Plan
from audioclf.models.bundle.self_check import FEATURE_TOLERANCE, SelfCheck, probe_signal
from audioclf.models.model import Model
from audioclf.models.onnx.names import CHECK_SCORES, DIFFERENCE, GRAPH, WAVEFORM
from audioclf.models.onnx.untrusted import open_untrusted, run_untrusted
from audioclf.models.refusal import RefusedError, reason, refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.evaluation.predictions import Outputs
    from audioclf.models.bundle.manifest import Manifest
    from audioclf.models.bundle.training_clips import TrainingClips
    from audioclf.models.class_distance import ClassDistance

_SCORE_TOLERANCE = 1e-4
"""Largest difference of a score of the probe signal between versions of ONNX Runtime."""


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """The content of the member; the session is opened in the process that uses it.

    A sound gives a row of `n_features`, a score for each class, and the code of the class, or 1 or
    0 for each class of several labels.
    """

    content: bytes
    n_features: int
    n_classes: int
    is_several: bool

    @cached_property
    def session(self) -> Any:
        """A session of ONNX Runtime; `RefusedError` if the graph is not acceptable."""
        return open_untrusted(self.content)

    def __reduce__(self) -> tuple[object, ...]:
        return Graph, (self.content, self.n_features, self.n_classes, self.is_several)

    @property
    def row_width(self) -> int:
        """Number of columns of a row."""
        return self.n_features + self.n_classes + (self.n_classes if self.is_several else 1)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata of the graph."""
        facts: Mapping[str, str] = self.session.get_modelmeta().custom_metadata_map
        return facts

    def row(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the row of a sound; FeatureError if there are no such numbers."""
        try:
            label, scores, features = run_untrusted(self.session, {WAVEFORM: y})
        except Exception as exc:
            what = f"the graph of the model cannot be run: {reason(exc)[:160]}"
            raise FeatureError(what) from exc
        row = np.concatenate([features.ravel(), scores.ravel(), np.ravel(label)])
        row = row.astype(np.float32)
        labels = row[self.n_features + self.n_classes :]
        most = 1 if self.is_several else self.n_classes - 1
        is_sound = len(row) == self.row_width and labels.min() >= 0 and labels.max() <= most
        if not (is_sound and np.isfinite(row).all()):
            raise FeatureError("the graph of the model gives no finite numbers")
        return row


class GraphFeaturizer(Featurizer):
    """The rows of a graph as features, for all that decodes, cuts and changes sounds."""

    type: Literal["graph"] = "graph"
    pooling: Pooling = Stats(statistics=("mean",), percentiles=(), segments=0)
    sha256: str
    _graph: Graph = PrivateAttr()

    @classmethod
    def of(cls, graph: Graph) -> GraphFeaturizer:
        """Return the featurizer of a graph."""
        made = cls(sha256=hashlib.sha256(graph.content).hexdigest())
        made._graph = graph
        return made

    @override
    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        return self._graph.row(y)[:, None]


class GraphClassifier(Classifier):
    """The classifier in a graph, which is fitted."""

    type: Literal["graph"] = "graph"

    @override
    def build(self, *, random_state: int) -> Any:
        raise ClassifierError("the classifier of a graph cannot be fitted again")


@dataclass(frozen=True)
class _Scorer:
    """Outputs of rows that hold them."""

    model: GraphModel

    @property
    def thresholds(self) -> NDArray[np.float64]:
        several = self.model.manifest.several
        assert several is not None
        return np.array(several.thresholds)

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        return self.model.codes_of(rows)

    def class_outputs(self, rows: NDArray[np.float32]) -> Outputs:
        return self.model.scores_of(rows), "probability", None

    def outputs(self, rows: NDArray[np.float32]) -> StateOutputs:
        states, scores = self.model.states_of(rows), self.model.scores_of(rows)
        return StateOutputs(states, scores, "probability", None)


@dataclass(frozen=True, eq=False, repr=False)
class GraphModel(Model):
    """A model whose rows are features, scores and code of the class, as its graph gives them.

    The estimator is None. Scores are 32-bit floats, and calibrated.
    """

    graph: Graph = field(kw_only=True)

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        files: Mapping[str, bytes],
        clips: TrainingClips | None,
        distance: ClassDistance | None = None,
    ) -> GraphModel:
        """Return the model of a bundle; `RefusedError` if its graph gives other numbers."""
        several, n_classes = manifest.several is not None, len(manifest.classes)
        graph = Graph(files[GRAPH], manifest.features.width, n_classes, several)
        model = cls(manifest, GraphFeaturizer.of(graph), None, clips, distance, graph=graph)
        with refusing("score", "its graph fails on the stored signal"):
            model._check(SelfCheck.from_files(files, manifest))
        return model

    @property
    def described(self) -> str:
        """The graph, with the largest difference of a score that was measured when it was made."""
        worst = self.graph.metadata.get(DIFFERENCE, "unknown")[:20]
        return (
            f"the ONNX graph in the file, whose scores differed by at most {worst} when it was made"
        )

    @property
    @override
    def row_width(self) -> int:
        return self.graph.row_width

    @cached_property
    @override
    def scorer(self) -> Any:
        return _Scorer(self)

    @override
    def features_of(self, y: NDArray[Any], sr: int) -> NDArray[np.float32]:
        return super().features_of(y, sr)[: self.manifest.features.width]

    @override
    def scores_of(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        first = self.manifest.features.width
        return rows[:, first : first + len(self.classes)].astype(np.float64)

    @override
    def states_of(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        return rows[:, -len(self.classes) :].astype(np.int8)

    @override
    def codes_of(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        self._check_one_label()
        return rows[:, -1].astype(np.intp)

    @override
    def outputs_of(
        self, rows: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
        return self.codes_of(rows), self.scores_of(rows)

    @override
    def _plans(self) -> tuple[Plan, ...]:
        width = self.row_width
        return (Plan("0", self.featurizer, "the graph", width, 1, width),)

    def _check(self, check: SelfCheck) -> None:
        """Compare the names of the classes, and the numbers of the probe signal."""
        facts, audio = self.graph.metadata, self.manifest.audio
        if json.loads(facts["audioclf.classes"]) != list(self.classes):
            raise RefusedError("score", "its graph has other classes")
        try:
            row = self.graph.row(probe_signal(audio.sr, audio.duration))
        except FeatureError as exc:
            raise RefusedError("score", exc.message) from exc
        features, scores = row[: self.manifest.features.width], self.scores_of(row[None])[0]
        scale = max(float(np.abs(check.probe).max()), 1e-6)
        worst = float(np.abs(features - check.probe).max()) / scale
        if not worst <= FEATURE_TOLERANCE:
            raise RefusedError("feature", f"features of its graph differ by up to {worst:.2g}")
        worst = float(np.abs(scores - np.array(json.loads(facts[CHECK_SCORES]))).max())
        if not worst <= _SCORE_TOLERANCE:
            raise RefusedError("score", f"scores of its graph differ by up to {worst:.2g}")
