"""Datasets, facts and predictions for the tests of audits."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig
from audioclf.audit import audits_for
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput, FileFormat
from audioclf.audit.leakage.fingerprint import Fingerprint
from audioclf.audit.shortcuts.facts import FACTS, AuditFacts
from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.loaders.class_folders import FolderDataset
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits, StratifiedKFold
from audioclf.features.extraction import Extraction, extract
from audioclf.features.worker import LedgerRow

WAV = FileFormat("WAV", "PCM_16", 8000, 1, ".wav", "fmt data")


def dataset_of(per_class: int | Mapping[str, int] = 20, classes: str = "ab") -> Dataset:
    """Return clips that have names and no bytes."""
    counts = per_class if isinstance(per_class, Mapping) else dict.fromkeys(classes, per_class)
    clips = [
        Clip(f"{label}/{index:03}.wav", label, FileSource(Path(label, f"{index:03}.wav")))
        for label, count in counts.items()
        for index in range(count)
    ]
    return Dataset(clips, name="made")


def folds_of(dataset: Dataset, n_splits: int = 3) -> Splits:
    return StratifiedKFold(n_splits=n_splits).folds(dataset, 0)


def ordinary_facts(n_clips: int, seed: int = 0) -> np.ndarray:
    """Return facts of ordinary clips that know nothing of the class."""
    rng = np.random.default_rng(seed)
    found = {
        "peak_db": rng.normal(-6.0, 2.0, n_clips),
        "level_db": rng.normal(-24.0, 2.0, n_clips),
        "noise_floor_db": rng.normal(-50.0, 4.0, n_clips),
        "bandwidth_hz": rng.normal(3500.0, 100.0, n_clips),
        "duration_s": rng.uniform(0.9, 1.1, n_clips),
        "lead_s": rng.uniform(0.0, 0.2, n_clips),
        "tail_s": rng.uniform(0.0, 0.2, n_clips),
    }
    zeros = np.zeros(n_clips)
    return np.column_stack([found.get(fact.name, zeros) for fact in FACTS]).astype(np.float32)


def prints_of(dataset: Dataset) -> np.ndarray:
    """Return prints of clips of which none sounds like another."""
    rng = np.random.default_rng(0)
    sounds = [rng.normal(0.0, 0.1, 8000).astype(np.float32) for _ in dataset]
    return np.concatenate(Fingerprint().extract_many(sounds, 8000))


def ledger_of(dataset: Dataset, info: AudioInfo | None = None) -> list[LedgerRow]:
    info = info or AudioInfo("WAV", "PCM_16", 8000, 1, 8000)
    return [LedgerRow(clip, "ok", "", info, info.seconds, digest=clip.id) for clip in dataset]


def extracted(folder: Path, audio: AudioConfig | None = None) -> Extraction:
    """Return the facts of a folder of sounds, read as a run reads them."""
    dataset = FolderDataset(path=folder).load()
    return extract(dataset, audio or AudioConfig(sr=8000), {"": AuditFacts()})


def result_of(
    splits: Splits,
    scores: np.ndarray,
    *,
    baseline: bool = False,
    name: str = "cell",
    scored: bool = True,
) -> PipelineResult:
    """Return the predictions of a pipeline that gives these scores [shape=(n_clips, n_classes)]."""
    classifier = Dummy() if baseline else LogisticRegression()
    folds = tuple(_fold_result(fold, scores, scored) for fold in splits.folds)
    return PipelineResult(Pipeline(name, "mel", name, classifier, name), folds)


def _fold_result(fold: Fold, scores: np.ndarray, scored: bool) -> FoldResult:
    chosen = scores[fold.test].argmax(axis=1)
    if scored:
        return FoldResult(fold, chosen, scores[fold.test], "probability", 0.1, 0.1)
    return FoldResult(fold, chosen, None, "none", 0.1, 0.1)


def run_audits(inputs: AuditInput) -> list[Audit]:
    """Return the result of each audit that a run would make."""
    return [entry.run(inputs) for entry in audits_for(inputs.dataset, inputs.splits)]


def named(audit: Audit | Iterable[Finding], name: str) -> Finding:
    """Return the finding of this name, which must be there."""
    findings: Sequence[Finding] = audit.findings if isinstance(audit, Audit) else list(audit)
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def names(audit: Audit) -> set[str]:
    return {finding.name for finding in audit.findings}
