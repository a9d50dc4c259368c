"""`audioclf evaluate`: finished models on labelled recordings."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.results import Pipeline
from audioclf.experiment.evaluating import evaluate as evaluating
from audioclf.experiment.evaluating.reference import curve_of
from audioclf.experiment.media import begin_plots
from audioclf.features.extraction import extract
from audioclf.models.bundle.manifest import Training
from audioclf.runs.reading import read_run
from audioclf.starters.sample_data.registry import SAMPLES, write_sample
from tests.conftest import Done, run_cli, tone, write_wav
from tests.models.making import AUDIO, SEED, Fitted, classifier, registry, written

FREQUENCIES = {"low": 700.0, "high": 760.0, "middle": 730.0}


def evaluate(*args: object, code: int | None = 0) -> Done:
    return run_cli("evaluate", *map(str, args), "--no-cache", "--jobs", "1", code=code)


@pytest.fixture(scope="module", autouse=True)
def _without_plots() -> Iterator[None]:
    """Draw no plots, which take most of the time; a slow test draws them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluating, "begin_plots", lambda *_: dict)
        yield


def write_tones(root: Path, labels: Sequence[str], seed: int) -> Path:
    for label in labels:
        for number in range(8):
            frequency = FREQUENCIES[label] * (1 + 0.03 * (number % 5))
            y = tone(frequency, 0.3, 8000, seed=seed + number)
            write_wav(root / label / f"{seed}_{number}.wav", y)
    return root


def write_model(path: Path, dataset: Dataset, n_mels: int, **more: Any) -> Path:
    """Fit a classifier on the features of all clips, and write it as a run does."""
    cls: Any = registry().resolve("featurizer", "mel")
    mel = cls(n_fft=512, hop_length=256, n_mels=n_mels)
    extraction = extract(dataset, AUDIO, {"mel": mel})
    rows, component = extraction.matrices["mel"], classifier("logistic_regression")
    pipeline = Pipeline("logreg", "mel", "logreg", component, "logreg, audioclf")
    training = Training(
        dataset="tones", fingerprint=extraction.fingerprint, clips=dataset.class_counts, groups=0
    )
    estimator = fit_final(pipeline, rows, dataset.targets, seed=SEED).estimator
    more |= {"digests": [row.digest for row in extraction.ledger], "training": training}
    fitted = Fitted(pipeline, estimator, rows, 2)
    return written(path, fitted, featurizer=mel, classes=dataset.classes, **more)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of a run, one that abstains, and one of fewer clips."""
    base = tmp_path_factory.mktemp("evaluate")
    loader: Any = registry().resolve("loader", "folder")
    dataset = loader(path=write_tones(base / "tones", ("low", "high"), 0)).load()
    write_model(base / "first" / "model.audioclf", dataset, 16, name="others")
    write_model(base / "second.audioclf", dataset, 8, abstain_below=0.6)
    few = [clip.id for clip in dataset if int(Path(clip.id).stem[-1]) < 3]
    write_model(base / "fewer.audioclf", dataset.subset(few), 16)
    return base


@pytest.fixture(scope="module")
def done(base: Path) -> tuple[Done, Path]:
    """Evaluate all on new tones of three classes, two training clips, and a broken file."""
    root = write_tones(base / "site", list(FREQUENCIES), 100)
    for number in (0, 1):
        shutil.copy(base / "tones" / "low" / f"0_{number}.wav", root / "low")
    (root / "high" / "broken.wav").write_bytes(b"RIFF")
    out = base / "evaluated"
    models = (base / "first", base / "second.audioclf", base / "fewer.audioclf")
    return evaluate(*models, root, "--out", out, code=4), out


def numbers(base: Path) -> Path:
    """Return a config of clips with numbers."""
    (base / "numbers.csv").write_text("path,label\ntones/low/0_0.wav,1.5\n", encoding="utf-8")
    path = base / "numbers.yaml"
    path.write_text(
        "dataset: {type: manifest, path: numbers.csv, target: number}\n", encoding="utf-8"
    )
    return path


def metrics(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return data


def test_training_clips_unknown_classes_and_broken_files_are_named_and_left_out(
    done: tuple[Done, Path],
) -> None:
    result, out = done
    assert "was trained on 2 of these clips, which are left out: low/0_0.wav, low/0_1.wav" in (
        result.stderr
    )
    assert (
        "does not know the class middle of the data (8 clips): their clips are left out"
        in result.stderr
    )
    assert "1 of 17 clips could not be read" in result.stderr
    with (out / "ledger.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    status = {row["path"]: row["status"] for row in rows if row["status"] != "ok"}
    assert status == {
        "high/broken.wav": "failed",
        "low/0_0.wav": "training",
        "low/0_1.wav": "training",
    }
    assert metrics(out)["clips"] == {"evaluated": 16, "left_out": 1}


def test_the_numbers_are_those_of_the_predictions(done: tuple[Done, Path]) -> None:
    _, out = done
    saved = read_run(out)
    labels = [clip.label for clip in saved.clips]
    for pipeline in saved.pipelines:
        if saved.is_baseline(pipeline):
            continue
        (fold,) = pipeline.folds
        predicted = [saved.label_of(code) for code in fold.y_pred]
        right = sum(a == b for a, b in zip(predicted, labels, strict=True)) / len(labels)
        assert saved.pipeline_metrics[pipeline.name]["metrics"]["accuracy"]["value"] == right


def test_models_are_compared_in_pairs_and_with_their_cross_validation(
    done: tuple[Done, Path],
) -> None:
    result, out = done
    pairs = json.loads((out / "comparison.json").read_text(encoding="utf-8"))["pairs"]
    assert {frozenset((pair["better"], pair["worse"])) for pair in pairs} >= {
        frozenset(("first", "second"))
    }
    cells = metrics(out)["cells"]
    for name in ("first", "second"):
        model, here = cells[name]["model"], cells[name]["metrics"]["accuracy"]
        before = model["cross_validation"]["metrics"]["accuracy"]
        change = model["difference"]["accuracy"]
        assert change["value"] == pytest.approx(here["value"] - before["value"])
        assert change["low"] < change["value"] < change["high"]
        assert f"{name} is" in result.stdout


def test_models_of_one_config_have_a_curve_by_their_training_clips(done: tuple[Done, Path]) -> None:
    result, out = done
    data = json.loads((out / "learning_curve.json").read_text(encoding="utf-8"))
    line = data["cells"]["toys"]
    assert [point["training_clips"] for point in line] == [6, 16]
    for point, name in zip(line, ("fewer", "second"), strict=True):
        accuracy = metrics(out)["cells"][name]["metrics"]["accuracy"]
        assert all(point[key] == accuracy[key] for key in ("value", "low", "high"))
    table = result.stdout[result.stdout.index("accuracy by training clips") :]
    assert table.splitlines()[1].split()[0] == "6"
    assert "a line for the models of each name" in (out / "report.html").read_text("utf-8")
    assert "accuracy by training clips" in run_cli("compare", out, code=None).stdout


@pytest.mark.parametrize(("sizes", "shown"), [((4, 9), [4.0, 9.0]), ((9, 4, 9), None)])
def test_models_of_one_name_and_as_many_clips_are_no_rounds_of_one_loop(
    sizes: tuple[int, ...], shown: list[float] | None
) -> None:
    estimate = SimpleNamespace(metrics={"accuracy": SimpleNamespace(value=0.5)})
    models: list[Any] = [
        SimpleNamespace(
            name=str(at),
            model=SimpleNamespace(clips=SimpleNamespace(digests=range(size))),
            bundle=SimpleNamespace(manifest=SimpleNamespace(name="loop")),
        )
        for at, size in enumerate(sizes)
    ]
    result: Any = MagicMock(config=SimpleNamespace(metrics=["accuracy"]))
    result.__getitem__.return_value = estimate
    curve = curve_of(models, result)
    assert (curve and [point.training_clips for point in curve.points["loop"]]) == shown


def test_a_single_argument_names_what_is_missing() -> None:
    message = evaluate("runs/m", code=2).stderr
    assert "evaluate [OPTIONS] MODEL... DATA\n" in message
    assert "Missing argument 'MODEL" in message


def test_the_page_is_made_again_from_the_folder(done: tuple[Done, Path], tmp_path: Path) -> None:
    _, out = done
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "cross-validation" in page
    again = tmp_path / "again.html"
    run_cli("report", out, "--out", again, code=0)
    assert "cannot be replayed" in run_cli("replay", out, code=6).stderr
    assert "data:audio/" in again.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda base: [base / "tones"], 3, "all 16 clips are in the training of second"),
        (lambda base: [base / "first"], 2, "is a model or a run, and the labelled recordings are"),
        (lambda base: [base / "nowhere"], 3, "no such config, folder, zip archive or table"),
        (lambda base: [base / "tones", "--set", "audio.sr=4000"], 2, "but by the model"),
        (lambda base: [numbers(base)], 3, "has numbers, and second gives one class per clip"),
        (lambda base: [base / "other"], 3, "have no class in common: the data have hiss, hum, the"),
    ],
)
def test_wrong_data_is_one_error(
    make: Callable[[Path], list[object]], code: int, message: str, base: Path
) -> None:
    for label in ("hum", "hiss"):
        write_wav(base / "other" / label / "a.wav", tone(200.0, 0.3, 8000, seed=1))
    out = base / "refused"
    result = evaluate(base / "second.audioclf", *make(base), "--out", out, code=code)
    assert message in result.stderr
    assert not out.exists()


def test_a_class_without_clips_is_in_no_average_and_predicting_it_is_an_error(
    base: Path, tmp_path: Path
) -> None:
    """All clips that are left are of one class, so accuracy is its recall."""
    config = tmp_path / "low.yaml"
    write_tones(tmp_path / "lows", ["low", "middle"], 200)
    dataset = "dataset: {type: folder, path: lows}"
    config.write_text(
        f"{dataset}\nmetrics: [accuracy, f1_macro, balanced_accuracy]\naudit: false\n"
        "report: {html: false}\n"
    )
    out = tmp_path / "out"
    result = evaluate(base / "second.audioclf", config, "--out", out)
    assert (
        "the data lack the class high of second: no average includes them, and to predict"
        in result.stderr
    )
    assert "not compared with its own cross-validation" in result.stderr
    cell = metrics(out)["cells"]["second"]
    right = cell["confusion"][1][1] / 8
    values = {name: value["value"] for name, value in cell["metrics"].items()}
    assert values["accuracy"] == values["balanced_accuracy"] == right
    assert values["f1_macro"] == pytest.approx(2 * right / (1 + right))
    assert cell["per_class"]["high"]["f1"]["value"] is None


@pytest.mark.slow
def test_a_model_written_before_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its interval of no width, at the end of the range, is replaced by Wilson's."""
    monkeypatch.setattr(evaluating, "begin_plots", begin_plots)
    path = Path(__file__).parents[1] / "data" / "models" / "calibrated.audioclf"
    data = write_sample(SAMPLES["clean"], tmp_path / "clean", seed=5).folder
    out, plain = tmp_path / "out", ("--set", "audit=false", "--set", "report.html=false")
    done = evaluate(path, data / "config.yaml", "--out", out, *plain, code=None)
    if "written with scikit-learn" in done.stderr:
        pytest.skip(done.stderr)
    model = metrics(out)["cells"]["calibrated"]["model"]
    assert model["cross_validation"]["metrics"]["accuracy"]["low"] < 0.95
    assert model["difference"]["accuracy"]["high"] > 0
    assert metrics(out)["clips"]["evaluated"] == 60
    assert (out / "plots" / "per-class.png").is_file()
