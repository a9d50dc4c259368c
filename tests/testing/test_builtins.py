"""The built-in components keep what every component promises."""

import atexit
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from audioclf.base.machine import single_threaded
from audioclf.builtin import (
    audioclf_augmenters,
    audioclf_classifiers,
    audioclf_featurizers,
    audioclf_loaders,
)
from audioclf.builtin.augmenters.noise import Background
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
from audioclf.builtin.featurizers.clip_options import TrimSilence
from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.cqt import Cqt
from audioclf.builtin.featurizers.mel import MelSpectrogram, Vtlp
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.loaders.annotations import Annotations
from audioclf.builtin.loaders.audiofolder import AudioFolder
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.builtin.loaders.manifest import Manifest
from audioclf.builtin.loaders.published import Esc50, UrbanSound8K
from audioclf.builtin.loaders.reviewed import Reviewed
from audioclf.components.classifier import Classifier
from audioclf.components.component import Component
from audioclf.testing import checks_for, example_sounds, run_checks
from audioclf.testing.common import expect_check_of
from audioclf.testing.parametrize import component_id
from tests.conftest import zip_folder

_PAIR: dict[str, Classifier] = {"knn": Knn(), "logistic": LogisticRegression()}
FEATURIZERS: list[Component] = [
    *(cls() for cls in audioclf_featurizers() if cls not in (Concat, Cqt)),
    MelSpectrogram(power=1.0, db=None),
    Concat.model_validate({"parts": {"mel": MelSpectrogram(), "mfcc": Mfcc()}}),
    Mfcc(augment=Vtlp(test_time=True)),
    MelSpectrogram(trim_silence=TrimSilence()),
    Concat.model_validate({"parts": {"mel": MelSpectrogram(augment=Vtlp()), "mfcc": Mfcc()}}),
]
QUICK = [
    ExtraTrees(n_estimators=10),
    GradientBoosting(n_estimators=10),
    HistGradientBoosting(max_iter=20),
    Knn(),
    LogisticRegression(),
    RandomForest(n_estimators=10),
    Sgd(max_iter=100),
    Svm(),
    Svm(probability=True),
    DummyRegressor(),
    GradientBoostingRegressor(n_estimators=20),
    KnnRegressor(),
    RandomForestRegressor(n_estimators=10),
    Ridge(),
    Svr(),
    Tuned(classifier=Ridge(), search={"alpha": (1.0, 10.0)}, n_splits=2),
    Tuned(classifier=Knn(), search={"n_neighbors": (1, 3)}, n_splits=2),
    NearestNormal(),
    LocalOutlierFactor(),
    OneClassSvm(),
    Vote(classifiers=_PAIR, weights={"knn": 2}),
    Stack(classifiers=_PAIR, n_splits=2),
]
SLOW: list[Component] = [
    Cqt(),
    ExtraTrees(),
    GradientBoosting(),
    HistGradientBoosting(),
    IsolationForest(n_estimators=10),
    Mixup(classifier=Svm()),
    RandomForest(),
    Stack(classifiers={"svm": Svm(), "vote": Vote(classifiers=_PAIR)}, n_splits=2),
]


def loaders() -> list[Component]:
    root = Path(mkdtemp(prefix="audioclf-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    sounds = example_sounds()
    wavs = sorted(sounds.rglob("*.wav"))
    table = root / "table.csv"
    rows = [f"{path.relative_to(sounds).as_posix()},{path.parent.name}\n" for path in wavs]
    table.write_text("path,label\n" + "".join(rows))
    return [
        FolderDataset(path=sounds),
        AudioFolder(path=sounds),
        ZipDataset(path=zip_folder(sounds, root / "sounds.zip")),
        Manifest(path=table, root=sounds),
        Annotations(path=annotated(root / "marked", wavs)),
        Reviewed(path=reviewed(root / "review", wavs)),
        Esc50(path=esc50(root / "ESC-50-master", wavs)),
        UrbanSound8K(path=urbansound8k(root / "UrbanSound8K", wavs)),
    ]


def annotated(root: Path, wavs: list[Path]) -> Path:
    for path in wavs:
        copied(path, root / path.name)
        (root / f"{path.stem}.txt").write_text(f"0.05\t0.25\t{path.parent.name}\n")
    return root


def reviewed(root: Path, wavs: list[Path]) -> Path:
    lines = ["path,start,end,label,state\n"]
    for path in wavs:
        copied(path, root / path.name)
        lines.append(f"{path.name},0.05,0.25,{path.parent.name},labelled\n")
    return written(root / "reviewed.csv", lines)


def esc50(root: Path, wavs: list[Path]) -> Path:
    lines = ["filename,fold,target,category,esc10,src_file,take\n"]
    for number, path in enumerate(wavs):
        copied(path, root / "audio" / path.name)
        lines.append(f"{path.name},{number % 5 + 1},0,{path.parent.name},True,{number},A\n")
    return written(root / "meta" / "esc50.csv", lines).parent.parent


def urbansound8k(root: Path, wavs: list[Path]) -> Path:
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class\n"]
    for number, path in enumerate(wavs):
        copied(path, root / "audio" / "fold1" / path.name)
        lines.append(f"{path.name},{number},0,0.3,1,1,0,{path.parent.name}\n")
    return written(root / "metadata" / "UrbanSound8K.csv", lines).parent.parent


def copied(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())


def written(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path


LOADERS = loaders()
AUGMENTERS: list[Component] = [
    *(cls() for cls in audioclf_augmenters() if cls is not Background),
    Background(path=example_sounds()),
]
COMPONENTS: list[Component] = [*LOADERS, *FEATURIZERS, *AUGMENTERS, *QUICK]


@pytest.fixture(autouse=True, scope="module")
def one_thread_and_one_process_for_imports() -> Iterator[None]:
    """Hold libraries to one thread, as a run does, and import the modules of all in one process."""
    for component in (*COMPONENTS, *SLOW):
        expect_check_of(component)
    with single_threaded():
        yield


def slow(components: list[Component]) -> list[Any]:
    return [pytest.param(component, marks=pytest.mark.slow) for component in components]


# One test for all checks of a component: as tests of their own, a thousand checks would take
# longer to begin and end than to run.
@pytest.mark.parametrize("component", [*COMPONENTS, *slow(SLOW)], ids=component_id)
def test_every_promise_is_kept(component: Component) -> None:
    failed = {o.name: o.message for o in run_checks(component) if o.status == "failed"}
    assert failed == {}


def test_the_baseline_learns_nothing_and_keeps_all_else() -> None:
    kept = {o.name for o in run_checks(Dummy()) if o.status in {"ok", "skipped"}}
    assert {check.name for check in checks_for(Dummy())} - kept == {"learns_a_separable_toy"}


def test_no_built_in_is_left_out() -> None:
    checked: list[Any] = [*COMPONENTS, *SLOW, Dummy()]
    declared: list[Any] = [*audioclf_loaders(), *audioclf_featurizers()]
    declared += [*audioclf_augmenters(), *audioclf_classifiers()]
    assert {type(component) for component in checked} == set(declared)
