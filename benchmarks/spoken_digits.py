"""Score every classifier and featurizer on the spoken digits, for docs/guides/spoken_digits.md.

    python benchmarks/spoken_digits.py [--only TEXT] [--again] [--limit SECONDS] [--data ZIP]

Each row is configs/spoken_digits_best.yaml with another featurizer or classifier in its place,
evaluated as a run does, on the official split and on leave-one-speaker-out. Finished rows are kept
in spoken_digits.json beside this file, and only rows that are missing or have changed are run, so a
new row costs itself alone; `--limit` stops before a row that would begin later, and the next call
goes on there. CPU seconds are user + system of one thread: those of the features of all clips, and
those of fits and predictions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from digit_rows import PLAIN, ROWS, SVM, VTLP, Row
from measure import ONE_THREAD, REPO

os.environ.update(ONE_THREAD)

from audioclf import load_config
from audioclf.base.machine import single_threaded
from audioclf.components.discovery import discover
from audioclf.components.registry import Registry
from audioclf.config.run_config import RunConfig
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.metrics.estimate import estimate
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import LeaveOneGroupOut, Predefined, Split
from audioclf.experiment.grid import pipelines_of
from audioclf.features.extraction import Extraction, extract

CONFIG = REPO / "configs" / "spoken_digits_best.yaml"
KEPT = Path(__file__).with_suffix(".json")
PAGE = REPO / "docs" / "guides" / "spoken_digits.md"
SEED = 42
SPLITS: dict[str, Split] = {
    "official": Predefined(test_folds=("0", "1", "2", "3", "4")),
    "speakers": LeaveOneGroupOut(),
}
BEST = Row("steps", "best", {**PLAIN, "augment": VTLP}, SVM)


def key_of(row: Row) -> str:
    """Return the key of a finished row: a digest of its featurizer and classifier."""
    told = json.dumps([row.featurizer, row.classifier], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@cache
def registry() -> Registry:
    return discover()


def config_of(row: Row, data: Path) -> RunConfig:
    overrides = [
        f"dataset.path={data}",
        f"featurizers={json.dumps({'f': row.featurizer})}",
        f"classifiers={json.dumps({'c': row.classifier})}",
    ]
    return load_config(CONFIG, overrides=overrides, registry=registry())


@lru_cache(maxsize=1)
def extracted(config_json: str) -> tuple[Extraction, float]:
    """Return the features of all clips and the CPU seconds, for rows that follow each other."""
    row, data = json.loads(config_json)
    config = config_of(Row(**row), Path(data))
    dataset = config.dataset.load()
    start = time.process_time()
    found = extract(dataset, config.audio, config.featurizers)
    return found, time.process_time() - start


def scored(row: Row, data: Path) -> dict[str, Any]:
    """Evaluate a row as a run does, and return its numbers."""
    same = {"table": "", "name": "", "featurizer": row.featurizer, "classifier": {"type": "dummy"}}
    with single_threaded():
        # Rows that leave out clips cannot be compared.
        extraction, seconds = extracted(json.dumps([same, str(data)]))
        if extraction.failed:
            raise SystemExit(f"{row.name}: {extraction.failed[0].message}")
        found: dict[str, Any] = {"features": {"cpu": round(seconds, 2)}}
        cell = pipelines_of(config_of(row, data), registry())[0]
        for name, split in SPLITS.items():
            found[name] = _evaluated(cell, extraction, split)
    return found


def _evaluated(cell: Pipeline, extraction: Extraction, split: Split) -> dict[str, Any]:
    dataset = extraction.dataset
    targets = dataset.targets
    splits = split.folds(dataset, SEED)
    start = time.process_time()
    (result,) = evaluate([cell], extraction.matrices, targets, splits, seed=SEED)
    cpu = time.process_time() - start
    accuracy = estimate(result, "accuracy", targets, seed=SEED)
    assert accuracy is not None
    counts: dict[str, dict[str, list[int]]] = {}
    for fold in result.folds:
        for clip, code in zip(fold.fold.test.tolist(), fold.y_pred.tolist(), strict=True):
            digits = counts.setdefault(str(dataset.clips[clip].group), {})
            digits.setdefault(dataset.clips[clip].label, [0] * 10)[code] += 1
    return {
        "accuracy": [round(each, 4) for each in (accuracy.value, accuracy.low, accuracy.high)],
        "cpu": round(cpu, 2),
        "confusion": {name: dict(sorted(counts[name].items())) for name in sorted(counts)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    data = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))
    default = data / "free_spoken_digits.zip"
    parser.add_argument("--only", default="", help="only rows whose table or name holds this text")
    parser.add_argument("--again", action="store_true", help="also rows that are finished")
    parser.add_argument("--limit", type=float, default=1e9, help="begin no row after these seconds")
    parser.add_argument("--data", type=Path, default=default, help="zip of the recordings")
    options = parser.parse_args()
    start = time.monotonic()
    for row in ROWS:
        wanted = options.only in f"{row.table} {row.name}"
        if not wanted or (key_of(row) in finished() and not options.again):
            continue
        if time.monotonic() - start > options.limit:
            break
        found = scored(row, options.data.resolve())
        print(row.table, row.name, *(found[split]["accuracy"] for split in SPLITS), flush=True)
        kept = {**finished(), key_of(row): found}
        kept = {key: kept[key] for key in map(key_of, ROWS) if key in kept}
        KEPT.write_text(json.dumps(kept) + "\n", encoding="utf-8")
    write_page(finished())


def finished() -> dict[str, Any]:
    """Return the rows that are finished, by their keys."""
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    return kept


def write_page(kept: dict[str, Any]) -> None:
    """Put the tables between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in tables(kept).items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- end of {name} -->")
        text = f"{before}<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- end of {name} -->{after}"
    PAGE.write_text(text, encoding="utf-8")


def tables(kept: dict[str, Any]) -> dict[str, list[str]]:
    found = {name: list(_scores(kept, name)) for name in ("steps", "classifiers", "featurizers")}
    return {**found, "chosen": list(_chosen(kept)), "confusion": list(_confusion(kept))}


def _scores(kept: dict[str, Any], table: str) -> Iterator[str]:
    yield "| | official split | new speakers | features, CPU s | 1 fit | 6 fits |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS:
        if row.table != table:
            continue
        found = kept.get(key_of(row))
        if found is None:
            yield f"| {row.name} | not run yet | | | | |"
            continue
        official, speakers = (found[split] for split in SPLITS)
        cpu = (found["features"]["cpu"], official["cpu"], speakers["cpu"])
        seconds = " | ".join(f"{each:.0f}" if each >= 10 else f"{each:.1f}" for each in cpu)
        yield f"| {row.name} | {_interval(official)} | {_interval(speakers)} | {seconds} |"


def _interval(found: dict[str, Any]) -> str:
    value, low, high = found["accuracy"]
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _accuracy(confusion: dict[str, Sequence[int]]) -> float:
    right = sum(counts[int(digit)] for digit, counts in confusion.items())
    return right / sum(map(sum, confusion.values()))


def _chosen(kept: dict[str, Any]) -> Iterator[str]:
    """Yield for each speaker the step that is best on the other five, and its accuracy."""
    rows = [row for row in ROWS if row.table == "steps" and key_of(row) in kept]
    if not rows:
        yield "Not run yet."
        return
    by_row = [kept[key_of(row)]["speakers"]["confusion"] for row in rows]
    scores = [{name: _accuracy(found[name]) for name in found} for found in by_row]
    values = []
    yield "| speaker | row chosen by the other five | accuracy of that row on the speaker |"
    yield "|---|---|---|"
    for speaker in scores[0]:
        others = [sum(v for name, v in each.items() if name != speaker) for each in scores]
        best = others.index(max(others))
        values.append(scores[best][speaker])
        yield f"| {speaker} | {rows[best].name} | {values[-1]:.3f} |"
    yield f"| mean | | {sum(values) / len(values):.3f} |"


def _confusion(kept: dict[str, Any]) -> Iterator[str]:
    """Yield the recall of each digit by speaker, with the most frequent wrong digit."""
    found = kept.get(key_of(BEST))
    if found is None:
        yield "Not run yet."
        return
    confusion = found["speakers"]["confusion"]
    yield "| speaker | " + " | ".join(map(str, range(10))) + " | all |"
    yield "|---|" + "---|" * 11
    total = {str(digit): [0] * 10 for digit in range(10)}
    for speaker, digits in confusion.items():
        cells = [_cell(digits[str(digit)], digit) for digit in range(10)]
        yield f"| {speaker} | {' | '.join(cells)} | {_accuracy(digits):.2f} |"
        for digit, counts in digits.items():
            total[digit] = [a + b for a, b in zip(total[digit], counts, strict=True)]
    cells = [_cell(total[str(digit)], digit) for digit in range(10)]
    yield f"| all | {' | '.join(cells)} | {_accuracy(total):.2f} |"


def _cell(counts: Sequence[int], digit: int) -> str:
    """Return the recall, and the most frequent wrong digit if it reaches a tenth."""
    recall = counts[digit] / sum(counts)
    wrong = max((n, other) for other, n in enumerate(counts) if other != digit)
    return f"{recall:.2f}" + (f" ({wrong[1]})" if wrong[0] >= 0.1 * sum(counts) else "")


if __name__ == "__main__":
    main()
