"""audioclf: plugin-based audio classification with honest numbers.

>>> import audioclf
>>> audioclf.AudioclfError("a sentence", hint="Do this.").hint
'Do this.'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from audioclf.errors import AudioclfError

if TYPE_CHECKING:
    from audioclf.config import RunConfig, load_config
    from audioclf.dataset import Clip, Dataset
    from audioclf.experiment import run
    from audioclf.inference import Model, load
    from audioclf.registry import Registry
    from audioclf.results import CellSummary, RunResult

__version__ = "0.1.0.dev0"

__all__ = [
    "AudioclfError",
    "CellSummary",
    "Clip",
    "Dataset",
    "Model",
    "Registry",
    "RunConfig",
    "RunResult",
    "__version__",
    "load",
    "load_config",
    "run",
]

_HOMES = {
    "CellSummary": "audioclf.results",
    "Clip": "audioclf.dataset",
    "Dataset": "audioclf.dataset",
    "Model": "audioclf.inference",
    "Registry": "audioclf.registry",
    "RunConfig": "audioclf.config",
    "RunResult": "audioclf.results",
    "load": "audioclf.inference",
    "load_config": "audioclf.config",
    "run": "audioclf.experiment",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use, so that `import audioclf` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'audioclf' has no attribute {name!r}")
