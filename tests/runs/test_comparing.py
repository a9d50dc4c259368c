"""Runs side by side: all pipelines where they are comparable, a reason where they are not."""

import json
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from audioclf.base.errors import ConfigError, ResultError
from audioclf.runs.comparing import compare_runs
from audioclf.runs.folder import CONFIG, FOLDS, LEDGER, METRICS, PREDICTIONS, RECORD
from audioclf.runs.reading import read_run
from tests.finished_runs import (
    Row,
    change_csv,
    change_fingerprint,
    change_json,
    copy_run,
    first_run,
    keep_pipelines,
    second_run,
)


@pytest.fixture
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return second_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def other(first: Path, tmp_path: Path) -> Path:
    """Return a copy of the first run with another fingerprint, to be changed."""
    change_fingerprint(copy_run(first, tmp_path / "other"))
    return tmp_path / "other"


def refusal(*runs: Path) -> str:
    with pytest.raises(ResultError) as caught:
        compare_runs(runs)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_one_run_is_a_comparison_of_its_pipelines(first: Path) -> None:
    found, written = compare_runs([first]), read_run(first).pipeline_metrics
    assert {pipeline.name for pipeline in found.pipelines} == {"knn", "svm", "logreg", "baseline"}
    assert [pipeline.name for pipeline in found.pipelines] == list(found.comparison.pipelines)
    assert found.comparison.baseline == "baseline"
    assert len(found.comparison.pairs) == 6
    for pipeline in found.pipelines:
        expected = written[pipeline.name]["metrics"]["accuracy"]
        assert pipeline.estimate is not None
        values = (pipeline.estimate.value, pipeline.estimate.low)
        assert values == (expected["value"], expected["low"])
        assert pipeline.fit_seconds == written[pipeline.name]["fit_seconds"]


def test_pipelines_of_one_name_have_the_run_before_it(first: Path, second: Path) -> None:
    found = compare_runs([first, second])
    names = {pipeline.name for pipeline in found.pipelines}
    assert names == {"knn", "svm", "first/logreg", "second/logreg", "baseline"}
    assert {pipeline.name: pipeline.run for pipeline in found.pipelines}["second/logreg"] == second


@pytest.mark.parametrize("folder", ["copy", "first"])
def test_runs_of_one_name_are_named_by_their_folder_or_path(
    folder: str, first: Path, tmp_path: Path
) -> None:
    copy = copy_run(first, tmp_path / folder)
    labels = [first, copy] if folder == first.name else [first.name, folder]
    names = {pipeline.name for pipeline in compare_runs([first, copy]).pipelines}
    both = {f"{label}/{pipeline}" for label in labels for pipeline in ("knn", "svm", "logreg")}
    assert names == both | {"baseline"}


def test_pipelines_without_scores_for_another_metric_stand_last(first: Path) -> None:
    found = compare_runs([first], metric="log_loss", margin=50.0)
    assert found.comparison.metric == "log_loss"
    assert found.comparison.equivalence_margin == 50.0
    assert {pair.verdict for pair in found.comparison.pairs} == {"equivalent"}
    assert found.pipelines[-1].name == "svm"
    assert found.pipelines[-1].estimate is None
    assert "not compared, since they have no log_loss: svm" in found.comparison.notes


def test_an_alias_of_a_metric_is_that_metric(first: Path) -> None:
    assert compare_runs([first], metric="uar").comparison.metric == "balanced_accuracy"


def test_costs_that_a_run_lacks_are_none_and_others_are_shown(first: Path, tmp_path: Path) -> None:
    def change(data: Any) -> None:
        for pipeline in data["cells"].values():
            pipeline.pop("model_bytes", None)
            pipeline["predict_seconds_per_clip"], pipeline["peak_memory_bytes"] = 0.25, None

    change_json(copy_run(first, tmp_path / "run") / METRICS, change)
    pipeline = compare_runs([tmp_path / "run"]).pipelines[0]
    assert (pipeline.predict_seconds_per_clip, pipeline.model_bytes) == (0.25, None)
    assert pipeline.peak_memory_bytes is None


def test_a_note_names_the_runs_whose_costs_are_of_earlier_runs(first: Path, tmp_path: Path) -> None:
    for name, resumed in (("new", 0), ("again", 1)):
        change_json(
            copy_run(first, tmp_path / name) / RECORD,
            methodcaller("update", fits={"resumed": resumed}),
        )
    note = "some fits of again are from earlier runs; their times and memory were measured then"
    assert note not in compare_runs([tmp_path / "new"]).comparison.notes
    assert compare_runs([tmp_path / "new", tmp_path / "again"]).comparison.notes[-1] == note


def test_a_baseline_of_each_run_stays_where_they_differ(first: Path, tmp_path: Path) -> None:
    def turn(rows: list[Row]) -> None:
        for row in rows:
            if row["cell"] == "baseline":
                row["label"] = row["true_label"]

    change_csv(copy_run(first, tmp_path / "run") / PREDICTIONS, turn)
    names = {pipeline.name for pipeline in compare_runs([first, tmp_path / "run"]).pipelines}
    assert {"first/baseline", "run/baseline"} < names


def test_other_clips_are_refused(first: Path, other: Path) -> None:
    for name in (LEDGER, FOLDS, PREDICTIONS):
        change_csv(other / name, _rename)
    assert refusal(first, other) == (
        f"{first} and {other} cannot be compared: different clips: 2 only in {first}, such as "
        f"'low/a_0.wav', 2 only in {other}, such as 'low/a_0.mp3'"
    )


def _rename(rows: list[Row]) -> None:
    for row in rows:
        if row["path"] in ("low/a_0.wav", "low/b_1.wav"):
            row["path"] = row["path"].replace(".wav", ".mp3")


@pytest.mark.parametrize(
    ("column", "value", "kind"), [("sha256", "0" * 64, "content"), ("label", "low", "labels")]
)
def test_clips_that_changed_are_refused(
    column: str, value: str, kind: str, first: Path, other: Path
) -> None:
    change_csv(other / LEDGER, lambda rows: rows[0].update({column: value}))
    message = f"cannot be compared: different {kind} of 1 clip, such as 'high/a_0.wav'"
    assert refusal(first, other).endswith(message)


def test_other_groups_or_a_fingerprint_alone_are_refused(first: Path, other: Path) -> None:
    assert refusal(first, other).endswith("different published folds or groups of the same clips")
    change_csv(other / FOLDS, lambda rows: [row.update(group=row["path"][-5]) for row in rows])
    assert "different groups of 24 clips, such as 'high/a_0.wav'" in refusal(first, other)


def test_other_folds_are_refused(first: Path, tmp_path: Path) -> None:
    other = copy_run(first, tmp_path / "other")
    for name in (FOLDS, PREDICTIONS):
        change_csv(other / name, _swap)
    message = f"{first} and {other} cannot be compared: different folds"
    both = "although both have 2 times 4 stratified folds from seed 1"
    assert refusal(first, other) == f"{message}, {both}"
    config = other / CONFIG
    config.write_text(config.read_text().replace("seed: 1\n", "seed: 7\n"))
    assert refusal(first, other) == (
        f"{message}: {first} has 2 times 4 stratified folds from seed 1, {other} has 2 times 4 "
        "stratified folds from seed 7"
    )


def _swap(rows: list[Row]) -> None:
    for row in rows:
        row["fold"] = {"0": "1", "1": "0"}.get(row["fold"], row["fold"])


def test_folders_without_a_finished_run_are_left_out_with_a_note(
    first: Path, second: Path, tmp_path: Path
) -> None:
    (copy_run(second, tmp_path / "stopped") / "record.json").unlink()
    (copy_run(second, tmp_path / "damaged") / METRICS).write_text("{")
    others = [tmp_path / "stopped", tmp_path / "damaged"]
    result = compare_runs([others[0], first, others[1]])
    assert result.runs == (first,)
    notes = [note for note in result.comparison.notes if note.startswith("left out: ")]
    assert "stopped: holds a run that did not finish" in notes[0]
    assert "damaged/metrics.json: cannot be read" in notes[1]
    assert refusal(*others).startswith(f"{others[0]}: holds a run that did not finish")


def test_the_same_run_twice_is_refused(first: Path) -> None:
    assert refusal(first, first / ".." / first.name) == f"{first.resolve()}: is given twice"


def test_one_pipeline_or_one_with_scores_is_nothing_to_compare(first: Path, tmp_path: Path) -> None:
    keep_pipelines(copy_run(first, tmp_path / "run"), "svm", "baseline")
    with pytest.raises(ResultError) as caught:
        compare_runs([tmp_path / "run"], metric="log_loss")
    assert caught.value.message == (
        "nothing to compare: of 2 pipelines, only one has scores that log_loss needs"
    )
    keep_pipelines(tmp_path / "run", "svm")
    assert refusal(tmp_path / "run") == "nothing to compare: there is one pipeline, svm"


def test_an_unknown_metric_is_refused_with_the_nearest(first: Path) -> None:
    with pytest.raises(ConfigError, match="unknown metric 'acuracy'") as caught:
        compare_runs([first], metric="acuracy")
    assert caught.value.hint == "Did you mean 'accuracy'?"


def test_a_metric_of_two_classes_is_refused_on_three(first: Path, tmp_path: Path) -> None:
    def change(data: Any) -> None:
        data["classes"].append("middle")
        for pipeline in data["cells"].values():
            pipeline["scores"] = "none"

    change_json(copy_run(first, tmp_path / "run") / METRICS, change)
    with pytest.raises(ConfigError, match="'f1' is defined for two classes"):
        compare_runs([tmp_path / "run"], metric="f1")


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan"), float("inf")])
def test_a_margin_is_above_zero(margin: float, first: Path) -> None:
    with pytest.raises(ConfigError, match="expected a number above 0"):
        compare_runs([first], margin=margin)


def test_data_is_plain_json(first: Path, second: Path) -> None:
    found = compare_runs([first, second])
    data = json.loads(json.dumps(found.to_data(), allow_nan=False))
    assert data["runs"] == [str(first), str(second)]
    assert [pipeline["name"] for pipeline in data["cells"]] == [
        pipeline.name for pipeline in found.pipelines
    ]
    assert set(data["cells"][0]["estimate"]) == {"value", "low", "high"}
    assert data["comparison"] == found.comparison.to_data()
