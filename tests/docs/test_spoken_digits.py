"""The tables on the spoken digits leave nobody out, and are what the script makes of them."""

from __future__ import annotations

import importlib
import json
from types import ModuleType
from typing import Any

import pytest

from audioclf.builtin import audioclf_classifiers, audioclf_featurizers
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.config.loading import load_config
from tests.conftest import REPO


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    return importlib.import_module("spoken_digits")


def test_every_built_in_has_a_row(script: Any) -> None:
    rows = {"classifiers": set(), "featurizers": set()}  # type: ignore[var-annotated]
    for row in script.ROWS:
        if row.table in rows:
            component = row.classifier if row.table == "classifiers" else row.featurizer
            rows[row.table].add(component["type"])
    declared = {cls.type_name() for cls in audioclf_classifiers() if cls is not Tuned}
    assert declared <= rows["classifiers"]
    assert {cls.type_name() for cls in audioclf_featurizers()} <= rows["featurizers"]


def test_every_row_is_a_valid_config(script: Any) -> None:
    for row in script.ROWS:
        if row.classifier["type"] not in ("xgboost", "cnn"):  # plugins need not be there
            script.config_of(row, REPO / "data.zip")


def test_the_recipe_is_that_of_the_config(script: Any) -> None:
    config = load_config(REPO / "configs" / "spoken_digits_best.yaml")
    expected = script.config_of(script.BEST, REPO / "data.zip")
    assert config.featurizers["mfcc"] == expected.featurizers["f"]
    assert config.classifiers["svm"] == expected.classifiers["c"]
    assert (config.audio, config.seed) == (expected.audio, script.SEED)


def test_the_tables_are_made_of_the_numbers(script: Any) -> None:
    kept = json.loads(script.KEPT.read_text(encoding="utf-8"))
    page = script.PAGE.read_text(encoding="utf-8")
    for name, lines in script.tables(kept).items():
        expected = "\n".join([f"<!-- {name} -->", *lines, f"<!-- end of {name} -->"])
        assert expected in page, name


def test_the_accuracy_is_that_of_the_confusion(script: Any) -> None:
    kept = json.loads(script.KEPT.read_text(encoding="utf-8"))
    assert kept
    for found in kept.values():
        for split, n_clips in {"official": 300, "speakers": 3000}.items():
            digits = [item for each in found[split]["confusion"].values() for item in each.items()]
            right = sum(counts[int(digit)] for digit, counts in digits)
            total = sum(sum(counts) for _, counts in digits)
            assert total == n_clips
            assert right / total == pytest.approx(found[split]["accuracy"][0], abs=1e-4)
