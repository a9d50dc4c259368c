"""What audits say, together: names, what blocks, what is written."""

import json

import numpy as np
import pytest

from audioclf.audio.settings import AudioConfig
from audioclf.audit import audit_data, blocking, check_allowed, finding_names
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput
from audioclf.base.errors import ConfigError
from tests.audit import make

pytestmark = pytest.mark.usefixtures("small_forests")


AUDITS = (
    Audit(
        "one", "One", "Looked.", [Finding("bad", "finding", "Bad."), Finding("so", "info", "So.")]
    ),
    Audit("two", "Two", "Looked.", [Finding("worse", "finding", "Worse.")]),
)


def test_findings_block_and_infos_do_not() -> None:
    assert [finding.name for finding in blocking(AUDITS)] == ["bad", "worse"]


def test_what_is_allowed_does_not_block() -> None:
    assert [finding.name for finding in blocking(AUDITS, ["bad"])] == ["worse"]
    assert blocking(AUDITS, ["bad", "worse"]) == []


def test_names_of_findings_are_unique() -> None:
    names = finding_names()
    assert len(set(names)) == len(names)
    assert {"shortcut", "recording-habit", "silent", "label-doubt"} <= set(names)


def test_allowed_names_are_checked_and_sorted() -> None:
    assert check_allowed(["silent", "clipped", "silent"]) == ("clipped", "silent")
    with pytest.raises(ConfigError) as caught:
        check_allowed(["silnet"])
    assert caught.value.message == "--allow: no finding is called 'silnet'."
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(
        "Did you mean 'silent'? There are cancelled-channels, clipped, "
    )


def audited(labels_with_format: str, difference: float) -> list[Audit]:
    """Return the audits of 20 + 20 clips whose classes differ in all facts by so much."""
    dataset = make.dataset_of()
    splits = make.folds_of(dataset)
    facts = make.ordinary_facts(len(dataset))
    facts[20:] += difference
    inputs = AuditInput(
        dataset,
        make.ledger_of(dataset),
        AudioConfig(sr=8000),
        splits,
        [make.result_of(splits, np.eye(2)[dataset.targets.codes])],
        facts,
        make.prints_of(dataset),
        {clip.id: make.WAV for clip in dataset if clip.label in labels_with_format},
    )
    return make.run_audits(inputs)


def test_the_audits_of_a_run_are_plain_data() -> None:
    audits = audited("ab", 0.0)
    data = audit_data(audits, ["silent"])
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["format"], data["allowed"]) == (1, ["silent"])
    assert {"leakage", "shortcuts", "decode", "labels"} == {
        audit["name"] for audit in data["audits"]
    }


def test_rows_of_a_finding_have_equal_keys() -> None:
    audits = audited("a", 100.0)
    tables = [finding.rows for audit in audits for finding in audit.findings if finding.rows]
    assert tables
    assert all(row.keys() == rows[0].keys() for rows in tables for row in rows)
