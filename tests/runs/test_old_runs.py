"""Two run folders that an earlier version wrote still open.

They were made before `cell` was renamed to `pipeline`: 18 clips of three speakers, the same folds,
other classifiers. Plots and pages were removed to keep them small.
"""

import json
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.estimate import estimate
from audioclf.runs.comparing import compare_runs
from audioclf.runs.reading import read_run
from tests.conftest import run_cli
from tests.finished_runs import copy_run

RUNS = Path(__file__).parents[1] / "data" / "runs"
FIRST, SECOND = RUNS / "first", RUNS / "second"


def test_a_saved_run_has_its_clips_folds_and_metrics() -> None:
    run = read_run(FIRST)
    assert (run.name, run.main_metric, run.classes) == ("first", "accuracy", ("left", "stop"))
    assert (len(run.clips), len(run.folds), run.left_out) == (18, 3, ())
    names = [pipeline.name for pipeline in run.pipelines]
    assert names == ["logistic_regression", "knn", "baseline"]
    assert run.clips[0].group == "ada"
    assert (run.targets.unit, len(set(run.targets.unit_codes.tolist()))) == ("group", 3)
    scores = run["logistic_regression"].folds[0].scores
    assert scores is not None
    assert scores[0].tolist() == [0.996710598, 0.00328940363]


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "log_loss"])
def test_its_metrics_come_out_again(metric: Metric) -> None:
    run = read_run(FIRST)
    result = estimate(run["knn"], metric, run.targets, seed=run.config["seed"])
    written = run.metrics["cells"]["knn"]["metrics"][metric]
    assert result is not None
    assert result.value == pytest.approx(written["value"], rel=1e-6)


def test_scripts_with_the_former_names_still_work() -> None:
    assert audioclf.CellSummary is audioclf.PipelineSummary
    summary = audioclf.PipelineSummary("knn", "mel", "knn", {}, 0.1)
    config: Any = None
    result = audioclf.RunResult(config, FIRST, (summary,), ("a", "b"), 4, 0, "", "clip", 4, ())
    assert result.cells == result.pipelines == (result["knn"],)


def test_two_saved_runs_are_compared() -> None:
    result = compare_runs([FIRST, SECOND])
    values = {row.name: row.estimate and round(row.estimate.value, 3) for row in result.pipelines}
    assert values == {"svm": 1.0, "logistic_regression": 0.944, "knn": 0.833, "baseline": 0.5}
    assert (result.comparison.baseline, result.comparison.unit_name) == ("baseline", "group")
    assert len(result.comparison.pairs) == 6
    assert "<td>knn</td><td>first</td><td>0.833 [" in result._repr_html_()
    done = run_cli("compare", FIRST, SECOND, "--json")
    assert done.returncode == 0
    assert [row["name"] for row in json.loads(done.stdout)["cells"]] == list(values)


def test_a_saved_run_has_a_page(tmp_path: Path) -> None:
    folder = copy_run(FIRST, tmp_path / "first")
    done = run_cli("report", folder, "--no-audio")
    assert done.returncode == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "<b>0.944</b> <small>[0.833, 1.000]</small>" in html
    assert "logistic_regression has the best accuracy" in html
    assert "stop_finn_0.wav" in html


def test_the_model_of_a_saved_run_is_shown() -> None:
    done = run_cli("model", "show", FIRST / "model.audioclf", "--json")
    shown = json.loads(done.stdout)
    assert (shown["classes"], shown["cell"]) == (["left", "stop"], "logistic_regression")
    assert shown["evaluation"]["metrics"]["log_loss"]["value"] == 0.11384038678703708
