"""What decides the speed of a run and nothing else: jobs, engine, isolation, cache, time limits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audioclf.base.limits import use_limits
from audioclf.base.machine import available_cores, single_threaded

if TYPE_CHECKING:
    from audioclf.config.run_config import RunConfig
    from audioclf.engines.base import Engine
    from audioclf.features.cache import FeatureCache


_MODULES = (
    "scipy.fft",
    "audioclf.features.worker",
    "audioclf.features.extraction",
    "audioclf.builtin.featurizers.mfcc",
    "audioclf.audit",
)
"""Modules that worker processes of a run need for features."""

_LATER = (
    "sklearn.pipeline",
    "sklearn.linear_model",
    "audioclf.evaluation.cross_validation",
    "audioclf.experiment.auditing",
    "matplotlib.figure",
    "audioclf.experiment.media",
    "audioclf.experiment.final_model",
)
"""Modules that they need for all other work."""

MANY_CLIPS = 2_000
"""Clips from which on features, fits and audits take longer than the start of worker processes."""

EngineName = Literal["local", "dask"]


def begin_early(config: Path, jobs: int | None, overrides: Sequence[str] = ()) -> None:
    """Begin the start of worker processes if a config or an override names a folder of many files.

    So they import their libraries while this process still looks for plugins and clips.
    """
    from audioclf.config.yaml_source import parse_yaml, read_yaml
    from audioclf.engines.local import ProcessEngine

    with suppress(Exception):  # the run itself says what is wrong
        named = [
            text
            for key, _, text in (item.partition("=") for item in overrides)
            if key.strip() == "dataset.path"
        ]
        if named:
            folder = Path(parse_yaml(named[-1], "--set").data)
        elif config.is_file():  # a pipe can be read only once
            folder = config.absolute().parent / read_yaml(config).data["dataset"]["path"]
        else:
            return
        counts = accumulate(len(files) for _, _, files in os.walk(folder))
        if (jobs or available_cores()) > 1 and any(count >= MANY_CLIPS for count in counts):
            ProcessEngine.begin_early(_MODULES, _LATER)


@dataclass(frozen=True)
class Resources:
    """Where a run works: what decides its speed and nothing else."""

    jobs: int = field(default_factory=available_cores)
    engine: EngineName = "local"
    scheduler: str | None = None
    insecure: bool = False
    isolate: bool = False
    cache_folder: Path | None = None
    clip_seconds: float | None = None
    fit_seconds: float | None = None

    @property
    def limit(self) -> float | None:
        """Either limit, where there is one."""
        return self.clip_seconds or self.fit_seconds

    def make_engine(self, required: Mapping[str, str] | None = None) -> Engine:
        """Return the engine that works with these resources."""
        from audioclf.engines import make_engine

        return make_engine(
            self.engine,
            jobs=self.jobs,
            scheduler=self.scheduler,
            insecure=self.insecure,
            isolate=self.isolate,
            seconds=self.clip_seconds if self.engine == "local" else self.limit,
            required=required,
            modules=_MODULES,
            later=_LATER,
        )

    def store_of_fits(self, of_run: Path, problems: Sequence[str]) -> FeatureCache:
        """Return the feature cache, else one for this run alone; `problems` are those with it."""
        from audioclf.features.cache import FeatureCache

        if self.cache_folder is not None and not problems:
            cache = FeatureCache(self.cache_folder)
            if cache.can_write():
                return cache
        return FeatureCache(of_run, max_bytes=None)

    @contextmanager
    def at_work(self, config: RunConfig) -> Iterator[Engine]:
        """Give an engine within the limits of a config, which may ask for isolation by itself."""
        own = replace(self, isolate=self.isolate or config.isolate)
        with single_threaded(), use_limits(config.limits), own.make_engine() as engine:
            yield engine


def cache_folder_or_default(cache_dir: str | Path | None) -> Path:
    """Return the folder of the feature cache."""
    from audioclf.features.cache import default_folder

    return default_folder() if cache_dir is None else Path(cache_dir)
