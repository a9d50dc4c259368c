"""What a component is: one frozen pydantic model with one verb.

The fields of a component are its configuration, `type: Literal["mel"] = "mel"` is the name that
YAML uses, and one method is its behaviour. The validated YAML is the working object: it pickles,
hashes, compares, round-trips to JSON, and can be made by hand: `MelSpectrogram(n_mels=64)`.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializeAsAny,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from audioclf.errors import ClassifierError
from audioclf.pooling import Pooling, Stats
from audioclf.remote import is_url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sklearn.base import ClassifierMixin

    from audioclf.batches import Batches
    from audioclf.dataset import Dataset

Kind = Literal["loader", "featurizer", "classifier"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Component(BaseModel):
    """Base of all components: frozen, and deaf to keys that it does not know.

    A concrete subclass declares `type: Literal["name"] = "name"`; one that has fields but no
    such `type` fails at import.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    kind: ClassVar[Kind]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "type" in cls.model_fields:
            _check_type_literal(cls)
        elif not getattr(cls, "__abstractmethods__", None) and "kind" not in vars(cls):
            raise TypeError(f'{cls.__qualname__} needs a field `type: Literal["name"] = "name"`')

    @classmethod
    def type_name(cls) -> str:
        """Return the name by which YAML asks for this component."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]


def _check_type_literal(cls: type[Component]) -> None:
    field = cls.model_fields["type"]
    values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    if len(values) != 1 or field.default != values[0] or not isinstance(values[0], str):
        raise TypeError(
            f"{cls.__qualname__}.type must be a Literal of one string that is also its default, "
            'as in `type: Literal["mel"] = "mel"`'
        )


class Loader(Component):
    """Base of loaders: where the clips and their labels come from."""

    kind: ClassVar[Kind] = "loader"

    @abstractmethod
    def load(self) -> Dataset:
        """Return the clips with their labels, without decoding any audio.

        Raises
        ------
        DatasetError
            If the source is missing, unreadable or holds no audio; the message names the path.
        """


class Featurizer(Component):
    """Base of featurizers: one waveform in, one feature matrix out."""

    kind: ClassVar[Kind] = "featurizer"

    pooling: Pooling = Stats()
    """How the (n_bins, n_frames) matrix becomes one row of the design matrix."""

    @abstractmethod
    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        """Return the feature matrix of one clip.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,)], float32
            Mono waveform in [-1, 1]; not to be changed.
        sr : int
            Sample rate in Hz.

        Returns
        -------
        F : np.ndarray [shape=(n_bins, n_frames)], float32
            Finite; its shape depends on `n_samples` and `sr` alone, unless `has_steady_frames`
            says otherwise.
        """

    def extract_many(self, ys: Sequence[NDArray[np.float32]], sr: int) -> list[NDArray[np.float32]]:
        """Return the feature matrix of each of several clips.

        The engine calls this, from several threads at a time. Override it where clips can share
        work; each matrix must agree to the last bit with `extract` of that clip alone, so that
        no result depends on which clips come together.

        Parameters
        ----------
        ys : sequence of np.ndarray [shape=(n_samples,)], float32
            Mono waveforms in [-1, 1], of any lengths, perhaps none at all; not to be changed.
        sr : int
            Sample rate of all of them, in Hz.

        Returns
        -------
        matrices : list of np.ndarray [shape=(n_bins, n_frames)], float32
            As `extract` returns them, in the order of `ys`.

        Raises
        ------
        FeatureError
            If one clip cannot be extracted; `extract` of each says which.
        """
        return [self.extract(y, sr) for y in ys]

    def extract_windows(
        self, y: NDArray[np.float32], sr: int, starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32]]:
        """Return the feature matrix of each of several windows of one recording.

        Predictions of windows that overlap call this. Override it, and `shared_step`, where such
        windows can share work; each matrix must agree to the last bit with `extract` of that window
        alone, which knows nothing of the samples around it.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)], float32
            Mono waveform in [-1, 1]; not to be changed.
        sr : int
            Sample rate in Hz.
        starts : sequence of int
            First sample of each window.
        n_samples : int
            Length of each window in samples; none reaches beyond the end of `y`.

        Returns
        -------
        matrices : list of np.ndarray [shape=(n_bins, n_frames)], float32
            As `extract` returns them, in the order of `starts`.

        Raises
        ------
        FeatureError
            If one window cannot be extracted; `extract` of each says which.
        """
        return self.extract_many([y[start : start + n_samples] for start in starts], sr)

    def shared_step(self, sr: int) -> int | None:
        """Return the samples by a multiple of which windows must lie apart to share work.

        None, the default, is for featurizers whose windows share nothing.
        """
        return None

    def has_steady_frames(self) -> bool:
        """Whether all clips of one length have as many frames, as nearly every featurizer promises.

        One that cuts off what is silent cannot promise that.
        """
        return True

    def views(self) -> Sequence[Featurizer]:
        """Return what extracts each view of a clip: first what `extract` sees, then augmented ones.

        A classifier is trained on all views of the training clips, each as a row with the label of
        its clip. The views stand side by side in the row of the clip, so no split comes between
        them. All give matrices of one shape and have this featurizer's pooling.
        """
        return (self,)

    def averages_views(self) -> bool:
        """Whether a prediction is the mean of the scores of all views, not that of the first."""
        return False


class Classifier(Component):
    """Base of classifiers: a description that builds an unfitted scikit-learn estimator."""

    kind: ClassVar[Kind] = "classifier"

    uses_groups: ClassVar[bool] = False
    """Whether `fit` of what `build` returns also takes `groups`, as a search does whose inner folds
    must not separate the clips of one speaker or site. Where the dataset has groups it is called
    as `fit(X, y, groups=groups)`, with an integer for each training clip."""

    uses_shape: ClassVar[bool] = False
    """Whether `fit` of what `build` returns also takes `shape`, as a network does that sees time
    and frequency. It is called as `fit(X, y, shape=(n_bins, n_frames))`, and each row of `X` holds
    the bins of the first frame, then those of the second: `row.reshape(n_frames, n_bins).T` is the
    feature matrix. A featurizer whose pooling keeps no time axis is refused."""

    trusted_types: ClassVar[tuple[str, ...]] = ()
    """Full names of types, beyond those known to be safe, that a saved estimator may hold."""

    model_format: ClassVar[str] = "skops"
    """How a fitted estimator is saved; any other name needs `dump` and `restore`."""

    @abstractmethod
    def build(self, *, random_state: int) -> ClassifierMixin:
        """Return a new, unfitted scikit-learn classifier.

        It is fitted on float32 rows and on labels `0..k-1`. Scaling that it needs belongs inside,
        as a `Pipeline`, so that it is refitted in each training fold. If it has a mapping
        `best_params_` once it is fitted, as the searches of scikit-learn have, that is kept with
        the results of the fold.

        Parameters
        ----------
        random_state : int
            Seed for all randomness of the estimator.
        """

    def needs_shape(self) -> bool:
        """Whether `fit` takes `shape`, because this classifier or one inside of it uses it."""
        inner = (getattr(self, name) for name in type(self).model_fields)
        return self.uses_shape or any(
            isinstance(item, Classifier) and item.needs_shape() for item in inner
        )

    def fit_keywords(
        self, *, groups: NDArray[np.intp] | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        """Return what `fit` is called with besides rows and labels.

        Parameters
        ----------
        groups : np.ndarray [shape=(n_rows,)], int, optional
            None where the dataset has no groups.
        shape : tuple of int, optional
            Shape (n_bins, n_frames) of the matrix that each row holds; None where there is none.

        Raises
        ------
        ClassifierError
            If a shape is needed and there is none.
        """
        keywords: dict[str, Any] = {}
        if self.uses_groups and groups is not None:
            keywords["groups"] = groups
        if self.needs_shape():
            if shape is None:
                raise ClassifierError(
                    f"{self.type_name()} needs rows that keep the frames of each clip",
                    hint="Give its featurizer `pooling: {type: flatten}`.",
                )
            keywords["shape"] = shape
        return keywords

    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        """Return the bytes of memory that a fit takes besides its float32 rows, about.

        A fit that would not fit in the memory that is free is not begun. By default three times
        the rows, as two copies of them in float64 would nearly take.
        """
        return 12 * n_rows * n_columns

    def fit_views(
        self,
        estimator: Any,
        X: NDArray[np.float32],
        y: NDArray[np.intp],
        clips: NDArray[np.intp],
        **passed: Any,
    ) -> Any:
        """Fit an estimator on rows of which several are views of one clip, and return it.

        Override it where a fit holds out some of its rows, to stop early or to calibrate: it must
        not learn from one view of a clip and test itself on another. A classifier with
        `uses_groups` need not: where the dataset has no groups, it is passed the clips as such.

        Parameters
        ----------
        estimator : scikit-learn classifier
            What `build` returned; its parameters stay as they are.
        X : np.ndarray [shape=(n_rows, n_features)], float32
        y : np.ndarray [shape=(n_rows,)], int
        clips : np.ndarray [shape=(n_rows,)], int
            Number of the clip that each row is a view of.
        **passed
            What `fit` takes besides, such as `groups`.
        """
        return estimator.fit(X, y, **passed)

    def batch_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        """Return the bytes of memory that `fit_batches` takes besides a block, about."""
        return 0

    def fit_batches(self, batches: Batches, *, random_state: int) -> ClassifierMixin:
        """Return a classifier that has learned from rows that memory does not hold all at once.

        Override it where an algorithm can do so; it is called where a fit of all rows together
        would take more memory than is free, and the results say so.

        Parameters
        ----------
        batches : Batches
            The training rows in blocks, to be read as often as need be.
        random_state : int
            Seed for all randomness of the estimator.

        Raises
        ------
        NotImplementedError
            Unless a subclass overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} does not learn in batches")

    def dump(self, estimator: ClassifierMixin) -> dict[str, bytes]:
        """Return a fitted estimator as files of plain names, in `model_format`.

        Raises
        ------
        NotImplementedError
            Unless a subclass with a `model_format` of its own overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no format of its own")

    def restore(self, files: Mapping[str, bytes]) -> ClassifierMixin:
        """Return what `dump` saved, without executing anything of it.

        Raises
        ------
        ValueError
            If the files do not hold a sound estimator.
        NotImplementedError
            Unless a subclass with a `model_format` of its own overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no format of its own")

    def unwrapped(self, estimator: Any) -> tuple[Classifier, Any]:
        """Return the classifier and the fitted estimator that predict alone.

        A search returns what it chose: that, and not the search, is kept in a model file.
        """
        return self, estimator

    @classmethod
    def learns_in_batches(cls) -> bool:
        """Whether `fit_batches` is there."""
        return cls.fit_batches is not Classifier.fit_batches


BASES: dict[Kind, type[Component]] = {
    "loader": Loader,
    "featurizer": Featurizer,
    "classifier": Classifier,
}


ComponentBuilder = Callable[[Kind, Any, "dict[str, Any]"], Component]
"""`(kind, data, context) -> component`: how a config names a component by its `type`."""


def _build_by(kind: Kind) -> Callable[[Any, ValidationInfo], Any]:
    def build(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Component) or not info.context or "build" not in info.context:
            return value
        builder: ComponentBuilder = info.context["build"]
        return builder(kind, value, info.context)

    return build


COMPONENT_KEY = "x-audioclf-component"
"""Stands in the JSON schema of a field for the components that may stand there."""


def _component_type(base: type[Component], kind: Kind) -> Any:
    return Annotated[
        SerializeAsAny[base],  # type: ignore[valid-type,misc]
        BeforeValidator(_build_by(kind)),
        WithJsonSchema({COMPONENT_KEY: kind}),
    ]


if TYPE_CHECKING:
    AnyLoader = Loader
    AnyFeaturizer = Featurizer
    AnyClassifier = Classifier
else:
    AnyLoader = _component_type(Loader, "loader")
    """A loader field: YAML names it by `type`, Python passes the object."""
    AnyFeaturizer = _component_type(Featurizer, "featurizer")
    """A featurizer field, as in a featurizer that wraps others."""
    AnyClassifier = _component_type(Classifier, "classifier")
    """A classifier field, as in a search around a classifier."""


def _input_path(
    value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> Path | str:
    if is_url(value):
        return str(value)
    path: Path = validate(value).expanduser()
    context = info.context or {}
    typed = value in context.get("typed", ())
    base = Path.cwd() if typed else context.get("base_dir")
    return path if base is None or path.is_absolute() else Path(base, path)


if TYPE_CHECKING:
    InputPath = Path | str
else:
    InputPath = Annotated[Path, WrapValidator(_input_path)]
    """A path that a config gives relative to itself, as a `Path`; or a URL, which stays a `str`."""


def validate_component(
    cls: type[Component], data: dict[str, Any], context: dict[str, Any] | None = None
) -> Component:
    """Validate plain data as a component, as strictly as a config file is.

    Numbers in quotes and booleans for numbers are refused; lists become tuples and strings become
    paths, which is why the data goes through JSON.

    Raises
    ------
    pydantic.ValidationError
        If a value does not fit; its locations are relative to `data`.
    """
    return cls.model_validate_json(json.dumps(data), strict=True, context=context)
