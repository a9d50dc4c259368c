"""The components that come along: an ordinary plugin.

One component, one module. All of them import `audioclf.plugin` and, inside their verbs, the heavy
libraries, as a plugin of anybody else would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.builtin.annotations import Annotations
from audioclf.builtin.audiofolder import AudioFolder
from audioclf.builtin.chroma import Chroma
from audioclf.builtin.concat import Concat
from audioclf.builtin.cqt import Cqt
from audioclf.builtin.dummy import Dummy
from audioclf.builtin.esc50 import Esc50
from audioclf.builtin.extra_trees import ExtraTrees
from audioclf.builtin.folder import FolderDataset
from audioclf.builtin.gradient_boosting import GradientBoosting
from audioclf.builtin.hist_gradient_boosting import HistGradientBoosting
from audioclf.builtin.knn import Knn
from audioclf.builtin.logistic_regression import LogisticRegression
from audioclf.builtin.manifest import Manifest
from audioclf.builtin.mel import MelSpectrogram
from audioclf.builtin.mfcc import Mfcc
from audioclf.builtin.random_forest import RandomForest
from audioclf.builtin.sgd import Sgd
from audioclf.builtin.spectral_shape import SpectralShape
from audioclf.builtin.stft import Stft
from audioclf.builtin.svm import Svm
from audioclf.builtin.tuned import Tuned
from audioclf.builtin.urbansound8k import UrbanSound8K
from audioclf.builtin.zip import ZipDataset
from audioclf.plugin import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audioclf.plugin import Classifier, Featurizer, Loader

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_loaders() -> Iterable[type[Loader]]:
    """Return the built-in loaders."""
    return [
        Annotations,
        AudioFolder,
        Esc50,
        FolderDataset,
        Manifest,
        UrbanSound8K,
        ZipDataset,
    ]


@hookimpl
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the built-in featurizers."""
    return [Chroma, Concat, Cqt, MelSpectrogram, Mfcc, SpectralShape, Stft]


@hookimpl
def audioclf_classifiers() -> Iterable[type[Classifier]]:
    """Return the built-in classifiers."""
    return [
        Dummy,
        ExtraTrees,
        GradientBoosting,
        HistGradientBoosting,
        Knn,
        LogisticRegression,
        RandomForest,
        Sgd,
        Svm,
        Tuned,
    ]
