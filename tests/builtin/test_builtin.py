from pathlib import Path

import pluggy
import pytest

from audioclf import builtin
from audioclf.components import hookspecs
from audioclf.plugin import PLUGIN_API
from tests.conftest import imported_by


def declared(hook: str) -> list[str]:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(builtin)
    manager.check_pending()
    (classes,) = getattr(manager.hook, hook)()
    return [cls.type_name() for cls in classes]


@pytest.mark.parametrize(
    ("hook", "names"),
    [
        (
            "audioclf_loaders",
            {
                "annotations",
                "audiofolder",
                "esc50",
                "folder",
                "manifest",
                "reviewed",
                "urbansound8k",
            }
            | {"zip"},
        ),
        ("audioclf_featurizers", {"chroma", "concat", "cqt", "mel", "mfcc", "spectral", "stft"}),
        (
            "audioclf_classifiers",
            {
                "dummy",
                "dummy_regressor",
                "extra_trees",
                "gradient_boosting",
                "gradient_boosting_regressor",
                "hist_gradient_boosting",
                "isolation_forest",
                "knn",
                "knn_regressor",
                "local_outlier_factor",
                "logistic_regression",
                "mixup",
                "nearest_normal",
                "one_class_svm",
                "random_forest",
                "random_forest_regressor",
                "ridge",
                "sgd",
                "stack",
                "svm",
                "svr",
                "tuned",
                "vote",
            },
        ),
    ],
)
def test_each_component_is_declared_once(hook: str, names: set[str]) -> None:
    found = declared(hook)
    assert len(found) == len(names)
    assert set(found) == names


def test_the_contract_is_declared() -> None:
    assert builtin.AUDIOCLF_PLUGIN_API == PLUGIN_API


WORK = """
import sys
from pathlib import Path
import numpy as np
from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.stft import Stft
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
clips = [*FolderDataset(path=Path({0!r})).load(), *ZipDataset(path=Path({1!r})).load()]
y = decode(clips[0].source, AudioConfig()).y
assert len(clips[-1].source.digest()) == 64
assert not {{"scipy", "soundfile"}} & sys.modules.keys()
mel = MelSpectrogram(normalize="mean_variance", n_steps=10, warp=1.1)
for featurizer in (mel, Stft(window="hamming"), Mfcc(deltas=2)):
    featurizer.extract(y, 22050)
"""


def test_local_pcm_is_read_and_featurized_without_large_libraries(
    sounds: Path, sounds_zip: Path
) -> None:
    unneeded = ["fsspec", "aiohttp", "librosa", "numba", "scipy.signal"]
    code = WORK.format(str(sounds), str(sounds_zip))
    assert imported_by(code, [*unneeded, "soxr", "zipfile"]) == {"soxr", "zipfile"}
