"""All that a plugin author imports, and nothing else.

A plugin is a distribution with an entry point in the group `audioclf` that names a module. The
module implements one or more hooks with `@hookimpl`. Those of components return classes:

>>> from typing import Literal
>>> from audioclf.plugin import Classifier, hookimpl
>>> class NearestCentroid(Classifier):
...     '''The class whose mean is nearest.'''
...     type: Literal["nearest_centroid"] = "nearest_centroid"
...     def build(self, *, random_state):
...         from sklearn.neighbors import NearestCentroid
...         return NearestCentroid()
>>> @hookimpl
... def audioclf_classifiers():
...     return [NearestCentroid]

Import heavy libraries inside the verb, as above: listing plugins must stay fast.
"""

from typing import TYPE_CHECKING

from audioclf.base.errors import (
    AudioclfError,
    ClassifierError,
    DatasetError,
    DecodeError,
    EnvironmentMissingError,
    FeatureError,
)
from audioclf.components.batches import Batches
from audioclf.components.classifier import Classifier
from audioclf.components.featurizer import Featurizer
from audioclf.components.fields import AnyClassifier, AnyFeaturizer, AnyLoader, InputPath
from audioclf.components.finished_run import FinishedRun
from audioclf.components.hookspecs import PLUGIN_API, hookimpl
from audioclf.components.loader import Loader
from audioclf.components.metrics import METRICS, SearchMetric
from audioclf.components.pooling import Flatten, Pooling, Stats
from audioclf.dataset.archive import open_archive
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.remote import display_name
from audioclf.dataset.sources import (
    AudioSource,
    FileSource,
    PartSource,
    RemoteSource,
    Span,
    ZipSource,
)

if TYPE_CHECKING:
    from audioclf.audio.decode import AudioInfo

__all__ = [
    "METRICS",
    "PLUGIN_API",
    "AnyClassifier",
    "AnyFeaturizer",
    "AnyLoader",
    "AudioSource",
    "AudioclfError",
    "Batches",
    "Classifier",
    "ClassifierError",
    "Clip",
    "Dataset",
    "DatasetError",
    "DecodeError",
    "EnvironmentMissingError",
    "FeatureError",
    "Featurizer",
    "FileSource",
    "FinishedRun",
    "Flatten",
    "InputPath",
    "Loader",
    "PartSource",
    "Pooling",
    "RemoteSource",
    "SearchMetric",
    "Span",
    "Stats",
    "ZipSource",
    "display_name",
    "hookimpl",
    "inspect",
    "open_archive",
]


def inspect(source: AudioSource) -> "AudioInfo":
    """Return what the header of a file says, above all its length, without decoding a sample.

    Raises
    ------
    DecodeError
        If the file cannot be read, is no audio, is cut short, or its header cannot be true.
    """
    from audioclf.audio.decode import inspect

    return inspect(source)
