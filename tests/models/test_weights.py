"""A model names the weights of its featurizer by digest, and finds them on any computer."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from audioclf.base.errors import ConfigError, ModelError
from audioclf.builtin.featurizers.concat import Concat
from audioclf.components.registry import Origin, PluginRecord, Provider, Registry
from audioclf.evaluation.results import Pipeline
from audioclf.models.bundle.reading import load, open_bundle
from audioclf.models.bundle.weights import embedded, remove_unpacked
from audioclf.models.model import Model
from audioclf.plugin import Featurizer, InputPath, Weights
from tests.conftest import run_cli, run_process, write_sounds
from tests.models.making import classifier, forged, registry, written
from tests.models.making import fitted as fitted_on_mel

NUMBERS = b"0.5 0.25 0.125"
DIGEST = hashlib.sha256(NUMBERS).hexdigest()


class Weighted(Featurizer):
    """Level of each frame, times numbers in a file."""

    type: Literal["weighted"] = "weighted"

    path: InputPath | None
    """Text file of numbers."""

    sha256: str | None = None
    """Digest of the file."""

    redistributable: bool = False
    """Whether a model holds the file."""

    def weight_files(self) -> Sequence[Weights]:
        assert self.path is not None
        weights = Weights.of(
            Path(self.path),
            sha256=self.sha256,
            license="CC0-1.0",
            field="path",
            digest_field="sha256",
            redistributable=self.redistributable,
        )
        return (weights,)

    def extract(self, y: Any, sr: int) -> Any:
        (weights,) = self.weight_files()
        numbers = np.array(weights.read().split(), dtype=np.float32)
        return numbers[:, None] * np.abs(y[: len(y) // 100 * 100]).reshape(-1, 100).mean(axis=1)


@pytest.fixture
def plugins() -> Registry:
    origin = Origin("audioclf-weighted", "1.0", "weighted")
    return Registry((*registry().plugins, PluginRecord(origin, "ok", components=(Weighted,))))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIOCLF_MODELS_DIR", str(tmp_path / "kept"))
    (tmp_path / "numbers.txt").write_bytes(NUMBERS)
    return tmp_path / "numbers.txt"


def bundle_of(featurizer: Featurizer, path: Path, plugins: Registry) -> Path:
    found = fitted_on_mel(classifier("dummy"))
    frames = 1 if isinstance(featurizer, Concat) else 40
    width = featurizer.pooling.width(36 if frames == 1 else 3, frames)
    X = np.ones((50, width), np.float32)
    estimator = found.pipeline.classifier.build(random_state=3).fit(X, np.repeat([0, 1], 25))
    pipeline = Pipeline("w/dummy", "w", "dummy", found.pipeline.classifier, "dummy", (3, 12))
    parts = {"pipeline": pipeline, "featurizer": featurizer, "estimator": estimator, "matrix": X}
    return written(path, found, plugins=plugins, **parts)


@pytest.fixture
def bundle(file: Path, tmp_path: Path, plugins: Registry) -> Path:
    return bundle_of(Weighted(path=file), tmp_path / "m.audioclf", plugins)


def scores(model: Model) -> list[float]:
    row = model.features_of(np.linspace(-1, 1, 4000, dtype=np.float32), 8000)
    return [round(float(value), 4) for value in row[:3]]


def test_weights_are_found_where_they_were_beside_a_call_or_in_the_folder_of_models(
    bundle: Path, file: Path, tmp_path: Path, plugins: Registry
) -> None:
    expected = scores(load(bundle, registry=plugins))
    moved = file.rename(tmp_path / "elsewhere.bin")
    with pytest.raises(ModelError) as caught:
        load(bundle, registry=plugins)
    missing = f"the weights 'numbers.txt' with SHA-256 {DIGEST} are missing"
    assert caught.value.message == f"{bundle}: refused by the weights check: {missing}"
    folder = tmp_path / "kept"
    assert caught.value.hint == f"Name the file with --weights FILE, or copy it to {folder}."
    assert scores(load(bundle, registry=plugins, weights=[moved])) == expected
    folder.mkdir()
    moved.rename(folder / "any.name")
    model = load(bundle, registry=plugins)
    assert scores(model) == expected
    assert model.featurizer.model_dump()["sha256"] == DIGEST


def test_other_weights_are_refused_before_anything_parses_them(
    bundle: Path, file: Path, tmp_path: Path, plugins: Registry
) -> None:
    file.write_bytes(b"0.5 0.25 0.126")
    with pytest.raises(ModelError, match=f"{DIGEST} are missing: {file} is another file"):
        load(bundle, registry=plugins)
    with pytest.raises(ConfigError, match=rf"numbers\.txt: has SHA-256 .* needs .*{DIGEST}"):
        load(bundle, registry=plugins, weights=[file])


def test_weights_without_a_digest_are_refused(
    bundle: Path, file: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(manifest: dict[str, Any]) -> None:
        del manifest["weights"]
        manifest["featurizer"]["sha256"] = None

    monkeypatch.setattr(Weighted, "extract", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(ModelError, match=r"weights check: .* and the model names no digest for"):
        load(forged(bundle, edit=nameless), registry=plugins)
    with pytest.raises(ModelError, match=r"weights check: the featurizer has no part 'parts\.x'"):
        load(
            forged(bundle, edit=lambda m: m.update(weights=[{**STORED, "place": "parts.x"}])),
            registry=plugins,
        )


STORED = {
    "place": "",
    "name": "numbers.txt",
    "sha256": DIGEST,
    "size": len(NUMBERS),
    "license": "CC0-1.0",
    "field": "path",
    "digest_field": "sha256",
}


def test_the_manifest_and_the_card_name_them(bundle: Path) -> None:
    contents = open_bundle(bundle)
    assert contents.manifest.model_dump(mode="json")["weights"] == [STORED]
    assert contents.manifest.format == 3
    assert f"| numbers.txt | 14 | CC0-1.0 | `{DIGEST}` | not in this file |" in contents.card
    assert "weights that were trained before, on other sounds" in contents.card
    shown = run_cli("model", "show", bundle, code=0).stdout
    assert re.search(rf"numbers\.txt +no +14 +CC0-1\.0 +{DIGEST}", shown)


def test_small_weights_that_may_be_passed_on_are_in_the_model(
    file: Path, tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighted = Weighted(path=file, redistributable=True)
    expected = scores(load(bundle_of(weighted, tmp_path / "m.audioclf", plugins), registry=plugins))
    bundle = bundle_of(weighted, tmp_path / "m.audioclf", plugins)
    moved = file.rename(tmp_path / "elsewhere.bin")
    contents = open_bundle(bundle)
    assert contents.files[f"weights/{DIGEST}"] == NUMBERS
    assert f"`{DIGEST}` | in this file |" in contents.card
    assert re.search(r"numbers\.txt +yes", run_cli("model", "show", bundle, code=0).stdout)
    for given in ([moved], []):
        model = load(bundle, registry=plugins, weights=given)
        assert scores(model) == expected
        own = model.featurizer.model_dump()["path"] == moved
        assert own == bool(given)
    moved.rename(file)
    monkeypatch.setattr("audioclf.models.bundle.weights.MAX_EMBEDDED_BYTES", 13)
    large = bundle_of(weighted, tmp_path / "large.audioclf", plugins)
    assert f"weights/{DIGEST}" not in open_bundle(large).files
    file.unlink()
    assert (folder := Path(model.featurizer.model_dump()["path"]).parent) != tmp_path
    remove_unpacked()
    assert not folder.exists()
    changed = forged(bundle, files={f"weights/{DIGEST}": b"9 9 9"})
    monkeypatch.setattr(Weighted, "extract", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(ModelError, match=f"'numbers.txt' with SHA-256 {DIGEST} are missing"):
        load(changed, registry=plugins)


def test_a_folder_is_in_no_model_even_if_it_may_be_passed_on(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weighted = Weighted(path=tmp_path, redistributable=True)
    assert embedded(weighted) == {}


def test_a_component_with_weights_of_its_own_shows_them(file: Path) -> None:
    from audioclf.cli.plugins import _explain

    class Packaged(Weighted):
        """Reads the file of a package."""

        path: InputPath = file

    shown = _explain(Provider(Packaged, Origin("audioclf-weighted", "1.0", "weighted")))
    assert re.search(rf"numbers\.txt +14 +CC0-1\.0 +{DIGEST}", shown)
    file.unlink()
    missing = _explain(Provider(Packaged, Origin("audioclf-weighted", "1.0", "weighted")))
    assert missing.endswith("numbers.txt: the weights cannot be read: No such file or directory")


def test_weights_of_a_package_may_also_be_given(
    file: Path, tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packaged(self: Weighted) -> Sequence[Weights]:
        path = Path(self.path) if self.path else file
        return (Weights.of(path, field="path", digest_field="sha256"),)

    monkeypatch.setattr(Weighted, "weight_files", packaged)
    bundle = bundle_of(Weighted(path=None), tmp_path / "m.audioclf", plugins)
    expected = scores(load(bundle, registry=plugins))
    moved = file.rename(tmp_path / "elsewhere.bin")
    assert scores(load(bundle, registry=plugins, weights=[moved])) == expected
    with pytest.raises(ModelError, match=f"{DIGEST} cannot be used: .*cannot be read") as caught:
        load(bundle, registry=plugins)
    assert str(caught.value.hint).startswith("Name the file with --weights FILE")


def test_weights_of_a_part_are_found(file: Path, tmp_path: Path, plugins: Registry) -> None:
    both = Concat.model_validate({"parts": {"my.numbers": Weighted(path=file)}})
    bundle = bundle_of(both, tmp_path / "c.audioclf", plugins)
    assert open_bundle(bundle).manifest.weights[0].place == "parts.my.numbers"
    moved = file.rename(tmp_path / "elsewhere.bin")
    assert load(bundle, registry=plugins, weights=[moved]).classes == ("barbie", "ken")


def test_a_model_without_weights_is_written_as_before(tmp_path: Path) -> None:
    manifest = open_bundle(written(tmp_path / "m.audioclf", fitted_on_mel(classifier("dummy"))))
    assert manifest.manifest.format == 2
    assert "weights" not in manifest.manifest.model_dump()


PLUGIN = """
from audioclf.plugin import hookimpl
from tests.models.test_weights import Weighted

@hookimpl
def audioclf_featurizers():
    return [Weighted]
"""


@pytest.mark.slow
def test_a_run_records_its_weights_and_its_model_predicts_elsewhere(
    file: Path, tmp_path: Path, make_dist: Any
) -> None:
    sounds = write_sounds(tmp_path / "sounds")
    site = make_dist(
        "audioclf-weighted", {"weighted": "audioclf_weighted"}, {"audioclf_weighted.py": PLUGIN}
    )
    path = os.pathsep.join(
        [str(site), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    )
    env = {"PYTHONPATH": path}
    config = tmp_path / "c.yaml"
    config.write_text(
        "name: w\ndataset: {type: folder, path: sounds}\naudio: {sr: 8000}\n"
        "featurizers:\n  w: {type: weighted, path: numbers.txt}\n"
        "classifiers:\n  logreg: {type: logistic_regression}\nreport: {html: false, plots: false}\n"
    )
    run = run_process("run", config, "--out", tmp_path / "run", env=env)
    assert run.returncode == 0, run
    facts = {"name": "numbers.txt", "sha256": DIGEST, "size": 14, "license": "CC0-1.0"}
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["weights"] == {"featurizers.w": [facts]}
    assert f"sha256: {DIGEST}" in (tmp_path / "run" / "config.yaml").read_text()
    moved = file.rename(tmp_path / "moved.txt")
    predict = ("predict", tmp_path / "run" / "model.audioclf", sounds, "--untrusted")
    refused = run_process(*predict, env=env)
    assert (refused.returncode, refused.stderr.count("\n")) == (5, 2), refused
    assert f"with SHA-256 {DIGEST} are missing" in refused.stderr
    done = run_process(*predict, "--weights", moved, env=env)
    assert (done.returncode, done.stdout.count("\n")) == (0, 17), done
