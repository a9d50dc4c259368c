"""A model that predicts by the ONNX graph in its bundle, without featurizer and estimator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from typing_extensions import override

from audioclf.audio.decode import decode
from audioclf.base.errors import AudioclfError, FeatureError
from audioclf.evaluation.views import Views
from audioclf.models.bundle.self_check import FEATURE_TOLERANCE, SelfCheck, probe_signal
from audioclf.models.model import Model
from audioclf.models.onnx.names import CHECK_SCORES, DIFFERENCE, GRAPH, WAVEFORM
from audioclf.models.onnx.untrusted import open_untrusted
from audioclf.models.refusal import RefusedError, reason, refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.settings import AudioConfig
    from audioclf.components.featurizer import Featurizer
    from audioclf.dataset.sources import AudioSource
    from audioclf.models.bundle.manifest import Manifest
    from audioclf.models.bundle.training_clips import TrainingClips
    from audioclf.models.class_distance import ClassDistance

_SCORE_TOLERANCE = 1e-4
"""Largest difference of a score of the probe signal between versions of ONNX Runtime."""


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """The content of the member; the session is opened in the process that uses it."""

    content: bytes

    @cached_property
    def session(self) -> Any:
        """A session of ONNX Runtime; `RefusedError` if the graph is not acceptable."""
        return open_untrusted(self.content)

    def __reduce__(self) -> tuple[object, ...]:
        return Graph, (self.content,)


@dataclass(frozen=True, eq=False, repr=False)
class GraphModel(Model):
    """A model whose rows are features, scores and code of the class, as its graph gives them.

    Featurizer and estimator are None. Scores are 32-bit floats.
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
        model = cls(
            manifest, cast("Featurizer", None), None, clips, distance, graph=Graph(files[GRAPH])
        )
        with refusing("score", "its graph fails on the stored signal"):
            model._check(SelfCheck.from_files(files, manifest))
        return model

    @property
    def largest_difference(self) -> str:
        """The largest difference of a score that was measured when the graph was made."""
        return _metadata(self.graph).get(DIFFERENCE, "unknown")[:20]

    @property
    @override
    def row_width(self) -> int:
        n_labels = len(self.classes) if self.is_several else 1
        return self.manifest.features.width + len(self.classes) + n_labels

    @cached_property
    @override
    def views(self) -> Views:
        return Views()

    @cached_property
    @override
    def scorer(self) -> Any:
        return None

    @property
    @override
    def shared_step(self) -> int | None:
        return None

    @override
    def features_of(self, y: NDArray[Any], sr: int) -> NDArray[np.float32]:
        return super().features_of(y, sr)[: self.manifest.features.width]

    @override
    def rows_of(
        self, ys: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32] | FeatureError]:
        return [self._run(y) for y in ys]

    @override
    def rows_of_windows(
        self, y: NDArray[np.float32], starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32] | FeatureError]:
        return [self._run(y[start : start + n_samples]) for start in starts]

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
    def _row(self, source: AudioSource, audio: AudioConfig) -> NDArray[np.float32]:
        row = self._run(decode(source, audio).y)
        if isinstance(row, FeatureError):
            raise row
        return row

    def _run(self, y: NDArray[np.float32]) -> NDArray[np.float32] | FeatureError:
        try:
            label, scores, features = self.graph.session.run(None, {WAVEFORM: y})
        except Exception as exc:  # noqa: BLE001  ONNX Runtime has a class for each of its codes
            return FeatureError(f"the graph of the model cannot be run: {reason(exc)[:160]}")
        row = np.concatenate([features.ravel(), scores.ravel(), np.ravel(label)])
        row, width = row.astype(np.float32), self.row_width
        labels = row[self.manifest.features.width + len(self.classes) :]
        most = 1 if self.is_several else len(self.classes) - 1
        is_sound = len(row) == width and labels.min() >= 0 and labels.max() <= most
        if not (is_sound and np.isfinite(row).all()):
            return FeatureError("the graph of the model gives no finite numbers")
        return row

    def _check(self, check: SelfCheck) -> None:
        """Compare the names of the classes, and the numbers of the probe signal."""
        facts, audio = _metadata(self.graph), self.manifest.audio
        if json.loads(facts["audioclf.classes"]) != list(self.classes):
            raise RefusedError("score", "its graph has other classes")
        row = self._run(probe_signal(audio.sr, audio.duration))
        if isinstance(row, AudioclfError):
            raise RefusedError("score", row.message)
        features, scores = row[: self.manifest.features.width], self.scores_of(row[None])[0]
        scale = max(float(np.abs(check.probe).max()), 1e-6)
        worst = float(np.abs(features - check.probe).max()) / scale
        if not worst <= FEATURE_TOLERANCE:
            raise RefusedError("feature", f"features of its graph differ by up to {worst:.2g}")
        worst = float(np.abs(scores - np.array(json.loads(facts[CHECK_SCORES]))).max())
        if not worst <= _SCORE_TOLERANCE:
            raise RefusedError("score", f"scores of its graph differ by up to {worst:.2g}")


def _metadata(graph: Graph) -> Mapping[str, str]:
    facts: Mapping[str, str] = graph.session.get_modelmeta().custom_metadata_map
    return facts
