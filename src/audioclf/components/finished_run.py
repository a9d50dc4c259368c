"""A finished run as plain data, for plugins with the hook `audioclf_run_finished`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FinishedRun:
    """Contents of the folder of a finished run; all files are complete.

    Parameters
    ----------
    folder : Path
        The folder, absolute.
    config : mapping
        `config.yaml`: the resolved config.
    record : mapping
        `record.json`: versions, origin of every component, dataset fingerprint, seconds, notes.
    metrics : mapping
        `metrics.json`: of each pipeline every metric with its interval and its value on each fold,
        best pipeline first.
    files : tuple of Path
        All files in the folder, sorted; `report.html`, `model.audioclf` and `plots/` where the run
        has them.
    """

    folder: Path
    config: Mapping[str, Any]
    record: Mapping[str, Any]
    metrics: Mapping[str, Any]
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Name of the run, as its config has it."""
        return str(self.config["name"])
