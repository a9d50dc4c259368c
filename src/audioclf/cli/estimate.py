"""`audioclf estimate REVIEWED...`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.base.errors import ConfigError
from audioclf.cli import options
from audioclf.cli.terminal import complain_each, format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.evaluation.metrics.estimate import Estimate
    from audioclf.evaluation.sampling.estimates import Threshold
    from audioclf.experiment.review.estimating import Estimates


def estimate(
    reviewed: Annotated[
        list[Path],
        typer.Argument(metavar="REVIEWED", help="Tables of answers to one list, as of review."),
    ],
    precision: Annotated[
        float | None, typer.Option(help="Find the lowest threshold with this precision or more.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Estimate events, precision and recall in all recordings from reviews."""
    if precision is not None and not 0 < precision < 1:
        raise ConfigError(f"--precision {precision:g}: a number between 0 and 1 is expected")
    from audioclf.experiment.review.estimating import estimates_of

    estimates = estimates_of(reviewed, precision)
    complain_each("note", estimates.notes)
    say(json_text(estimates.data()) if as_json else "\n".join(describe(estimates, precision)))


def describe(estimates: Estimates, precision: float | None) -> Iterator[str]:
    """Yield the tables of estimates."""
    rows = [[name, *_total(value, estimates.n_windows)] for name, value in estimates.events.items()]
    if len(estimates.target) > 1:
        rows.append(
            [
                "any of " + ", ".join(estimates.target),
                *_total(estimates.any_event, estimates.n_windows),
            ]
        )
    yield format_table(["class", "windows with it", "share of all"], rows)
    yield ""
    what = " or ".join(estimates.target[:3]) + (" ..." if len(estimates.target) > 3 else "")
    yield f"{what}, by score:"
    highest = ["up", *(f"to {band.low:.4g}" for band in estimates.bands)]
    bands = [
        [f"{band.low:.4g} {end}", f"{band.n_windows:,}", str(band.n_reviewed), str(band.n_events)]
        for band, end in zip(estimates.bands, highest, strict=False)
    ]
    for row, band in zip(bands, estimates.bands, strict=True):
        row.append(str(band.precision))
    yield format_table(["score", "windows", "reviewed", "with it", "share with it"], bands)
    yield ""
    thresholds = [_row(item) for item in reversed(estimates.thresholds)]
    yield format_table(["threshold", "windows", "precision", "recall"], thresholds)
    if precision is not None:
        yield ""
        chosen = "none" if estimates.wanted is None else f"{estimates.wanted.score:.6g}"
        yield f"lowest threshold with a precision of at least {precision:g}: {chosen}"
    for item in estimates.agreements:
        yield ""
        yield str(item)
    yield ""
    yield (
        f"[{estimates.n_reviewed} of {estimates.n_windows:,} windows reviewed; 95 % intervals of "
        f"the draw; {estimates.more:,} more reviews make them half as long]"
    )


def _total(value: Estimate, n_windows: int) -> list[str]:
    ends = [f"{end:,.0f}" for end in (value.value, value.low, value.high)]
    shares = [f"{end / n_windows:.3f}" for end in (value.value, value.low, value.high)]
    return [f"{one} [{low}, {high}]" for one, low, high in (ends, shares)]


def _row(item: Threshold) -> list[str]:
    number = f"{item.score:.6g}"
    return [number, f"{item.n_windows:,}", str(item.precision), str(item.recall)]
