"""Honest components, and for each promise a component that breaks this one alone."""

from __future__ import annotations

import itertools
import json
import locale
import os
import pickle
import random
import sys
import threading
import time
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field

from audioclf import plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from audioclf.components.component import Component

_COUNTER = itertools.count()
_HERE = Path(__file__).parent

T = TypeVar("T", bound="Component")

BROKEN: dict[type[Component], tuple[str, str]] = {}
"""For each broken component the check that fails, and a part of its message."""


def breaking(check: str, message: str) -> Callable[[type[T]], type[T]]:
    """Register a component that fails this check alone."""

    def register(cls: type[T]) -> type[T]:
        BROKEN[cls] = (check, message)
        return cls

    return register


# ---- featurizers


class Level(plugin.Featurizer):
    """Root-mean-square level of each frame."""

    type: Literal["level"] = "level"

    frame_length: int = 512
    """Samples of a frame."""

    def act(self, y: Any) -> None:
        """Do what an honest featurizer does not do."""

    def extract(self, y: Any, sr: int) -> Any:
        import numpy as np

        self.act(y)
        padded = np.pad(y, (0, -len(y) % self.frame_length))
        frames = padded.reshape(-1, self.frame_length).astype(np.float64)
        return np.sqrt((frames**2).mean(axis=1))[None, :].astype(np.float32)


@breaking("type_name_is_plain", "the type is 'Shouting-Name', expected lower-case letters")
class Shouting(Level):
    """A type that YAML authors would not guess."""

    type: Literal["Shouting-Name"] = "Shouting-Name"  # type: ignore[assignment]


@breaking("has_a_summary", "Undocumented has no docstring")
class Undocumented(Level):
    pass


@breaking("every_field_is_described", "there is no docstring below the field depth")
class Undescribed(Level):
    """A field without a word."""

    depth: int = 3


@breaking("refuses_unknown_keys", "an unknown key is accepted")
class Lenient(Level):
    """Takes whatever a config holds."""

    model_config = ConfigDict(extra="ignore")


@breaking("is_frozen_and_hashable", "the field pooling can be set")
class Mutable(Level):
    """Fields that can be set."""

    model_config = ConfigDict(frozen=False)


@breaking("is_frozen_and_hashable", "use tuples instead of lists")
class Unhashable(Level):
    """A list for a field."""

    bands: list[int] = [1, 2]  # noqa: RUF012  on purpose
    """Which bands."""


@breaking("round_trips_through_json", "was written as JSON and read back as")
class Forgetful(Level):
    """A field that JSON does not have."""

    depth: int = Field(default_factory=lambda: next(_COUNTER), exclude=True)
    """Some number."""


@breaking("pickles", "it does not pickle: TypeError: no")
class Unpicklable(Level):
    """Cannot go to another process."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


def _is_worker() -> bool:
    """Whether this is the process that the kit starts: in another, `extract` would end it."""
    return sys.argv[0] == "-c" and sys.argv[1:2] != [] and sys.argv[1].startswith("[")


@breaking("returns_a_matrix", "a click gives 1 NaN or infinite values")
class Undefined(Level):
    """No number where a clip reaches full scale."""

    def extract(self, y: Any, sr: int) -> Any:
        F = super().extract(y, sr)
        F[0, 0] = float("nan") if y.max() == 1.0 else F[0, 0]
        return F


@breaking("returns_a_matrix", "noise gives float64, expected float32")
class Double(Level):
    """Twice the bytes."""

    def extract(self, y: Any, sr: int) -> Any:
        return super().extract(y, sr).astype(float)


@breaking("silence_is_finite", "silence gives 44 NaN or infinite values")
class Normalizing(Level):
    """Divides by the maximum, which silence does not have."""

    def extract(self, y: Any, sr: int) -> Any:
        F = super().extract(y, sr)
        return F / F.max()


@breaking("same_clip_same_features", "two calls on one clip give different features")
class Dithering(Level):
    """Adds noise without a seed."""

    def extract(self, y: Any, sr: int) -> Any:
        import numpy as np

        F = super().extract(y, sr)
        return F + np.random.default_rng().random(F.shape, np.float32)


@breaking("features_depend_on_the_sound", "noise, two tones and a click have the same features")
class Constant(Level):
    """Returns the same numbers for every sound."""

    def extract(self, y: Any, sr: int) -> Any:
        return super().extract(y, sr) * 0 + 1


@breaking("gives_the_same_in_onnx", "ONNX gives noise a matrix of (22050,), not (1, 44)")
class OtherInOnnx(Level):
    """Has another form in ONNX."""

    def to_onnx(self, graph: Any, y: str, sr: int) -> str:
        return str(graph.op("Neg", y))


@breaking("suits_gives_a_reason_or_nothing", "suits(0.01, 4000) returned True")
class Praised(Level):
    """Says that it suits everything, and not why."""

    @classmethod
    def suits(cls, seconds: float, sr: int) -> Any:
        return True


@breaking("views_are_alike", "view 1 has shape (1, 87) and pooling")
class Stretching(Level):
    """Has a view of another shape."""

    def views(self) -> Any:
        return (self, self.model_copy(update={"frame_length": self.frame_length // 2}))


@breaking("shape_depends_on_length_alone", "several shapes: (1, 44) for noise, (1, 1) for")
class Trimming(Level):
    """Leaves out what is silent."""

    def extract(self, y: Any, sr: int) -> Any:
        F = super().extract(y, sr)
        return F[:, : 1 + int((F > 0).sum())][:, : F.shape[1]]


@breaking("bins_are_the_same_for_every_length", "44 for 22050 samples, 87 for 44100 samples")
class Turned(Level):
    """Bins where frames should be."""

    def extract(self, y: Any, sr: int) -> Any:
        return super().extract(y, sr).T


@breaking("a_batch_agrees_with_each_clip", "of clips of one length has other features")
class Comparing(Level):
    """Lets the clips of a batch see each other."""

    def extract_many(self, ys: Sequence[Any], sr: int) -> list[Any]:
        matrices = [self.extract(y, sr) for y in ys]
        return [F / max(F.max() for F in matrices) for F in matrices]


@breaking("a_batch_agrees_with_each_clip", "it raised IndexError")
class Demanding(Level):
    """Needs at least one clip."""

    def extract_many(self, ys: Sequence[Any], sr: int) -> list[Any]:
        return [self.extract(ys[0], sr), *(self.extract(y, sr) for y in ys[1:])]


@breaking("windows_agree_with_each_clip", "differ from those of the window alone")
class Peeking(Level):
    """Frames that look beyond the end of their window."""

    def extract_windows(self, y: Any, sr: int, starts: Sequence[int], n_samples: int) -> list[Any]:
        whole = self.frame_length * -(-n_samples // self.frame_length)
        return [self.extract(y[start : start + whole], sr) for start in starts]


@breaking("windows_agree_with_each_clip", "shared_step is 0.5, expected a whole number of samples")
class Boasting(Level):
    """Windows any part of a sample apart share something."""

    def shared_step(self, sr: int) -> Any:
        return 0.5


@breaking("samples_per_frame_is_a_number", "samples_per_frame returned 512.5")
class Halved(Level):
    """Frames of half a sample more than whole samples."""

    def samples_per_frame(self, sr: int) -> Any:
        return self.frame_length + 0.5


@breaking("threads_do_not_meet", "the features depend on other threads that")
class Sharing(Level):
    """Keeps the clip where all threads find it."""

    def extract(self, y: Any, sr: int) -> Any:
        _SHARED["y"] = y
        time.sleep(0.001)
        return super().extract(_SHARED["y"], sr)


_SHARED: dict[str, Any] = {}


# ---- featurizers that do something besides extracting


def _draw(y: Any) -> None:
    import matplotlib

    now = matplotlib.get_backend().lower()
    matplotlib.use("svg" if now != "svg" else "pdf")


def _seed(y: Any) -> None:
    import numpy as np

    np.random.seed(int(1e6 * time.perf_counter()) % 2**32)  # noqa: NPY002


def _silence_errors(y: Any) -> None:
    import numpy as np

    np.seterr(all="ignore")


def _speak(y: Any) -> None:
    now = locale.setlocale(locale.LC_TIME)
    locale.setlocale(locale.LC_TIME, "C" if now == "C.UTF-8" else "C.UTF-8")


ACTS: dict[str, dict[str, tuple[str, Callable[[Any], object]]]] = {
    "comes_back_in_time": {
        "Sleeping": ("no answer within ", lambda y: _is_worker() and threading.Event().wait(600))
    },
    "leaves_the_interpreter_running": {
        "Leaving": ("ends the process: exit code 7", lambda y: _is_worker() and os._exit(7)),
        "Exiting": ("ends the process: SystemExit: 3", lambda y: _is_worker() and sys.exit(3)),
    },
    "writes_nothing_to_stdout": {
        "Printing": ("it writes to stdout: 'extracting'", lambda y: print("extracting"))  # noqa: T201
    },
    "leaves_random_state_alone": {
        "Seeded": ("it draws from or seeds np.random; use", _seed),
        "Dicing": ("it draws from or seeds random; use", lambda y: random.random()),
    },
    "leaves_global_state_alone": {
        "Drawing": ("it changes matplotlib's backend", _draw),
        "Moving": ("the working directory for the whole", lambda y: os.chdir(_HERE)),
        "Setting": ("the environment variables", lambda y: os.environ.update(AUDIOCLF_BROKEN="1")),
        "Hushing": ("the filters of warnings", lambda y: warnings.simplefilter("ignore")),
        "Careless": ("numpy's error state", _silence_errors),
        "Foreign": ("it changes the locale", _speak),
    },
    "a_single_sample_is_finite_or_refused": {
        "Greedy": ("a single sample raised IndexError instead of", lambda y: y[1])
    },
    "waveform_is_left_alone": {
        "Overwriting": ("changes the waveform", lambda y: y.__isub__(y.mean())),
        "Touching": ("a write-protected waveform raised ValueError", lambda y: y.__iadd__(0)),
    },
}


def derived(name: str, base: type[Component], **attributes: Any) -> Any:
    """Make a component of this module whose class has another name."""
    named: dict[str, Any] = {
        "__doc__": "Breaks a promise.",
        "__module__": __name__,
        "__qualname__": name,
    }
    named |= {"model_config": ConfigDict(use_attribute_docstrings=False)}  # it has no source
    metaclass: Any = type(base)
    globals()[name] = cls = metaclass(name, (base,), {**named, **attributes})
    return cls


for _check, _acts in ACTS.items():
    for _name, (_message, _act) in _acts.items():
        breaking(_check, _message)(derived(_name, Level, act=lambda self, y, act=_act: act(y)))

# ---- loaders


class Files(plugin.Loader):
    """A folder of wav files, labeled by their folders."""

    type: Literal["files"] = "files"

    path: plugin.InputPath
    """The folder."""

    def load(self) -> plugin.Dataset:
        if not Path(self.path).is_dir():
            raise plugin.DatasetError(f"no such folder: {self.path}")
        return plugin.Dataset(self.clips(), name=str(self.path))

    def clips(self) -> list[plugin.Clip]:
        root = Path(self.path)
        return [
            plugin.Clip(
                path.relative_to(root).as_posix(), path.parent.name, plugin.FileSource(path)
            )
            for path in root.rglob("*.wav")
        ]


@breaking("loads_a_dataset", "load returned a SimpleNamespace instead of a Dataset")
class Listing(Files):
    """Something else than a dataset."""

    def load(self) -> Any:
        return SimpleNamespace(clips=super().load().clips)


@breaking("ids_are_unique", "more than one clip has the id 'high/high_0.wav'")
class Repeating(Files):
    """The same clip twice."""

    def load(self) -> plugin.Dataset:
        found = super().load()
        found.clips = (*found.clips, found.clips[0])
        return found


@breaking("labels_are_words", "the label of 'high/high_0.wav' is ' ', expected a name")
class Unlabeled(Files):
    """Labels of nothing but spaces."""

    def clips(self) -> list[plugin.Clip]:
        return [plugin.Clip(clip.id, " ", clip.source) for clip in super().clips()]


@breaking("two_loads_are_equal", "one load gave ('high/high_0.wav', 'high', ")
class Changing(Files):
    """Other groups each time."""

    def clips(self) -> list[plugin.Clip]:
        group = str(next(_COUNTER))
        return [plugin.Clip(clip.id, clip.label, clip.source, group) for clip in super().clips()]


@breaking("every_clip_decodes", "1 clips cannot be decoded: ")
class Indiscriminate(Files):
    """Takes a file that is no audio."""

    def clips(self) -> list[plugin.Clip]:
        return [*super().clips(), plugin.Clip("code.wav", "low", plugin.FileSource(Path(__file__)))]


class LockedSource(plugin.FileSource):
    """A file with a lock, which does not pickle."""

    def __reduce__(self) -> Any:
        return LockedSource, (self.path, threading.Lock())


@breaking("clips_travel", "clips do not pickle: TypeError")
class Bound(Files):
    """Clips that cannot leave the process."""

    def clips(self) -> list[plugin.Clip]:
        return [
            plugin.Clip(clip.id, clip.label, LockedSource(Path(clip.source.name)))
            for clip in super().clips()
        ]


@breaking("a_missing_source_is_named", "does not exist: it raised FileNotFoundError")
class Raw(Files):
    """Passes on the errors of the operating system."""

    def load(self) -> plugin.Dataset:
        os.stat(self.path)  # noqa: PTH116
        return super().load()


@breaking("a_missing_source_is_named", "and the error does not name it: the folder is missing")
class Mumbling(Files):
    """Does not say which folder is missing."""

    def load(self) -> plugin.Dataset:
        if not Path(self.path).exists():
            raise plugin.DatasetError("the folder is missing")
        return super().load()


@breaking("a_corrupt_source_is_named", "random bytes, and load does not report it")
class Trusting(Files):
    """Takes a file for one clip, whatever it holds."""

    def load(self) -> plugin.Dataset:
        if Path(self.path).is_file():
            return plugin.Dataset(
                [plugin.Clip("a", "low", plugin.FileSource(Path(self.path)))], name="a"
            )
        return super().load()


# ---- classifiers


class Nearest(plugin.Classifier):
    """The class whose mean is nearest."""

    type: Literal["nearest"] = "nearest"
    model_format: ClassVar[str] = "nearest-json"

    def build(self, *, random_state: int) -> Any:
        """Return the estimator of this name, or of the nearest base class that has one."""
        from tests.testing import estimators

        names = [cls.__name__ for cls in type(self).__mro__ if hasattr(estimators, cls.__name__)]
        return getattr(estimators, names[0])(random_state=random_state)

    def dump(self, estimator: Any) -> dict[str, bytes]:
        return {"means.json": json.dumps(estimator.means_.tolist()).encode()}

    def restore(self, files: Mapping[str, bytes]) -> Any:
        import numpy as np

        estimator = self.build(random_state=0)
        estimator.means_ = np.array(json.loads(files["means.json"]))
        estimator.classes_ = np.arange(len(estimator.means_))
        return estimator


class Shaped(Nearest):
    """The class whose spectrum, the mean over time, is nearest."""

    type: Literal["shaped"] = "shaped"  # type: ignore[assignment]
    uses_shape: ClassVar[bool] = True

    def dump(self, estimator: Any) -> dict[str, bytes]:
        shape = json.dumps(estimator.shape_).encode()
        return {**super().dump(estimator), "shape.json": shape}

    def restore(self, files: Mapping[str, bytes]) -> Any:
        estimator = super().restore(files)
        estimator.shape_ = tuple(json.loads(files["shape.json"]))
        return estimator


class Convertible(Nearest):
    """Converts itself to ONNX."""

    factor: ClassVar[float] = 1.0

    def to_onnx(self, estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
        from tests.testing.estimators import centroids_in_onnx

        return centroids_in_onnx(estimator.means_ * self.factor, opsets)


@breaking("converts_to_onnx", "ONNX gives other probabilities than the estimator")
class Misconverted(Convertible):
    """Converts other means than its own."""

    factor: ClassVar[float] = 1.1


@breaking("fit_metrics_have_names", "fit_metrics returned 'beauty', which is no metric")
class Measuring(Nearest):
    """Computes a metric that audioclf does not have."""

    def fit_metrics(self) -> tuple[str, ...]:
        return ("beauty",)


@breaking("builds_something_new_and_unfitted", "build returns the same estimator twice")
class Cached(Nearest):
    """One estimator for all folds."""

    def build(self, *, random_state: int) -> Any:
        return _kept(random_state)


@cache
def _kept(random_state: int) -> Any:
    return Nearest().build(random_state=random_state)


@breaking("builds_something_new_and_unfitted", "build returns an estimator that is already fitted")
class Fitted(Nearest):
    """Knows everything already."""

    def build(self, *, random_state: int) -> Any:
        import numpy as np

        return super().build(random_state=random_state).fit(np.eye(2), np.arange(2))


@breaking("learns_a_separable_toy", "its accuracy on two classes far apart is 50%")
class Blind(Nearest):
    """Always names the same class."""


@breaking("learns_in_batches_as_well", "far apart is 50% with fit_batches")
class FirstBlock(Nearest):
    """Learns from the first block alone."""

    def fit_batches(self, batches: Any, *, random_state: int) -> Any:
        X, y = next(iter(batches))
        return self.build(random_state=random_state).fit(X, y)


@breaking("takes_groups", "uses_groups is true, and fit takes no groups: ")
class Ungrouped(Nearest):
    """Claims to use groups."""

    uses_groups: ClassVar[bool] = True


@breaking("takes_mixtures_or_refuses_them", "as of a mixture of all, raised ValueError: one clip")
class Halving(Nearest):
    """Holds out clips, and does not say so."""

    def weight_keywords(self, estimator: Any, weights: Any) -> dict[str, Any]:
        return {}

    def fit_views(self, estimator: Any, X: Any, y: Any, clips: Any, **passed: Any) -> Any:
        if len(set(clips.tolist())) < 2:
            raise ValueError("one clip")
        return estimator.fit(X, y, **passed)


@breaking("takes_shape", "shape=(32, 2) raised ValueError: 2 frames are too few")
class Long(Nearest):
    """Takes long matrices only, and fails instead of refusing others."""

    uses_shape: ClassVar[bool] = True


class Declared(Nearest):
    """Saves the estimator by skops, and says which type it is."""

    model_format: ClassVar[str] = "skops"
    trusted_types: ClassVar[tuple[str, ...]] = ("tests.testing.estimators.Nearest",)


@breaking(
    "saves_and_loads_without_pickle",
    "set `trusted_types: ClassVar[tuple[str, ...]] = ('tests.testing.estimators.Nearest',)` in Und",
)
class Undeclared(Declared):
    """Saves the estimator by skops, and does not say which type it is."""

    trusted_types: ClassVar[tuple[str, ...]] = ()


@breaking("saves_and_loads_without_pickle", "loading unpickles ")
class Pickling(Nearest):
    """Saves itself as a pickle."""

    def dump(self, estimator: Any) -> dict[str, bytes]:
        return {"model.pkl": pickle.dumps(estimator)}

    def restore(self, files: Mapping[str, bytes]) -> Any:
        return pickle.loads(files["model.pkl"])


@breaking("saves_and_loads_without_pickle", "predicts differently after it was saved and loaded")
class Rounding(Nearest):
    """Saves fewer digits than it has."""

    def dump(self, estimator: Any) -> dict[str, bytes]:
        return {"means.json": json.dumps(estimator.means_.round().tolist()).encode()}


@breaking("memory_is_foretold", "fit_memory returned -1, expected a whole number of bytes")
class Optimistic(Nearest):
    """Needs less than nothing."""

    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return -1


# ---- classifiers whose estimator, of the same name in `estimators`, breaks a promise

OF_ESTIMATORS = {
    "Converting": ("estimator_clones", "scikit-learn cannot clone the estimator: "),
    "Binary": ("takes_two_and_three_classes", "3 classes raised ValueError: two classes at most"),
    "Doubled": ("scores_are_finite_and_sum_to_one", "rows that do not sum to 1"),
    "Reversed": ("scores_are_in_the_order_of_the_classes", "the column of the highest score is"),
    "Remembering": ("a_fold_may_lack_a_class", "scores of two classes have shape (120, 3)"),
    "Centering": ("a_row_alone_is_predicted_as_among_others", "the prediction for row 0 alone"),
    "Unseeded": ("same_seed_same_output", "two fits with one seed on the same rows differ"),
    "OverwritingRows": ("rows_are_left_alone", "fit or predict changes the rows or labels"),
    "WritingNothing": ("rows_are_left_alone", "write-protected rows raised ValueError"),
    "Parallel": ("leaves_parallelism_to_the_run", "n_jobs is -1; how parallel a run is"),
    "Limiting": ("leaves_parallelism_to_the_run", "it changes the number of threads of "),
    "Chatty": ("writes_nothing_to_stdout", "it writes to stdout: 'iteration 1'"),
    "Seeding": ("leaves_random_state_alone", "it draws from or seeds np.random; use"),
}
for _name, (_check, _message) in OF_ESTIMATORS.items():
    breaking(_check, _message)(derived(_name, Nearest))
