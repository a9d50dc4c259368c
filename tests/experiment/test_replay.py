"""A run done again: the same where nothing changed, and the first stage that parts where it did."""

import json
import shutil
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.base.errors import ConfigError, DatasetError, PluginError, ResultError
from audioclf.experiment.replay import Change, Replay, Stage, changes, compare, replay
from audioclf.runs.reading import SavedRun, read_run
from tests.conftest import CONFIG, tone, write_wav, zip_folder

NAMES = ["dataset", "features", "folds", "predictions", "metrics"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with recordings, their zip, a run `done` and its replay `done-replay-...`."""
    root = tmp_path_factory.mktemp("replay")
    for label, frequency in (("low", 300.0), ("high", 1800.0)):
        for index in range(4):
            y = tone(frequency, 0.3 + 0.05 * index, 8000, index)
            write_wav(root / "sounds" / label / f"{label}_{index}.wav", y)
    zip_folder(root / "sounds", root / "sounds.zip")
    (root / "toy.yaml").write_text(CONFIG, encoding="utf-8")
    audioclf.run(root / "toy.yaml", out=root / "done", jobs=1)
    return root


@pytest.fixture(scope="module")
def unchanged(place: Path) -> Replay:
    return replay(place / "done", jobs=1)


@pytest.fixture(scope="module")
def saved(place: Path) -> SavedRun:
    return read_run(place / "done")


@pytest.fixture
def finished(place: Path, tmp_path: Path) -> Path:
    """Return a copy of the run."""
    return Path(shutil.copytree(place / "done", tmp_path / "done"))


@pytest.fixture
def sounds(place: Path, tmp_path: Path) -> Path:
    """Return a copy of the recordings."""
    return Path(shutil.copytree(place / "sounds", tmp_path / "sounds"))


def replay_on(sounds: Path, finished: Path) -> Replay:
    other = zip_folder(sounds, finished.with_name("other.zip"))
    return replay(finished, overrides=[f"dataset.path={other}"], jobs=1)


def rewrite_record(finished: Path, place: str, **origin: str | None) -> None:
    path = finished / "record.json"
    record = json.loads(path.read_text())
    record["components"][place] = origin
    path.write_text(json.dumps(record) + "\n")


def verdicts(stages: tuple[Stage, ...]) -> dict[str, str]:
    return {stage.name: stage.verdict for stage in stages}


def with_scores_moved(saved: SavedRun, by: float) -> SavedRun:
    (pipeline, *others) = saved.pipelines
    (fold, *rest) = pipeline.folds
    assert fold.scores is not None
    folds = (with_changes(fold, scores=fold.scores + by), *rest)
    return with_changes(saved, pipelines=(with_changes(pipeline, folds=folds), *others))


def with_features(saved: SavedRun, **facts: Any) -> SavedRun:
    features = {"mel": {**saved.record["features"]["mel"], **facts}}
    return with_changes(saved, record={**saved.record, "features": features})


def with_accuracy(saved: SavedRun, value: float | None) -> SavedRun:
    metrics = json.loads(json.dumps(saved.metrics))
    metrics["cells"]["logreg"]["metrics"]["accuracy"]["value"] = value
    return with_changes(saved, metrics=metrics)


def test_a_replay_of_an_unchanged_run_is_the_same(unchanged: Replay) -> None:
    assert [stage.name for stage in unchanged.stages] == NAMES
    assert {stage.verdict for stage in unchanged.stages} == {"same"}
    assert unchanged.first_different is None
    assert (unchanged.verdict, unchanged.exit_code, unchanged.changes) == ("same", 0, ())


def test_a_replay_is_a_run_next_to_the_first(unchanged: Replay, place: Path) -> None:
    assert unchanged.folder.parent == place
    assert unchanged.folder.name.startswith("done-replay-")
    replayed = read_run(unchanged.folder)
    assert replayed.fingerprint == read_run(place / "done").fingerprint
    assert replayed.record["cache"] == {"hits": 0, "written": 0}  # features are computed anew


@pytest.mark.slow
def test_a_replay_works_from_inside_the_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    assert replay(".", jobs=1).folder.parent == tmp_path


@pytest.mark.slow
def test_another_recording_parts_at_the_dataset(finished: Path, sounds: Path) -> None:
    (sounds / "low" / "low_0.wav").write_bytes((sounds / "low" / "low_1.wav").read_bytes())
    found = replay_on(sounds, finished)
    assert (found.verdict, found.first_different, found.exit_code) == ("different", "dataset", 3)
    assert found.stages[0].detail == "1 clips with another content, such as 'low/low_0.wav'"
    assert verdicts(found.stages)["folds"] == "same"


def test_missing_clips_are_named(finished: Path, sounds: Path) -> None:
    (sounds / "high" / "high_3.wav").unlink()
    (sounds / "low" / "low_2.wav").rename(sounds / "low" / "low_9.wav")
    (sounds / "high" / "high_2.wav").rename(sounds / "high" / "high_9.wav")
    write_wav(sounds / "high" / "high_8.wav", tone(1800.0, 0.4, 8000, 8))
    found = replay_on(sounds, finished)
    assert found.stages[0].detail == (
        "3 clips missing, such as 'high/high_2.wav'; 3 clips new, such as 'high/high_8.wav'"
    )
    assert {stage.verdict for stage in found.stages[:4]} == {"different"}


@pytest.mark.parametrize(
    ("label", "detail"),
    [
        ("low", "1 clips with another label, such as 'high/high_0.wav'"),
        ("high", "the same clips with another fingerprint: their groups or published folds differ"),
    ],
)
def test_other_labels_and_other_groups_are_named(saved: SavedRun, label: str, detail: str) -> None:
    first, *others = saved.clips
    record = {**saved.record, "dataset": {**saved.record["dataset"], "fingerprint": "other"}}
    clips = (with_changes(first, label=label), *others)
    assert compare(saved, with_changes(saved, record=record, clips=clips))[0].detail == detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "stage", "detail"),
    [
        ("seed=9", "folds", "other clips on the test side, first in fold '0' of repeat 0"),
        ("featurizers.mel.n_mels=8", "features", "other columns or clips in mel"),
    ],
)
def test_another_config_parts_at_the_first_stage_that_it_changes(
    finished: Path, override: str, stage: str, detail: str
) -> None:
    found = replay(finished, overrides=[override], jobs=1)
    assert found.first_different == stage
    assert detail in {stage.name: stage.detail for stage in found.stages}[stage]


@pytest.mark.slow
def test_recordings_that_have_moved_are_found_with_an_override(
    place: Path, finished: Path, sounds: Path
) -> None:
    config = finished / "config.yaml"
    gone = config.read_text().replace(str(place / "sounds.zip"), "/nowhere/sounds.zip")
    config.write_text(gone)
    with pytest.raises(DatasetError, match=r"nowhere/sounds\.zip"):
        replay(finished, jobs=1)
    assert replay_on(sounds, finished).verdict == "same"


def test_nothing_is_left_behind_where_the_config_is_not_valid(finished: Path) -> None:
    before = set(finished.parent.iterdir())
    with pytest.raises(ConfigError):
        replay(finished, overrides=["split.n_splits=no"])
    assert set(finished.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("by", "verdict"), [(0.0, "same"), (5e-7, "within tolerance"), (2e-6, "different")]
)
def test_scores_have_a_tolerance(saved: SavedRun, by: float, verdict: str) -> None:
    stages = compare(saved, with_scores_moved(saved, by))
    assert verdicts(stages) == {**dict.fromkeys(NAMES, "same"), "predictions": verdict}


def test_one_other_label_is_different_and_named(saved: SavedRun) -> None:
    (pipeline, *others) = saved.pipelines
    (fold, *rest) = pipeline.folds
    y_pred = fold.y_pred.copy()
    y_pred[0] = 1 - y_pred[0]
    folds = (with_changes(fold, y_pred=y_pred), *rest)
    now = with_changes(saved, pipelines=(with_changes(pipeline, folds=folds), *others))
    stage = compare(saved, now)[3]
    assert stage.verdict == "different"
    clip = saved.clips[fold.fold.test[0]]
    assert stage.detail.startswith(f"1 of 16 labels differ, such as {clip.id!r} by 'logreg' in")


def test_other_bits_that_move_no_prediction_are_within_tolerance(saved: SavedRun) -> None:
    stage = compare(saved, with_features(saved, sha256="other"))[1]
    assert stage.verdict == "within tolerance"
    assert stage.detail == "other bits in mel, which move no prediction beyond the tolerance"


def test_other_bits_that_move_a_prediction_or_the_shape_are_different(saved: SavedRun) -> None:
    moved = with_scores_moved(with_features(saved, sha256="other"), 0.1)
    for now in (moved, with_features(saved, shape=[16, 3])):
        assert verdicts(compare(saved, now))["features"] == "different"


def test_neither_the_order_of_pipelines_nor_seconds_are_compared(saved: SavedRun) -> None:
    metrics = json.loads(json.dumps(saved.metrics))
    metrics["cells"]["logreg"]["fit_seconds"] = 99.0
    now = with_changes(saved, metrics=metrics, pipelines=saved.pipelines[::-1])
    assert set(verdicts(compare(saved, now)).values()) == {"same"}


def test_a_metric_that_moved_is_named(saved: SavedRun) -> None:
    stage = compare(with_accuracy(saved, 0.5), with_accuracy(saved, 0.25))[4]
    assert stage == Stage("metrics", "different", "logreg.accuracy.value: 0.25 instead of 0.5")


def test_a_metric_that_is_no_number_any_more_is_different(saved: SavedRun) -> None:
    assert compare(with_accuracy(saved, None), with_accuracy(saved, None))[4].verdict == "same"
    stage = compare(with_accuracy(saved, 0.5), with_accuracy(saved, None))[4]
    assert stage.detail == "logreg.accuracy.value: None instead of 0.5"


def test_what_differs_in_the_environment_is_listed(saved: SavedRun) -> None:
    versions = {**saved.record["versions"], "numpy": "1.0", "gone": "2.0"}
    record = {**saved.record, "platform": "Plan9 mips cpython", "versions": versions}
    found = {change.name: change for change in changes(with_changes(saved, record=record), saved)}
    assert set(found) == {"platform", "numpy", "gone"}
    assert found["numpy"].recorded == "1.0"
    assert found["gone"] == Change("gone", "2.0", None)


def test_a_run_that_was_cut_off_is_refused(finished: Path) -> None:
    (finished / "predictions.csv").write_bytes((finished / "predictions.csv").read_bytes()[:300])
    with pytest.raises(ResultError, match=r"predictions\.csv|do not fit"):
        replay(finished)
    (finished / "record.json").unlink()
    with pytest.raises(ResultError, match="a run that did not finish"):
        replay(finished)


def test_a_plugin_that_is_missing_is_named_with_its_version(finished: Path) -> None:
    origin = {"type": "best", "distribution": "audioclf-best", "version": "3.1"}
    rewrite_record(finished, "classifiers.logreg", **origin)
    with pytest.raises(PluginError) as caught:
        replay(finished)
    assert caught.value.message == (
        f"{finished}: classifiers.logreg is the classifier 'best' of audioclf-best 3.1, which is "
        "not installed or does not load"
    )
    assert caught.value.hint == "Install audioclf-best 3.1; `audioclf plugins` lists what there is."


def test_a_component_of_no_plugin_cannot_be_replayed(finished: Path) -> None:
    rewrite_record(finished, "dataset", type="mine", distribution=None, version=None)
    with pytest.raises(PluginError, match="loader 'mine' of no plugin"):
        replay(finished)
