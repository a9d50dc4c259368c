import subprocess
import sys

import pluggy
import pytest

from audioclf import builtin
from audioclf.components import hookspecs
from audioclf.plugin import PLUGIN_API


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


def test_importing_the_builtins_imports_no_heavy_library() -> None:
    heavy = "numpy scipy sklearn librosa numba soundfile soxr matplotlib joblib pandas xgboost"
    code = f"import sys, audioclf.builtin; print(sorted(set({heavy.split()!r}) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
