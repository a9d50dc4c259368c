"""Audits of clips with several labels: the ones that apply, and a sentence from the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from audioclf.audit import not_audited, run_audits
from audioclf.audit.decoding import audit_decode
from audioclf.audit.inputs import AuditInput
from audioclf.audit.leakage import audit_leakage
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from tests.audit.make import WAV, folds_of, ledger_of, named, ordinary_facts, prints_of


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


def test_all_audits_run_and_say_what_is_not_made() -> None:
    dataset = several(*["owl;robin", "owl", "robin", "", "?owl;wren", "wren"] * 5)
    audits = {audit.name: audit for audit in run_audits(inputs_of(dataset))}
    habit = named(audits["shortcuts"], "recording-habit")
    assert habit.text == "all 10 'owl' clips and no other are stereo."
    assert "not made for several labels per clip" in audits["shortcuts"].summary
    assert not_audited(dataset) == ("not audited, since clips have several labels: labels",)
    assert "compared by their bytes" in audits["leakage"].summary
    assert "30 files" in audits["decode"].summary


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
