"""Compare the power and the false alarms of the two kinds of forests of the audit of shortcuts.

    python benchmarks/shortcut_power.py --clips 5000 --tables 40

Tables of facts of two classes differ in one way each, or in none. For each kind the tables are
counted that seem to predict the class, with the mean balanced accuracy and the CPU time of a table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audioclf.audit.shortcuts import probe
from audioclf.audit.shortcuts.probe import Column, ShortcutProbe
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.splits import StratifiedKFold

Table = np.ndarray
Change = Callable[[Table, Table, np.random.Generator], None]


def shifted(distance: float) -> Change:
    def change(table: Table, y: Table, rng: np.random.Generator) -> None:
        table[:, 0] += distance * y

    return change


def interaction(table: Table, y: Table, rng: np.random.Generator) -> None:
    """Let the signs of two facts be equal in 60 % of one class and in 40 % of the other."""
    equal = (rng.random(len(y)) < 0.6) == (y == 1)
    table[:, 1] = np.abs(table[:, 1]) * np.where(equal, 1, -1) * np.sign(table[:, 0])


def rare(table: Table, y: Table, rng: np.random.Generator) -> None:
    """Give 4 % of one class a value that no other clip has."""
    table[:, 0] = (y == 1) & (rng.random(len(y)) < 0.04)


def outliers(table: Table, y: Table, rng: np.random.Generator) -> None:
    """Shift one class, and let a few clips lie far outside."""
    table[:, 0] += 0.15 * y
    table[rng.choice(len(y), 5), 0] = 1e4


CHANGES: dict[str, Change] = {
    "none": shifted(0.0),
    "median shifted by 0.1 deviations": shifted(0.1),
    "by 0.15, with five outliers": outliers,
    "two facts together": interaction,
    "4 % of one class": rare,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--tables", type=int, default=40)
    arguments = parser.parse_args()
    y = np.arange(arguments.clips) % 2
    clips = [Clip(f"{at:06d}", "ab"[code], FileSource(Path("none"))) for at, code in enumerate(y)]
    dataset = Dataset(clips, name="made")
    folds = StratifiedKFold().folds(dataset, 0).folds
    print("| difference | searched | drawn |\n|---|---|---|")
    for name, change in CHANGES.items():
        cells = []
        for many in (arguments.clips, 0):
            probe.MANY = many
            results, started = [], time.process_time()
            for seed in range(arguments.tables):
                rng = np.random.default_rng(seed)
                table = rng.standard_normal((arguments.clips, 7))
                change(table, y, rng)
                columns = [Column(str(at), False, values) for at, values in enumerate(table.T)]
                results.append(ShortcutProbe(dataset, folds, seed).fit(columns))
            seconds = (time.process_time() - started) / len(results)
            count = sum(result.above_chance for result in results)
            mean = np.mean([result.estimate.value for result in results])
            cells.append(f"{count} of {len(results)}, {mean:.3f}, {seconds:.2f} s")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
