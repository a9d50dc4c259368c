"""Results in Python and notebooks: tables, data frames, predictions and names."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import audioclf
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.runs import results

SAVED = Path(__file__).parents[1] / "data" / "runs" / "first"


@pytest.fixture
def result() -> audioclf.RunResult:
    class Config:
        name, metrics = "<toy>", ("accuracy", "log_loss")

    config: Any = Config()
    metrics = {"accuracy": Estimate(0.75, 0.5, 1.0), "log_loss": None}
    pipelines = [audioclf.PipelineSummary(n, "mel", n, metrics, 0.1) for n in ("knn", "<svm>")]  # type: ignore[arg-type]
    return audioclf.RunResult(config, SAVED, tuple(pipelines), ("a",), 4, 0, "", "clip", 4, ())


def test_a_result_is_a_table_in_python_in_a_notebook_and_a_data_frame(result: Any) -> None:
    assert repr(result).splitlines()[1:3] == [
        "pipeline  accuracy              log_loss",
        "knn       0.750 [0.500, 1.000]  n/a",
    ]
    html = result._repr_html_()
    assert "<tr><td>knn</td><td>0.750 [0.500, 1.000]</td><td>n/a</td></tr>" in html
    assert "&lt;svm&gt;" in html
    assert "<toy>" not in html
    pytest.importorskip("pandas")
    frame = result.to_pandas()
    assert list(frame.index) == ["knn", "<svm>"]
    assert frame.loc["knn", ["accuracy", "accuracy_low", "accuracy_high"]].tolist() == [
        0.75,
        0.5,
        1,
    ]


def test_without_pandas_the_error_says_how_to_get_it(
    result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(audioclf.AudioclfError, match="pandas, which is not installed") as caught:
        result.to_pandas()
    assert "pip install pandas" in str(caught.value.hint)


def test_predictions_are_rows_with_numbers_and_an_unknown_pipeline_is_named(result: Any) -> None:
    row = result.predictions[0]
    assert list(row)[:7] == ["pipeline", "repeat", "fold", "path", "true_label", "label", "score"]
    assert (row["pipeline"], row["repeat"], row["true_label"]) == ("logistic_regression", 0, "left")
    assert row["score"] == row["score_left"] == pytest.approx(0.9967, abs=1e-4)
    assert len(result.predictions) == 54
    with pytest.raises(KeyError, match="no pipeline 'svm'; there are knn, <svm>"):
        result["svm"]


def test_clips_and_datasets_are_tables_in_a_notebook(tmp_path: Path) -> None:
    clips = [Clip(f"{n}.wav", f"<c{n:02d}>", FileSource(tmp_path)) for n in range(25)]
    html = Dataset(clips, name="<d>")._repr_html_()
    assert "<caption>&lt;d&gt;: 25 clips, 25 classes</caption>" in html
    assert "<td>&lt;c19&gt;</td><td>1</td>" in html
    assert "<td>5 more</td>" in html
    assert "&lt;c03&gt;" in clips[3]._repr_html_()


def test_a_config_is_taken_as_plain_data(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from audioclf.experiment.prepared import resolve

    monkeypatch.chdir(sounds.parent)
    data = {
        "dataset": {"type": "folder", "path": sounds.name},
        "featurizers": {"mel": {"type": "mel"}},
        "classifiers": {"knn": {"type": "knn"}},
    }
    config, _ = resolve(data | {"audio": {"sr": 16_000}}, ["seed=7"], None)
    assert (config.name, config.seed, config.dataset.load().classes) == ("run", 7, ("high", "low"))
    with pytest.raises(audioclf.AudioclfError, match=r"^config: classifiers\.knn: no classifier"):
        audioclf.run({**data, "classifiers": {"knn": {"type": "knnn"}}})


@pytest.mark.parametrize(
    ("metric", "corrected", "expected"),
    [
        ("accuracy", 0.7, "accuracy of 0.750 is optimistic; corrected for the choice it is 0.7"),
        ("accuracy", 0.7501, "accuracy of 0.750 stays the same when corrected"),
        ("accuracy", 0.76, "accuracy of 0.750 does not get worse when corrected"),
        ("log_loss", 0.76, "log_loss of 0.750 is optimistic; corrected for the choice it is 0.7"),
    ],
)
def test_the_note_on_the_choice_says_whether_it_made_the_value_better(
    metric: Any, corrected: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "corrected_best", lambda *_, **__: corrected)
    candidates: Any = [SimpleNamespace(pipeline=SimpleNamespace(is_baseline=False))] * 2
    best = audioclf.PipelineSummary("knn", "mel", "knn", {metric: Estimate(0.75, 0.5, 1.0)}, 0.1)
    config: Any = SimpleNamespace(metrics=(metric,), seed=0)
    (note,) = results._selection_notes(candidates, best, config, config)
    assert expected in note
