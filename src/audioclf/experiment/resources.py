"""What decides the speed of a run and nothing else: jobs, engine, isolation, cache, time limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from audioclf.engines.base import Engine


EngineName = Literal["local", "dask"]


@dataclass(frozen=True)
class Resources:
    """Where a run works: what decides its speed and nothing else."""

    jobs: int
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
        )


def cache_folder_or_default(cache_dir: str | Path | None) -> Path:
    """Return the folder of the feature cache."""
    from audioclf.features.cache import default_folder

    return default_folder() if cache_dir is None else Path(cache_dir)
