"""Finished fits on disk: what is read is what was kept, or it is not there."""

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.regressors import Ridge
from audioclf.builtin.classifiers.sgd import Sgd
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.components.registry import Origin
from audioclf.dataset.targets import Targets
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.fit_cache import FitCache, classifier_digest, pack, unpack
from audioclf.evaluation.memory import FitPlan
from audioclf.evaluation.results import FoldResult, Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.evaluation.views import Views
from audioclf.features.cache import FeatureCache
from tests.targets import several_targets, targets_of

ORIGIN = Origin("audioclf", "0.1.0", "builtin")
FOLD = Fold(0, "1", np.arange(4, 10), np.arange(4))
Y = np.asarray([0, 1] * 5)
SCORES = np.asarray([[0.9, 0.1], [0.2, 0.8], [1 / 3, 2 / 3], [0.5, 0.5]])
RESULT = FoldResult(
    FOLD,
    np.asarray([0, 1, 1, 0]),
    SCORES,
    "probability",
    0.25,
    1e-9,
    warnings=("did not converge",),
    chosen={"z": 1, "a": [None, 2.5]},
    model_bytes=1234,
)

KEY = "0" * 64
MADE = ("classifiers", "matrices", "versions")


def kept_in(folder: Path, **changes: Any) -> FitCache:
    made = {"classifiers": {"svm": "c"}, "matrices": {"mel": "m"}, "versions": {"numpy": "2.0"}}
    return FitCache(FeatureCache(folder), **{**made, **changes})


def key_of(kept: FitCache, fold: Fold = FOLD, **changes: Any) -> str | None:
    told: dict[str, Any] = {"cell": "svm", "featurizer": "mel", "arrays": (Y, None)}
    told |= {"settings": (2, 42), **changes}
    return kept.key(told["cell"], told["featurizer"], fold, told["arrays"], told["settings"])


def assert_same(found: FoldResult | None, expected: FoldResult) -> None:
    assert found is not None
    assert found.fold is expected.fold
    assert found.y_pred.tolist() == expected.y_pred.tolist()
    assert found.y_pred.dtype == np.intp
    if expected.scores is None:
        assert found.scores is None
    else:
        assert found.scores is not None
        assert found.scores.dtype == np.float64
        assert found.scores.tobytes() == expected.scores.tobytes()
    numbers: dict[str, Any] = dict.fromkeys(("y_pred", "scores"))
    assert replace(found, **numbers) == replace(expected, **numbers)
    assert list(found.chosen or {}) == list(expected.chosen or {})


def test_a_fit_is_on_disk_at_once_and_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    kept_in(tmp_path).put(KEY, RESULT)
    later = kept_in(tmp_path)
    assert_same(later.get([KEY], [FOLD])[0], RESULT)
    assert (later.found, later.store.damaged, later.warning) == (1, 0, None)


@settings(max_examples=60, deadline=None)
@given(
    scores=hnp.arrays(
        np.float64, st.tuples(st.just(4), st.integers(2, 5)), elements=st.floats(0, 1)
    ),
    warnings=st.lists(st.text(), max_size=3),
    seconds=st.floats(0, 1e6),
    chosen=st.none() | st.dictionaries(st.text(), st.floats() | st.text(), max_size=3),
)
def test_any_fit_comes_back(
    scores: Any, warnings: list[str], seconds: float, chosen: dict[str, Any] | None
) -> None:
    given_ = replace(
        RESULT, scores=scores, warnings=tuple(warnings), fit_seconds=seconds, chosen=chosen
    )
    found = unpack("k", FOLD, pack("k", given_))
    assert found is not None
    assert found.scores is not None
    assert found.scores.tobytes() == scores.tobytes()
    assert repr(replace(found, y_pred=Y, scores=None)) == repr(
        replace(given_, y_pred=Y, scores=None)
    )


def test_a_fit_with_decision_values_and_one_without_scores_come_back() -> None:
    ranked = replace(RESULT, decision_values=SCORES * [-1e3, np.inf])
    again = unpack("k", FOLD, pack("k", ranked))
    assert again is not None
    assert again.decision_values is not None
    assert ranked.decision_values is not None
    assert again.decision_values.tobytes() == ranked.decision_values.tobytes()
    bare = replace(RESULT, scores=None, score_kind="none", chosen=None)
    assert_same(unpack("k", FOLD, pack("k", bare)), bare)


def test_every_flipped_bit_and_every_truncation_is_found() -> None:
    content = pack("k", RESULT)
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << (at % 8)
        assert unpack("k", FOLD, bytes(flipped)) is None, at
        assert unpack("k", FOLD, content[:at]) is None, at


def test_the_entry_of_another_fit_is_not_taken() -> None:
    content = pack("k", RESULT)
    assert unpack("other", FOLD, content) is None
    assert unpack("k", replace(FOLD, test=np.arange(3)), content) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "other", "classifiers": {"other": "d"}},
        {"featurizer": "other", "matrices": {"other": "n"}},
        {"arrays": (Y[::-1], None)},
        {"arrays": (Y, Y)},
        {"arrays": (Y + 0.25, None)},
        {"settings": (2, 43)},
        {"fold": replace(FOLD, train=np.arange(5, 10))},
        {"fold": replace(FOLD, test=np.arange(1, 4))},
        {"versions": {"numpy": "2.1"}},
    ],
)
def test_the_key_follows_all_that_decides(tmp_path: Path, changes: dict[str, Any]) -> None:
    made = {name: value for name, value in changes.items() if name in MADE}
    told = {name: value for name, value in changes.items() if name not in MADE}
    key = key_of(kept_in(tmp_path))
    assert key is not None
    assert key_of(kept_in(tmp_path)) == key
    assert key_of(kept_in(tmp_path, **made), **told) not in (key, None)


def test_fits_are_found_by_position_and_damaged_ones_are_counted(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    other = replace(FOLD, name="2", repeat=1)
    keys = [None, KEY, "1" * 64, "2" * 64, KEY]
    assert kept.get(keys, [FOLD] * 5) == {}
    kept.put(KEY, RESULT)
    kept.store.write("1" * 64, b"damaged")
    kept.store.flush()
    results = kept.get(keys, [FOLD] * 4 + [other])
    assert list(results) == [1, 4]
    assert results[4].fold is other
    assert (kept.found, kept.earlier, kept.kept, kept.store.damaged) == (2, 0, 4, 1)
    later = kept_in(tmp_path)
    later.get([KEY], [FOLD])
    assert (later.found, later.earlier) == (1, 1)


def test_numbers_come_back_to_the_last_bit() -> None:
    of_numbers = replace(RESULT, y_pred=np.asarray([0.1, -2.5, 1 / 3, 1e9]), scores=None)
    again = unpack(KEY, FOLD, pack(KEY, replace(of_numbers, score_kind="none")))
    assert again is not None
    assert again.y_pred.tobytes() == of_numbers.y_pred.tobytes()
    content = pack(KEY, of_numbers).replace(b'"<f8"', b'"O"  ')[:-32]
    assert unpack(KEY, FOLD, content + hashlib.sha256(content).digest()) is None


def test_scores_of_any_precision_come_back_as_doubles(tmp_path: Path) -> None:
    single = replace(RESULT, scores=SCORES.astype(np.float32), y_pred=RESULT.y_pred.astype("i4"))
    doubled = replace(RESULT, scores=SCORES.astype(np.float32).astype(np.float64))
    assert_same(unpack("k", FOLD, pack("k", single)), doubled)


def test_the_key_is_the_same_whatever_the_integers_of_the_indexes_are(tmp_path: Path) -> None:
    narrow = replace(FOLD, train=FOLD.train.astype("i4"), test=FOLD.test.astype("i4"))
    kept = kept_in(tmp_path)
    assert key_of(kept, narrow, arrays=(Y.astype("u1"), None)) == key_of(kept)


def test_a_classifier_of_no_plugin_is_not_kept(tmp_path: Path) -> None:
    assert classifier_digest(LogisticRegression(), ()) is None
    assert key_of(kept_in(tmp_path, classifiers={"svm": None})) is None


def test_a_classifier_is_told_from_another_by_its_fields_and_what_is_inside() -> None:
    made = [
        LogisticRegression(),
        LogisticRegression(C=2.0),
        Tuned(classifier=LogisticRegression(), search={"C": [1.0, 2.0]}),
        Tuned(classifier=LogisticRegression(max_iter=7), search={"C": [1.0, 2.0]}),
    ]
    digests = [classifier_digest(each, (ORIGIN,)) for each in made]
    assert None not in digests
    assert len(set(digests)) == len(made)
    assert classifier_digest(LogisticRegression(), (ORIGIN,)) == digests[0]
    other = classifier_digest(LogisticRegression(), (Origin("audioclf", "9", "builtin"),))
    assert other != digests[0]


def test_a_full_disk_warns_once_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_in(tmp_path)
    kept.put(KEY, RESULT)
    monkeypatch.setattr(Path, "open", failing(errno.ENOSPC))
    for number in range(2):
        kept.put(f"{number}" * 64, RESULT)
    assert kept.warning == (
        f"{kept.store.folder}: finished fits are not kept: No space left on device; "
        "a stopped run would do them again"
    )
    assert kept.kept == 1
    monkeypatch.undo()
    assert_same(kept_in(tmp_path).get([KEY], [FOLD])[0], RESULT)


def failing(number: int) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_fit_with_scores_of_other_clips_is_not_taken() -> None:
    short = replace(RESULT, scores=SCORES[:3])
    assert unpack("k", FOLD, pack("k", short)) is None


X = np.random.default_rng(3).normal(size=(12, 4)).astype(np.float32)
FOLDS = Splits((Fold(0, "1", np.arange(8), np.arange(8, 12)),), "one fold")
CODES = targets_of([0, 1] * 6)
ORDERED = replace(CODES, is_ordered=True)
STATES = several_targets([[0, 1], [1, 0], [1, 1]] * 4)
NUMBERS = Targets((), None, "clip", np.arange(12), values=np.linspace(0, 1, 12))
WEIGHTED = replace(CODES, weights=np.linspace(0.1, 0.9, 12))


def new_fits(folder: Path, targets: Targets = CODES, **changes: Any) -> int:
    """Return how many fits `evaluate` does that are not in the cache."""
    classifier = Ridge() if targets.is_numbers else Sgd()
    pipeline = Pipeline("f/c", "f", "c", classifier, "c", **changes.pop("pipeline", {}))
    cache = FitCache(FeatureCache(folder), {"f/c": classifier.type_name()}, {"f": "m"}, {})
    changes = {"splits": FOLDS, "seed": 0, **changes}
    evaluate([pipeline], {"f": X}, targets, fit_cache=cache, **changes)
    return len(changes["splits"].folds) - cache.found


@pytest.mark.parametrize(
    ("targets", "changes"),
    [
        (CODES, {"seed": 1}),
        (CODES, {"splits": Splits((FOLD,), "another fold")}),
        (CODES, {"fits": FitPlan(batched=frozenset({"f/c"}))}),
        (CODES, {"pipeline": {"shape": (2, 2)}}),
        (CODES, {"pipeline": {"views": Views(2)}}),
        (CODES, {"pipeline": {"views": Views(2, averaged=True)}}),
        (CODES, {"pipeline": {"views": Views(2, training_only=1)}}),
        (targets_of([1, 0] * 6), {}),
        (targets_of([0, 1] * 6, n_classes=3), {}),
        (replace(CODES, classes=("cat", "dog")), {}),
        (replace(CODES, groups=np.repeat(np.arange(6), 2)), {}),
        (ORDERED, {}),
        (WEIGHTED, {}),
        (replace(CODES, weights=np.linspace(0.2, 0.8, 12)), {}),
        (STATES, {}),
        (STATES, {"choose_thresholds": True}),
        (replace(STATES, unit_codes=np.repeat(np.arange(6), 2)), {}),
        (several_targets([[0, 1], [1, 0], [1, -1]] * 4), {}),
        (NUMBERS, {}),
        (replace(NUMBERS, values=np.linspace(0, 0.9, 12)), {}),
    ],
)
def test_another_fit_is_not_taken_and_the_same_is(
    every_fit: Path, targets: Targets, changes: dict[str, Any]
) -> None:
    if changes or all(targets is not other for other in (ORDERED, WEIGHTED, STATES, NUMBERS)):
        assert new_fits(every_fit, targets, **changes) == 1
    assert new_fits(every_fit, targets, **changes) == 0


@pytest.fixture(scope="module")
def every_fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache with a fit for each kind of targets."""
    folder = tmp_path_factory.mktemp("fits")
    kinds = (CODES, ORDERED, WEIGHTED, STATES, NUMBERS)
    assert [new_fits(folder, targets) for targets in kinds] == [1] * 5
    return folder
