"""`audioclf compare`: the table, the verdicts below it, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_cli
from tests.finished_runs import change_json, copy_run, first_run


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_run(tmp_path_factory.getbasetemp())


def test_the_table_has_a_row_for_each_cell(folder: Path) -> None:
    done = run_cli("compare", folder, code=0)
    lines = done.stdout.splitlines()
    header = ["pipeline", "accuracy", "fit", "s", "predict", "ms/clip", "model", "memory"]
    assert lines[0].split() == header
    assert {line.split()[0] for line in lines[1:5]} == {"knn", "svm", "logreg", "baseline"}
    assert lines[-1] == "[95 % bootstrap interval over 24 clips]"
    assert "audioclf: note: McNemar's test counts each clip once" in done.stderr


def test_only_pairs_of_the_best_cell_are_shown_or_all_on_demand(folder: Path) -> None:
    lines = run_cli("compare", folder).stdout.splitlines()
    best = lines[1].split()[0]
    assert lines[6].startswith(f"{best} has the best accuracy: it ")
    assert all(line.startswith(f"{best} ") for line in lines[8:11])
    assert lines[11] == "and 3 more pairs, with --all-pairs"
    shown = run_cli("compare", folder, "--all-pairs").stdout
    assert "more pairs" not in shown
    assert len(shown.splitlines()) == 16


def test_json_holds_cells_and_pairs(folder: Path) -> None:
    done = run_cli("compare", folder, "--json", "--metric", "roc_auc")
    data = json.loads(done.stdout)
    assert data["comparison"]["metric"] == "roc_auc"
    assert len(data["comparison"]["pairs"]) == 6
    assert len(data["cells"]) == 4
    assert done.stderr == ""


def test_costs_are_readable_and_n_a_where_unknown(folder: Path, tmp_path: Path) -> None:
    def change(data: Any) -> None:
        for pipeline in data["cells"].values():
            pipeline |= {"fit_seconds": 0.5, "predict_seconds_per_clip": 0.0021}
            pipeline |= {"model_bytes": 5 << 20, "peak_memory_bytes": None}

    change_json(copy_run(folder, tmp_path / "run") / "metrics.json", change)
    row = run_cli("compare", tmp_path / "run").stdout.splitlines()[1]
    assert row.split()[-5:] == ["0.5", "2.1", "5.0", "MiB", "n/a"]


def test_a_margin_makes_cells_equivalent(folder: Path) -> None:
    assert "are equivalent within 5" in run_cli("compare", folder, "--margin", "5").stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--metric", "acuracy"], 2, "unknown metric 'acuracy'"),
        (["--margin", "0"], 2, "margin 0: expected a number above 0"),
    ],
)
def test_refusals_are_one_sentence(folder: Path, args: list[str], code: int, said: str) -> None:
    run_cli("compare", "nowhere", code=6)
    done = run_cli("compare", folder, *args, code=code)
    assert done.stdout == ""
    assert done.stderr.startswith(f"audioclf: error: {said}")


def test_control_characters_of_names_are_not_obeyed(folder: Path, tmp_path: Path) -> None:
    twin = copy_run(folder, tmp_path / "ev\x1b[31mil")
    shown = run_cli("compare", folder, twin, "--all-pairs", code=0)
    assert "\\x1b" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_metric_of_one_class_names_it(folder: Path) -> None:
    lines = run_cli("compare", folder, "--metric", "f1", code=0).stdout.splitlines()
    classes = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["classes"]
    assert f" f1 of {max(classes)!r} " in lines[0]
