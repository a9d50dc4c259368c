"""A finished run done again from its record, and compared stage by stage.

The stages are those of a run: dataset, features, folds, predictions, metrics. The first that
differs says where the two runs part; what follows it differs because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audioclf.base.errors import EXIT_DATA, EXIT_OK, PluginError
from audioclf.config.loading import load_config
from audioclf.experiment.resources import EngineName, Progress
from audioclf.experiment.run import run
from audioclf.runs.folder import CONFIG, RunFolder
from audioclf.runs.reading import SavedPipeline, SavedRun, read_run
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
    """How one stage of the replay compares with that of the run.

    Parameters
    ----------
    name : {"dataset", "features", "folds", "predictions", "metrics"}
    verdict : {"same", "within tolerance", "different"}
    detail : str
        What was compared, or the first difference.
    """

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
    """A run and its replay.

    Parameters
    ----------
    run, folder : Path
        Folders of the run and of the replay.
    stages : tuple of Stage
        In the order of a run.
    changes : tuple of Change
        Platform, Python and versions that differ from those of the record.
    """

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
    jobs: int | None = None,
    engine: EngineName = "local",
    scheduler: str | None = None,
    insecure_cluster: bool = False,
    registry: Registry | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Replay:
    """Run the config of a run folder again and compare what comes out.

    Features are computed anew: the cache would only show that it keeps what it was given.

    Parameters
    ----------
    path : path
        Folder of a finished run.
    overrides : iterable of str
        `key=value` each, as where the recordings have moved.
    out : path, optional
        Folder of the replay; by default a new one next to the run, `<run>-replay-<time>`.
    jobs, engine, scheduler, insecure_cluster, registry, progress
        As for `audioclf.run`.

    Raises
    ------
    ResultError
        If the folder holds no finished run, or one of its files is damaged.
    PluginError
        If a component of the run comes from a plugin that is not installed.
    AudioclfError
        For whatever keeps the run from being done again.

    Examples
    --------
    >>> from audioclf.experiment.replay import replay
    >>> replay("runs/barbie_puppy-20250101-120000").verdict  # doctest: +SKIP
    'same'
    """
    from audioclf.components.discovery import discover

    before = read_run(path)
    registry = discover() if registry is None else registry
    _check_plugins(before, registry)
    config = load_config(before.path / CONFIG, overrides=overrides, registry=registry)
    folder = Path(out) if out else _folder_beside(before.path, config.to_yaml())
    run(
        config,
        out=folder,
        jobs=jobs,
        engine=engine,
        scheduler=scheduler,
        insecure_cluster=insecure_cluster,
        cache=False,
        registry=registry,
        notify=(),
        progress=progress,
    )
    now = read_run(folder)
    return Replay(before.path, folder, compare(before, now), tuple(changes(before, now)))


def _check_plugins(saved: SavedRun, registry: Registry) -> None:
    for place, origin in saved.record.get("components", {}).items():
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
    if place == "dataset":
        return "loader"
    return "featurizer" if place.startswith("featurizers.") else "classifier"


def _folder_beside(run_folder: Path, config: str) -> Path:
    """Return the folder of a replay that was stopped, or a new one."""
    whole = run_folder.absolute()
    name = f"{whole.name}-replay"
    left = find_unfinished(whole.parent, name, config)
    return left or RunFolder.create_named(whole.parent, name).path


def compare(before: SavedRun, now: SavedRun) -> tuple[Stage, ...]:
    """Compare two runs stage by stage."""
    dataset, folds = _dataset(before, now), _folds(before, now)
    predictions = _predictions(before, now) if folds.verdict == "same" else _other_folds()
    features = _features(before, now, predictions)
    return dataset, features, folds, predictions, _metrics(before, now)


def _dataset(before: SavedRun, now: SavedRun) -> Stage:
    if before.fingerprint == now.fingerprint:
        return Stage("dataset", "same", f"{len(now.clips)} clips{_left_out(before, now)}")
    names = {clip.id for clip in before.clips}
    names_now = {clip.id for clip in now.clips}
    moved = [
        f"{len(found)} clips {what}, such as {min(found)!r}"
        for what, found in (("missing", names - names_now), ("new", names_now - names))
        if found
    ]
    detail = "; ".join(moved) or _other_content(before, now)
    return Stage("dataset", "different", detail)


def _left_out(before: SavedRun, now: SavedRun) -> str:
    """Say how many clips neither run could read, or one of them."""
    was, found = len(before.left_out), len(now.left_out)
    if was == found:
        return f", {found} left out by both" if found else ""
    return f"; {was} were left out, now {found}"


def _other_content(before: SavedRun, now: SavedRun) -> str:
    """Say which clips of the same names differ in label or content."""
    for what, pick in (("label", _label), ("content", _digest)):
        was = {clip.id: pick(clip) for clip in before.clips}
        found = [clip.id for clip in now.clips if pick(clip) != was[clip.id]]
        if found:
            return f"{len(found)} clips with another {what}, such as {min(found)!r}"
    return "the same clips with another fingerprint: their groups or published folds differ"


def _label(clip: Any) -> str:
    return str(clip.label)


def _digest(clip: Any) -> str:
    return str(clip.facts.get("sha256", ""))


def _features(before: SavedRun, now: SavedRun, predictions: Stage) -> Stage:
    """Compare checksums; they know no tolerance, so the predictions tell whether bits matter."""
    was, found = _feature_facts(before), _feature_facts(now)
    other = sorted(name for name in was | found if was.get(name) != found.get(name))
    if not other:
        return Stage("features", "same", f"checksums of {', '.join(was)}")
    if any(_shape(was, name) != _shape(found, name) for name in other):
        return Stage("features", "different", f"other columns or clips in {', '.join(other)}")
    if predictions.verdict != "different":
        detail = f"other bits in {', '.join(other)}, which move no prediction beyond the tolerance"
        return Stage("features", "within tolerance", detail)
    return Stage("features", "different", f"another checksum of {', '.join(other)}")


def _feature_facts(saved: SavedRun) -> dict[str, Any]:
    return dict(saved.record.get("features", {}))


def _shape(facts: dict[str, Any], name: str) -> Any:
    return facts.get(name, {}).get("shape")


def _folds(before: SavedRun, now: SavedRun) -> Stage:
    was, found = _tests(before), _tests(now)
    if was == found:
        return Stage("folds", "same", f"{len(found)} folds")
    if was.keys() != found.keys():
        return Stage("folds", "different", f"{len(found)} folds instead of {len(was)}, or others")
    repeat, name = next(key for key in was if was[key] != found[key])
    detail = f"other clips on the test side, first in fold {name!r} of repeat {repeat}"
    return Stage("folds", "different", detail)


def _tests(saved: SavedRun) -> dict[tuple[int, str], list[str]]:
    return {
        (fold.repeat, fold.name): [saved.clips[index].id for index in fold.test]
        for fold in saved.folds
    }


def _other_folds() -> Stage:
    return Stage("predictions", "different", "not of the same clips and folds")


def _predictions(before: SavedRun, now: SavedRun) -> Stage:
    was, found = _cells(before), _cells(now)
    if was.keys() != found.keys() or before.classes != now.classes:
        return Stage("predictions", "different", "other pipelines or classes")
    labels = [text for name in was for text in _other_labels(was[name], found[name], before, now)]
    count = sum(len(fold.y_pred) for pipeline in was.values() for fold in pipeline.folds)
    if labels:
        detail = f"{len(labels)} of {count} labels differ, such as {labels[0]}"
        return Stage("predictions", "different", detail)
    moved = max((_score_difference(was[name], found[name]) for name in was), default=0.0)
    verdict = _verdict(moved)
    scores = "" if verdict == "same" else f"; scores differ by up to {moved:.2g}"
    return Stage("predictions", verdict, f"{count} labels equal{scores}")


def _cells(saved: SavedRun) -> dict[str, SavedPipeline]:
    return {pipeline.name: pipeline for pipeline in saved.pipelines}


def _other_labels(
    was: SavedPipeline, found: SavedPipeline, before: SavedRun, now: SavedRun
) -> Iterator[str]:
    for one, other in zip(was.folds, found.folds, strict=True):
        for index, code, code_now in zip(one.fold.test, one.y_pred, other.y_pred, strict=True):
            if code != code_now:
                yield (
                    f"{before.clips[index].id!r} by {was.name!r} in fold {one.fold.name!r}: "
                    f"{now.classes[code_now]!r} instead of {before.classes[code]!r}"
                )


def _score_difference(was: SavedPipeline, found: SavedPipeline) -> float:
    """Return the largest difference of a score; infinite if one of the pipelines has none."""
    largest = 0.0
    for one, other in zip(was.folds, found.folds, strict=True):
        if (one.scores is None) != (other.scores is None):
            return float("inf")
        if one.scores is not None and other.scores is not None:
            largest = max(largest, float(abs(one.scores - other.scores).max(initial=0.0)))
    return largest


def _verdict(difference: float) -> Verdict:
    if difference == 0.0:
        return "same"
    return "within tolerance" if difference <= TOLERANCE else "different"


def _metrics(before: SavedRun, now: SavedRun) -> Stage:
    was, found = dict(_numbers(_found(before))), dict(_numbers(_found(now)))
    moved = {key: _difference(was.get(key), found.get(key)) for key in was | found}
    if not moved:
        return Stage("metrics", "same", "none")
    worst = max(moved, key=lambda key: moved[key])
    verdict = _verdict(moved[worst])
    if verdict == "same":
        return Stage("metrics", verdict, f"{len(found)} numbers")
    place = ".".join(worst)
    detail = f"{place}: {_short(found.get(worst))} instead of {_short(was.get(worst))}"
    return Stage("metrics", verdict, detail)


def _found(saved: SavedRun) -> dict[str, Any]:
    return {name: pipeline.get("metrics", {}) for name, pipeline in saved.pipeline_metrics.items()}


def _numbers(data: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each value of nested data with its place."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(data, Mapping):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    else:
        yield place, data
        return
    for key, value in items:
        yield from _numbers(value, (*place, str(key)))


def _difference(was: Any, found: Any) -> float:
    if was == found:
        return 0.0
    if isinstance(was, int | float) and isinstance(found, int | float):
        return abs(was - found)
    return float("inf")


def _short(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def changes(before: SavedRun, now: SavedRun) -> Iterator[Change]:
    """Yield what differs between the environments of two runs."""
    was, found = _environment(before), _environment(now)
    for name in was | found:
        if was.get(name) != found.get(name):
            yield Change(name, was.get(name), found.get(name))


def _environment(saved: SavedRun) -> dict[str, str]:
    versions = saved.record.get("versions", {})
    return {"platform": str(saved.record.get("platform", "")), **versions}
