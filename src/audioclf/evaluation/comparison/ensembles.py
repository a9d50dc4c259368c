"""Ensembles of a run, each with the best of its members that is a pipeline of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.results import Pipeline


def of_ensembles(pipelines: Sequence[Pipeline], comparison: Comparison) -> Iterator[str]:
    """Yield for each ensemble whether it gains on its best member."""
    for ensemble in pipelines:
        members = {item.name for item in pipelines if _is_member(item, ensemble)}
        best = next((name for name in comparison.pipelines if name in members), None)
        for pair in comparison.pairs:
            if {pair.better, pair.worse} == {ensemble.name, best}:
                gains = pair.verdict == "better" and pair.better == ensemble.name
                verdict = "is better than" if gains else "shows no gain over"
                yield f"{ensemble.name} {verdict} its best member, {best}: {pair.sentence}"


def _is_member(item: Pipeline, ensemble: Pipeline) -> bool:
    own = ensemble.classifier.own_features()
    return any(
        item.classifier == member and item.featurizer == own.get(name, ensemble.featurizer)
        for name, (member, n_columns) in ensemble.classifier.members(0, 0).items()
        if name in own or n_columns == 0  # another number is that of the scores of the others
    )
