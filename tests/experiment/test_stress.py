"""Stress test: planted dependences are found, clean numbers are those of the run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ConfigError, DatasetError
from audioclf.builtin.augmenters.noise import Background
from audioclf.components.discovery import discover
from audioclf.experiment.resources import Resources
from audioclf.experiment.run import run
from audioclf.experiment.stress.conditions import conditions, noise_notes
from audioclf.experiment.stress.of_model import stress_model
from audioclf.experiment.stress.of_run import stress_run
from audioclf.models.bundle.reading import open_bundle
from audioclf.report.run.page import build_report
from audioclf.runs.reading import read_run
from tests.conftest import run_cli, tone, write_wav


def write_levels(root: Path, *, first: int = 0) -> Path:
    """Write two classes of one tone that differ in their level alone."""
    for label, gain in (("loud", 1.0), ("quiet", 0.2)):
        for index in range(first, first + 8):
            y = gain * tone(500 + 10 * (index % 5), 0.3, 8000, seed=index)
            write_wav(root / label / f"{label}_{index}.wav", y)
    return root


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on classes that differ in level."""
    root = tmp_path_factory.mktemp("levels")
    config = {
        "dataset": {"type": "folder", "path": str(write_levels(root / "sounds"))},
        "audio": {"sr": 8000},
        "featurizers": {"mel": {"type": "mel", "n_fft": 512, "n_mels": 12}},
        "classifiers": {"logreg": {"type": "logistic_regression"}, "knn": {"type": "knn"}},
        "split": {"type": "stratified_kfold", "n_splits": 4},
        "metrics": ["accuracy"],
        "keep": "equal",
        "audit": False,
        "report": {"html": False, "plots": False},
    }
    return run(config, out=root / "run", jobs=1, cache=False).folder


def test_a_dependence_on_the_level_is_found_out_of_fold(levels: Path) -> None:
    result = stress_run(levels, None, Resources(1), pipeline="logreg", groups=["level", "time"])
    assert not result.notes
    saved = read_run(levels)
    assert result.clean.value == saved.pipeline_metrics["logreg"]["metrics"]["accuracy"]["value"]
    assert result.sentence.startswith("gain of -20 dB costs most: accuracy 0.500 instead of 1.000")
    rows = {row.name: row for row in result.rows}
    assert rows["gain of -20 dB"].is_clear
    assert rows["gain of -20 dB"].high < 0
    assert rows["clipped by 6 dB"].difference == 0
    data = json.loads((levels / "stress.json").read_text())
    assert data == result.to_data()
    page = build_report(read_run(levels))
    assert 'id="robustness"' in page
    assert "Gain of -20 dB costs most" in page


def test_a_model_is_tested_on_clips_outside_of_its_training(levels: Path, tmp_path: Path) -> None:
    data = write_levels(write_levels(tmp_path / "new", first=100), first=0)
    model = levels / "model.audioclf"
    result = stress_model(model, str(data), discover(), Resources(1), groups=["level"])
    assert result.sample == "16 clips"
    assert any("trained on 16 of these clips, which are left out" in note for note in result.notes)
    assert "gain of -20 dB costs most" in result.sentence
    seen = write_levels(tmp_path / "seen")
    with pytest.raises(DatasetError, match="trained on all 16 clips"):
        stress_model(model, str(seen), discover(), Resources(1), groups=["level"])


def test_pipelines_equal_to_the_best_are_tested_too_and_model_cards_have_the_table(
    levels: Path,
) -> None:
    best, other = (item.name for item in read_run(levels).pipelines[:2])
    files = [levels / "model.audioclf", levels / f"model-{other}.audioclf"]
    before = [open_bundle(file) for file in files]
    for groups in (["level"], ["time"]):
        result = stress_run(levels, None, Resources(1), groups=groups)
    assert result.subject == best
    note = result.notes[-1]
    assert note.startswith("of 2 pipelines that the run cannot tell apart, ")
    assert f"{other} 0." in note or f"{best} 0." in note
    for file, earlier in zip(files, before, strict=True):
        contents = open_bundle(file)
        assert contents.card.count("## Robustness card") == 1
        assert "| late by half a clip | " in contents.card
        assert "gain" not in contents.card
        head, _, rest = contents.card.partition("## Robustness card")
        assert earlier.card.startswith(head)
        assert earlier.card.endswith(rest[rest.index("## Limits") :])
        same = {name for name in earlier.files if earlier.files[name] == contents.files[name]}
        assert same == set(earlier.files) - {"MODEL_CARD.md"}
        assert audioclf.load(file).classes == ("loud", "quiet")


def test_an_evaluation_of_models_is_refused(levels: Path, tmp_path: Path) -> None:
    shutil.copytree(levels, tmp_path / "run")
    record = json.loads((levels / "record.json").read_text())
    record["fits"]["total"] = 0
    (tmp_path / "run" / "record.json").write_text(json.dumps(record) + "\n")
    with pytest.raises(ConfigError, match="evaluation of finished models"):
        stress_run(tmp_path / "run", None, Resources(1))


def test_the_command_prints_a_table_or_json(levels: Path) -> None:
    arguments = ("stress", levels, "--only", "level", "--jobs", "1", "--no-cache")
    done = run_cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert "gain of -20 dB" in done.stdout
    assert "on 16 clips; [95 % bootstrap interval" in done.stdout
    assert "stress.json in" in done.stderr
    assert run_cli("stress", levels / "model.audioclf").returncode == 2


@pytest.mark.parametrize(("sr", "more"), [(8_000, set()), (44_100, {8_000, 16_000})])
def test_conditions_suit_the_sample_rate(sr: int, more: set[int]) -> None:
    names = {item.name for item in conditions(sr)}
    assert {name for name in names if "resampled" in name} == {f"resampled to {r} Hz" for r in more}
    assert {"white noise, 0 dB", "Opus, 8 kbit/s", "telephone, 300-3400 Hz"} <= names
    with pytest.raises(ConfigError, match="no group of changes 'loud'"):
        conditions(sr, groups=["loud"])


def test_noise_of_the_training_is_no_test_of_new_noise(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 4000)
    write_wav(tmp_path / "noise" / "rain.wav", noise)
    trained = [Background(path=write_wav(tmp_path / "copy.wav", noise))]
    (note,) = noise_notes(trained, conditions(8000, tmp_path / "noise"))
    assert note.startswith("1 of 1 recordings of noise were mixed into training clips")
    assert not list(noise_notes((), conditions(8000, tmp_path / "noise")))
