"""Honest components, and for each promise a component that breaks this one alone.

`breaks` is the check that fails, `says` a part of what it says.
"""

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
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from audioclf.plugin import (
    Classifier,
    Clip,
    Dataset,
    DatasetError,
    Featurizer,
    FileSource,
    InputPath,
    Loader,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COUNTER = itertools.count()

# ---- featurizers


class Level(Featurizer):
    """Root-mean-square level of each frame."""

    type: Literal["level"] = "level"
    breaks: ClassVar[str] = ""
    says: ClassVar[str] = ""

    frame_length: int = 512
    """Samples of a frame."""

    def extract(self, y: Any, sr: int) -> Any:
        import numpy as np

        padded = np.pad(y, (0, -len(y) % self.frame_length))
        frames = padded.reshape(-1, self.frame_length).astype(np.float64)
        return np.sqrt((frames**2).mean(axis=1))[None, :].astype(np.float32)


class Shouting(Level):
    """A type that YAML authors would not guess."""

    type: Literal["Shouting-Name"] = "Shouting-Name"  # type: ignore[assignment]
    breaks: ClassVar[str] = "type_name_is_plain"
    says: ClassVar[str] = "the type is 'Shouting-Name', expected lower-case letters"


class Undocumented(Level):
    breaks: ClassVar[str] = "has_a_summary"
    says: ClassVar[str] = "Undocumented has no docstring"


class Undescribed(Level):
    """A field without a word."""

    breaks: ClassVar[str] = "every_field_is_described"
    says: ClassVar[str] = "there is no docstring below the field depth"

    depth: int = 3


class Lenient(Level):
    """Takes whatever a config holds."""

    model_config = ConfigDict(extra="ignore")
    breaks: ClassVar[str] = "refuses_unknown_keys"
    says: ClassVar[str] = "an unknown key is accepted"


class Mutable(Level):
    """Fields that can be set."""

    model_config = ConfigDict(frozen=False)
    breaks: ClassVar[str] = "is_frozen_and_hashable"
    says: ClassVar[str] = "the field pooling can be set"


class Unhashable(Level):
    """A list for a field."""

    breaks: ClassVar[str] = "is_frozen_and_hashable"
    says: ClassVar[str] = "use tuples instead of lists"

    bands: list[int] = [1, 2]  # noqa: RUF012  on purpose
    """Which bands."""


class Forgetful(Level):
    """A field that JSON does not have."""

    breaks: ClassVar[str] = "round_trips_through_json"
    says: ClassVar[str] = "was written as JSON and read back as"

    depth: int = Field(default_factory=lambda: next(_COUNTER), exclude=True)
    """Some number."""


class Unpicklable(Level):
    """Cannot go to another process."""

    breaks: ClassVar[str] = "pickles"
    says: ClassVar[str] = "it does not pickle: TypeError: no"

    def __reduce__(self) -> Any:
        raise TypeError("no")


def _is_worker() -> bool:
    """Whether this is the process that the kit starts: in another, `extract` would end it."""
    return "pytest" not in sys.modules


class Sleeping(Level):
    """Waits for something that does not come."""

    breaks: ClassVar[str] = "comes_back_in_time"
    says: ClassVar[str] = "the component does not return: no answer within "

    def extract(self, y: Any, sr: int) -> Any:
        if _is_worker():
            time.sleep(600)
        return super().extract(y, sr)


class Leaving(Level):
    """Ends the process without a word."""

    breaks: ClassVar[str] = "leaves_the_interpreter_running"
    says: ClassVar[str] = "the component ends the process: exit code 7"

    def extract(self, y: Any, sr: int) -> Any:
        if _is_worker():
            os._exit(7)
        return super().extract(y, sr)


class Exiting(Level):
    """Exits as a script does."""

    breaks: ClassVar[str] = "leaves_the_interpreter_running"
    says: ClassVar[str] = "the component ends the process: SystemExit: 3"

    def extract(self, y: Any, sr: int) -> Any:
        if _is_worker():
            sys.exit(3)
        return super().extract(y, sr)


class Drawing(Level):
    """Chooses how everybody draws."""

    breaks: ClassVar[str] = "leaves_global_state_alone"
    says: ClassVar[str] = "it changes matplotlib's backend"

    def extract(self, y: Any, sr: int) -> Any:
        import matplotlib

        now = matplotlib.get_backend().lower()
        matplotlib.use("svg" if now != "svg" else "pdf")
        return super().extract(y, sr)


class Numpying(Level):
    """Seeds numpy's generator of everybody."""

    breaks: ClassVar[str] = "leaves_random_state_alone"
    says: ClassVar[str] = "it draws from or seeds np.random; use"

    def extract(self, y: Any, sr: int) -> Any:
        import numpy as np

        np.random.seed(int(1e6 * time.perf_counter()) % 2**32)  # noqa: NPY002
        return super().extract(y, sr)


class Undefined(Level):
    """No number where a clip reaches full scale."""

    breaks: ClassVar[str] = "returns_a_matrix"
    says: ClassVar[str] = "a click gives 1 NaN or infinite values"

    def extract(self, y: Any, sr: int) -> Any:
        F = super().extract(y, sr)
        F[0, 0] = float("nan") if y.max() == 1.0 else F[0, 0]
        return F


class Printing(Level):
    """Says what it does."""

    breaks: ClassVar[str] = "writes_nothing_to_stdout"
    says: ClassVar[str] = "it writes to stdout: 'extracting'"

    def extract(self, y: Any, sr: int) -> Any:
        print("extracting")  # noqa: T201
        return super().extract(y, sr)


class Dicing(Level):
    """Draws from the generator of everybody."""

    breaks: ClassVar[str] = "leaves_random_state_alone"
    says: ClassVar[str] = "it draws from or seeds random; use"

    def extract(self, y: Any, sr: int) -> Any:
        random.random()
        return super().extract(y, sr)


class Moving(Level):
    """Goes elsewhere."""

    breaks: ClassVar[str] = "leaves_global_state_alone"
    says: ClassVar[str] = "it changes the working directory for the whole process"

    def extract(self, y: Any, sr: int) -> Any:
        os.chdir(Path(__file__).parent)
        return super().extract(y, sr)


class Setting(Level):
    """Sets a variable."""

    breaks: ClassVar[str] = "leaves_global_state_alone"
    says: ClassVar[str] = "it changes the environment variables"

    def extract(self, y: Any, sr: int) -> Any:
        os.environ["AUDIOCLF_BROKEN"] = "1"
        return super().extract(y, sr)


class Hushing(Level):
    """Hides the warnings of everybody."""

    breaks: ClassVar[str] = "leaves_global_state_alone"
    says: ClassVar[str] = "it changes the filters of warnings"

    def extract(self, y: Any, sr: int) -> Any:
        warnings.simplefilter("ignore")
        return super().extract(y, sr)


class Careless(Level):
    """Hides the floating-point errors of everybody."""

    breaks: ClassVar[str] = "leaves_global_state_alone"
    says: ClassVar[str] = "it changes numpy's error state"

    def extract(self, y: Any, sr: int) -> Any:
        import numpy as np

        np.seterr(all="ignore")
        return super().extract(y, sr)


class Foreign(Level):
    """Speaks another language."""

    breaks: ClassVar[str] = "leaves_global_state_alone"
    says: ClassVar[str] = "it changes the locale"

    def extract(self, y: Any, sr: int) -> Any:
        now = locale.setlocale(locale.LC_TIME)
        locale.setlocale(locale.LC_TIME, "C" if now == "C.UTF-8" else "C.UTF-8")
        return super().extract(y, sr)


class Double(Level):
    """Twice the bytes."""

    breaks: ClassVar[str] = "returns_a_matrix"
    says: ClassVar[str] = "noise gives float64, expected float32"

    def extract(self, y: Any, sr: int) -> Any:
        return super().extract(y, sr).astype(float)


class Normalizing(Level):
    """Divides by the maximum, which silence does not have."""

    breaks: ClassVar[str] = "silence_is_finite"
    says: ClassVar[str] = "silence gives 44 NaN or infinite values"

    def extract(self, y: Any, sr: int) -> Any:
        F = super().extract(y, sr)
        return F / F.max()


class Greedy(Level):
    """Wants two samples."""

    breaks: ClassVar[str] = "a_single_sample_is_finite_or_refused"
    says: ClassVar[str] = "a single sample raised IndexError instead of a FeatureError"

    def extract(self, y: Any, sr: int) -> Any:
        y[1]
        return super().extract(y, sr)


class Overwriting(Level):
    """Centers the waveform in place."""

    breaks: ClassVar[str] = "waveform_is_left_alone"
    says: ClassVar[str] = "extract changes the waveform that it is given"

    def extract(self, y: Any, sr: int) -> Any:
        y -= y.mean()
        return super().extract(y, sr)


class Touching(Level):
    """Writes what was there before."""

    breaks: ClassVar[str] = "waveform_is_left_alone"
    says: ClassVar[str] = "a write-protected waveform raised ValueError"

    def extract(self, y: Any, sr: int) -> Any:
        y += 0
        return super().extract(y, sr)


class Dithering(Level):
    """Adds noise without a seed."""

    breaks: ClassVar[str] = "same_clip_same_features"
    says: ClassVar[str] = "two calls on one clip give different features"

    def extract(self, y: Any, sr: int) -> Any:
        import numpy as np

        F = super().extract(y, sr)
        return F + np.random.default_rng().random(F.shape, np.float32)


class Stretching(Level):
    """Has a view of another shape."""

    breaks: ClassVar[str] = "views_are_alike"
    says: ClassVar[str] = "view 1 has shape (1, 87) and pooling"

    def views(self) -> Any:
        return (self, self.model_copy(update={"frame_length": self.frame_length // 2}))


class Trimming(Level):
    """Leaves out what is silent."""

    breaks: ClassVar[str] = "shape_depends_on_length_alone"
    says: ClassVar[str] = "clips of one length have several shapes: (1, 44) for noise, (1, 1) for"

    def extract(self, y: Any, sr: int) -> Any:
        F = super().extract(y, sr)
        return F[:, : 1 + int((F > 0).sum())][:, : F.shape[1]]


class Turned(Level):
    """Bins where frames should be."""

    breaks: ClassVar[str] = "bins_are_the_same_for_every_length"
    says: ClassVar[str] = "44 for 22050 samples, 87 for 44100 samples"

    def extract(self, y: Any, sr: int) -> Any:
        return super().extract(y, sr).T


class Comparing(Level):
    """Lets the clips of a batch see each other."""

    breaks: ClassVar[str] = "a_batch_agrees_with_each_clip"
    says: ClassVar[str] = "a clip in a batch of clips of one length has other features than alone"

    def extract_many(self, ys: Sequence[Any], sr: int) -> list[Any]:
        matrices = [self.extract(y, sr) for y in ys]
        return [F / max(F.max() for F in matrices) for F in matrices]


class Demanding(Level):
    """Needs at least one clip."""

    breaks: ClassVar[str] = "a_batch_agrees_with_each_clip"
    says: ClassVar[str] = "it raised IndexError"

    def extract_many(self, ys: Sequence[Any], sr: int) -> list[Any]:
        return [self.extract(ys[0], sr), *(self.extract(y, sr) for y in ys[1:])]


class Peeking(Level):
    """Frames that look beyond the end of their window."""

    breaks: ClassVar[str] = "windows_agree_with_each_clip"
    says: ClassVar[str] = "differ from those of the window alone; only frames inside of both"

    def extract_windows(self, y: Any, sr: int, starts: Sequence[int], n_samples: int) -> list[Any]:
        whole = self.frame_length * -(-n_samples // self.frame_length)
        return [self.extract(y[start : start + whole], sr) for start in starts]


class Boasting(Level):
    """Windows any part of a sample apart share something."""

    breaks: ClassVar[str] = "windows_agree_with_each_clip"
    says: ClassVar[str] = "shared_step is 0.5, expected a whole number of samples"

    def shared_step(self, sr: int) -> Any:
        return 0.5


class Halved(Level):
    """Frames of half a sample more than whole samples."""

    breaks: ClassVar[str] = "samples_per_frame_is_a_number"
    says: ClassVar[str] = "samples_per_frame returned 512.5"

    def samples_per_frame(self, sr: int) -> Any:
        return self.frame_length + 0.5


class Sharing(Level):
    """Keeps the clip where all threads find it."""

    breaks: ClassVar[str] = "threads_do_not_meet"
    says: ClassVar[str] = "the features depend on other threads that extract at the same time"

    def extract(self, y: Any, sr: int) -> Any:
        _SHARED["y"] = y
        time.sleep(0.001)
        return super().extract(_SHARED["y"], sr)


_SHARED: dict[str, Any] = {}

# ---- loaders


class Files(Loader):
    """A folder of wav files, labeled by their folders."""

    type: Literal["files"] = "files"
    breaks: ClassVar[str] = ""
    says: ClassVar[str] = ""

    path: InputPath
    """The folder."""

    def load(self) -> Dataset:
        if not Path(self.path).is_dir():
            raise DatasetError(f"no such folder: {self.path}")
        return Dataset(self.clips(), name=str(self.path))

    def clips(self) -> list[Clip]:
        root = Path(self.path)
        return [
            Clip(path.relative_to(root).as_posix(), path.parent.name, FileSource(path))
            for path in root.rglob("*.wav")
        ]


class Listing(Files):
    """Something else than a dataset."""

    breaks: ClassVar[str] = "loads_a_dataset"
    says: ClassVar[str] = "load returned a SimpleNamespace instead of a Dataset"

    def load(self) -> Any:
        return SimpleNamespace(clips=super().load().clips)


class Repeating(Files):
    """The same clip twice."""

    breaks: ClassVar[str] = "ids_are_unique"
    says: ClassVar[str] = "more than one clip has the id 'high/high_0.wav'"

    def load(self) -> Dataset:
        found = super().load()
        found.clips = (*found.clips, found.clips[0])
        return found


class Unlabeled(Files):
    """Labels of nothing but spaces."""

    breaks: ClassVar[str] = "labels_are_words"
    says: ClassVar[str] = "the label of 'high/high_0.wav' is ' ', expected a name"

    def clips(self) -> list[Clip]:
        return [Clip(clip.id, " ", clip.source) for clip in super().clips()]


class Changing(Files):
    """Other groups each time."""

    breaks: ClassVar[str] = "two_loads_are_equal"
    says: ClassVar[str] = "one load gave ('high/high_0.wav', 'high', "

    def clips(self) -> list[Clip]:
        group = str(next(_COUNTER))
        return [Clip(clip.id, clip.label, clip.source, group) for clip in super().clips()]


class Indiscriminate(Files):
    """Takes a file that is no audio."""

    breaks: ClassVar[str] = "every_clip_decodes"
    says: ClassVar[str] = "1 clips cannot be decoded: "

    def clips(self) -> list[Clip]:
        return [*super().clips(), Clip("code.wav", "low", FileSource(Path(__file__)))]


class LockedSource(FileSource):
    """A file with a lock, which does not pickle."""

    def __reduce__(self) -> Any:
        return LockedSource, (self.path, threading.Lock())


class Bound(Files):
    """Clips that cannot leave the process."""

    breaks: ClassVar[str] = "clips_travel"
    says: ClassVar[str] = "clips do not pickle: TypeError"

    def clips(self) -> list[Clip]:
        return [
            Clip(clip.id, clip.label, LockedSource(Path(clip.source.name)))
            for clip in super().clips()
        ]


class Raw(Files):
    """Passes on the errors of the operating system."""

    breaks: ClassVar[str] = "a_missing_source_is_named"
    says: ClassVar[str] = "`path` does not exist: it raised FileNotFoundError, expected a Dataset"

    def load(self) -> Dataset:
        os.stat(self.path)  # noqa: PTH116
        return super().load()


class Mumbling(Files):
    """Does not say which folder is missing."""

    breaks: ClassVar[str] = "a_missing_source_is_named"
    says: ClassVar[str] = "and the error does not name it: the folder is missing"

    def load(self) -> Dataset:
        if not Path(self.path).exists():
            raise DatasetError("the folder is missing")
        return super().load()


class Trusting(Files):
    """Takes a file for one clip, whatever it holds."""

    breaks: ClassVar[str] = "a_corrupt_source_is_named"
    says: ClassVar[str] = "`path` is a file of random bytes, and load does not report it"

    def load(self) -> Dataset:
        if Path(self.path).is_file():
            return Dataset([Clip("a", "low", FileSource(Path(self.path)))], name="a")
        return super().load()


# ---- classifiers


class Nearest(Classifier):
    """The class whose mean is nearest."""

    type: Literal["nearest"] = "nearest"
    model_format: ClassVar[str] = "nearest-json"
    estimator: ClassVar[str] = "Centroids"
    breaks: ClassVar[str] = ""
    says: ClassVar[str] = ""

    def build(self, *, random_state: int) -> Any:
        from tests.testing import estimators

        return getattr(estimators, self.estimator)(random_state=random_state)

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
    estimator: ClassVar[str] = "Shaped"

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


class Misconverted(Convertible):
    """Converts other means than its own."""

    breaks: ClassVar[str] = "converts_to_onnx"
    says: ClassVar[str] = "ONNX gives other probabilities than the estimator"
    factor: ClassVar[float] = 1.1


class Measuring(Nearest):
    """Computes a metric that audioclf does not have."""

    breaks: ClassVar[str] = "fit_metrics_have_names"
    says: ClassVar[str] = "fit_metrics returned 'beauty', which is no metric"

    def fit_metrics(self) -> tuple[str, ...]:
        return ("beauty",)


class Cached(Nearest):
    """One estimator for all folds."""

    breaks: ClassVar[str] = "builds_something_new_and_unfitted"
    says: ClassVar[str] = "build returns the same estimator twice"

    def build(self, *, random_state: int) -> Any:
        return _kept(random_state)


@cache
def _kept(random_state: int) -> Any:
    return Nearest().build(random_state=random_state)


class Fitted(Nearest):
    """Knows everything already."""

    breaks: ClassVar[str] = "builds_something_new_and_unfitted"
    says: ClassVar[str] = "build returns an estimator that is already fitted"

    def build(self, *, random_state: int) -> Any:
        import numpy as np

        return super().build(random_state=random_state).fit(np.eye(2), np.arange(2))


class Converting(Nearest):
    """Changes its parameters in `__init__`."""

    breaks: ClassVar[str] = "estimator_clones"
    says: ClassVar[str] = "scikit-learn cannot clone the estimator: "
    estimator: ClassVar[str] = "Converting"


class Binary(Nearest):
    """Two classes at most."""

    breaks: ClassVar[str] = "takes_two_and_three_classes"
    says: ClassVar[str] = "3 classes raised ValueError: two classes at most"
    estimator: ClassVar[str] = "Binary"


class Doubled(Nearest):
    """Probabilities that sum to 2."""

    breaks: ClassVar[str] = "scores_are_finite_and_sum_to_one"
    says: ClassVar[str] = "predict_proba returned rows that do not sum to 1"
    estimator: ClassVar[str] = "Doubled"


class Reversed(Nearest):
    """Columns in another order than the classes."""

    breaks: ClassVar[str] = "scores_are_in_the_order_of_the_classes"
    says: ClassVar[str] = (
        "2 classes: the column of the highest score is not that of the predicted class"
    )
    estimator: ClassVar[str] = "Reversed"


class Remembering(Nearest):
    """Takes the classes of the first fold for those of all folds."""

    breaks: ClassVar[str] = "a_fold_may_lack_a_class"
    says: ClassVar[str] = "scores of two classes have shape (120, 3)"
    estimator: ClassVar[str] = "Remembering"


class Centering(Nearest):
    """Looks at the other rows of the test side."""

    breaks: ClassVar[str] = "a_row_alone_is_predicted_as_among_others"
    says: ClassVar[str] = "the prediction for row 0 alone differs from that in a batch"
    estimator: ClassVar[str] = "Centering"


class Unseeded(Nearest):
    """Ignores the seed."""

    breaks: ClassVar[str] = "same_seed_same_output"
    says: ClassVar[str] = "two fits with one seed on the same rows differ; pass `random_state` on"
    estimator: ClassVar[str] = "Unseeded"


class OverwritingRows(Nearest):
    """Centers the rows in place."""

    breaks: ClassVar[str] = "rows_are_left_alone"
    says: ClassVar[str] = "fit or predict changes the rows or labels"
    estimator: ClassVar[str] = "Overwriting"


class WritingNothing(Nearest):
    """Writes what was there before."""

    breaks: ClassVar[str] = "rows_are_left_alone"
    says: ClassVar[str] = "write-protected rows raised ValueError"
    estimator: ClassVar[str] = "WritingNothing"


class Blind(Nearest):
    """Always names the same class."""

    breaks: ClassVar[str] = "learns_a_separable_toy"
    says: ClassVar[str] = "its accuracy on two classes far apart is 50%"
    estimator: ClassVar[str] = "Blind"


class FirstBlock(Nearest):
    """Learns from the first block alone."""

    breaks: ClassVar[str] = "learns_in_batches_as_well"
    says: ClassVar[str] = "its accuracy on two classes far apart is 50% with fit_batches"

    def fit_batches(self, batches: Any, *, random_state: int) -> Any:
        X, y = next(iter(batches))
        return self.build(random_state=random_state).fit(X, y)


class Ungrouped(Nearest):
    """Claims to use groups."""

    uses_groups: ClassVar[bool] = True
    breaks: ClassVar[str] = "takes_groups"
    says: ClassVar[str] = "uses_groups is true, and fit takes no groups: "


class Long(Nearest):
    """Takes long matrices only, and fails instead of refusing others."""

    uses_shape: ClassVar[bool] = True
    breaks: ClassVar[str] = "takes_shape"
    says: ClassVar[str] = "shape=(32, 2) raised ValueError: 2 frames are too few"
    estimator: ClassVar[str] = "Long"


class Pickling(Nearest):
    """Saves itself as a pickle."""

    breaks: ClassVar[str] = "saves_and_loads_without_pickle"
    says: ClassVar[str] = "loading unpickles "

    def dump(self, estimator: Any) -> dict[str, bytes]:
        return {"model.pkl": pickle.dumps(estimator)}

    def restore(self, files: Mapping[str, bytes]) -> Any:
        return pickle.loads(files["model.pkl"])


class Rounding(Nearest):
    """Saves fewer digits than it has."""

    breaks: ClassVar[str] = "saves_and_loads_without_pickle"
    says: ClassVar[str] = "predicts differently after it was saved and loaded"

    def dump(self, estimator: Any) -> dict[str, bytes]:
        return {"means.json": json.dumps(estimator.means_.round().tolist()).encode()}


class Parallel(Nearest):
    """Takes all cores."""

    breaks: ClassVar[str] = "leaves_parallelism_to_the_run"
    says: ClassVar[str] = "n_jobs is -1; how parallel a run is belongs to the run"
    estimator: ClassVar[str] = "Parallel"


class Limiting(Nearest):
    """Limits the threads of everybody."""

    breaks: ClassVar[str] = "leaves_parallelism_to_the_run"
    says: ClassVar[str] = "it changes the number of threads of "
    estimator: ClassVar[str] = "Limiting"


class Chatty(Nearest):
    """Writes below Python, as a C library does."""

    breaks: ClassVar[str] = "writes_nothing_to_stdout"
    says: ClassVar[str] = "it writes to stdout: 'iteration 1'"
    estimator: ClassVar[str] = "Chatty"


class Seeding(Nearest):
    """Seeds the generator of everybody."""

    breaks: ClassVar[str] = "leaves_random_state_alone"
    says: ClassVar[str] = "it draws from or seeds np.random; use"
    estimator: ClassVar[str] = "Seeding"


class Optimistic(Nearest):
    """Needs less than nothing."""

    breaks: ClassVar[str] = "memory_is_foretold"
    says: ClassVar[str] = "fit_memory returned -1, expected a whole number of bytes"

    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return -1
