"""The public interface for plugin authors.

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

Import heavy libraries inside the verb, as above: listing plugins must stay fast. Loaders share a
toolkit: `list_files`, `label_clips` for labels from paths, `read_table`, `read_rows` and
`make_dataset` for labels from tables, `cut_at_marks` and `cut_windows` for annotated recordings.
"""

from typing import TYPE_CHECKING

from audioclf.base.errors import (
    AudioclfError,
    ClassifierError,
    ConfigError,
    DatasetError,
    DecodeError,
    EnvironmentMissingError,
    FeatureError,
)
from audioclf.base.settings import Settings
from audioclf.components.augmenter import Augmenter
from audioclf.components.batches import Batches
from audioclf.components.classifier import Classifier
from audioclf.components.embedding import Embedding
from audioclf.components.featurizer import Featurizer
from audioclf.components.fields import (
    AnyAugmenter,
    AnyClassifier,
    AnyFeaturizer,
    AnyLoader,
    InputPath,
)
from audioclf.components.finished_run import FinishedRun
from audioclf.components.hookspecs import PLUGIN_API, hookimpl
from audioclf.components.loader import Loader
from audioclf.components.metrics import METRICS, SearchMetric
from audioclf.components.onnx_graph import NotInOnnxError, OnnxGraph
from audioclf.components.pooling import Flatten, Pooling, Stats
from audioclf.components.weights import Weights, models_folder
from audioclf.dataset.archive import open_archive
from audioclf.dataset.cutting import Cut, Mark, WindowRule, cut_at_marks, cut_windows
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.decoders import DecodedFile, Decoder
from audioclf.dataset.label_cells import Labels
from audioclf.dataset.listing import is_archive, list_archive, list_files, list_folder
from audioclf.dataset.path_labels import (
    LabelPattern,
    common_folders,
    is_audio,
    is_published_split,
    label_clips,
)
from audioclf.dataset.remote import display_name
from audioclf.dataset.sources import (
    AudioSource,
    FileSource,
    Listing,
    PartSource,
    RemoteSource,
    Span,
    ZipSource,
)
from audioclf.dataset.table_rows import (
    ColumnName,
    Columns,
    LabeledRow,
    clip_id,
    make_dataset,
    read_number,
    read_rows,
    unused_columns,
)
from audioclf.dataset.tables import Table, missing_column, read_csv, read_table, read_text
from audioclf.dsp.resampling import resample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.audio.reader import AudioInfo

__all__ = [
    "METRICS",
    "PLUGIN_API",
    "AnyAugmenter",
    "AnyClassifier",
    "AnyFeaturizer",
    "AnyLoader",
    "AudioSource",
    "AudioclfError",
    "Augmenter",
    "Batches",
    "Classifier",
    "ClassifierError",
    "Clip",
    "ColumnName",
    "Columns",
    "ConfigError",
    "Cut",
    "Dataset",
    "DatasetError",
    "DecodeError",
    "DecodedFile",
    "Decoder",
    "Embedding",
    "EnvironmentMissingError",
    "FeatureError",
    "Featurizer",
    "FileSource",
    "FinishedRun",
    "Flatten",
    "InputPath",
    "LabelPattern",
    "LabeledRow",
    "Labels",
    "Listing",
    "Loader",
    "Mark",
    "NotInOnnxError",
    "OnnxGraph",
    "PartSource",
    "Pooling",
    "RemoteSource",
    "SearchMetric",
    "Settings",
    "Span",
    "Stats",
    "Table",
    "Weights",
    "WindowRule",
    "ZipSource",
    "clip_id",
    "common_folders",
    "cut_at_marks",
    "cut_windows",
    "decode",
    "display_name",
    "hookimpl",
    "inspect",
    "is_archive",
    "is_audio",
    "is_published_split",
    "label_clips",
    "list_archive",
    "list_files",
    "list_folder",
    "make_dataset",
    "missing_column",
    "models_folder",
    "open_archive",
    "read_csv",
    "read_number",
    "read_rows",
    "read_table",
    "read_text",
    "resample",
    "unused_columns",
]


def decode(
    source: AudioSource, *, sr: int, offset: float = 0.0, duration: float | None = None
) -> "NDArray[np.float32]":
    """Return a recording, or a part of it, as a clip is decoded.

    Parameters
    ----------
    source : AudioSource
    sr : int
        Sample rate in Hz to which it is resampled.
    offset : float
        Seconds that are passed over at its start.
    duration : float, optional
        Most seconds that are read; all of it by default.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,)], float32
        Mono waveform, the average of the channels.

    Raises
    ------
    DecodeError
        If it cannot be decoded, or has no samples there.
    """
    from audioclf.audio.decode import decode
    from audioclf.audio.settings import AudioConfig

    return decode(source, AudioConfig(sr=sr, offset=offset, duration=duration)).y


def inspect(source: AudioSource) -> "AudioInfo":
    """Return what the header of a file says, above all its length, without decoding a sample.

    Raises
    ------
    DecodeError
        If the file cannot be read, is no audio, is cut short, or its header cannot be true.
    """
    from audioclf.audio.decode import inspect

    return inspect(source)
