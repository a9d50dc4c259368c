"""One run: from a config to results that stand in a folder.

The story is `_Run.go`; everything else here is a step of it, or a look ahead at it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.components import Component
from audioclf.config import RunConfig, load_config
from audioclf.dataset import Dataset
from audioclf.discovery import discover
from audioclf.errors import EXIT_DATA, EXIT_OK, AudioclfError, DatasetError, PluginError
from audioclf.registry import Registry
from audioclf.runfolder import CONFIG, LEDGER, RECORD, RunFolder
from audioclf.system import available_cores, platform_name, single_threaded, versions_behind

if TYPE_CHECKING:
    from audioclf.evaluation import Cell
    from audioclf.features import Extraction
    from audioclf.results import RunResult

BASELINE = "baseline"
"""Name of the cell that knows nothing but how frequent the classes are."""

MAX_LISTED = 20

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def run(
    config: RunConfig | str | Path,
    *,
    overrides: Iterable[str] = (),
    out: str | Path | None = None,
    jobs: int | None = None,
    registry: Registry | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> RunResult:
    """Load, extract, split, train, evaluate, and leave a run folder.

    Parameters
    ----------
    config : RunConfig or path
        A config, or the YAML file of one.
    overrides : iterable of str
        `key=value` each, for a config that is a file.
    out : path, optional
        Folder of the results; by default a new one below `runs/`.
    jobs : int, optional
        Threads and processes to use; by default as many as there are cores. The results are the
        same for any number.
    registry : Registry, optional
        The plugins to use; by default those that are installed.
    progress : callable, optional

    Returns
    -------
    result : RunResult

    Raises
    ------
    AudioclfError
        For whatever the user can mend; `exit_code` says of which kind it is.

    Examples
    --------
    >>> import audioclf
    >>> result = audioclf.run("configs/barbie_puppy.yaml")  # doctest: +SKIP
    >>> result["gradient_boosting"].metrics["accuracy"].value  # doctest: +SKIP
    """
    config, registry = _ready(config, overrides, registry)
    folder = (
        RunFolder.create(Path(out)) if out else RunFolder.create_named(Path("runs"), config.name)
    )
    with single_threaded():
        return _Run(config, registry, folder, jobs or available_cores(), progress).go()


def _ready(
    config: RunConfig | str | Path, overrides: Iterable[str], registry: Registry | None
) -> tuple[RunConfig, Registry]:
    registry = discover() if registry is None else registry
    if not isinstance(config, RunConfig):
        config = load_config(config, overrides=overrides, registry=registry)
    return config, registry


class _Run:
    """The steps of a run, in the order in which they are taken."""

    def __init__(
        self,
        config: RunConfig,
        registry: Registry,
        folder: RunFolder,
        jobs: int,
        progress: Progress,
    ) -> None:
        self.config = config
        self.registry = registry
        self.folder = folder
        self.jobs = jobs
        self.progress = progress
        self.seconds: dict[str, float] = {}

    def go(self) -> RunResult:
        """Take every step; `record.json`, written last, marks the run as complete."""
        from audioclf.evaluation import evaluate, make_splits
        from audioclf.results import codes_of, summarise, write_results

        self.folder.write_text(CONFIG, self.config.to_yaml())
        with self._timed("load"):
            dataset = load_dataset(self.config, self.registry)
            check_feasible(self.config, dataset)
        with self._timed("features"):
            extraction = self._extract(dataset)
            splits = make_splits(extraction.dataset, self.config.split, self.config.seed)
        with self._timed("evaluate"):
            results = evaluate(
                cells_of(self.config, self.registry),
                extraction.matrices,
                codes_of(extraction.dataset),
                splits,
                seed=self.config.seed,
                jobs=self.jobs,
                progress=lambda done, total: self.progress("fitting", done, total),
            )
        with self._timed("report"):
            result = summarise(self.config, self.folder, extraction, splits, results)
            write_results(self.folder, result, extraction, splits, results)
        self.folder.write_json(RECORD, self._record(result, extraction))
        return result

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - started, 4)

    def _extract(self, dataset: Dataset) -> Extraction:
        from audioclf.features import extract
        from audioclf.results import write_ledger

        extraction = extract(
            dataset,
            self.config.audio,
            self.config.featurizers,
            jobs=self.jobs,
            describe=lambda featurizer: describe(featurizer, self.registry),
            progress=lambda done, total: self.progress("reading", done, total),
        )
        write_ledger(self.folder, extraction.ledger)
        if extraction.failed and self.config.on_error == "fail":
            raise _unreadable(dataset, extraction, self.folder)
        return extraction

    def _record(self, result: RunResult, extraction: Extraction) -> dict[str, Any]:
        from audioclf import __version__

        dataset = extraction.dataset
        origins = _origins(self.config, self.registry)
        behind = {origin["distribution"] or "audioclf" for origin in origins.values()}
        return {
            "format": 1,
            "audioclf": __version__,
            "name": self.config.name,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "platform": platform_name(),
            "versions": versions_behind(behind | {"audioclf"}),
            "components": origins,
            "seed": self.config.seed,
            "jobs": self.jobs,
            "dataset": {
                "name": dataset.name,
                "fingerprint": extraction.fingerprint,
                "clips": len(dataset),
                "failed": result.n_failed,
                "classes": dataset.class_counts,
                "groups": len({clip.group for clip in dataset if clip.group is not None}),
            },
            "features": {
                name: {"shape": list(extraction.matrices[name].shape), "sha256": digest}
                for name, digest in extraction.feature_hashes().items()
            },
            "split": result.splits,
            "notes": list(result.notes),
            "seconds": self.seconds,
        }


def load_dataset(config: RunConfig, registry: Registry) -> Dataset:
    """Load the dataset that a config names.

    Raises
    ------
    AudioclfError
        What the loader says of its source.
    PluginError
        If the loader itself fails.
    """
    try:
        dataset = config.dataset.load()
    except AudioclfError:
        raise
    except Exception as exc:
        who = describe(config.dataset, registry)
        raise PluginError(f"loader {who} raised {type(exc).__name__}: {exc}") from exc
    if not isinstance(dataset, Dataset):
        who = describe(config.dataset, registry)
        raise PluginError(f"loader {who} returned {type(dataset).__name__} instead of a Dataset")
    return dataset


def check_feasible(config: RunConfig, dataset: Dataset) -> None:
    """Refuse a dataset that the config's metrics or split cannot take, before any work is done."""
    from audioclf.evaluation import check_metrics, make_splits

    check_metrics(config.metrics, dataset.classes)
    make_splits(dataset, config.split, config.seed)


def describe(component: Component, registry: Registry) -> str:
    """Return the name of a component with the distribution and version that bring it."""
    origin = registry.origin_of(component)
    source = f"{origin.distribution} {origin.version}" if origin else "not from a plugin"
    return f"{component.type_name()}, {source}"


def cells_of(config: RunConfig, registry: Registry) -> list[Cell]:
    """Return the grid of a config, with the baseline that every result table shows."""
    from audioclf.evaluation import Cell

    single = len(config.featurizers) == 1
    cells = [
        Cell(
            name if single else f"{feature_name}/{name}",
            feature_name,
            name,
            classifier,
            describe(classifier, registry),
        )
        for feature_name in config.featurizers
        for name, classifier in config.classifiers.items()
    ]
    if any(cell.classifier.type_name() == "dummy" for cell in cells):
        return cells
    dummy: Any = registry.resolve("classifier", "dummy")()
    name = BASELINE if all(cell.name != BASELINE for cell in cells) else f"{BASELINE}_"
    first = next(iter(config.featurizers))
    return [*cells, Cell(name, first, name, dummy, describe(dummy, registry))]


def _origins(config: RunConfig, registry: Registry) -> dict[str, dict[str, str | None]]:
    components: dict[str, Component] = {
        "dataset": config.dataset,
        **{f"featurizers.{name}": item for name, item in config.featurizers.items()},
        **{f"classifiers.{name}": item for name, item in config.classifiers.items()},
    }
    return {name: _origin_data(item, registry) for name, item in components.items()}


def _origin_data(component: Component, registry: Registry) -> dict[str, str | None]:
    origin = registry.origin_of(component)
    return {
        "type": component.type_name(),
        "distribution": origin.distribution if origin else None,
        "version": origin.version if origin else None,
        "entry_point": origin.entry_point if origin else None,
    }


def _unreadable(dataset: Dataset, extraction: Extraction, folder: RunFolder) -> DatasetError:
    messages = [row.message for row in extraction.failed]
    return DatasetError(
        f"{dataset.name}: {len(messages)} of {len(extraction.ledger)} clips cannot be used, "
        f"nothing was trained:{_listed(messages)}",
        hint=f"All are listed in {folder.path / LEDGER}. Mend or remove them, or leave them out "
        "with `on_error: skip`.",
    )


def _listed(messages: list[str]) -> str:
    more = len(messages) - MAX_LISTED
    shown = "".join(f"\n  {message}" for message in messages[:MAX_LISTED])
    return shown + (f"\n  and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class RunPreview:
    """What a run would do.

    Parameters
    ----------
    dataset : str
        Name of the dataset.
    n_clips : int
    class_counts : dict of str to int
    seconds : float
        Audio that would be read, in s.
    cells : tuple of str
    splits : str
    n_fits : int
    unreadable : tuple of str
        One message for each clip whose header is refused.
    notes : tuple of str
    """

    dataset: str
    n_clips: int
    class_counts: dict[str, int]
    seconds: float
    cells: tuple[str, ...]
    splits: str
    n_fits: int
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0, or 3 when some clips cannot be read."""
        return EXIT_DATA if self.unreadable else EXIT_OK


def preview(
    config: RunConfig | str | Path,
    *,
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
) -> RunPreview:
    """Validate a config and what it points to, without decoding or training.

    Parameters
    ----------
    config, overrides, registry
        As in `run`.

    Raises
    ------
    AudioclfError
        As `run` would.
    """
    from audioclf.evaluation import make_splits

    config, registry = _ready(config, overrides, registry)
    dataset = load_dataset(config, registry)
    check_feasible(config, dataset)
    splits = make_splits(dataset, config.split, config.seed)
    cells = cells_of(config, registry)
    seconds, unreadable = _inspect(dataset, config)
    return RunPreview(
        dataset=dataset.name,
        n_clips=len(dataset),
        class_counts=dataset.class_counts,
        seconds=seconds,
        cells=tuple(cell.name for cell in cells),
        splits=splits.description,
        n_fits=len(cells) * len(splits.folds),
        unreadable=tuple(unreadable),
        notes=(*dataset.notes, *splits.notes),
    )


def _inspect(dataset: Dataset, config: RunConfig) -> tuple[float, list[str]]:
    from audioclf.audio import inspect
    from audioclf.errors import DecodeError

    seconds, unreadable = 0.0, []
    for clip in dataset:
        try:
            info = inspect(clip.source)
        except DecodeError as exc:
            unreadable.append(exc.message)
        else:
            rest = max(0.0, info.seconds - config.audio.offset)
            seconds += min(rest, config.audio.duration or rest)
    return seconds, unreadable
