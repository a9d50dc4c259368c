"""Runs on numbers and on ordered classes, from the table to the folder, the page and the model."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import EXIT_DATA, ConfigError, DatasetError, ModelError
from audioclf.evaluation.metrics.estimate import estimates
from audioclf.runs.comparing import compare_runs
from audioclf.runs.reading import read_run
from tests.conftest import run_cli, tone, write_wav

DEGREES = ("none", "mild", "severe")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest of tones, whose pitch is a number and a degree, by four speakers."""
    folder, rng = tmp_path_factory.mktemp("tones"), np.random.default_rng(0)
    rows = ["path,arousal,degree,speaker"]
    for at in range(48):
        number = round(rng.uniform(1.0, 5.0), 2)
        y = 0.5 * tone(200.0 * 2**number, 0.2, 16000, at) + rng.normal(0, 0.02, 3200)
        write_wav(folder / f"{at:02}.wav", y.astype(np.float32), 16000)
        rows.append(f"{at:02}.wav,{number},{DEGREES[int((number - 1) / 1.34)]},s{at % 4}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "labels.csv"


def config_of(table: Path, target: Any, column: str, **changes: Any) -> dict[str, Any]:
    columns = {"label": column, "group": "speaker"}
    dataset = {"type": "manifest", "path": str(table), "columns": columns, "target": target}
    mel = {"type": "mel", "n_mels": 16, "pooling": {"type": "stats", "statistics": ["mean"]}}
    data = {
        "dataset": dataset,
        "audio": {"sr": 16000, "duration": 0.2},
        "featurizers": {"mel": mel},
        "split": {"type": "stratified_group_kfold", "n_splits": 4},
    }
    return {**data, **changes}


@pytest.fixture(scope="module")
def numbers(table: Path) -> Any:
    classifiers = {"ridge": {"type": "ridge"}, "knn": {"type": "knn_regressor"}}
    config = config_of(table, "number", "arousal", name="tones", classifiers=classifiers)
    quick = {"report": {"plots": False}, "audit": False}
    return audioclf.run({**config, **quick}, out=table.parent / "numbers", jobs=1)


@pytest.fixture(scope="module")
def degrees(table: Path) -> Any:
    quick = {"audit": False, "report": {"html": False, "plots": False}}
    classifiers = {"lr": {"type": "logistic_regression"}}
    target = {"ordered": list(DEGREES)}
    config = config_of(table, target, "degree", classifiers=classifiers, **quick)
    return audioclf.run(config, out=table.parent / "degrees", jobs=1)


def test_a_run_of_numbers_beats_its_baseline(numbers: Any, table: Path) -> None:
    assert numbers.config.metrics == ("ccc", "mae")
    best, baseline = numbers.pipelines[0], numbers["baseline"]
    assert best.metrics["ccc"].value > 0.9 > 0.1 > baseline.metrics["ccc"].value
    assert 3 * best.metrics["mae"].value < baseline.metrics["mae"].value
    assert numbers.comparison.pipelines[-1] == "baseline"
    lines = table.read_text(encoding="utf-8").splitlines()
    true = {row["path"]: row["arousal"] for row in csv.DictReader(lines)}
    rows = [row for row in numbers.predictions if row["pipeline"] == best.name]
    assert {row["path"]: float(row["true_label"]) for row in rows} == {
        path: float(number) for path, number in true.items()
    }
    error = np.mean([abs(float(row["label"]) - float(row["true_label"])) for row in rows])
    assert error == pytest.approx(best.metrics["mae"].value, abs=1e-12)


@pytest.mark.parametrize("kind", ["numbers", "degrees"])
def test_a_folder_is_read_as_it_was_written(kind: str, request: pytest.FixtureRequest) -> None:
    result: Any = request.getfixturevalue(kind)
    saved = read_run(result.folder)
    again = estimates(
        saved.pipelines, result.config.metrics, saved.targets, seed=result.config.seed
    )
    for pipeline, values in zip(saved.pipelines, again, strict=True):
        assert values == result[pipeline.name].metrics
    metric = result.config.metrics[1]
    assert compare_runs([result.folder], metric=metric).comparison.metric == metric


def test_a_model_of_numbers_gives_numbers(numbers: Any, table: Path, tmp_path: Path) -> None:
    model, sound = audioclf.load(numbers.folder), table.parent / "00.wav"
    number = model.predict(sound)
    assert isinstance(number, float)
    assert model.predict([sound, sound]) == [number, number]
    assert model.manifest.number is not None
    assert 1.0 <= model.manifest.number.low < model.manifest.number.high <= 5.0
    with pytest.raises(ModelError, match="gives numbers, and no scores"):
        model.scores(sound)
    out = tmp_path / "windows.jsonl"
    run_cli("predict", numbers.folder, sound, "--window", "0.1", "--out", out, code=0)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [list(line) for line in lines] == [["path", "start", "end", "number"]] * 2
    mean = run_cli("predict", numbers.folder, sound, "--window", "0.1", "--rollup", "mean", code=0)
    assert mean.stdout.splitlines()[0] == "path,start,end,number"
    expected = np.mean([line["number"] for line in lines])
    assert float(mean.stdout.splitlines()[1].split(",")[3]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_a_run_of_numbers_with_all_its_parts_has_a_plot(table: Path, tmp_path: Path) -> None:
    config = config_of(table, "number", "arousal", classifiers={"ridge": {"type": "ridge"}})
    whole = audioclf.run(config, out=tmp_path / "run")
    assert (whole.folder / "plots" / "predicted-ridge.png").stat().st_size > 1000


def test_the_page_and_the_card_are_of_numbers(numbers: Any) -> None:
    page = (numbers.folder / "report.html").read_text(encoding="utf-8")
    assert "Predicted against true number" in page
    assert "predicts one number for all clips" in page
    assert "0 classes" not in page
    card = run_cli("model", "show", numbers.folder, "--card", code=0).stdout
    assert "A model that predicts a number for a sound" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "--window", "0.1", "--events"), "events are made of classes"),
        (("predict", "--window", "0.1", "--rollup", "share"), "--rollup share is made of classes"),
        (("serve",), "serve needs a model of classes"),
        (("export", "--to", "onnx"), "a model of numbers is not exported to ONNX"),
    ],
)
def test_uses_of_classes_are_refused(
    arguments: tuple[str, ...], message: str, numbers: Any, table: Path
) -> None:
    command, *options = arguments
    sounds = [table] if command == "predict" else []
    assert message in run_cli(command, numbers.folder, *sounds, *options).stderr


def test_ordered_classes_keep_their_order(degrees: Any, table: Path) -> None:
    assert degrees.classes == DEGREES
    assert degrees.config.metrics == ("quadratic_kappa", "mae")
    assert degrees.pipelines[0].metrics["quadratic_kappa"].value > 0.8
    assert degrees["baseline"].metrics["quadratic_kappa"].value < 0.2
    model = audioclf.load(degrees.folder)
    assert model.classes == DEGREES
    sounds = [table.parent / f"{at:02}.wav" for at in range(8)]
    scores = model.scores(sounds)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    assert model.predict(sounds) == [DEGREES[code] for code in scores.argmax(axis=1)]


def test_a_model_is_not_evaluated_on_classes_in_another_order(
    degrees: Any, table: Path, tmp_path: Path
) -> None:
    config = tmp_path / "other.yaml"
    data = config_of(table, {"ordered": ["severe", "mild", "none"]}, "degree")
    config.write_text(json.dumps(data), encoding="utf-8")
    said = run_cli("evaluate", degrees.folder, config, code=EXIT_DATA).stderr
    assert "has the order severe, mild, none, and" in said
    assert "Set `target: {ordered: [none, mild, severe]}` in the config" in said


@pytest.mark.parametrize(
    ("target", "column", "changes", "message", "hint"),
    [
        (
            "number",
            "arousal",
            {"classifiers": {"c": {"type": "svm"}}},
            "'svm' learns classes",
            "svr",
        ),
        (None, "degree", {"classifiers": {"c": {"type": "svr"}}}, "'svr' learns numbers", "svm"),
        ("number", "arousal", {"calibrate": "sigmoid"}, "calibrate is not made for numbers", ""),
        ("number", "arousal", {"metrics": ["f1_macro"]}, "and the clips have numbers", "ccc"),
        ("number", "degree", {}, "line 2: degree is '", ""),
        ({"ordered": ["none", "mild"]}, "degree", {}, "is 'severe', not one of none, mild", ""),
    ],
)
def test_targets_and_classifiers_that_do_not_suit_are_refused(
    target: Any, column: str, changes: dict[str, Any], message: str, hint: str, table: Path
) -> None:
    classifiers = {"c": {"type": "ridge"}}
    config = config_of(table, target, column, **{"classifiers": classifiers, **changes})
    with pytest.raises((ConfigError, DatasetError)) as error:
        audioclf.run(config, out=table.parent / "refused")
    assert message in error.value.message
    assert hint in (error.value.hint or "")


@pytest.mark.parametrize("text", ["", "nan", "inf", "1,5", "high", "1e999"])
def test_a_cell_that_is_no_number_is_named(text: str, table: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    name, _, rest = lines[3].split(",", 2)
    lines[3] = f'{name},"{text}",{rest}'
    path = table.parent / "bad.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    config = config_of(path, "number", "arousal", classifiers={"c": {"type": "ridge"}})
    problem = f"arousal is {text!r}, not a finite number such as 3.5" if text else "no arousal"
    with pytest.raises(DatasetError, match=problem) as error:
        audioclf.run(config, out=table.parent / "refused")
    assert "line 4" in error.value.message


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numbers", "degrees"])
def test_a_run_is_replayed(kind: str, request: pytest.FixtureRequest) -> None:
    run_cli("replay", request.getfixturevalue(kind).folder, code=0)


@pytest.mark.slow
def test_every_regressor_is_saved_and_tuned(table: Path) -> None:
    classifiers = {
        "forest": {"type": "random_forest_regressor", "n_estimators": 5},
        "boosting": {"type": "gradient_boosting_regressor", "n_estimators": 5},
        "svr": {"type": "svr"},
        "tree": {"type": "knn_regressor", "algorithm": "kd_tree"},
        "tuned": {"type": "tuned", "classifier": {"type": "ridge"}, "search": {"alpha": [1, 10]}},
    }
    for name in classifiers:
        config = config_of(
            table, "number", "arousal", classifiers=classifiers, final=name, audit=False
        )
        result = audioclf.run(config, out=table.parent / f"final-{name}")
        model = audioclf.load(result.folder)
        assert isinstance(model.predict(table.parent / "00.wav"), float)
    assert model.manifest.configured is not None
    assert model.manifest.configured["metric"] == "mae"
