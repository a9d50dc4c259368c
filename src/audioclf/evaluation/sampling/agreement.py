"""Agreement of reviewers who labelled the same windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from audioclf.dataset.path_labels import count
from audioclf.dataset.review_list import LABELLED, SKIPPED, Answer
from audioclf.evaluation.metrics.bootstrap import wilson_interval
from audioclf.evaluation.metrics.estimate import Estimate


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two reviewers on the windows that both answered, with its 95 % interval."""

    reviewers: tuple[str, str]
    n_windows: int
    n_equal: int
    kappa: Estimate

    def __str__(self) -> str:
        one, other = (name or "no name" for name in self.reviewers)
        windows = f"{self.n_equal} of {count(self.n_windows, 'window', 'windows')} alike"
        return f"Cohen's kappa of {one} and {other}: {self.kappa} ({windows})"


def agreements(answers: Iterable[dict[str, Answer]]) -> Iterator[Agreement]:
    """Yield the agreement of each two reviewers, from the answers to each window by reviewer.

    Skipped windows do not count, and `unsure` is an answer of its own.
    """
    by_window = list(answers)
    names = sorted({name for mine in by_window for name in mine})
    for pair in combinations(names, 2):
        both = [[mine[name] for name in pair] for mine in by_window if set(pair) <= mine.keys()]
        both = [two for two in both if all(answer.state != SKIPPED for answer in two)]
        if both:
            first, second = zip(*([_text(answer) for answer in two] for two in both), strict=True)
            n_equal = sum(a == b for a, b in zip(first, second, strict=True))
            yield Agreement(pair, len(both), n_equal, cohens_kappa(first, second))


def _text(answer: Answer) -> str:
    return answer.label if answer.state == LABELLED else "?"


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> Estimate:
    """Return the agreement of two reviewers beyond chance; NaN if chance explains all of it.

    Cohen (1960), *Educational and Psychological Measurement* 20, 37-46. The interval is Wilson's
    for the share of equal answers, with the agreement by chance as it was observed: that of Fleiss,
    Cohen and Everitt (1969) has no width if all answers are equal.
    """
    n = len(first)
    names = {*first, *second}
    chance = sum(first.count(name) * second.count(name) for name in names) / max(n, 1) ** 2
    if not n or chance >= 1:
        return Estimate(float("nan"), float("nan"), float("nan"))
    equal = sum(a == b for a, b in zip(first, second, strict=True)) / n
    ends = (equal, *wilson_interval(equal, n))
    value, low, high = (max((end - chance) / (1 - chance), -1.0) for end in ends)
    return Estimate(value, low, high)
