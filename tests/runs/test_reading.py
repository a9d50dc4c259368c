"""Reading of run folders, and errors that name the damaged file."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import ResultError
from audioclf.evaluation.metrics.estimate import estimate
from audioclf.runs.folder import CONFIG, FOLDS, LEDGER, METRICS, PREDICTIONS, RECORD
from audioclf.runs.reading import SavedRun, read_run
from tests.finished_runs import Row, change_csv, copy_run, first_run, grouped_run

FILES = (CONFIG, FOLDS, LEDGER, METRICS, PREDICTIONS, RECORD)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grouped_run(tmp_path_factory.getbasetemp())


@pytest.fixture(params=["folder", "grouped"])
def run(request: pytest.FixtureRequest) -> SavedRun:
    return read_run(request.getfixturevalue(request.param))


def test_metrics_are_those_that_the_run_wrote(run: SavedRun) -> None:
    assert run.targets.unit == run.metrics["unit"]["name"]
    for pipeline in run.pipelines:
        for name, written in run.pipeline_metrics[pipeline.name]["metrics"].items():
            found = estimate(pipeline, name, run.targets, seed=run.config["seed"])
            assert found is not None
            expected = (written["value"], written["low"], written["high"])
            np.testing.assert_array_equal((found.value, found.low, found.high), expected)


def test_scores_are_written_with_all_digits(folder: Path) -> None:
    with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as stream:
        texts = [row["score_high"] for row in csv.DictReader(stream)]
    assert texts == [repr(float(text)) for text in texts]
    assert max(map(len, texts)) > 15


def test_predictions_in_memory_are_not_read_again_if_they_are_of_the_folds(
    folder: Path, tmp_path: Path
) -> None:
    run = read_run(folder)
    copy = copy_run(folder, tmp_path / "run")
    (copy / PREDICTIONS).unlink()
    known: list[Any] = [SimpleNamespace(pipeline=item, folds=item.folds) for item in run.pipelines]
    assert [item.folds for item in read_run(copy, known).pipelines] == [
        item.folds for item in run.pipelines
    ]
    known[-1].folds = known[-1].folds[::-1]
    with pytest.raises(ResultError, match=PREDICTIONS):
        read_run(copy, known)


def test_a_run_has_its_clips_folds_and_pipelines(folder: Path) -> None:
    run = read_run(folder)
    record = json.loads((folder / RECORD).read_text())
    assert (run.name, run.main_metric) == ("first", "accuracy")
    assert run.fingerprint == record["dataset"]["fingerprint"]
    assert run.file(METRICS) == run.metrics
    assert run.file("comparison-of-nothing.json") is None
    values = [
        run.pipeline_metrics[pipeline.name]["metrics"]["accuracy"]["value"]
        for pipeline in run.pipelines
    ]
    assert values == sorted(values, reverse=True)
    assert run["knn"].classifier == "knn"
    with pytest.raises(KeyError):
        run["nothing"]
    assert [fold.repeat for fold in run.folds] == [0] * 4 + [1] * 4
    for fold in run.folds:
        both = np.concatenate([fold.train, fold.test])
        assert sorted(both) == list(range(len(run.clips)))
    first = run.clips[0]
    assert (first.id, first.label, first.group) == ("high/a_0.wav", "high", None)
    assert first.facts["sr"] == "8000"
    assert [clip.id for clip in run.clips] == sorted(clip.id for clip in run.clips)


def test_clips_that_were_left_out_stand_apart(folder: Path, tmp_path: Path) -> None:
    def fail(rows: list[Row]) -> None:
        rows.append({**rows[0], "path": "low/broken.wav", "status": "failed"})

    change_csv(copy_run(folder, tmp_path / "run") / LEDGER, fail)
    run = read_run(tmp_path / "run")
    assert [row["path"] for row in run.left_out] == ["low/broken.wav"]
    assert len(run.clips) == 24


def test_clips_that_are_never_on_test_still_train(grouped: Path) -> None:
    run = read_run(grouped)
    (fold,) = run.folds
    assert 0 < len(fold.test) < len(run.clips)
    assert {run.clips[index].group for index in fold.test} >= {"a", "b"}


def first_lines(content: bytes, n: int | None = None) -> bytes:
    """Return the first lines, by default half of them."""
    lines = content.splitlines(keepends=True)
    return b"".join(lines[: n or len(lines) // 2])


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half of the bytes": lambda content: content[: len(content) // 2],
    "half of the lines": first_lines,
    "the first line": lambda content: first_lines(content, 1),
    "nothing": lambda content: b"",
    "no text": lambda content: b"\xff\xfe" + content,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("left", DAMAGE)
def test_a_damaged_file_is_named(name: str, left: str, folder: Path, tmp_path: Path) -> None:
    path = copy_run(folder, tmp_path / "run") / name
    path.write_bytes(DAMAGE[left](path.read_bytes()))
    with pytest.raises(ResultError) as caught:
        read_run(path.parent)
    assert str(path.parent) in caught.value.message
    assert name in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint == "A file of the run was changed or cut off. Run its config again."
    path.unlink()
    with pytest.raises(ResultError, match=rf"{name}.* is missing"):
        read_run(path.parent)


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        ({"fits": 5}, "'fits' is not a mapping"),
        ({"versions": ["1"]}, "'versions' is not a mapping"),
        ({"features": {"mfcc": "0"}}, "'mfcc' is not a mapping"),
        ({"components": {"dataset": {}}}, "it has no 'type'"),
        ({"weights": {"featurizers.a": [{"name": "a"}]}}, "it has no 'size'"),
        ({"notes": 1}, "'notes' is not a list"),
    ],
)
def test_a_record_of_another_form_is_named(
    forged: dict[str, Any], message: str, folder: Path, tmp_path: Path
) -> None:
    path = copy_run(folder, tmp_path / "run") / RECORD
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(f"{json.dumps(record | forged)}\n", encoding="utf-8")
    with pytest.raises(ResultError, match=f"{RECORD}: cannot be read: {message}"):
        read_run(path.parent)


@pytest.mark.parametrize("name", [FOLDS, LEDGER, PREDICTIONS])
def test_a_lost_last_line_is_noticed(name: str, folder: Path, tmp_path: Path) -> None:
    path = copy_run(folder, tmp_path / "run") / name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ResultError, match=name):
        read_run(path.parent)


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        (LEDGER, "label", "hugh", "has no class 'hugh'"),
        (FOLDS, "path", "gone.wav", "has no clip 'gone.wav'"),
        (FOLDS, "repeat", "two", "'two'"),
        (PREDICTIONS, "cell", "other", "has no pipeline 'other'"),
        (PREDICTIONS, "label", "hugh", "it has no 'hugh'"),
        (PREDICTIONS, "score_low", "", "a score is missing"),
        (PREDICTIONS, "fold", "9", f"the folds in {FOLDS}"),
    ],
)
def test_a_strange_value_is_named(
    name: str, column: str, value: str, message: str, folder: Path, tmp_path: Path
) -> None:
    path = copy_run(folder, tmp_path / "run") / name
    change_csv(path, lambda rows: rows[1].update({column: value}))
    with pytest.raises(ResultError) as caught:
        read_run(path.parent)
    assert str(path) in caught.value.message
    assert message in caught.value.message


@pytest.mark.parametrize("name", [METRICS, RECORD])
def test_json_that_holds_something_else_is_named(name: str, folder: Path, tmp_path: Path) -> None:
    path = copy_run(folder, tmp_path / "run") / name
    for text in ("[]\n", "{}\n", '{"dataset": 3, "classes": 3}\n'):
        path.write_text(text)
        with pytest.raises(ResultError, match=name):
            read_run(path.parent)


def test_no_folder_no_run_and_an_unfinished_run_have_messages_of_their_own(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ResultError, match="no such run folder"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(ResultError, match="holds no run"):
        read_run(tmp_path)
    (copy_run(folder, tmp_path / "run") / RECORD).unlink()
    with pytest.raises(ResultError, match="did not finish"):
        read_run(tmp_path / "run")


@pytest.mark.slow
def test_decision_values_are_read_back_and_rank_the_clips(toy_config: Path, tmp_path: Path) -> None:
    from audioclf.experiment.run import run as run_config

    overrides = ["classifiers={s: {type: sgd, loss: hinge}}", "metrics=[roc_auc]", "final=none"]
    result = run_config(toy_config, overrides=overrides, out=tmp_path / "run", cache=False)
    saved = read_run(result.folder)
    pipeline = next(each for each in saved.pipelines if each.classifier == "s")
    assert all(fold.decision_values is not None for fold in pipeline.folds)
    expected = result[pipeline.name].metrics["roc_auc"]
    assert estimate(pipeline, "roc_auc", saved.targets, seed=saved.config["seed"]) == expected
