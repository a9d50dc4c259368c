"""Extensions that touch one module: each is defined here and used through the public path."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from typing_extensions import override

from audioclf import load_config, run
from audioclf.audit import AUDITS, AuditEntry, check_allowed
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput
from audioclf.base.errors import EXIT_USAGE
from audioclf.components.metrics import METRICS, Metric, MetricInfo
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS
from audioclf.evaluation.splits import BaseSplit, Fold, Splits
from audioclf.predict.formats import FORMATS, Line, OutputFormat, Place
from tests.conftest import run_cli
from tests.models.making import made
from tests.predict.making import recording


class LengthsFormat(OutputFormat):
    """The number of seconds of each line."""

    name = "lengths"
    suffixes = (".len",)
    content = "seconds"
    needs_windows = True

    @override
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        for line in lines:
            yield f"{line.end - line.start:g}\n"


def test_an_output_format_of_predict_is_one_class_and_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, wav = made(tmp_path / "m.audioclf"), recording(tmp_path / "a.wav", 0.6)
    assert run_cli("predict", bundle, wav, "--format", "lengths").returncode == EXIT_USAGE
    monkeypatch.setitem(FORMATS, "lengths", LengthsFormat)
    named = run_cli("predict", bundle, wav, "--format", "lengths", "--window", "0.2")
    assert (named.returncode, named.stdout) == (0, "0.2\n" * 3)
    out = tmp_path / "o.len"
    assert run_cli("predict", bundle, wav, "--out", out, "--window", "0.2").returncode == 0
    assert out.read_text() == named.stdout
    without = run_cli("predict", bundle, wav, "--format", "lengths")
    assert "the format lengths is made of windows\n  Add --window, in s." in without.stderr


@pytest.mark.slow
def test_a_metric_is_one_row_and_one_function(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error_count = cast("Metric", "error_count")
    info = MetricInfo(high=1000.0, lower_is_better=True)
    monkeypatch.setitem(METRICS, error_count, info)
    monkeypatch.setitem(
        LABEL_METRICS, error_count, lambda tally: (tally.true - tally.hits).sum(axis=1)
    )
    config = load_config(toy_config, overrides=["report.html=true"])
    config = config.model_copy(update={"metrics": (error_count, "accuracy")})
    result = run(config, out=tmp_path / "run")
    best, worst = (result.pipelines[index].metrics for index in (0, -1))
    for metrics in (best, worst):
        errors, accuracy = metrics[error_count], metrics["accuracy"]
        assert errors is not None
        assert accuracy is not None
        assert errors.value == pytest.approx(16 * (1 - accuracy.value))
    assert "error count" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    table = run_cli("compare", tmp_path / "run", "--metric", "error_count")
    assert (table.returncode, "error_count" in table.stdout) == (0, True)


class EveryOther(BaseSplit):
    """Every other clip is tested."""

    type: Literal["every_other"] = "every_other"

    @override
    def _folds(self, dataset: Dataset, seed: int) -> Splits:
        even, odd = np.arange(0, len(dataset), 2), np.arange(1, len(dataset), 2)
        return Splits((Fold(0, "odd", even, odd),), "every other clip")


# Only the union in evaluation/splits.py, where a new split is defined, makes the type known.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.slow
def test_a_split_is_one_class(toy_config: Path, tmp_path: Path) -> None:
    config = load_config(toy_config).model_copy(update={"split": EveryOther()})
    result = run(config, out=tmp_path / "run")
    assert result.splits == "every other clip"
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["unit"]["count"] == 8


@pytest.mark.slow
def test_an_audit_is_one_function_and_one_entry(
    toy_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audit_names(inputs: AuditInput) -> Audit:
        rows: list[dict[str, Any]] = [{"path": clip.id} for clip in inputs.dataset]
        finding = Finding("long-name", "finding", "Names are long.", "Shorten them.", rows)
        return Audit("names", "Names", "Read the names.", [finding])

    monkeypatch.setattr(
        "audioclf.audit.AUDITS", [*AUDITS, AuditEntry("names", audit_names, ("long-name",))]
    )
    done = run_cli("audit", toy_config, "--json")
    audits = {audit["name"]: audit for audit in json.loads(done.stdout)["audits"]}
    assert done.returncode == 3
    assert len(audits["names"]["findings"][0]["rows"]) == 16
    assert check_allowed(["long-name"]) == ("long-name",)
    assert run_cli("audit", toy_config, "--allow", "long-name").returncode == 0
