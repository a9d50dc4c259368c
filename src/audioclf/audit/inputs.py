"""Input of an audit: what a run has read, extracted and predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.audio.settings import AudioConfig
from audioclf.audit.remembered import Remember, computed
from audioclf.base.pickling import Columns
from audioclf.components.metrics import Metric
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Codes
from audioclf.evaluation.fit_cache import FitCache
from audioclf.evaluation.results import Pipeline, PipelineResult
from audioclf.evaluation.splits import Split, Splits
from audioclf.features.waveform import Decoder, decoded
from audioclf.features.worker import LedgerRow

__all__ = ["AuditInput", "Codes", "FileFormat", "Floats", "Matrix", "Rescoring"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """Format of a clip's file, before it is decoded; `chunks` are the ids of a WAV or AIFF file."""

    container: str
    subtype: str
    sr: int
    channels: int
    suffix: str
    chunks: str = ""


@dataclass(frozen=True)
class Rescoring:
    """A pipeline to score again, in order to measure the cost of leakage.

    `matrices` hold [shape=(n_clips, n_features)]; the repeats of the run's `split` are not used.
    """

    pipeline: Pipeline
    matrices: Mapping[str, Matrix]
    split: Split
    seed: int
    metric: Metric = "accuracy"
    fit_cache: FitCache | None = None


def _no_rows() -> Matrix:
    return np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class AuditInput:
    """Everything that an audit may read; each audit reads a part of it.

    The `dataset` are the clips that could be read, the `ledger` has a row for each file. `facts`
    [shape=(n_clips, n_facts)] have columns as in `FACTS`, `prints` [shape=(n_clips, WIDTH)] are
    those of `Fingerprint`, and columns behind them are not read. `formats` are by id of the clip;
    None to take them from the ledger.
    """

    dataset: Dataset
    ledger: Sequence[LedgerRow] = ()
    audio: AudioConfig = field(default_factory=AudioConfig)
    splits: Splits = field(default_factory=lambda: Splits((), ""))
    results: Sequence[PipelineResult] = ()
    facts: Matrix = field(default_factory=_no_rows)
    prints: Matrix = field(default_factory=_no_rows)
    formats: Mapping[str, FileFormat] | None = None
    seed: int = 0
    rescoring: Rescoring | None = None
    decoder: Decoder = decoded
    remember: Remember = computed

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "ledger": Columns(self.ledger)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, ledger=state["ledger"].values)
