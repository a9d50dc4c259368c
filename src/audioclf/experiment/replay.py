"""Replay of a finished run, and comparison of the two stage by stage.

The stages are dataset, features, folds, predictions and metrics. The first that is different is the
cause of the differences after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.base.errors import EXIT_DATA, EXIT_OK, PluginError, ResultError
from audioclf.config.loading import load_config
from audioclf.experiment.run import run
from audioclf.runs.folder import CONFIG, LEARNING_CURVE, PIPELINES, RECORD, RunFolder
from audioclf.runs.reading import SavedPipeline, SavedRun, read_run
from audioclf.runs.tables import naming
from audioclf.runs.working_folder import find_unfinished

if TYPE_CHECKING:
    from audioclf.components.component import Kind
    from audioclf.components.registry import Registry

TOLERANCE = 1e-6
"""Largest difference of a score or a metric that is within tolerance."""

Verdict = Literal["same", "within tolerance", "different"]

_ORDER: tuple[Verdict, ...] = ("same", "within tolerance", "different")


@dataclass(frozen=True)
class Stage:
    """How one stage of the replay compares with that of the run."""

    name: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True)
class Change:
    """What differs in the environment; None where it is missing."""

    name: str
    recorded: str | None
    now: str | None


@dataclass(frozen=True)
class Replay:
    """A run and its replay."""

    run: Path
    folder: Path
    stages: tuple[Stage, ...]
    changes: tuple[Change, ...]

    @property
    def verdict(self) -> Verdict:
        """That of the stage which differs most."""
        return max((stage.verdict for stage in self.stages), key=_ORDER.index)

    @property
    def first_different(self) -> str | None:
        """Name of the first stage that is different."""
        return next((s.name for s in self.stages if s.verdict == "different"), None)

    @property
    def exit_code(self) -> int:
        """0 if nothing is different, else 3."""
        return EXIT_DATA if self.verdict == "different" else EXIT_OK


def replay(
    path: str | Path,
    *,
    overrides: Iterable[str] = (),
    out: str | Path | None = None,
    registry: Registry | None = None,
    **options: Any,
) -> Replay:
    """Run the config of a run folder again and compare what comes out.

    Features are computed anew: the cache would only show that it keeps what it was given. The
    replay goes to `out`, by default a new folder next to the run, `<run>-replay-<time>`. The
    `options` are jobs, engine and progress of `audioclf.run`.

    >>> from audioclf.experiment.replay import replay
    >>> replay("runs/barbie_puppy-20250101-120000").verdict  # doctest: +SKIP
    'same'
    """
    from audioclf.components.discovery import discover

    before = read_run(path)
    if any(pipeline.get("model") for pipeline in before.pipeline_metrics.values()):
        raise ResultError(
            f"{path}: an evaluation of finished models cannot be replayed: nothing was fitted",
            hint="Evaluate the models again: audioclf evaluate MODEL... DATA.",
        )
    registry = discover() if registry is None else registry
    _check_plugins(before, registry)
    config = load_config(before.path / CONFIG, overrides=overrides, registry=registry)
    folder = Path(out) if out else _folder_beside(before.path, config.to_yaml())
    run(config, out=folder, cache=False, registry=registry, notify=(), **options)
    now = read_run(folder)
    return Replay(before.path, folder, compare(before, now), tuple(changes(before, now)))


def _check_plugins(saved: SavedRun, registry: Registry) -> None:
    for place, origin in saved.record.get("components", {}).items():
        with naming(saved.path / RECORD):
            kind, type_name = _kind(place), str(origin["type"])
        if type_name in registry.types(kind):
            continue
        what = f"{saved.path}: {place} is the {kind} {type_name!r}"
        if origin["distribution"] is None:
            raise PluginError(f"{what} of no plugin, which no config can name")
        source = f"{origin['distribution']} {origin['version']}"
        raise PluginError(
            f"{what} of {source}, which is not installed or does not load",
            hint=f"Install {source}; `audioclf plugins` lists what there is.",
        )


def _kind(place: str) -> Kind:
    kinds: dict[str, Kind] = {"dataset": "loader", "featurizers": "featurizer"}
    kinds |= {"augment": "augmenter", "classifiers": "classifier"}
    return kinds[place.partition(".")[0]]


def _folder_beside(run_folder: Path, config: str) -> Path:
    """Return the folder of a replay that was stopped, or a new one."""
    whole = run_folder.absolute()
    name = f"{whole.name}-replay"
    left = find_unfinished(whole.parent, name, config)
    return left or RunFolder.create_named(whole.parent, name).path


def compare(before: SavedRun, now: SavedRun) -> tuple[Stage, ...]:
    """Compare two runs stage by stage."""
    dataset, folds = _dataset(before, now), _folds(before, now)
    if folds.verdict == "same":
        predictions = _predictions(before, now)
    else:
        predictions = Stage("predictions", "different", "not of the same clips and folds")
    features = _features(before, now, predictions)
    return dataset, features, folds, predictions, _metrics(before, now)


def _dataset(before: SavedRun, now: SavedRun) -> Stage:
    if before.fingerprint == now.fingerprint:
        count, count_now = len(before.left_out), len(now.left_out)
        left_out = f", {count} left out by both" if count else ""
        if count != count_now:
            left_out = f"; {count} were left out, now {count_now}"
        return Stage("dataset", "same", f"{len(now.clips)} clips{left_out}")
    names, names_now = ({clip.id for clip in run.clips} for run in (before, now))
    changes = [
        f"{len(clips)} clips {change}, such as {min(clips)!r}"
        for change, clips in (("missing", names - names_now), ("new", names_now - names))
        if clips
    ]
    return Stage("dataset", "different", "; ".join(changes) or _other_content(before, now))


def _other_content(before: SavedRun, now: SavedRun) -> str:
    """Return which clips of the same names differ in label or content."""
    values: dict[str, Callable[[Any], str]] = {
        "label": lambda clip: str(clip.label),
        "content": lambda clip: str(clip.facts.get("sha256", "")),
    }
    for name, value in values.items():
        earlier = {clip.id: value(clip) for clip in before.clips}
        changed = [clip.id for clip in now.clips if value(clip) != earlier[clip.id]]
        if changed:
            return f"{len(changed)} clips with another {name}, such as {min(changed)!r}"
    return "the same clips with another fingerprint: their groups or published folds differ"


def _features(before: SavedRun, now: SavedRun, predictions: Stage) -> Stage:
    """Compare checksums, which have no tolerance: the predictions show whether bits matter."""
    facts, facts_now = (dict(run.record.get("features", {})) for run in (before, now))
    names = facts | facts_now
    changed = sorted(name for name in names if facts.get(name) != facts_now.get(name))
    if not changed:
        return Stage("features", "same", f"checksums of {', '.join(facts)}")
    listed = ", ".join(changed)
    shapes = [
        (facts.get(name, {}).get("shape"), facts_now.get(name, {}).get("shape")) for name in changed
    ]
    if any(shape != shape_now for shape, shape_now in shapes):
        return Stage("features", "different", f"other columns or clips in {listed}")
    if predictions.verdict != "different":
        detail = f"other bits in {listed}, which move no prediction beyond the tolerance"
        return Stage("features", "within tolerance", detail)
    return Stage("features", "different", f"another checksum of {listed}")


def _folds(before: SavedRun, now: SavedRun) -> Stage:
    tests, tests_now = _tests(before), _tests(now)
    if tests == tests_now:
        return Stage("folds", "same", f"{len(tests)} folds")
    if tests.keys() != tests_now.keys():
        detail = f"{len(tests_now)} folds instead of {len(tests)}, or others"
        return Stage("folds", "different", detail)
    repeat, name = next(key for key in tests if tests[key] != tests_now[key])
    detail = f"other clips on the test side, first in fold {name!r} of repeat {repeat}"
    return Stage("folds", "different", detail)


def _tests(saved: SavedRun) -> dict[tuple[int, str], list[str]]:
    return {
        (fold.repeat, fold.name): [saved.clips[index].id for index in fold.test]
        for fold in saved.folds
    }


def _predictions(before: SavedRun, now: SavedRun) -> Stage:
    pipelines, pipelines_now = (
        {item.name: item for item in run.pipelines} for run in (before, now)
    )
    if pipelines.keys() != pipelines_now.keys() or before.classes != now.classes:
        return Stage("predictions", "different", "other pipelines or classes")
    pairs = [(pipelines[name], pipelines_now[name]) for name in pipelines]
    changed = [text for pair in pairs for text in _other_labels(*pair, before, now)]
    count = sum(len(fold.y_pred) for pipeline in pipelines.values() for fold in pipeline.folds)
    if changed:
        detail = f"{len(changed)} of {count} labels differ, such as {changed[0]}"
        return Stage("predictions", "different", detail)
    difference = max((_score_difference(*pair) for pair in pairs), default=0.0)
    verdict = _verdict(difference)
    scores = "" if verdict == "same" else f"; scores differ by up to {difference:.2g}"
    return Stage("predictions", verdict, f"{count} labels equal{scores}")


def _other_labels(
    pipeline: SavedPipeline, pipeline_now: SavedPipeline, before: SavedRun, now: SavedRun
) -> Iterator[str]:
    for fold, fold_now in zip(pipeline.folds, pipeline_now.folds, strict=True):
        codes = zip(fold.fold.test, fold.y_pred, fold_now.y_pred, strict=True)
        for index, code, code_now in codes:
            if np.any(code != code_now):
                yield (
                    f"{before.clips[index].id!r} by {pipeline.name!r} in fold {fold.fold.name!r}: "
                    f"{now.label_of(code_now)!r} instead of {before.label_of(code)!r}"
                )


def _score_difference(pipeline: SavedPipeline, pipeline_now: SavedPipeline) -> float:
    """Return the largest difference of a score; infinite if only one pipeline has scores."""
    largest = 0.0
    for fold, fold_now in zip(pipeline.folds, pipeline_now.folds, strict=True):
        if (fold.scores is None) != (fold_now.scores is None):
            return float("inf")
        if fold.scores is not None and fold_now.scores is not None:
            largest = max(largest, float(abs(fold.scores - fold_now.scores).max(initial=0.0)))
    return largest


def _verdict(difference: float) -> Verdict:
    if difference == 0.0:
        return "same"
    return "within tolerance" if difference <= TOLERANCE else "different"


def _metrics(before: SavedRun, now: SavedRun) -> Stage:
    values, values_now = dict(_numbers(before)), dict(_numbers(now))
    differences = {
        place: _difference(values.get(place), values_now.get(place))
        for place in values | values_now
    }
    if not differences:
        return Stage("metrics", "same", "none")
    worst = max(differences, key=lambda place: differences[place])
    verdict = _verdict(differences[worst])
    if verdict == "same":
        return Stage("metrics", verdict, f"{len(values_now)} numbers")
    value, value_now = _short(values.get(worst)), _short(values_now.get(worst))
    return Stage("metrics", verdict, f"{worst}: {value_now} instead of {value}")


def _numbers(saved: SavedRun) -> Iterator[tuple[str, Any]]:
    """Yield each value of the metrics of all pipelines with its place."""
    for name, pipeline in saved.metrics[PIPELINES].items():
        yield from _leaves(pipeline.get("metrics", {}), name)
    curve = saved.file(f"{LEARNING_CURVE}.json") or {}
    yield from _leaves(curve.get(PIPELINES, {}), "learning curve")


def _leaves(data: Any, place: str) -> Iterator[tuple[str, Any]]:
    items: Iterable[tuple[Any, Any]]
    if isinstance(data, Mapping):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    else:
        yield place, data
        return
    for key, value in items:
        yield from _leaves(value, f"{place}.{key}")


def _difference(value: Any, value_now: Any) -> float:
    if value == value_now:
        return 0.0
    if isinstance(value, int | float) and isinstance(value_now, int | float):
        return abs(value - value_now)
    return float("inf")


def _short(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def changes(before: SavedRun, now: SavedRun) -> Iterator[Change]:
    """Yield what differs between the environments of two runs."""
    recorded, current = _environment(before), _environment(now)
    for name in recorded | current:
        if recorded.get(name) != current.get(name):
            yield Change(name, recorded.get(name), current.get(name))


def _environment(saved: SavedRun) -> dict[str, str]:
    versions = saved.record.get("versions", {})
    return {"platform": str(saved.record.get("platform", "")), **versions}
