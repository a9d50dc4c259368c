"""A loaded model takes files and arrays as it took the clips that it was trained on."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

import audioclf
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DecodeError, ModelError
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.results import Pipeline
from audioclf.experiment.final_model import training_of
from audioclf.features.extraction import Extraction, extract
from audioclf.models.bundle.reading import read_bundle
from audioclf.models.bundle.writing import BundleContents, write_bundle
from tests.conftest import imported_by, tone, write_wav
from tests.models.making import classifier, made, registry
from tests.targets import targets_of


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[audioclf.Model, Extraction]:
    """Return a model that tells low from high tones, and the extraction behind it."""
    root = tmp_path_factory.mktemp("tones")
    for index in range(16):
        frequency, label = ((300.0, "low"), (1800.0, "high"))[index % 2]
        y = tone(frequency * (1 + 0.01 * index), 0.3 + 0.02 * index, 8000, index)
        write_wav(root / label / f"{index}.wav", y)
    loader: Any = registry().resolve("loader", "folder")
    featurizer: Any = registry().resolve("featurizer", "mel")
    audio, mel = AudioConfig(sr=8000, duration=0.5), featurizer(n_fft=512, n_mels=16)
    extraction = extract(loader(path=root).load(), audio, {"mel": mel})
    pipeline = Pipeline("logreg", "mel", "logreg", classifier("logistic_regression"), "audioclf")
    X, y = extraction.matrices["mel"], np.asarray(extraction.dataset.encoded_labels())
    contents = BundleContents(
        name="toy",
        pipeline=pipeline,
        featurizer=mel,
        audio=audio,
        classes=extraction.dataset.classes,
        estimator=fit_final(pipeline, X, targets_of(y), seed=1).estimator,
        matrix=X,
        seed=1,
        training=training_of(extraction),
    )
    path = write_bundle(root / "model.audioclf", contents, registry())
    return audioclf.load(path), extraction


def test_rows_are_those_of_the_training(trained: tuple[audioclf.Model, Extraction]) -> None:
    model, extraction = trained
    sources = [clip.source for clip in extraction.dataset]
    expected = model.scores_of(extraction.matrices["mel"])
    np.testing.assert_array_equal(model.predict_proba(sources), expected)
    assert model.predict(sources) == [clip.label for clip in extraction.dataset]


def test_one_item_gives_one_answer(
    trained: tuple[audioclf.Model, Extraction], tmp_path: Path
) -> None:
    model, _ = trained
    path = write_wav(tmp_path / "x.wav", tone(300.0, 0.4, 8000, 1))
    assert model.predict(path) == "low"
    assert model.predict(str(path)) == "low"
    assert model.predict([path]) == ["low"]
    assert model.predict_proba(path).shape == (2,)
    assert model.predict_proba([path, path]).shape == (2, 2)
    assert model.classes == ("high", "low")
    y = tone(1800.0, 0.4, 8000, 5)
    as_file = write_wav(tmp_path / "y.wav", y, subtype="FLOAT")
    np.testing.assert_array_equal(model.scores(y, sr=8000), model.scores(as_file))
    assert (model.predict([]), model.scores([]).shape) == ([], (0, 2))


@pytest.mark.parametrize("sr", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize(("frequency", "label"), [(300.0, "low"), (1800.0, "high")])
def test_any_rate_and_number_of_channels_is_understood(
    sr: int, frequency: float, label: str, trained: tuple[audioclf.Model, Extraction]
) -> None:
    model, _ = trained
    y = soxr.resample(tone(frequency, 1.5, 8000, 9), 8000, sr)
    assert model.predict(y, sr=sr) == label
    assert model.predict(np.stack([y, y]), sr=sr) == label
    assert model.predict((y * 32767).astype(np.int16), sr=sr) == label
    assert model.predict([y.astype(np.float64), y], sr=sr) == [label, label]


def test_features_are_of_all_of_a_waveform(trained: tuple[audioclf.Model, Extraction]) -> None:
    model, _ = trained
    y = tone(300.0, 0.5, 8000, 3)
    longer = np.concatenate([y, np.zeros(8000, np.float32)])
    row = model.features_of(y, 8000)
    assert row.shape == (model.manifest.features.width,)
    assert row.dtype == np.float32
    assert not np.array_equal(model.features_of(longer, 8000), row)
    # Half a second is what the config reads of a clip.
    np.testing.assert_array_equal(model.scores(longer, sr=8000), model.scores_of(row[None])[0])


def test_an_array_without_a_rate_is_a_mistake(trained: tuple[audioclf.Model, Extraction]) -> None:
    with pytest.raises(TypeError, match="a waveform needs its sample rate: pass sr="):
        trained[0].predict(np.zeros(100))


@pytest.mark.parametrize(
    ("y", "sr", "expected"),
    [
        (np.zeros(0), 8000, "array: 0 samples, expected 1 to"),
        (np.zeros((2, 2, 2)), 8000, r"shape \(2, 2, 2\) is neither"),
        (np.zeros((8000, 2)), 8000, r"neither \(n_samples,\) nor \(n_channels, n_samples\)"),
        (np.zeros(10, np.uint8), 8000, "array: uint8 samples; use floats in"),
        (np.zeros(10, complex), 8000, "array: complex128 samples"),
        (np.full(10, np.nan), 8000, "array: 10 NaN/inf samples of 10"),
        (np.full(10, 1e30), 8000, "array: not normalised audio"),
        (np.zeros(10), 44100.5, r"sample rate 44100\.5 is not a whole number"),
        (np.zeros(10), -1, "sample rate -1 is not a whole number"),
        (np.zeros(10), 1, "array: sample rate 1 Hz is outside 1000"),
    ],
)
def test_arrays_that_are_no_sound_are_refused(
    y: Any, sr: Any, expected: str, trained: tuple[audioclf.Model, Extraction]
) -> None:
    with pytest.raises(DecodeError, match=expected) as caught:
        trained[0].predict(y, sr=sr)
    assert np.ndim(y) == 1 or "y.T" in str(caught.value.hint)


def test_a_bad_file_is_named(trained: tuple[audioclf.Model, Extraction], tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(DecodeError, match=r"broken\.wav: only 4 bytes"):
        trained[0].predict(path)
    with pytest.raises(DecodeError, match=r"none\.wav: No such file"):
        trained[0].predict(tmp_path / "none.wav")


def test_decision_values_are_not_called_probabilities(tmp_path: Path) -> None:
    model = audioclf.load(made(tmp_path / "m.audioclf", "svm"))
    y = tone(300.0, 0.5, 8000, 0)
    with pytest.raises(ModelError, match=r"'mel/svm' gives no probabilities") as caught:
        model.predict_proba(y, sr=8000)
    assert caught.value.hint == "Use `scores`, or `predict`."
    assert model.score_kind == "decision"
    assert model.scores(y, sr=8000).sum() == pytest.approx(1.0)


def test_a_classifier_without_scores_still_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = audioclf.load(made(tmp_path / "m.audioclf", "dummy"))
    monkeypatch.setattr("audioclf.models.model.scores_of_rows", lambda *_: (None, "none"))
    y = tone(300.0, 0.5, 8000, 0)
    with pytest.raises(ModelError, match="gives no scores"):
        model.scores(y, sr=8000)
    assert model.predict(y, sr=8000) in model.classes


def test_a_model_says_what_it_is(tmp_path: Path) -> None:
    model = read_bundle(made(tmp_path / "m.audioclf", "dummy"), registry()).model
    assert repr(model) == "<Model toys:mel/dummy, 2 classes>"
    assert model.sr == 8000


@pytest.mark.slow
def test_loading_a_sklearn_model_imports_neither_xgboost_nor_plots(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "random_forest", n_estimators=2)
    code = (
        "import audioclf, numpy as np\n"
        f"model = audioclf.load({str(path)!r})\n"
        "assert model.predict(np.zeros(4000), sr=8000) in model.classes\n"
    )
    heavy = ["xgboost", "matplotlib", "numba", "librosa", "audioclf.report"]
    assert imported_by(code, heavy) == set()
    assert importlib.util.find_spec("numba") is not None
