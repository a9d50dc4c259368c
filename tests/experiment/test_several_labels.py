"""A run on clips with several labels, from the table to the folder and the model."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ConfigError
from audioclf.evaluation.metrics.estimate import estimates
from audioclf.experiment.evaluating import evaluate as evaluating
from audioclf.experiment.notify import finished_run
from audioclf.report.run.several import LabelSets
from audioclf.runs.comparing import compare_runs
from audioclf.runs.folder import METRICS, PIPELINES
from audioclf.runs.reading import read_run
from audioclf.runs.tables import read_json
from tests.conftest import run_cli, tone, write_wav

CONFIG = """
name: chords
dataset: {{type: manifest, path: {path}, labels: several}}
audio: {{sr: 8000, duration: 0.3}}
featurizers:
  mel: {{type: mel, n_mels: 16, pooling: {{type: stats, statistics: [mean]}}}}
split: {{type: kfold, n_splits: 3}}
classifiers:
  logistic_regression: {{type: logistic_regression}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a config on mixtures of tones, some of which are not labelled."""
    return write_chords(tmp_path_factory.mktemp("chords"), 48)


PITCHES = {"low": 300.0, "mid": 900.0, "top": 2500.0}


def write_chords(folder: Path, n_clips: int, seed: int = 0, pitches: Any = PITCHES) -> Path:
    rng = np.random.default_rng(seed)
    rows = ["path,label"]
    for number in range(n_clips):
        present = [name for name in pitches if rng.random() < 0.4]
        y = rng.normal(0, 0.05, 2400)
        for name in present:
            y += 0.3 * tone(pitches[name], 0.3, 8000, number)
        write_wav(folder / f"{number}.wav", y.astype(np.float32) / 2)
        unsure = [f"?{name}" for name in pitches if name not in present and rng.random() < 0.2]
        rows.append(f"{number}.wav,{';'.join([*present, *unsure])}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    path = folder / "chords.yaml"
    path.write_text(CONFIG.format(path=folder / "labels.csv"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def result(config: Path) -> Any:
    quick = ("audit=false", "report.plots=false")
    return audioclf.run(config, overrides=quick, out=config.parent / "run", jobs=1)


def _pipeline(result: Any, name: str) -> Any:
    return read_json(result.folder / METRICS)[PIPELINES][name]


def test_a_run_has_the_metrics_of_several_labels_and_beats_its_baseline(result: Any) -> None:
    assert result.config.metrics == ("average_precision_macro", "f1_macro")
    best = result.pipelines[0]
    for metric in result.config.metrics:
        assert best.metrics[metric].value > 0.9
        assert result["baseline"].metrics[metric].value < 0.7
    assert result.comparison.pipelines[-1] == "baseline"
    rows = [row for row in result.predictions if row["pipeline"] == best.name]
    assert len(rows) == 48
    for name, item in _pipeline(result, best.name)["per_class"].items():
        low, high = item["threshold"]["low"], item["threshold"]["high"]
        for row in rows:
            if row[f"score_{name}"] >= high:
                assert name in row["label"].split(";")
            if row[f"score_{name}"] < low:
                assert name not in row["label"].split(";")
        labels = [row["true_label"].split(";") for row in rows]
        assert item["clips"] == {
            "yes": sum(name in each for each in labels),
            "not_labelled": sum(f"?{name}" in each for each in labels),
            "no": sum(name not in each and f"?{name}" not in each for each in labels),
        }


def test_a_folder_is_read_and_compared_as_it_was_written(result: Any) -> None:
    saved = read_run(result.folder)
    assert saved.is_several
    metrics = result.config.metrics
    again = estimates(saved.pipelines, metrics, saved.targets, seed=result.config.seed)
    for pipeline, values in zip(saved.pipelines, again, strict=True):
        assert values == result[pipeline.name].metrics
    compared = compare_runs([result.folder], metric="lwlrap")
    assert compared.comparison.metric == "lwlrap"


def test_a_model_gives_the_labels_whose_scores_reach_their_thresholds(
    result: Any, config: Path
) -> None:
    model = audioclf.load(result.folder)
    sounds = [config.parent / f"{number}.wav" for number in range(8)]
    assert model.manifest.several is not None
    thresholds = model.manifest.several.thresholds
    for row, labels in zip(model.scores(sounds), model.predict(sounds), strict=True):
        reached = zip(model.classes, row >= np.array(thresholds), strict=True)
        assert labels == [name for name, is_reached in reached if is_reached]
    card = run_cli("model", "show", result.folder, "--card", code=0).stdout
    assert re.search(rf"low \| \d+ \| {thresholds[0]:.3f}", card.replace("\\", ""))


@pytest.mark.slow
def test_a_run_of_several_labels_with_all_its_parts_is_replayed(
    config: Path, tmp_path: Path
) -> None:
    svm = "classifiers.svm={type: svm}"  # its scores are decision values
    whole = audioclf.run(config, overrides=[svm], out=tmp_path / "run")
    assert list((whole.folder / "plots").glob("*.png"))
    run_cli("replay", whole.folder, code=0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("metrics=[accuracy]", "metric 'accuracy' is defined for one label per clip"),
        ("calibrate=isotonic", "calibrate: isotonic is not made for several labels"),
        ("abstain_below=0.5", "abstain_below is not made for several labels"),
    ],
)
def test_settings_of_one_label_are_refused(config: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        audioclf.run(config, overrides=[override], out=config.parent / "refused")


def test_the_page_has_each_class_with_its_threshold_and_no_confusion_matrix(result: Any) -> None:
    html = result.report.read_text(encoding="utf-8")
    assert "Confusion matrix" not in html
    text = " ".join(re.sub("<[^>]+>", " ", html).split())
    best = result.pipelines[0].name
    for name, item in _pipeline(result, best)["per_class"].items():
        counts, threshold = item["clips"], item["threshold"]["mean"]
        numbers = " ".join(f"{counts[key]:g}" for key in ("yes", "no", "not_labelled"))
        row = f"{name} .{{0,120}}{threshold:.3f} .{{0,30}}{numbers}"
        assert re.search(row, text), name


def test_a_clip_is_right_on_the_page_if_all_that_is_labelled_is_right(result: Any) -> None:
    sets = LabelSets(read_run(result.folder))
    states = sets.run.targets.states
    assert states is not None
    for pipeline, outcome in zip(sets.run.pipelines, sets.outcomes, strict=True):
        for fold in pipeline.folds:
            for at, row in zip(fold.fold.test, fold.y_pred, strict=True):
                known = states[at] >= 0
                is_right = bool((states[at] == row)[known].all())
                assert (outcome.predicted[at] == sets.labels[at]) == is_right
                assert outcome.wrong[at] == (not is_right)


def predicted(result: Any, *args: str) -> list[dict[str, str]]:
    """Return the rows that `predict` writes for the first clips."""
    folder = result.config.dataset.path.parent
    sounds = [folder / f"{number}.wav" for number in range(12)]
    done = run_cli("predict", result.folder, *sounds, *args, code=0)
    return list(csv.DictReader(done.stdout.splitlines()))


def test_predict_writes_labels_and_a_score_for_each_class(result: Any) -> None:
    model, rows = audioclf.load(result.folder), predicted(result)
    assert list(rows[0]) == [
        "path",
        "start",
        "end",
        "labels",
        "score_low",
        "score_mid",
        "score_top",
    ]
    paths = [Path(row["path"]) for row in rows]
    assert [row["labels"] for row in rows] == [
        ";".join(names) if isinstance(names, list) else "" for names in model.predict(paths)
    ]
    scores = [[float(row[f"score_{name}"]) for name in model.classes] for row in rows]
    np.testing.assert_allclose(scores, model.scores(paths), atol=1e-6)
    assert len({row["labels"] for row in rows}) > 2


def test_a_threshold_is_for_all_classes_or_for_one(result: Any) -> None:
    rows = predicted(result, "--threshold", "1", "--threshold", "low=0")
    assert {row["labels"] for row in rows} == {"low"}
    assert all(row["labels"] == "low;mid;top" for row in predicted(result, "--threshold", "0"))


def test_predict_makes_events_and_lines_of_one_label(result: Any) -> None:
    window = ("--window", "0.3")
    rows = predicted(result, *window)
    events = predicted(result, *window, "--events")
    assert [event["label"] for event in events] == [
        name for row in rows for name in row["labels"].split(";") if name
    ]
    shares = predicted(result, *window, "--rollup", "share")
    assert [row["labels"] for row in shares] == [row["labels"] for row in rows]
    assert {row["score_low"] for row in shares} == {"0.000000", "1.000000"}
    folder = result.config.dataset.path.parent
    track = run_cli("predict", result.folder, folder / "0.wav", *window, "--format", "audacity")
    labels = [line.split("\t")[2] for line in track.stdout.splitlines()]
    assert labels == [name for name in rows[0]["labels"].split(";") if name]


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ("lwo=0.3", "the model has no class 'lwo'\n  Did you mean 'low'?"),
        ("low=x", "--threshold low=x: expected a number from 0 to 1, or CLASS=NUMBER"),
        ("2", "--threshold 2: expected a number from 0 to 1"),
    ],
)
def test_an_invalid_threshold_is_named(result: Any, threshold: str, message: str) -> None:
    sound = result.config.dataset.path.parent / "0.wav"
    done = run_cli("predict", result.folder, sound, "--threshold", threshold, code=2)
    assert message in done.stderr


@pytest.mark.parametrize("events", [[], ["--events", "--merge-gap", "0.1"]])
def test_listen_writes_the_lines_of_predict(
    result: Any, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = result.config.dataset.path.parent / "1.wav"
    options = ["--window", "0.1", "--threshold", "low=0.3", *events]
    predicted = run_cli("predict", result.folder, sound, *options, code=0).stdout
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sound.read_bytes())))
    heard = run_cli("listen", result.folder, "-", *options, "--format", "csv", code=0).stdout
    lines = [line.split(",")[1:-1] for line in heard.splitlines()]
    assert lines == [line.split(",")[1:] for line in predicted.splitlines()]
    assert len(lines) > 1


def test_serve_answers_with_the_labels_of_predict(result: Any) -> None:
    pytest.importorskip("starlette", reason="serve needs starlette")
    from starlette.datastructures import QueryParams

    from audioclf.predict.scoring import Shared
    from audioclf.server.app import RefusedError, Server
    from audioclf.server.workers import Request, _predict

    sound, model = result.config.dataset.path.parent / "1.wav", audioclf.load(result.folder)
    server = Server(model, None, 1)  # type: ignore[arg-type]
    settings, _ = server._read(QueryParams("window=0.1&events=true&threshold=low=0.3"))
    answer = json.loads(_predict(Request(sound, settings), Shared(model, compares=False)))
    options = ["--window", "0.1", "--threshold", "low=0.3", "--format", "jsonl"]
    done = run_cli("predict", result.folder, sound, *options, code=0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [";".join(item["labels"]) for item in answer["windows"]] == [x["labels"] for x in lines]
    done = run_cli("predict", result.folder, sound, *options, "--events", code=0)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [{**item, "path": str(sound)} for item in answer["events"]] == events
    assert answer["windows"][0].keys() == {"start", "end", "labels", "scores"}
    with pytest.raises(RefusedError, match="no class 'lo'"):
        server._read(QueryParams("threshold=lo=0.3"))


def test_a_finished_model_is_evaluated_on_the_classes_that_it_shares(
    result: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data have no `top`, and `hum`, which the model does not know."""
    monkeypatch.setattr(evaluating, "begin_plots", lambda *_: dict)
    data = write_chords(tmp_path, 16, 5, {"low": 300.0, "mid": 900.0, "hum": 120.0})
    out = tmp_path / "out"
    done = run_cli(
        "evaluate", result.folder, data, "--out", out, "--no-cache", "--jobs", "1", code=0
    )
    assert "run does not know the class hum of the data (" in done.stderr
    assert "the data lack the class top of run: no average includes them\n" in done.stderr
    saved = read_run(out)
    assert saved.classes == ("low", "mid")
    (pipeline,) = saved.pipelines
    (fold,) = pipeline.folds
    states = saved.targets.states
    assert states is not None
    hits = ((fold.y_pred == 1) & (states == 1)).sum(axis=0)
    truth, said = (states == 1).sum(axis=0), ((fold.y_pred == 1) & (states >= 0)).sum(axis=0)
    f1 = read_json(out / METRICS)[PIPELINES]["run"]["metrics"]["f1_macro"]["value"]
    assert f1 == pytest.approx((2 * hits / (truth + said)).mean())


def test_mlflow_gets_the_metrics_of_several_labels(result: Any) -> None:
    entries = pytest.importorskip("audioclf_mlflow.entries", reason="the plugin is not installed")
    run = finished_run(result.folder)
    entry, cells = entries.run_entry(run), list(entries.cell_entries(run))
    assert entry.params["dataset.labels"] == "several"
    assert [cell.name for cell in cells] == [pipeline.name for pipeline in result.pipelines]
    written = {(point.key, point.step): point.value for point in entry.metrics}
    for metric, value in result.pipelines[0].metrics.items():
        assert written[metric, 0] == value.value
        assert [written[f"{metric}_per_fold", step] for step in range(3)] == list(value.per_fold)
