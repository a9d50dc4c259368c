import csv
import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.audio.settings import AudioConfig
from audioclf.base import machine
from audioclf.base.errors import ConfigError, FeatureError
from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.spectral_shape import SpectralShape
from audioclf.components import code_digest
from audioclf.components.discovery import discover
from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Stats
from audioclf.config.loading import load_config
from audioclf.features.cache_key import KeyMaker
from audioclf.features.extraction import extract
from audioclf.features.worker import plan_featurizer
from audioclf.models.bundle.reading import read_bundle
from tests.builtin.featurizers.signals import SR, Matrix, noise
from tests.conftest import run_cli

MEANS = Stats(percentiles=(), segments=0)
PARTS: dict[str, Featurizer] = {
    "mfcc": Mfcc(n_mfcc=13),
    "shape": SpectralShape(n_fft=1024, hop_length=300, pooling=MEANS),
    "mel": MelSpectrogram(n_mels=10, n_steps=5, pooling=Flatten()),
}


class Broken(Featurizer):
    """Returns a vector."""

    type: Literal["broken"] = "broken"

    def extract(self, y: Matrix, sr: int) -> Matrix:
        return y


def concat(**parts: Featurizer) -> Concat:
    return Concat.model_validate({"parts": parts})


@pytest.mark.parametrize("n_samples", [1, 5000, 66_150])
def test_the_rows_of_the_parts_stand_one_after_the_other(n_samples: int) -> None:
    y = noise(n_samples)
    rows = []
    for part in PARTS.values():
        features = part.extract(y, SR)
        rows.append(part.pooling.pool(features, features.shape[1]))
    found = concat(**PARTS).extract(y, SR)
    assert found.shape == (13 * 12 + 13 * 2 + 50, 1)
    assert np.array_equal(found[:, 0], np.concatenate(rows))


def test_pooling_leaves_the_row_as_it_is() -> None:
    featurizer = concat(**PARTS)
    features = featurizer.extract(noise(9000), SR)
    features[:3, 0] = 1e-45, 3.4e38, -0.1
    row = featurizer.pooling.pool(features, 1)
    assert row.dtype == np.float32
    assert np.array_equal(row, features[:, 0])
    assert featurizer.pooling.width(len(features), 1) == len(row)


@pytest.mark.parametrize("duration", [None, 0.1, 3.0])
def test_the_width_does_not_depend_on_the_length_of_clips(duration: float | None) -> None:
    plan = plan_featurizer("c", concat(**PARTS), AudioConfig(duration=duration), "concat", None)
    assert (plan.n_bins, plan.max_frames, plan.width) == (232, 1, 232)


def test_a_clip_is_short_for_the_longest_frame_of_the_parts() -> None:
    assert concat(**PARTS).samples_per_frame(SR) == 2048
    assert concat(shape=PARTS["shape"]).samples_per_frame(SR) == 1024


def test_parts_of_parts_can_be_joined() -> None:
    y = noise(9000)
    inner = concat(mfcc=PARTS["mfcc"])
    nested = concat(inner=inner, shape=PARTS["shape"]).extract(y, SR)
    flat = concat(mfcc=PARTS["mfcc"], shape=PARTS["shape"]).extract(y, SR)
    assert np.array_equal(nested, flat)


def test_a_part_that_fails_is_named() -> None:
    featurizer = concat(fine=Mfcc(), shape=SpectralShape())
    with pytest.raises(FeatureError) as caught:
        featurizer.extract(noise(9000), 8000)
    assert caught.value.message.startswith("part 'shape': the highest of n_bands=6 bands")
    assert caught.value.hint == "Lower n_bands or fmin, or leave contrast out of `features`."


def test_a_part_that_returns_no_matrix_is_named() -> None:
    with pytest.raises(FeatureError, match=r"^part 'b' returned \(100,\), not an array of shape"):
        concat(a=Mfcc(), b=Broken()).extract(noise(100), SR)


def test_a_part_of_any_number_of_frames_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"part 'm' has `pooling: flatten`.*set its `n_steps`"
    ):
        concat(m=MelSpectrogram(pooling=Flatten()))
    with pytest.raises(ValidationError, match=r"part 'b' has `pooling: flatten`"):
        concat(b=Broken(pooling=Flatten()))


def test_it_has_no_pooling_of_its_own() -> None:
    with pytest.raises(ValidationError, match="concat has no pooling of its own"):
        Concat.model_validate({"parts": PARTS, "pooling": Flatten()})


CONFIG = """\
dataset: {{type: zip, path: {path}}}
audio: {{sr: {sr}, duration: {duration}}}
featurizers:
  both:
    type: concat
    parts:
      mfcc: {{type: mfcc, n_mfcc: 13, normalize: mean}}
      shape: {{type: spectral, n_bands: 4, pooling: {{type: stats, segments: 0}}}}
classifiers:
  svm: {{type: svm}}
"""


def written(folder: Path, path: Path, sr: int = 8000, duration: str = "null") -> Path:
    config = folder / "both.yaml"
    config.write_text(CONFIG.format(path=path, sr=sr, duration=duration), encoding="utf-8")
    return config


def test_a_config_reads_back_as_it_was(sounds_zip: Path, tmp_path: Path) -> None:
    config = load_config(written(tmp_path, sounds_zip))
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(again) == config
    assert isinstance(config.featurizers["both"], Concat)


def test_a_wrong_field_of_a_part_is_found_in_the_file(sounds_zip: Path, tmp_path: Path) -> None:
    path = written(tmp_path, sounds_zip)
    path.write_text(path.read_text().replace("n_mfcc", "n_mfc"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "both.yaml:7:26: unknown key 'n_mfc' in featurizers.both.parts.mfcc" in str(caught.value)
    assert "Did you mean 'n_mfcc'?" in str(caught.value)


def test_the_cache_key_depends_on_the_parts_and_their_pooling(
    sounds_zip: Path, tmp_path: Path
) -> None:
    config = load_config(written(tmp_path, sounds_zip))
    registry = discover()

    def run(**parts: Featurizer) -> tuple[int, int, Matrix]:
        featurizer = concat(**parts)
        found = extract(
            config.dataset.load(),
            config.audio,
            {"both": featurizer},
            cache_folder=tmp_path / "cache",
            origins={"both": registry.origins_of(featurizer)},
        )
        return found.cache.hits, found.cache.written, found.matrices["both"]

    mfcc, pooled = Mfcc(), Mfcc(pooling=MEANS)
    hits, stored, fresh = run(mfcc=mfcc)
    assert (hits, stored) == (0, 16)
    hits, stored, cached = run(mfcc=mfcc)
    assert (hits, stored) == (16, 0)
    assert np.array_equal(cached, fresh)
    assert run(mfcc=pooled)[:2] == (0, 16)
    assert run(mfcc=Mfcc(n_mfcc=13))[:2] == (0, 16)


PLUGIN = """
from typing import Any, Literal
import numpy as np
from audioclf.plugin import Featurizer, hookimpl
class Level(Featurizer):
    '''The level of the clip.'''
    type: Literal["level"] = "level"
    def extract(self, y, sr):
        return np.abs(y[None, :]).mean(axis=1, keepdims=True)
@hookimpl
def audioclf_featurizers():
    return [Level]
"""


@pytest.fixture
def both(make_dist: Any, on_path: Any) -> str:
    """Return a setting with a `concat` of a plugin's featurizer, whose plugin requires pluggy."""
    site = make_dist("audioclf-level", {"level": "audioclf_level"}, {"audioclf_level.py": PLUGIN})
    info = next(site.glob("audioclf_level-*")) / "METADATA"
    info.write_text(f"{info.read_text()}Requires-Dist: pluggy\n")
    on_path(site)
    return "featurizers={both: {type: concat, parts: {a: {type: level}, b: {type: mfcc}}}}"


@pytest.mark.slow
def test_record_and_model_name_the_plugin_of_a_part(
    both: str, toy_config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run_cli("run", toy_config, "--out", out, "--set", both, "--set", "final=best")
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "record.json").read_text())
    part = record["components"]["featurizers.both.parts.a"]
    assert (part["distribution"], part["version"]) == ("audioclf-level", "1.0")
    manifest = read_bundle(out / "model.audioclf").manifest
    assert {"audioclf-level", "pluggy"} <= set(record["versions"]) & set(manifest.versions)


def test_the_cache_key_follows_the_libraries_of_a_parts_plugin(
    both: str, toy_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(toy_config, overrides=[both])
    featurizer = config.featurizers["both"]
    origins = discover().origins_of(featurizer)

    def key() -> KeyMaker | None:
        code_digest._requirements.cache_clear()
        machine._installed.cache_clear()
        return KeyMaker.make(audio=config.audio, featurizer=featurizer, origins=origins)

    before = key()
    assert before is not None
    later = {"pluggy": SimpleNamespace(version="99", requires=None)}
    find = metadata.distribution
    monkeypatch.setattr(metadata, "distribution", lambda name: later.get(name) or find(name))
    assert key() != before
    assert discover().origins_of(concat(a=Mfcc(), b=Broken())) == ()


@pytest.mark.slow
def test_a_run_of_real_recordings_keeps_a_model_that_predicts(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    archive = real_data("barbie_vs_puppy.zip")
    config, out = written(tmp_path, archive, 22_050, "3.0"), tmp_path / "out"
    done = run_cli("run", config, "--out", out, "-q", "--set", "audit=false")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics
    done = run_cli("predict", out / "model.audioclf", archive, "--out", tmp_path / "found.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "found.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 98
