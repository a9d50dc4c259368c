"""The built-in components: a plugin that imports `audioclf.plugin`, `dsp` and `dataset` alone.

Each hook imports its components, so that whoever needs one of them does not import all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.plugin import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audioclf.plugin import Augmenter, Classifier, Featurizer, Loader

AUDIOCLF_PLUGIN_API = 1


@hookimpl
def audioclf_loaders() -> Iterable[type[Loader]]:
    """Return the built-in loaders."""
    from audioclf.builtin.loaders.annotations import Annotations
    from audioclf.builtin.loaders.audiofolder import AudioFolder
    from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
    from audioclf.builtin.loaders.manifest import Manifest
    from audioclf.builtin.loaders.published import Esc50, UrbanSound8K
    from audioclf.builtin.loaders.reviewed import Reviewed

    return [
        Annotations,
        AudioFolder,
        Esc50,
        FolderDataset,
        Manifest,
        Reviewed,
        UrbanSound8K,
        ZipDataset,
    ]


@hookimpl
def audioclf_featurizers() -> Iterable[type[Featurizer]]:
    """Return the built-in featurizers."""
    from audioclf.builtin.featurizers.chroma import Chroma
    from audioclf.builtin.featurizers.concat import Concat
    from audioclf.builtin.featurizers.cqt import Cqt
    from audioclf.builtin.featurizers.mel import MelSpectrogram
    from audioclf.builtin.featurizers.mfcc import Mfcc
    from audioclf.builtin.featurizers.spectral_shape import SpectralShape
    from audioclf.builtin.featurizers.stft import Stft

    return [Chroma, Concat, Cqt, MelSpectrogram, Mfcc, SpectralShape, Stft]


@hookimpl
def audioclf_augmenters() -> Iterable[type[Augmenter]]:
    """Return the built-in augmenters."""
    from audioclf.builtin.augmenters.channel import Codec, Filter, Resample, Reverb
    from audioclf.builtin.augmenters.level import Clipping, Gain
    from audioclf.builtin.augmenters.noise import Background, Noise
    from audioclf.builtin.augmenters.time import Mask, Pitch, Shift, Stretch

    return [
        Background,
        Clipping,
        Codec,
        Filter,
        Gain,
        Mask,
        Noise,
        Pitch,
        Resample,
        Reverb,
        Shift,
        Stretch,
    ]


@hookimpl
def audioclf_classifiers() -> Iterable[type[Classifier]]:
    """Return the built-in classifiers."""
    from audioclf.builtin.classifiers.anomaly import (
        IsolationForest,
        LocalOutlierFactor,
        NearestNormal,
        OneClassSvm,
    )
    from audioclf.builtin.classifiers.dummy import Dummy
    from audioclf.builtin.classifiers.ensemble import Stack, Vote
    from audioclf.builtin.classifiers.forests import ExtraTrees, RandomForest
    from audioclf.builtin.classifiers.gradient_boosting import GradientBoosting
    from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting
    from audioclf.builtin.classifiers.knn import Knn, KnnRegressor
    from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
    from audioclf.builtin.classifiers.mixup import Mixup
    from audioclf.builtin.classifiers.regressors import (
        DummyRegressor,
        GradientBoostingRegressor,
        RandomForestRegressor,
        Ridge,
        Svr,
    )
    from audioclf.builtin.classifiers.sgd import Sgd
    from audioclf.builtin.classifiers.svm import Svm
    from audioclf.builtin.classifiers.tuned import Tuned

    return [
        Dummy,
        DummyRegressor,
        ExtraTrees,
        GradientBoosting,
        GradientBoostingRegressor,
        HistGradientBoosting,
        IsolationForest,
        Knn,
        KnnRegressor,
        LocalOutlierFactor,
        LogisticRegression,
        Mixup,
        NearestNormal,
        OneClassSvm,
        RandomForest,
        RandomForestRegressor,
        Ridge,
        Sgd,
        Stack,
        Svm,
        Svr,
        Tuned,
        Vote,
    ]
