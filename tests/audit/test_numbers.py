"""Audits of clips whose labels are numbers."""

import numpy as np
import pytest

from audioclf.audit import not_audited
from audioclf.audit.inputs import AuditInput, FileFormat
from audioclf.audit.shortcuts import audit_shortcuts
from audioclf.audit.shortcuts.facts import COLUMN, FACTS
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.evaluation.splits import KFold


def input_of(numbers: np.ndarray, rates: np.ndarray, levels: np.ndarray) -> AuditInput:
    clips = [Clip(f"{at:02}.wav", str(number), None) for at, number in enumerate(numbers)]  # type: ignore[arg-type]
    dataset = Dataset(clips, name="made", target="number")
    facts = np.zeros((len(clips), len(FACTS)), dtype=np.float32)
    facts[:, COLUMN["level_db"]] = levels
    formats = {
        clip.id: FileFormat("WAV", "PCM_16", int(rate), 1, ".wav")
        for clip, rate in zip(clips, rates, strict=True)
    }
    return AuditInput(dataset, splits=KFold().folds(dataset, 0), facts=facts, formats=formats)


pytestmark = pytest.mark.usefixtures("small_forests")


def test_a_number_that_the_format_or_the_level_tells_is_reported() -> None:
    rng = np.random.default_rng(0)
    numbers = np.round(rng.normal(size=60), 2)
    rates = np.where(numbers > 0, 16000, 8000)
    audit = audit_shortcuts(input_of(numbers, rates, -20.0 + 5.0 * numbers))
    by_format, by_level = audit.findings
    assert (by_format.name, by_format.severity) == ("shortcut", "finding")
    assert "alone predicts the number with a Spearman correlation of 0." in by_format.text
    assert by_level.rows[0] == {"fact": "level_db", "correlation": 1.0}
    assert "level in dB, whose rank correlation with the number is 1.00" in by_level.text
    assert audit.facts["format"]["spearman"] > 0.5


def test_a_format_without_information_is_not_reported() -> None:
    rng = np.random.default_rng(1)
    numbers, rates = rng.normal(size=60).round(2), rng.choice([8000, 16000], 60)
    audit = audit_shortcuts(input_of(numbers, rates, rng.normal(-20.0, 2.0, 60)))
    assert list(audit.findings) == []
    assert "Predicted the number of 60 clips" in audit.summary


def test_doubtful_labels_are_left_out_with_a_note() -> None:
    inputs = input_of(np.arange(10.0), np.full(10, 8000), np.zeros(10))
    assert not_audited(inputs.dataset) == ("no audit of labels, since clips have numbers",)
