"""How results of pipelines are written on the terminal, by a run and by a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from audioclf.base.text import human_bytes

if TYPE_CHECKING:
    from audioclf.evaluation.comparison.result import Comparison

COSTS_HEADER = ("fit s", "predict ms/clip", "model", "memory")


def cost_columns(
    fit_seconds: float | None,
    predict_seconds_per_clip: float | None,
    model_bytes: float | None,
    peak_memory: float | None,
) -> list[str]:
    """Return what a pipeline costs, below `COSTS_HEADER`; n/a for what is not known."""
    sizes = (model_bytes, peak_memory)
    return [
        "n/a" if fit_seconds is None else f"{fit_seconds:.3g}",
        "n/a" if predict_seconds_per_clip is None else f"{1000 * predict_seconds_per_clip:.3g}",
        *("n/a" if size is None else human_bytes(size) for size in sizes),
    ]


def verdict_lines(comparison: Comparison) -> Iterator[str]:
    """Yield which pipeline is best and whether it beats the baseline, in sentences."""
    from audioclf.evaluation.comparison.result import baseline_sentence, verdict_sentence

    yield verdict_sentence(comparison)
    if len(comparison.pipelines) > 2 and comparison.baseline not in (None, comparison.pipelines[0]):
        yield baseline_sentence(comparison)
