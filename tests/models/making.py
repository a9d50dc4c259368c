"""Small models for tests: fitted on rows that are made up, written, and forged."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pytest

from audioclf.audio.settings import AudioConfig
from audioclf.components.classifier import Classifier
from audioclf.components.discovery import discover
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Registry
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.results import Pipeline
from audioclf.models.bundle.container import members_for, zipped
from audioclf.models.bundle.manifest import MANIFEST, Evaluated, Training
from audioclf.models.bundle.writing import BundleContents, write_bundle
from audioclf.models.calibration.records import Interval
from audioclf.models.estimators.skops_format import dump_skops
from audioclf.models.refusal import RefusedError, Stage
from tests.targets import targets_of

AUDIO = AudioConfig(sr=8000, duration=0.5)
ESTIMATOR = "estimator/model.skops"
NAMES = ("barbie", "ken", "puppy", "seal")
SEED = 3

TRAINING = Training(
    dataset="toys.zip", fingerprint="0" * 64, clips={"barbie": 20, "puppy": 20}, groups=4
)
EVALUATED = Evaluated(
    split="5 folds",
    unit="clip",
    n_units=40,
    confidence_level=0.95,
    metrics={"accuracy": Interval(value=0.75, low=0.6, high=0.9), "roc_auc": None},
)


@cache
def registry() -> Registry:
    return discover()


@cache
def featurizer() -> Featurizer:
    cls: Any = registry().resolve("featurizer", "mel")
    made: Featurizer = cls(n_fft=256, hop_length=128, n_mels=4)
    return made


def classifier(type_name: str, **fields: Any) -> Classifier:
    cls: Any = registry().resolve("classifier", type_name)
    made: Classifier = cls(**fields)
    return made


@dataclass(frozen=True)
class Fitted:
    """A fitted classifier with the rows that it was fitted on."""

    pipeline: Pipeline
    estimator: Any
    X: np.ndarray
    n_classes: int


def fitted(component: Classifier, n_classes: int = 2, per_class: int = 25) -> Fitted:
    rng = np.random.default_rng(n_classes)
    y = np.repeat(np.arange(n_classes), per_class)
    width = featurizer().pooling.width(4, 1)
    X = (rng.normal(size=(len(y), width)) + 0.4 * y[:, None]).astype(np.float32)
    name = component.type_name()
    pipeline = Pipeline(f"mel/{name}", "mel", name, component, f"{name}, audioclf", (4, width // 4))
    return Fitted(
        pipeline, fit_final(pipeline, X, targets_of(y), seed=SEED).estimator, X, n_classes
    )


def written(path: Path, found: Fitted, *, plugins: Registry | None = None, **changes: Any) -> Path:
    parts: dict[str, Any] = {
        "name": "toys",
        "pipeline": found.pipeline,
        "featurizer": featurizer(),
        "audio": AUDIO,
        "classes": NAMES[: found.n_classes],
        "estimator": found.estimator,
        "matrix": found.X,
        "seed": SEED,
        "training": TRAINING,
        "evaluation": EVALUATED,
    }
    return write_bundle(path, BundleContents(**{**parts, **changes}), plugins or registry())


def made(path: Path, type_name: str = "logistic_regression", **fields: Any) -> Path:
    path.write_bytes(_bytes(classifier(type_name, **fields)))
    return path


@cache
def _bytes(component: Classifier) -> bytes:
    with TemporaryDirectory() as folder:
        return written(Path(folder, "m.audioclf"), fitted(component)).read_bytes()


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_bytes(zipped(files))
    return path


def forged(
    path: Path,
    files: Mapping[str, bytes] = {},
    edit: Callable[[dict[str, Any]], object] = lambda manifest: None,
) -> Path:
    """Replace members of a bundle and edit its manifest, with digests that fit."""
    everything = {**unpacked(path), **files}
    manifest = json.loads(everything.pop(MANIFEST))
    manifest["members"] = {
        name: item.model_dump() for name, item in members_for(everything).items()
    }
    edit(manifest)
    return packed(path, {MANIFEST: json.dumps(manifest).encode(), **everything})


def with_estimator(path: Path, found: Fitted, tamper: Callable[[Any], object]) -> Path:
    """Write a bundle whose estimator was tampered with, with digests that fit."""
    path.write_bytes(_bytes(found.pipeline.classifier))
    tamper(found.estimator)
    return forged(path, {ESTIMATOR: dump_skops(found.estimator)})


@contextmanager
def refused(match: str) -> Iterator[None]:
    """Expect that a check refuses, and says which one it is."""
    with pytest.raises(RefusedError, match=match) as caught:
        yield
    assert caught.value.stage in get_args(Stage)
