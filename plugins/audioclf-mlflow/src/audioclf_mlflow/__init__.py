"""Finished runs of audioclf in MLflow: `audioclf run CONFIG --notify mlflow`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.plugin import hookimpl

if TYPE_CHECKING:
    from audioclf.plugin import FinishedRun

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_run_finished(result: FinishedRun) -> str:
    """Log a finished run to the store of MLflow's variables, and return a sentence on its place."""
    from audioclf_mlflow.store import log_run

    return log_run(result)
