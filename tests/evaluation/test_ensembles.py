"""The sentence on an ensemble and the best of its members."""

from types import SimpleNamespace
from typing import Any

from audioclf.builtin.classifiers.ensemble import Stack
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.sgd import Sgd
from audioclf.evaluation.comparison.ensembles import of_ensembles
from audioclf.evaluation.results import Pipeline

CLASSIFIERS: dict[str, Any] = {"a": Knn(), "b": Sgd(), "c": LogisticRegression()}


def said(ranked: str, verdict: str = "better", **features: str) -> list[str]:
    """Return the notes on a stack of `a` and `b`; its final classifier is that of `c`."""
    members: Any = {name: CLASSIFIERS[name] for name in "ab"}
    own: Any = features
    stack = Stack(classifiers=members, features=own)
    pipelines = [Pipeline(f"x/{name}", "x", name, CLASSIFIERS[name], "") for name in "abc"]
    pipelines += [Pipeline("y/b", "y", "b", Sgd(), ""), Pipeline("s", "x", "s", stack, "")]
    names = ranked.split()
    pairs = [
        SimpleNamespace(better=better, worse=worse, verdict=verdict, sentence=f"{better} > {worse}")
        for number, better in enumerate(names)
        for worse in names[number + 1 :]
    ]
    comparison: Any = SimpleNamespace(pipelines=names, pairs=pairs)
    return list(of_ensembles(pipelines, comparison))


def test_the_best_member_is_that_of_the_same_features() -> None:
    assert said("s x/c y/b x/b x/a") == ["s is better than its best member, x/b: s > x/b"]
    assert said("s x/b y/b x/a", a="x", b="y") == ["s is better than its best member, y/b: s > y/b"]


def test_a_worse_or_undecided_ensemble_shows_no_gain() -> None:
    assert said("x/a s x/b") == ["s shows no gain over its best member, x/a: x/a > s"]
    assert said("s x/a", "undecided")[0].startswith("s shows no gain over ")


def test_without_members_in_the_run_there_is_no_sentence() -> None:
    assert said("s x/c y/b") == []
