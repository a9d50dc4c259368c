"""Audits of clips with several labels: each class is examined by itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audioclf.audit import not_audited
from audioclf.audit.decoding import audit_decode
from audioclf.audit.inputs import AuditInput
from audioclf.audit.labels import audit_labels
from audioclf.audit.leakage import audit_leakage
from audioclf.audit.shortcuts import audit_shortcuts
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.builtin.classifiers.knn import Knn
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult
from tests.audit.make import WAV, folds_of, ledger_of, named, ordinary_facts, prints_of, run_audits

pytestmark = pytest.mark.usefixtures("small_forests")


def several(*labels: str) -> Dataset:
    clips = [
        Clip(f"{i:03}.wav", label, FileSource(Path(f"{i:03}.wav")))
        for i, label in enumerate(labels)
    ]
    return Dataset(clips, name="made", several=True)


def inputs_of(dataset: Dataset, facts: np.ndarray | None = None) -> AuditInput:
    stereo = replace(WAV, channels=2)
    return AuditInput(
        dataset,
        ledger_of(dataset),
        splits=folds_of(dataset),
        facts=ordinary_facts(len(dataset)) if facts is None else facts,
        prints=prints_of(dataset),
        formats={c.id: stereo if "owl" in dataset.labels_of(c) else WAV for c in dataset},
    )


def test_all_audits_run() -> None:
    dataset = several(*["owl;robin", "owl", "robin", "", "?owl;wren", "wren"] * 5)
    audits = {audit.name: audit for audit in run_audits(inputs_of(dataset))}
    habit = named(audits["shortcuts"], "recording-habit")
    assert habit.text == "all 10 'owl' clips and no other are stereo."
    assert "for each of 3 classes whether a clip has it" in audits["shortcuts"].summary
    assert not_audited(dataset) == ()
    assert (
        audits["labels"].summary == "No pipeline has out-of-fold scores, so no label was checked."
    )
    assert "compared by their bytes" in audits["leakage"].summary
    assert "30 files" in audits["decode"].summary


def scored(dataset: Dataset, scores: np.ndarray) -> PipelineResult:
    """Return a pipeline with these scores, out of the folds of the dataset."""
    folds = tuple(
        FoldResult(
            fold, (scores[fold.test] >= 0.5).astype(int), scores[fold.test], "probability", 0, 0
        )
        for fold in folds_of(dataset).folds
    )
    return PipelineResult(Pipeline("f/c", "f", "c", Knn(), "c"), folds)


def test_a_level_that_tells_one_label_is_found_among_the_clips_labelled_for_it() -> None:
    rng = np.random.default_rng(0)
    has = rng.random((120, 2)) < 0.5
    unsure = rng.random(120) < 0.2
    dataset = several(
        *(
            ";".join([*(["?owl"] if u else ["owl"] if owl else []), *(["wren"] if wren else [])])
            for (owl, wren), u in zip(has, unsure, strict=True)
        )
    )
    facts = ordinary_facts(len(dataset))
    facts[:, COLUMN["level_db"]] = -30 + 10 * np.where(unsure, ~has[:, 0], has[:, 0])
    inputs = replace(inputs_of(dataset, facts), formats=dict.fromkeys([c.id for c in dataset], WAV))
    weak = scored(dataset, rng.random((120, 2)))
    audit = audit_shortcuts(replace(inputs, results=(weak,)))
    found = named(audit, "shortcut-recording")
    assert found.severity == "finding"
    assert "alone predicts the label 'owl' with a balanced accuracy of 1.000" in found.text
    assert "in 'owl' and" in found.text
    assert "wren" not in found.text
    assert [finding.name for finding in audit.findings] == ["shortcut-recording"]


def test_a_wrong_state_of_one_class_is_in_doubt() -> None:
    rng = np.random.default_rng(0)
    states = rng.integers(0, 2, (60, 2))
    labels = [";".join(n for n, s in zip(("owl", "wren"), row, strict=True) if s) for row in states]
    labels[7] = "?owl;wren" if states[7, 1] else "?owl"
    dataset = several(*labels)
    scores = np.where(states == 1, 0.9, 0.1)
    scores[[7, 20], 0] = 1 - scores[[7, 20], 0]
    found = audit_labels(replace(inputs_of(dataset), results=(scored(dataset, scores),)))
    assert "119 pairs of clip and class" in found.summary
    (row,) = named(found, "label-doubt").rows
    assert row["path"] == "020.wav"
    assert row["suggested"] == ("not owl" if states[20, 0] else "owl")


def test_clipping_is_compared_between_classes_without_those_that_no_clip_has() -> None:
    dataset = several(*["robin", "?owl", "wren", "wren"] * 5)
    facts = ordinary_facts(len(dataset))
    facts[:, COLUMN["clipped"]] = [dataset.labels_of(clip) == ("robin",) for clip in dataset]
    clipped = named(audit_decode(AuditInput(dataset, ledger_of(dataset), facts=facts)), "clipped")
    assert "; 5 of them are 'robin', of 5" in clipped.text


def test_copies_contradict_where_both_are_labelled() -> None:
    same = several("owl;robin", "owl", "owl", "owl", "robin", "robin")
    inputs = inputs_of(same)
    digests = ["x", "x", "y", "z", "u", "v"]
    ledger = [
        replace(row, digest=digest) for row, digest in zip(inputs.ledger, digests, strict=True)
    ]

    def contradictions(labels: list[str]) -> int:
        audit = audit_leakage(replace(inputs, dataset=several(*labels), ledger=ledger))
        return sum(finding.name == "duplicate-labels" for finding in audit.findings)

    rest = ["owl", "owl", "robin", "robin"]
    assert contradictions(["owl;robin", "owl;?robin", *rest]) == 0
    assert contradictions(["owl;robin", "owl", *rest]) == 1
