"""Writing of finished runs to the store of MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.environment_variables import MLFLOW_EXPERIMENT_ID, MLFLOW_EXPERIMENT_NAME
from mlflow.tracking import get_tracking_uri

from audioclf_mlflow.entries import IDENTITY_TAG, Entry, cell_entries, identity, run_entry, times

if TYPE_CHECKING:
    from audioclf.plugin import FinishedRun

MAX_BATCH = 100
"""Items of one request; MLflow takes 1,000 metrics and 100 parameters or tags."""

_PARENT = "mlflow.parentRunId"
_NOTE = "mlflow.note.content"


def log_run(run: FinishedRun) -> str:
    """Log a run with its pipelines and files, once, and return a sentence on its place.

    MlflowException if the store cannot be reached or refuses data; unfinished entries are marked
    as failed.
    """
    client = MlflowClient()
    experiment = _experiment(client, run)
    where = f"experiment {experiment.name!r} of {get_tracking_uri()}"
    before = _logged_before(client, experiment.experiment_id, run)
    if before is not None:
        return f"was logged before, as run {before} in {where}"
    run_id = _Log(client, experiment.experiment_id, run).write()
    return f"logged as run {run_id} in {where}"


def _experiment(client: Any, run: FinishedRun) -> Any:
    """Return the experiment of MLflow's variables, else one with the name of the run."""
    number = MLFLOW_EXPERIMENT_ID.get()
    if number:
        return client.get_experiment(number)
    name = MLFLOW_EXPERIMENT_NAME.get() or run.name
    found = client.get_experiment_by_name(name)
    return found or client.get_experiment(client.create_experiment(name))


def _logged_before(client: Any, experiment_id: str, run: FinishedRun) -> str | None:
    found = client.search_runs(
        [experiment_id],
        f"tags.`{IDENTITY_TAG}` = '{identity(run)}' and attributes.status = 'FINISHED'",
        max_results=1,
    )
    return str(found[0].info.run_id) if found else None


class _Log:
    """One run on its way into the store."""

    def __init__(self, client: Any, experiment_id: str, run: FinishedRun) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self.run = run
        self.started, self.ended = times(run)

    def write(self) -> str:
        """Write the run; mark it as failed if it cannot be completed."""
        entry = run_entry(self.run)
        note = "\n".join(self.run.record["notes"])
        run_id = self._begin(entry, {_NOTE: note[:5000]} if note else {})
        try:
            self._fill(run_id, entry)
            for pipeline in cell_entries(self.run):
                child = self._begin(pipeline, {_PARENT: run_id})
                self._fill(child, pipeline)
                self._end(child, "FINISHED")
            for path in self.run.files:
                inside = path.parent.relative_to(self.run.folder).as_posix()
                self.client.log_artifact(run_id, str(path), None if inside == "." else inside)
        except BaseException:
            self._end(run_id, "FAILED")
            raise
        self._end(run_id, "FINISHED")
        return run_id

    def _begin(self, entry: Entry, tags: dict[str, str]) -> str:
        made = self.client.create_run(
            self.experiment_id, start_time=self.started, tags=tags, run_name=entry.name
        )
        return str(made.info.run_id)

    def _fill(self, run_id: str, entry: Entry) -> None:
        for tags in _blocks([RunTag(*item) for item in entry.tags.items()]):
            self.client.log_batch(run_id, tags=tags)
        for params in _blocks([Param(*item) for item in entry.params.items()]):
            self.client.log_batch(run_id, params=params)
        points = [Metric(each.key, each.value, self.ended, each.step) for each in entry.metrics]
        for metrics in _blocks(points):
            self.client.log_batch(run_id, metrics=metrics)

    def _end(self, run_id: str, status: str) -> None:
        self.client.set_terminated(run_id, status, self.ended)


def _blocks(items: Sequence[Any]) -> Iterator[list[Any]]:
    source = iter(items)
    while block := list(islice(source, MAX_BATCH)):
        yield block
