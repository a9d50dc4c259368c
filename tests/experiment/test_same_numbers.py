"""The same numbers, files and page with any jobs, engine and environment."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.components.discovery import discover
from audioclf.report.run.page import report_again
from audioclf.runs.folder import METRICS, RECORD, REPORT
from tests.conftest import WHOLE, run_process
from tests.experiment.test_stopped_runs import timeless

NAMED = (*WHOLE, "final=logreg")
"""Overrides of a whole run whose final fit can begin before the folds."""

EQUAL = (
    "audit.json",
    "comparison.json",
    "config.yaml",
    "folds.csv",
    "importances.json",
    "ledger.csv",
    "model.audioclf",
    "predictions.csv",
)


def assert_same(one: Path, other: Path) -> None:
    """Compare whole run folders, but for what clocks and memory say."""
    import json

    def read(folder: Path, name: str) -> Any:
        return json.loads((folder / name).read_text(encoding="utf-8"))

    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    for name in names:
        if name.name in EQUAL or name.suffix == ".png":
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert timeless(read(one, METRICS)) == timeless(read(other, METRICS))
    for part in ("features", "dataset", "components", "versions", "notes"):
        assert read(one, RECORD)[part] == read(other, RECORD)[part], part


def assert_same_page(one: Path, other: Path) -> None:
    """Give the second run the seconds of the first: then not a byte of their pages differs."""
    for name in (METRICS, RECORD):
        shutil.copy(one / name, other / name)
    pages = []
    for folder in (one, other):
        report_again(folder, registry=discover())
        pages.append((folder / REPORT).read_text(encoding="utf-8"))
    assert pages[0].replace(str(one), "") == pages[1].replace(str(other), "")


@pytest.fixture(scope="module")
def one(shared_config: Path) -> Path:
    """Return the folder of a whole run with one job."""
    out = shared_config.with_name("one")
    return audioclf.run(shared_config, overrides=NAMED, out=out, jobs=1, cache=False).folder


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"jobs": 3}, {"jobs": 2, "isolate": True}])
def test_jobs_and_engines_change_no_byte(
    options: dict[str, Any],
    one: Path,
    shared_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("audioclf.experiment.run.MANY_CLIPS", 0)  # processes are begun early
    out = tmp_path / "other"
    audioclf.run(shared_config, overrides=NAMED, out=out, cache=False, **options)
    page = (out / REPORT).read_bytes()
    report_again(out, registry=discover())
    assert (out / REPORT).read_bytes() == page  # of which parts were made beside the plots
    assert_same(one, out)
    assert_same_page(one, out)


@pytest.mark.slow
def test_the_environment_changes_no_byte(one: Path, shared_config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    strange = {
        "PYTHONHASHSEED": "12",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
    }
    sets = [word for override in NAMED for word in ("--set", override)]
    done = run_process("run", shared_config, *sets, "--no-cache", "--out", other, env=strange)
    assert done.returncode == 0, done.stderr
    assert_same(one, other)
    assert_same_page(one, other)
