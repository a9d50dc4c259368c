"""Runs with `augment`: copies reach fits alone, whatever the jobs; the model needs no noise."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ConfigError
from audioclf.experiment.run import run
from audioclf.runs.results import RunResult
from tests.conftest import run_cli, write_wav, zip_folder


@pytest.fixture(scope="module")
def config(shared_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("augment")
    shutil.copy(shared_config.with_name("sounds.zip"), root)
    rng = np.random.default_rng(0)
    write_wav(root / "noise" / "rain.wav", rng.uniform(-0.3, 0.3, 4000))
    return Path(shutil.copy(shared_config, root))


def _run(config: Path, name: str, *more: str, jobs: int = 1, cache: bool = False) -> RunResult:
    noise = f"augment=[{{type: background, path: {config.parent / 'noise'}}}, {{type: gain}}]"
    overrides = (noise, "copies=2", *more)
    return run(
        config,
        overrides=overrides,
        out=config.with_name(name),
        jobs=jobs,
        cache=cache,
        cache_dir=config.with_name("cache"),
    )


@pytest.fixture(scope="module")
def result(config: Path) -> RunResult:
    return _run(config, "one", "final=best")


def test_rows_hold_the_clip_and_its_copies(result: RunResult, plain_run: Path) -> None:
    record = json.loads((result.folder / "record.json").read_text())
    plain = json.loads((plain_run / "record.json").read_text())
    n_clips, width = plain["features"]["mel"]["shape"]
    assert record["features"]["mel"]["shape"] == [n_clips, 3 * width]
    assert record["components"]["augment.0"]["type"] == "background"


def test_the_model_predicts_without_copies_and_says_how_it_was_fitted(result: RunResult) -> None:
    model = audioclf.load(result.folder)
    assert model.row_width == model.manifest.features.width
    rng = np.random.default_rng(0)
    y = 0.4 * np.sin(2 * np.pi * 300 * np.arange(4000) / 8000) + rng.normal(0, 0.05, 4000)
    assert model.predict(y, sr=8000) == "low"
    assert any("2 changed copies" in note for note in result.notes)


@pytest.mark.slow
def test_jobs_and_the_cache_change_nothing(result: RunResult, config: Path) -> None:
    again = [_run(config, name, jobs=jobs, cache=True) for name, jobs in (("a", 2), ("b", 1))]
    assert {_digest(item) for item in again} == {_digest(result)}


def _digest(result: RunResult) -> str:
    record = json.loads((result.folder / "record.json").read_text())
    return str(record["features"]["mel"]["sha256"])


def test_a_noise_that_is_a_clip_is_refused(config: Path, tmp_path: Path) -> None:
    shutil.copytree(config.parent / "noise", tmp_path / "sounds" / "high")
    write_wav(tmp_path / "sounds" / "low" / "a.wav", np.zeros(800))
    for index in range(7):
        y = np.random.default_rng(index).uniform(-0.3, 0.3, 2000)
        write_wav(tmp_path / "sounds" / ("low", "high")[index % 2] / f"{index}.wav", y)
    zip_folder(tmp_path / "sounds", tmp_path / "sounds.zip")
    with pytest.raises(ConfigError, match=r"rain\.wav has the same bytes as the clip high/rain"):
        _run(config, "refused", f"dataset.path={tmp_path / 'sounds.zip'}")


def test_a_missing_folder_of_noise_is_found_before_any_work(shared_config: Path) -> None:
    done = run_cli("check", shared_config, "--set", "augment=[{type: background, path: gone}]")
    assert done.returncode == 2
    assert "augment.0: no such folder or zip archive" in done.stderr


def test_copies_without_changes_are_an_error(shared_config: Path) -> None:
    with pytest.raises(ConfigError, match="copies: set `augment`"):
        run(shared_config, overrides=["copies=3"])
