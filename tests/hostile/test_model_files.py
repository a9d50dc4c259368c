"""Model files from strangers, through the command line: a sentence and exit code 5 for each."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn

from audioclf.base.errors import EXIT_MODEL
from audioclf.models.arrays import from_npy, to_npy
from audioclf.models.bundle.manifest import MANIFEST
from tests.conftest import run_cli, tone, write_wav
from tests.hostile.files import Entry, zip_of
from tests.models.making import (
    ESTIMATOR,
    classifier,
    fitted,
    forged,
    made,
    packed,
    registry,
    unpacked,
    with_estimator,
)
from tests.models.test_forged import Evil, forged_predictor, forged_tree

GIB = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "m.audioclf", "dummy")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "sound.wav", tone(440.0, 0.5, 8000, 0))


def refused(path: Path, sound: Path) -> str:
    """Return the sentence with which `audioclf predict` refuses a model."""
    done = run_cli("predict", path, sound)
    assert (done.returncode, done.stdout) == (EXIT_MODEL, "")
    first, *hint = done.stderr.splitlines()
    assert first.startswith(f"audioclf: error: {path}: refused by the ")
    assert len(hint) <= 1
    assert "Traceback" not in done.stderr
    return first


# --- 58 to 60: what would run code


def test_a_pickle_that_is_called_a_model(tmp_path: Path, sound: Path) -> None:
    path, marker = tmp_path / "m.audioclf", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Evil(marker)))
    assert "archive check: not a readable zip archive" in refused(path, sound)
    assert not marker.exists()


def test_a_pickle_in_the_place_of_the_estimator(path: Path, sound: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    forged(path, {ESTIMATOR: pickle.dumps(Evil(marker))})
    assert "structure check: the estimator is no file of skops" in refused(path, sound)
    assert not marker.exists()


def test_a_function_of_the_system(tmp_path: Path, sound: Path) -> None:
    found = fitted(classifier("dummy"))
    path = with_estimator(tmp_path / "m.audioclf", found, lambda e: setattr(e, "a_", os.system))
    said = refused(path, sound)
    assert f"type check: the estimator holds {os.name}.system, which a model of" in said


def test_a_type_that_is_not_on_the_list(tmp_path: Path, sound: Path) -> None:
    found = fitted(classifier("dummy"))
    path = with_estimator(tmp_path / "m.audioclf", found, lambda e: setattr(e, "a_", Path))
    assert "type check: the estimator holds pathlib.Path, which a model" in refused(path, sound)


# --- 61: damage


def flipped(path: Path) -> None:
    files = unpacked(path)
    content = bytearray(files[ESTIMATOR])
    content[len(content) // 2] ^= 1
    packed(path, {**files, ESTIMATOR: bytes(content)})


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (flipped, "digest check: 'estimator/model.skops' is damaged (its SHA-256 is not"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-100]),
            "archive check: not a readable zip archive",
        ),
        (
            lambda path: packed(path, {k: v for k, v in unpacked(path).items() if k != ESTIMATOR}),
            "digest check: 'estimator/model.skops' is missing",
        ),
        (
            lambda path: packed(path, {k: v for k, v in unpacked(path).items() if k != MANIFEST}),
            "archive check: it holds no manifest.json, so it is no model",
        ),
    ],
)
def test_a_damaged_model(
    damage: Callable[[Path], object], expected: str, path: Path, sound: Path
) -> None:
    damage(path)
    assert expected in refused(path, sound)


# --- 62: what the libraries would follow out of their memory, or round and round


def forged_json(name: str, node: int, value: int) -> Callable[[Path], object]:
    def forge(path: Path) -> None:
        model = json.loads(unpacked(path)["estimator/model.json"])
        tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
        tree[name][node] = value
        forged(path, {"estimator/model.json": json.dumps(model).encode()})

    return forge


@dataclass(frozen=True)
class Deadly:
    """A model whose digests fit, and on which its library dies or never ends."""

    type_name: str
    forge: Any
    fields: dict[str, Any] = field(default_factory=lambda: {"n_estimators": 2})

    def write(self, path: Path) -> Path:
        component = classifier(self.type_name, **self.fields)
        if self.type_name != "xgboost":
            return with_estimator(path, fitted(component), self.forge)
        made(path, self.type_name, **self.fields)
        self.forge(path)
        return path


HISTOGRAMS = {"max_iter": 2, "min_samples_leaf": 3}
DEADLY = {
    "forest-child": Deadly("random_forest", forged_tree(left_child=(0, 10**9))),
    "forest-column": Deadly("random_forest", forged_tree(feature=(0, 10**9))),
    "forest-circle": Deadly("random_forest", forged_tree(left_child=(0, 0), right_child=(0, 0))),
    "boosting-child": Deadly("gradient_boosting", forged_tree(right_child=(0, 10**9))),
    "boosting-column": Deadly("gradient_boosting", forged_tree(feature=(0, 10**9))),
    "boosting-circle": Deadly("gradient_boosting", forged_tree(left_child=(0, 0))),
    "histograms-child": Deadly(
        "hist_gradient_boosting", forged_predictor("left", 2**32 - 1), HISTOGRAMS
    ),
    "histograms-column": Deadly(
        "hist_gradient_boosting", forged_predictor("feature_idx", 10**9), HISTOGRAMS
    ),
    "histograms-circle": Deadly("hist_gradient_boosting", forged_predictor("left", 0), HISTOGRAMS),
    "xgboost-child": Deadly("xgboost", forged_json("left_children", 0, 10**8)),
    "xgboost-column": Deadly("xgboost", forged_json("split_indices", 0, 10**8)),
    "xgboost-circle": Deadly("xgboost", forged_json("right_children", 0, 0)),
}

LOAD_ALL = """
import sys
from audioclf.base.errors import ModelError
from audioclf.models.bundle.reading import read_bundle
for path in sys.argv[1:]:
    try:
        read_bundle(path)
    except ModelError as exc:
        print(exc.exit_code, exc.message, flush=True)
"""


def test_trees_that_would_kill_or_hang_the_process_are_refused(tmp_path: Path) -> None:
    installed = registry().types("classifier")
    paths = [
        each.write(tmp_path / f"{name}.audioclf")
        for name, each in DEADLY.items()
        if each.type_name in installed
    ]
    command = [sys.executable, "-X", "faulthandler", "-c", LOAD_ALL, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths) >= 9
    wanted = {
        "child": "a child lies outside its",
        "column": "splits on a column outside the",
        "circle": "its nodes form a circle",
    }
    for line, path in zip(lines, paths, strict=True):
        assert line.startswith(f"{EXIT_MODEL} {path}: refused by the structure check: ")
        assert wanted[path.stem.split("-")[1]] in line


def test_the_binary_format_of_xgboost_is_not_read(tmp_path: Path, sound: Path) -> None:
    if "xgboost" not in registry().types("classifier"):
        pytest.skip("audioclf-xgboost is not installed")
    path = made(tmp_path / "m.audioclf", "xgboost", n_estimators=2)
    booster = fitted(classifier("xgboost", n_estimators=2)).estimator.get_booster()
    forged(path, {"estimator/model.json": bytes(booster.save_raw("ubj"))})
    said = refused(path, sound)
    assert "structure check: the estimator of xgboost-json cannot be rebuilt: " in said


# --- 63: a member that unpacks to a thousand times its size


def zeros(gigabytes: int) -> bytes:
    """Return a raw deflate stream of so many GiB of zeros, without making them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (1024 * gigabytes - 1) + packer.flush()


@dataclass(frozen=True)
class Packed(Entry):
    """An entry whose data are deflated already."""

    @property
    def packed(self) -> bytes:
        return self.data


@pytest.mark.parametrize("told", [3 * GIB, 10_000])
def test_three_megabytes_that_unpack_to_three_gigabytes(
    told: int, tmp_path: Path, sound: Path
) -> None:
    """Both where the directory admits the size and where it hides it."""
    path = tmp_path / "m.audioclf"
    body = zeros(3)
    assert 2_000_000 < len(body) < 4_000_000
    manifest = Entry(MANIFEST.encode(), unpacked(made(tmp_path / "good.audioclf"))[MANIFEST])
    path.write_bytes(zip_of(manifest, Packed(ESTIMATOR.encode(), body, method=8, size=told)))
    del body
    tracemalloc.start()
    try:
        said = refused(path, sound)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "archive check: " in said or "digest check: " in said
    assert peak < 100 << 20


# --- 64 and 65: other versions, other sounds


def test_a_model_of_another_scikit_learn_says_what_to_install(path: Path, sound: Path) -> None:
    forged(path, edit=lambda m: m["versions"].update({"scikit-learn": "1.2.2"}))
    assert refused(path, sound).endswith(
        "refused by the version check: it was written with scikit-learn 1.2.2, and scikit-learn "
        f"{sklearn.__version__} is installed"
    )
    hint = run_cli("predict", path, sound).stderr.splitlines()[1]
    assert 'pip install "scikit-learn==1.2.*"' in hint


@pytest.mark.parametrize(("sr", "seconds"), [(44_100, 0.5), (8000, 0.05), (8000, 3.0)])
def test_sounds_of_another_rate_or_length_are_brought_to_those_of_the_training(
    sr: int, seconds: float, path: Path, tmp_path: Path
) -> None:
    other = write_wav(tmp_path / "other.wav", tone(440.0, seconds, sr, 0), sr)
    done = run_cli("predict", path, other)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2


def test_rows_of_another_number_of_features(path: Path, sound: Path) -> None:
    rows = from_npy(unpacked(path)["check/rows.npy"])
    forged(path, {"check/rows.npy": to_npy(np.hstack([rows, rows]))})
    assert "score check: 'check/rows.npy' cannot be read: float32 of shape" in refused(path, sound)
    made(path, "dummy")
    forged(path, edit=lambda m: m["features"].update(width=2 * rows.shape[1]))
    assert "refused by the " in refused(path, sound)
