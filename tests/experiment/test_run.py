"""Runs from Python, and what the grid of pipelines is."""

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import ValidationError
from sklearn.neighbors import KNeighborsClassifier

import audioclf
from audioclf.base.errors import ConfigError, PluginError
from audioclf.builtin.classifiers.knn import Knn
from audioclf.components.discovery import discover
from audioclf.config.run_config import RunConfig
from audioclf.experiment.grid import pipelines_of
from audioclf.experiment.prepared import load_dataset
from audioclf.experiment.preview import preview
from audioclf.plugin import Loader
from audioclf.runs.folder import METRICS, PLOTS
from tests.conftest import tone, write_wav


def test_a_run_returns_a_typed_result(toy_config: Path, tmp_path: Path) -> None:
    result = audioclf.run(toy_config, out=tmp_path / "run", jobs=1)
    assert isinstance(result, audioclf.RunResult)
    assert result.folder == tmp_path / "run"
    assert result.classes == ("high", "low")
    assert (result.n_clips, result.n_failed, result.exit_code) == (16, 0, 0)
    found = result["logreg"].metrics["accuracy"]
    assert found is not None
    assert found.value > 0.9
    assert found.low <= found.value <= found.high
    assert len(found.per_fold) == 4
    with pytest.raises(KeyError):
        result["nobody"]


class Framed(Knn):
    """Neighbours that want to know how many frames there are."""

    type: Literal["framed"] = "framed"  # type: ignore[assignment]
    uses_shape: ClassVar[bool] = True
    shapes: ClassVar[list[tuple[int, int]]] = []

    def build(self, *, random_state: int) -> Any:
        class Estimator(KNeighborsClassifier):  # type: ignore[misc]
            def fit(self, X: Any, y: Any, shape: tuple[int, int]) -> Any:
                Framed.shapes.append(shape)
                return super().fit(X, y)

        return Estimator()


@pytest.mark.slow
def test_a_classifier_that_uses_it_learns_the_shape_of_its_rows(
    toy_config: Path, tmp_path: Path
) -> None:
    Framed.shapes.clear()
    mel = "{type: mel, n_mels: 20, n_fft: 512, n_steps: 9, pooling: {type: flatten}}"
    config = audioclf.load_config(toy_config, overrides=[f"featurizers={{mel: {mel}}}"])
    changes = {"classifiers": {"framed": Framed()}, "audit": False, "final": "framed"}
    made = config.model_copy(update=changes)
    audioclf.run(made, out=tmp_path / "run", jobs=1)
    assert set(Framed.shapes) == {(20, 9)}
    assert len(Framed.shapes) == 5  # four folds and the final fit


def test_a_featurizer_that_leaves_one_column_has_no_shape(toy_config: Path) -> None:
    overrides = ["featurizers={all: {type: concat, parts: {mel: {type: mel}}}}"]
    config = audioclf.load_config(toy_config, overrides=overrides)
    made = config.model_copy(update={"classifiers": {"framed": Framed()}})
    with pytest.raises(ConfigError, match=r"featurizers\.all \(concat\) leaves one column"):
        audioclf.run(made, out=toy_config.parent / "run")


def test_statistics_are_refused_where_frames_are_needed(toy_config: Path) -> None:
    config = audioclf.load_config(toy_config)
    data = {**dict(config), "classifiers": {"framed": Framed()}}
    with pytest.raises(ValidationError, match=r"pooling is `stats`, which keeps none: set it to"):
        RunConfig.model_validate(data)


def test_cells_are_sorted_by_the_main_metric_and_see_the_same_clips_and_folds(
    shared_config: Path, tmp_path: Path
) -> None:
    overrides = [
        "classifiers.knn={type: knn}",
        "featurizers.mfcc={type: mfcc, n_fft: 512, n_mels: 20, n_mfcc: 8}",
        "metrics=[log_loss, accuracy]",
    ]
    result = audioclf.run(shared_config, overrides=overrides, out=tmp_path / "run", jobs=1)
    values = [
        pipeline.metrics["log_loss"].value
        for pipeline in result.pipelines
        if pipeline.metrics["log_loss"]
    ]
    assert values == sorted(values)
    assert result.pipelines[-1].name == "baseline"
    by_cell: dict[str, list[tuple[str, ...]]] = {}
    for row in result.predictions:
        place = row["repeat"], row["fold"], row["path"]
        by_cell.setdefault(row["pipeline"], []).append(place)
    assert set(by_cell) == {"mel/logreg", "mel/knn", "mfcc/logreg", "mfcc/knn", "baseline"}
    assert all(tested == by_cell["baseline"] for tested in by_cell.values())


@pytest.mark.slow
def test_pipelines_equal_to_the_best_are_kept_if_the_config_says_so(
    toy_config: Path, tmp_path: Path
) -> None:
    classifiers = "classifiers={knn: {type: knn}, logreg: {type: logistic_regression}}"
    more = (
        classifiers,
        "final=best",
        "audit=false",
        "report={html: false, plots: false}",
        "graph=false",
    )
    result = audioclf.run(toy_config, overrides=[*more, "keep=equal"], out=tmp_path / "run")
    best, other = (item.name for item in result.pipelines[:2])
    (kept,) = (tmp_path / "run").glob("model-*.audioclf")
    assert kept.name == f"model-{other.replace('/', '_')}.audioclf"
    assert audioclf.load(tmp_path / "run").manifest.cell == best
    assert audioclf.load(kept).manifest.cell == other
    assert any(kept.name in note for note in result.notes)
    with pytest.raises(ConfigError, match="keep: `equal` needs `final: best`"):
        audioclf.run(toy_config, overrides=["keep=equal", "final=none"])


def pipeline_names(config: Path, *overrides: str) -> list[str]:
    registry = discover()
    loaded = audioclf.load_config(config, overrides=overrides, registry=registry)
    return [pipeline.name for pipeline in pipelines_of(loaded, registry)]


@pytest.mark.slow
def test_a_dummy_of_the_config_is_the_baseline(toy_config: Path) -> None:
    assert pipeline_names(toy_config, "classifiers.prior={type: dummy}") == ["logreg", "prior"]


def test_a_cell_called_baseline_keeps_its_name(toy_config: Path) -> None:
    names = pipeline_names(toy_config, "classifiers.baseline={type: svm}")
    assert names == ["logreg", "baseline", "baseline_"]


@pytest.mark.slow
def test_a_classifier_without_probabilities_has_no_log_loss(
    toy_config: Path, tmp_path: Path
) -> None:
    overrides = ["classifiers.logreg.type=svm", "metrics=[accuracy, log_loss, roc_auc]"]
    result = audioclf.run(toy_config, overrides=overrides, out=tmp_path / "run")
    metrics = result["logreg"].metrics
    assert metrics["log_loss"] is None
    assert metrics["roc_auc"] is not None
    data = json.loads((result.folder / "metrics.json").read_text())
    assert data["cells"]["logreg"]["scores"] == "decision"


def test_groups_are_the_unit_of_account(toy_config: Path, tmp_path: Path) -> None:
    pattern = r"(?P<label>[a-z]+)_(?P<group>\d)\.wav$"
    overrides = [f"dataset.label_pattern='{pattern}'", "split={type: leave_one_group_out}"]
    result = audioclf.run(toy_config, overrides=overrides, out=tmp_path / "run")
    assert (result.unit, result.n_units) == ("group", 8)
    assert result.splits == "leave one group out, 8 groups"


def test_a_preview_counts_without_decoding(toy_config: Path) -> None:
    found = preview(toy_config)
    assert (found.n_clips, found.n_fits, found.pipelines) == (16, 8, ("logreg", "baseline"))
    assert found.seconds == pytest.approx(6.8, abs=0.01)
    assert found.unreadable == ()


class BadLoader(Loader):
    """Breaks its promise."""

    type: Literal["bad"] = "bad"
    deed: str = "raises"

    def load(self) -> Any:
        if self.deed == "raises":
            raise KeyError("x")
        return []


@pytest.mark.parametrize(
    ("deed", "words"),
    [("raises", "raised KeyError: 'x'"), ("list", "returned list instead of a Dataset")],
)
def test_a_loader_that_breaks_its_promise_is_named(toy_config: Path, deed: str, words: str) -> None:
    config: RunConfig = audioclf.load_config(toy_config)
    broken = config.model_copy(update={"dataset": BadLoader(deed=deed)})
    with pytest.raises(PluginError, match=f"loader bad, not from a plugin {words}"):
        load_dataset(broken, discover())


@pytest.mark.slow
def test_warnings_of_a_classifier_are_notes(toy_config: Path, tmp_path: Path) -> None:
    overrides = ["classifiers.logreg.max_iter=1"]
    result = audioclf.run(toy_config, overrides=overrides, out=tmp_path / "run")
    assert any("logreg: warning in 4 fits: lbfgs failed to converge" in n for n in result.notes)


def test_a_search_by_a_metric_of_two_classes_is_refused_before_any_work(
    toy_config: Path, tmp_path: Path, sounds: Path
) -> None:
    write_wav(sounds / "mid" / "mid_0.wav", tone(700.0, 0.5, 8000, 0))
    write_wav(sounds / "mid" / "mid_1.wav", tone(700.0, 0.5, 8000, 1))
    search = "classifiers={t: {type: tuned, classifier: {type: svm}, search: {C: [1]}, metric: f1}}"
    folder = f"dataset={{type: folder, path: {sounds}}}"
    with pytest.raises(ConfigError) as caught:
        audioclf.run(
            toy_config, overrides=[folder, search, "metrics=[accuracy]"], out=tmp_path / "run"
        )
    assert caught.value.message == (
        "classifiers.t: metric 'f1' is defined for two classes, and there are 3"
    )


def test_a_preview_has_the_folds_of_the_clips_that_can_be_read(
    toy_config: Path, sounds: Path
) -> None:
    for index in range(5):
        (sounds / "low" / f"low_{index}.wav").write_bytes(b"no sound")
    options = [f"dataset={{type: folder, path: {sounds}}}", "on_error=skip"]
    shown = preview(toy_config, overrides=options)
    assert (shown.splits, shown.n_fits) == ("3 stratified folds", 6)
    assert any("folds lowered from 4 to 3" in note for note in shown.notes)


def test_a_run_without_plots_draws_none(plain_run: Path) -> None:
    assert (plain_run / METRICS).is_file()
    assert not (plain_run / PLOTS).exists()
