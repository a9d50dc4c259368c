"""All that a plugin author imports, and nothing else.

A plugin is a distribution with an entry point in the group `audioclf` that names a module. The
module implements one or more hooks with `@hookimpl`; each returns component classes:

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

from audioclf.archive import open_archive
from audioclf.components import (
    AnyClassifier,
    AnyFeaturizer,
    AnyLoader,
    Classifier,
    Featurizer,
    InputPath,
    Loader,
)
from audioclf.dataset import AudioSource, Clip, Dataset, FileSource, RemoteSource, ZipSource
from audioclf.errors import (
    AudioclfError,
    ClassifierError,
    DatasetError,
    DecodeError,
    EnvironmentMissingError,
    FeatureError,
)
from audioclf.hookspecs import PLUGIN_API, hookimpl
from audioclf.pooling import Flatten, Pooling, Stats
from audioclf.remote import display_name

__all__ = [
    "PLUGIN_API",
    "AnyClassifier",
    "AnyFeaturizer",
    "AnyLoader",
    "AudioSource",
    "AudioclfError",
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
    "Flatten",
    "InputPath",
    "Loader",
    "Pooling",
    "RemoteSource",
    "Stats",
    "ZipSource",
    "display_name",
    "hookimpl",
    "open_archive",
]
