"""Models that learned from several views of each clip: what a file holds and predicts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audioclf
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import ModelError
from audioclf.builtin.featurizers.mel import MelSpectrogram, Vtlp
from audioclf.builtin.loaders.class_folders import FolderDataset
from audioclf.components.registry import Origin
from audioclf.features.extraction import extract
from audioclf.models.bundle.reading import read_bundle
from audioclf.models.onnx.export import rows_of_clips, to_onnx
from tests.conftest import WHOLE
from tests.models.making import registry

FACTORS = [0.9, 1.1]
N_COLUMNS = 16 * 12
"""Of a view: 16 bands, and 12 statistics of each."""


def augmented(test_time: bool) -> str:
    vtlp = f"{{type: vtlp, factors: {FACTORS}, test_time: {str(test_time).lower()}}}"
    fields = "type: mel, n_fft: 512, hop_length: 256, n_mels: 16"
    return f"featurizers={{mel: {{{fields}, augment: {vtlp}}}}}"


@pytest.fixture
def warps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that takes the warp of each batch that is featurized."""
    seen: list[float] = []
    real = MelSpectrogram.featurize

    def spied(self: Any, ys: Sequence[Any], sr: int) -> Any:
        seen.append(self.warp)
        return real(self, ys, sr)

    monkeypatch.setattr(MelSpectrogram, "featurize", spied)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("classifier", ["logistic_regression", "svm"])
@pytest.mark.parametrize("test_time", [False, True])
def test_a_model_predicts_from_the_views_that_it_needs(
    test_time: bool, classifier: str, sounds: Path, toy_config: Path, tmp_path: Path, warps: Any
) -> None:
    overrides = ("final=best", f"classifiers={{c: {{type: {classifier}}}}}", augmented(test_time))
    result = audioclf.run(toy_config, overrides=overrides, out=tmp_path / "out", jobs=1)
    assert result.model is not None
    bundle = read_bundle(result.model, registry())
    model = bundle.model
    n_views = 3 if test_time else 1
    assert bundle.check.rows.shape[1] == n_views * N_COLUMNS
    np.testing.assert_array_equal(model.scores_of(bundle.check.rows), bundle.check.scores)

    warps.clear()
    clips = sorted(sounds.rglob("*.wav"))
    scores = model.scores(clips[:3])
    assert warps == [1.0, *FACTORS][:n_views] * 3
    found = extract(FolderDataset(path=sounds).load(), AudioConfig(sr=8000, duration=0.5),
                    {"mel": model.featurizer})  # fmt: skip
    rows = found.matrices["mel"][:3, : n_views * N_COLUMNS]
    np.testing.assert_allclose(scores, model.scores_of(rows), rtol=0, atol=1e-9)
    windows = list(model.windows(clips[0], window=0.2))
    assert len(windows) >= 1


@pytest.mark.slow
def test_audits_plots_and_importances_look_at_the_plain_clip(
    toy_config: Path, tmp_path: Path
) -> None:
    plain = audioclf.run(toy_config, overrides=WHOLE, out=tmp_path / "plain", jobs=1)
    overrides = (*WHOLE, augmented(True))
    result = audioclf.run(toy_config, overrides=overrides, out=tmp_path / "out", jobs=1)
    importances = json.loads((tmp_path / "out" / "importances.json").read_text())
    assert [len(found) for found in importances["cells"].values()] == [16]
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["features"]["mel"]["shape"] == [16, 3 * N_COLUMNS]
    assert (tmp_path / "out" / "folds.csv").read_bytes() == (
        tmp_path / "plain" / "folds.csv"
    ).read_bytes()
    example = "plots/examples.png"
    assert (tmp_path / "out" / example).read_bytes() == (tmp_path / "plain" / example).read_bytes()
    names = [[f.name for audit in r.audits for f in audit.findings] for r in (plain, result)]
    assert names[0] == names[1]


def test_views_stand_side_by_side_and_are_cached_each(sounds: Path, tmp_path: Path) -> None:
    dataset, audio = FolderDataset(path=sounds).load(), AudioConfig(sr=8000, duration=0.5)
    plain = MelSpectrogram(n_fft=512, hop_length=256, n_mels=16)
    featurizers = {
        "plain": plain,
        "low": plain.model_copy(update={"warp": 0.9}),
        "high": plain.model_copy(update={"warp": 1.1}),
    }
    both = plain.model_copy(update={"augment": Vtlp(factors=(0.9, 1.1))})
    known: Any = {"cache_folder": tmp_path / "cache"}
    origin = (Origin("audioclf", audioclf.__version__, "builtin"),)
    one = extract(dataset, audio, featurizers, origins=dict.fromkeys(featurizers, origin), **known)
    found = extract(dataset, audio, {"both": both}, origins={"both": origin}, **known)
    np.testing.assert_array_equal(found.matrices["both"], np.hstack(list(one.matrices.values())))
    assert (found.cache.hits, found.cache.written) == (3 * len(dataset), 0)


@pytest.mark.slow
def test_a_mean_over_views_is_not_exported(sounds: Path, toy_config: Path, tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    dataset = FolderDataset(path=sounds).load()
    for test_time in (True, False):
        out = tmp_path / str(test_time)
        overrides = ("final=best", augmented(test_time))
        result = audioclf.run(toy_config, overrides=overrides, out=out, jobs=1)
        assert result.model is not None
        bundle = read_bundle(result.model, registry())
        rows = rows_of_clips(bundle, dataset, registry())
        if not test_time:
            assert to_onnx(bundle, rows).n_rows == 8 + len(dataset)
            continue
        with pytest.raises(ModelError, match="are means over 3 views of each clip") as caught:
            to_onnx(bundle, rows)
        assert "test_time: false" in str(caught.value.hint)
