"""The tables on the spoken digits: complete, and generated from the stored numbers."""

import importlib
import json
from typing import Any

import pytest

from audioclf.builtin import audioclf_classifiers, audioclf_featurizers
from audioclf.builtin.classifiers.anomaly import Detector
from audioclf.builtin.classifiers.ensemble import Ensemble
from audioclf.builtin.classifiers.mixup import Mixup
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.config.loading import load_config
from tests.conftest import REPO


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    return importlib.import_module("spoken_digits")


def test_every_built_in_has_a_valid_row(script: Any) -> None:
    used = {(row.table, row.classifier["type"]) for row in script.ROWS}
    used |= {(row.table, row.featurizer["type"]) for row in script.ROWS}
    others = (Tuned, Mixup, Ensemble, Detector)
    classifiers = {
        c.type_name()
        for c in audioclf_classifiers()
        if not issubclass(c, others) and c.target == "class"
    }
    assert {("classifiers", name) for name in classifiers} <= used
    assert {("featurizers", cls.type_name()) for cls in audioclf_featurizers()} <= used
    for row in script.ROWS:
        if row.classifier["type"] in classifiers:  # plugins may not be installed
            script.config_of(row, REPO / "data.zip")


def test_the_recipe_is_that_of_the_config(script: Any) -> None:
    config = load_config(REPO / "configs" / "spoken_digits_best.yaml")
    expected = script.config_of(script.BEST, REPO / "data.zip")
    assert config.featurizers["mfcc"] == expected.featurizers["f"]
    assert config.classifiers["svm"] == expected.classifiers["c"]
    assert (config.audio, config.seed) == (expected.audio, script.SEED)


def test_tables_and_accuracies_follow_from_the_stored_numbers(script: Any) -> None:
    stored = json.loads(script.KEPT.read_text(encoding="utf-8"))
    page = script.PAGE.read_text(encoding="utf-8")
    for name, lines in script.tables(stored).items():
        assert "\n".join([f"<!-- {name} -->", *lines, f"<!-- end of {name} -->"]) in page, name
    assert stored
    for result in stored.values():
        for split, n_clips in {"official": 300, "speakers": 3000}.items():
            digits = [item for row in result[split]["confusion"].values() for item in row.items()]
            total = sum(sum(counts) for _, counts in digits)
            right = sum(counts[int(digit)] for digit, counts in digits)
            assert total == n_clips
            assert right / total == pytest.approx(result[split]["accuracy"][0], abs=1e-4)
