"""Runs with a learning curve: its files, its place in the page, and the fits that it takes."""

import csv
import json
import shutil
from pathlib import Path

import pytest

import audioclf
from audioclf.cli.run import describe_result
from audioclf.config.loading import load_config
from audioclf.experiment.preview import preview
from audioclf.experiment.replay import compare
from audioclf.report.run.page import build_report
from audioclf.runs.folder import is_result
from audioclf.runs.reading import read_run
from tests.finished_runs import change_json

CURVE = "learning_curve={sizes: [1, 3, 40], repeats: 2}"


@pytest.fixture(scope="module")
def result(shared_config: Path) -> audioclf.RunResult:
    config = load_config(shared_config, overrides=[CURVE])
    return audioclf.run(config, out=shared_config.with_name("curve"), jobs=1)


def test_the_curve_is_in_the_result_and_the_folder(result: audioclf.RunResult) -> None:
    assert result.learning_curve is not None
    points = result.learning_curve.points["logreg"]
    assert [point.is_whole for point in points] == [False, False, True]
    assert points[-1].estimate == result["logreg"].metrics["accuracy"]
    with (result.folder / "learning_curve.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["clips_per_class"] for row in rows] == ["1.0", "3.0", "6.0"]
    data = json.loads((result.folder / "learning_curve.json").read_text(encoding="utf-8"))
    assert [point["value"] for point in data["cells"]["logreg"]] == [
        float(row["value"]) for row in rows
    ]
    names = ["learning_curve.json", "learning_curve.csv"]
    for name in [*names, "plots/learning-curve.png", "plots/learning-curve.svg"]:
        assert (result.folder / name).is_file()
        assert is_result(name)


def test_the_curve_is_on_the_terminal_and_in_the_page(result: audioclf.RunResult) -> None:
    text = describe_result(result)
    assert "accuracy by clips per class" in text
    assert "all, about 6" in text
    page = build_report(read_run(result.folder))
    assert 'id="learning"' in page
    assert "no point at 40 clips per class" in page


def test_check_and_record_count_the_fits(shared_config: Path, result: audioclf.RunResult) -> None:
    config = load_config(shared_config, overrides=[CURVE])
    record = json.loads((result.folder / "record.json").read_text(encoding="utf-8"))
    assert preview(config).n_fits == record["fits"]["total"] == 2 * 4 + 2 * 2 * 4


def test_a_replay_compares_the_curve(result: audioclf.RunResult, tmp_path: Path) -> None:
    other = shutil.copytree(result.folder, tmp_path / "other")
    before, same = read_run(result.folder), read_run(other)
    assert {stage.verdict for stage in compare(before, same)} == {"same"}
    path = other / "learning_curve.json"
    change_json(path, lambda data: data["cells"]["logreg"][0].update(value=0.0))
    assert compare(before, read_run(other))[-1].verdict == "different"
