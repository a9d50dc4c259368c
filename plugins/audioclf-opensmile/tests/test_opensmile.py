"""`opensmile`: its numbers, short clips, its silence on the console, and its terms of use."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from audioclf.testing import Check, parametrize_with_checks
from audioclf_opensmile import OpenSmile

pytestmark = pytest.mark.skipif(
    find_spec("opensmile") is None, reason="the package opensmile is not installed"
)
Y = np.random.default_rng(0).normal(0.0, 0.1, 16_000).astype(np.float32)


@pytest.mark.slow
@parametrize_with_checks([OpenSmile(), OpenSmile(level="lld")])
def test_it_keeps_the_promises_of_all_featurizers(component: OpenSmile, check: Check) -> None:
    check(component)


@pytest.mark.parametrize(
    ("features", "level", "shape", "width"),
    [
        ("eGeMAPSv02", "functionals", (88, 1), 88),
        ("eGeMAPSv02", "lld", (25, 96), 50),
        ("ComParE_2016", "functionals", (6373, 1), 6373),
        ("ComParE_2016", "lld", (65, 96), 130),
    ],
)
def test_the_numbers_are_those_of_the_package_and_functionals_are_not_pooled_again(
    features: str, level: str, shape: tuple[int, int], width: int
) -> None:
    import opensmile

    featurizer = OpenSmile.model_validate({"features": features, "level": level})
    levels = {"functionals": "func", "lld": "lld"}
    expected = opensmile.Smile(
        feature_set=opensmile.FeatureSet[features], feature_level=levels[level]
    )(Y, 16_000)[0]
    matrix = featurizer.extract(Y, 16_000)
    np.testing.assert_array_equal(matrix, expected)
    assert matrix.shape == shape
    row = featurizer.pooling.pool(matrix, shape[1])
    assert row.shape == (width,)
    if level == "functionals":
        np.testing.assert_array_equal(row, matrix[:, 0])


def test_the_default_pooling_is_kept_in_json_and_another_one_is_not_replaced() -> None:
    frames = OpenSmile(level="lld")
    assert OpenSmile.model_validate_json(frames.model_dump_json()) == frames
    chosen = {"type": "stats", "statistics": ["std"], "percentiles": [], "segments": 0}
    other = OpenSmile.model_validate({"level": "lld", "pooling": chosen})
    assert other.pooling.width(25, 96) == 25


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.0599])
def test_a_short_clip_is_padded_to_one_frame(seconds: float) -> None:
    for sr in (8_000, 44_100):
        y = Y[: round(seconds * sr)]
        features = OpenSmile().extract(y, sr)
        padded = np.pad(y, (0, OpenSmile().samples_per_frame(sr) - len(y)))
        assert features.shape == (88, 1)
        assert np.isfinite(features).all()
        np.testing.assert_array_equal(features, OpenSmile().extract(padded, sr))


def test_a_full_scale_sample_does_not_change_its_sign() -> None:
    loud = np.sign(np.sin(np.arange(16_000) / 20)).astype(np.float32)
    below = np.minimum(loud, 32_767 / 32_768).astype(np.float32)
    features = OpenSmile().extract(loud, 16_000)
    np.testing.assert_array_equal(features, OpenSmile().extract(below, 16_000))


@pytest.mark.slow
def test_it_writes_neither_messages_nor_files(tmp_path: Path) -> None:
    code = (
        "import numpy; from audioclf_opensmile import OpenSmile; "
        "OpenSmile().extract(numpy.zeros(100, 'float32'), 16000)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_its_licence_comes_first() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert readme.startswith("**openSMILE may not be used commercially**")
    assert "not commercially" in OpenSmile.terms_of_use
