"""audioclf: plugin-based audio classification with honest numbers.

>>> import audioclf
>>> audioclf.AudioclfError("a sentence", hint="Do this.").hint
'Do this.'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from audioclf._version import __version__
from audioclf.base.errors import AudioclfError

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.config.loading import load_config
    from audioclf.config.run_config import RunConfig
    from audioclf.dataset.dataset import Clip, Dataset
    from audioclf.experiment.run import run
    from audioclf.models.bundle.reading import load
    from audioclf.models.model import Model
    from audioclf.runs.results import CellSummary, PipelineSummary, RunResult

__all__ = [
    "AudioclfError",
    "CellSummary",
    "Clip",
    "Dataset",
    "Model",
    "PipelineSummary",
    "Registry",
    "RunConfig",
    "RunResult",
    "__version__",
    "load",
    "load_config",
    "run",
]

_HOMES = {
    "CellSummary": "audioclf.runs.results",
    "Clip": "audioclf.dataset.dataset",
    "Dataset": "audioclf.dataset.dataset",
    "Model": "audioclf.models.model",
    "PipelineSummary": "audioclf.runs.results",
    "Registry": "audioclf.components.registry",
    "RunConfig": "audioclf.config.run_config",
    "RunResult": "audioclf.runs.results",
    "load": "audioclf.models.bundle.reading",
    "load_config": "audioclf.config.loading",
    "run": "audioclf.experiment.run",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use, so that `import audioclf` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'audioclf' has no attribute {name!r}")
