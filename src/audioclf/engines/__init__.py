"""Engines: work in this process, in threads, in processes, on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from audioclf.base.errors import ConfigError
from audioclf.engines.adaptive import AdaptiveEngine
from audioclf.engines.base import Engine, WorkerDiedError, WorkerError
from audioclf.engines.local import ProcessEngine, SerialEngine, ThreadEngine

__all__ = [
    "AdaptiveEngine",
    "Engine",
    "ProcessEngine",
    "SerialEngine",
    "ThreadEngine",
    "WorkerDiedError",
    "WorkerError",
    "make_engine",
]


def make_engine(
    name: Literal["local", "dask"],
    *,
    jobs: int,
    scheduler: str | None = None,
    insecure: bool = False,
    isolate: bool = False,
    seconds: float | None = None,
    required: Mapping[str, str] | None = None,
    modules: Iterable[str] = (),
    later: Iterable[str] = (),
) -> Engine:
    """Return the engine that a user chose, with `jobs` threads or processes where it is local.

    With `isolate` all work is done in processes, also with one job, so that a crash costs one item
    and an item that takes longer than `seconds` is ended. `scheduler` is the address for Dask,
    whose workers must have the distributions of `required`; `insecure` accepts one without TLS.
    Worker processes of this machine need the `modules`, and for some work those of `later`.
    """
    if name == "dask":
        if seconds is not None:
            raise ConfigError(
                "time limits need worker processes of this machine, but the engine is dask",
                hint="Leave out --clip-seconds and --fit-seconds, or --engine dask.",
            )
        from audioclf.engines.dask import DaskEngine

        if scheduler is None:
            raise ConfigError(
                "the engine dask needs the address of a scheduler",
                hint="Add --scheduler tls://HOST:PORT.",
            )
        return DaskEngine(scheduler, insecure=insecure, required=required)
    if scheduler is not None or insecure:
        raise ConfigError(
            "a scheduler is given, but the engine is local, which needs none",
            hint="Add --engine dask, or leave out --scheduler and --insecure-cluster.",
        )
    if isolate:
        return ProcessEngine(jobs, seconds, modules, later)
    # One job gets a thread, too: in the main thread a signal could interrupt a library's callback,
    # which would lose the signal and truncate the clip.
    return ThreadEngine(1) if jobs == 1 else AdaptiveEngine(jobs, modules, later)
