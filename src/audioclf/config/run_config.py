"""The config of a run.

All problems of a file are reported at once, each with file:line:column and the nearest valid name.
The config holds the component objects, so names are looked up by `load_config` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_serializer,
    model_validator,
)

from audioclf.audio.settings import AudioConfig
from audioclf.base.limits import Limits
from audioclf.base.settings import Settings
from audioclf.components.classifier import Classifier
from audioclf.components.component import components_inside
from audioclf.components.featurizer import Featurizer
from audioclf.components.fields import AnyAugmenter, AnyClassifier, AnyFeaturizer, AnyLoader
from audioclf.components.metrics import DEFAULT_METRICS, MetricName
from audioclf.components.pooling import Flatten
from audioclf.config.yaml_source import dump_yaml
from audioclf.evaluation.extra_settings import LearningCurveConfig, UnknownConfig
from audioclf.evaluation.splits import Split, StratifiedKFold


class Report(Settings):
    """The page `report.html`, and the pictures in `plots/`."""

    html: bool = True
    """Whether to write the page."""

    plots: bool = True
    """Whether to draw the pictures in `plots/`, about a second of work."""

    media_mb: float | None = Field(default=None, ge=0, le=1000)
    """Largest size of sounds and pictures in MB; null for 4 at 100 clips to 8 at 1,000."""


JOINT = "+"
"""Sign between the names of joined featurizers; no name in a config holds it."""

PipelinePart = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class RunConfig(Settings):
    """One run: one dataset, one set of splits, a grid of featurizers and classifiers."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    """Name of the run and of its folder."""

    seed: int = Field(default=42, ge=0, le=2**32 - 1)
    """Seed of the splits, of every classifier and of the resampling behind intervals."""

    dataset: AnyLoader
    """Loader of the clips and their labels."""

    audio: AudioConfig = AudioConfig()
    """Decoding of files to mono waveforms at one sample rate."""

    featurizers: dict[PipelinePart, AnyFeaturizer] = Field(min_length=1)
    """Featurizers by name."""

    augment: tuple[AnyAugmenter, ...] = ()
    """Changes of the sound, in this order, for further copies of each training clip."""

    copies: int = Field(default=1, ge=1, le=32)
    """Copies of each training clip that `augment` makes, each with other random numbers."""

    split: Split = StratifiedKFold()
    """Split into training and test clips, the same for all pipelines."""

    classifiers: dict[PipelinePart, AnyClassifier] = Field(min_length=1)
    """Classifiers by name; each is combined with each featurizer, but an ensemble with `features`
    only with those that it names."""

    metrics: tuple[MetricName, ...] = Field(default=("accuracy", "balanced_accuracy"), min_length=1)
    """Metrics; the first is the main metric. The default for several labels per clip is
    `average_precision_macro` and `f1_macro`, for numbers `ccc` and `mae`, and for ordered classes
    `quadratic_kappa` and `mae`."""

    thresholds: Literal["f1", "half"] = "f1"
    """Of several labels per clip, the score from which a clip has a label: by the best F1 inside
    the training clips of each fold, or 0.5 (a decision value of 0)."""

    equivalence_margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest irrelevant difference of the main metric, above 0; null for no equivalence test."""

    audit: bool = True
    """Whether to search for data leakage, shortcuts and wrong labels."""

    allow: tuple[str, ...] = ()
    """Names of accepted audit findings."""

    final: str = "best"
    """Pipeline to fit on all clips and save as `model.audioclf`: a name, `best`, `none`."""

    keep: Literal["best", "equal"] = "best"
    """Whether the run also keeps pipelines that cannot be told apart from the best by the main
    metric, as `model-NAME.audioclf`; new recordings may tell them apart."""

    calibrate: Literal["sigmoid", "isotonic", "temperature"] | None = None
    """Calibration of the scores of the final model to probabilities; null for none."""

    abstain_below: float | None = Field(default=None, gt=0, lt=1)
    """Score below which the final model predicts no class; null for always a class."""

    graph: bool = True
    """Whether `model.audioclf` also holds an ONNX graph, by which it predicts where other versions
    are installed; the extra `onnx` makes it, except for estimators of more than 1 MB."""

    unknown: UnknownConfig | None = None
    """How the final model finds sounds of no known class; null if each sound gets a class."""

    learning_curve: LearningCurveConfig | None = None
    """Fits of each pipeline to fewer training clips of each class as well; null for none."""

    report: Report = Report()
    """The HTML page of the run."""

    on_error: Literal["fail", "skip"] = "fail"
    """Handling of unreadable clips: end the run before training, or omit and count them."""

    isolate: bool = False
    """Whether to read clips in worker processes, so that the crash of a codec costs one clip."""

    limits: Limits = Limits()
    """Upper bounds on untrusted archives and audio files; defaults may be omitted."""

    @field_serializer("limits")
    def _only_changed_limits(self, limits: Limits) -> dict[str, Any]:
        return limits.changed()

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the keys of augmentation if there is none, for versions that lack them."""
        data: dict[str, Any] = handler(self)
        if self.unknown is None:
            data.pop("unknown", None)
        if self.keep == "best":
            data.pop("keep", None)
        if not self.augment:
            data = {key: value for key, value in data.items() if key not in ("augment", "copies")}
        return data

    @model_validator(mode="after")
    def _keys_go_together(self) -> RunConfig:
        if "copies" in self.model_fields_set and "augment" not in self.model_fields_set:
            raise ValueError("copies: set `augment`, the list of changes that make them")
        if self.keep == "equal" and self.final != "best":
            raise ValueError("keep: `equal` needs `final: best`, to which the others are equal")
        if self.unknown is not None and self.unknown.method == "score" and self.calibrate:
            raise ValueError(
                "unknown: `method: score` takes the scores as the classifier gives them: remove "
                "`calibrate`, or set `method: distance`"
            )
        return self

    @model_validator(mode="after")
    def _metrics_suit_the_labels(self) -> RunConfig:
        if "metrics" not in self.model_fields_set:
            object.__setattr__(self, "metrics", DEFAULT_METRICS[self.dataset.target_kind()])
        return self

    @model_validator(mode="after")
    def _flatten_is_bounded(self) -> RunConfig:
        for name, featurizer in self.featurizers.items():
            if isinstance(featurizer.pooling, Flatten) and self.audio.duration is None:
                raise ValueError(
                    f"featurizers.{name}.pooling is `flatten`, which needs an audio.duration: "
                    "set it to the length of the longest clip"
                )
        return self

    @model_validator(mode="after")
    def _own_features_are_known(self) -> RunConfig:
        for name, classifier in self.classifiers.items():
            for member, feature in classifier.own_features().items():
                if feature not in self.featurizers:
                    known = ", ".join(self.featurizers)
                    raise ValueError(
                        f"classifiers.{name}.features.{member}: no featurizer is named "
                        f"{feature!r}; there are {known}"
                    )
            for place, part in components_inside(classifier):
                if isinstance(part, Classifier) and part.own_features():
                    raise ValueError(
                        f"classifiers.{name}.{place}.features: a classifier inside of another has "
                        "the features of that one; remove `features`"
                    )
        used = {feature for _, _, feature in self.learners()}
        if unused := [name for name in self.featurizers if name not in used]:
            raise ValueError(
                f"featurizers.{unused[0]} is in no `features` of the classifiers: name it there, "
                "or remove it"
            )
        _ = self.inputs  # joins them
        return self

    @model_validator(mode="after")
    def _time_is_kept(self) -> RunConfig:
        for place, classifier, name in self.learners():
            pooling = self.featurizers[name].pooling
            if classifier.needs_shape() and not isinstance(pooling, Flatten):
                raise ValueError(
                    f"{place} needs the frames of each clip, and featurizers.{name}.pooling is "
                    f"`{pooling.type}`, which keeps none: set it to {{type: flatten}}"
                )
        return self

    def learners(self) -> Iterator[tuple[str, Classifier, str]]:
        """Yield places, classifiers and their featurizers; those of the members for an ensemble."""
        for name, classifier in self.classifiers.items():
            members = classifier.members(0, 0)
            for member, feature in classifier.own_features().items():
                yield f"classifiers.{name}.classifiers.{member}", members[member][0], feature
            if not classifier.own_features():
                for feature in self.featurizers:
                    yield f"classifiers.{name}", classifier, feature

    @model_validator(mode="after")
    def _final_is_a_pipeline(self) -> RunConfig:
        if self.final not in ("best", "none", *self.pipeline_names):
            names = ", ".join(self.pipeline_names)
            raise ValueError(
                f"final: no pipeline is named {self.final!r}; use best, none, or one of {names}"
            )
        return self

    @property
    def pipeline_names(self) -> tuple[str, ...]:
        """The names of the pipelines of the grid, without the baseline that a run adds."""
        return tuple(self.grid)

    @property
    def grid(self) -> dict[str, tuple[str, str]]:
        """The names of featurizer and classifier of each pipeline, by its name."""
        own = {name: item.own_features() for name, item in self.classifiers.items()}
        free = [name for name, features in own.items() if not features]
        pairs = [*product(self.featurizers, free)]
        pairs += [(self._joined_name(names), name) for name, names in own.items() if names]
        single = len(self.featurizers) == 1
        return {name if single else f"{feature}/{name}": (feature, name) for feature, name in pairs}

    @property
    def inputs(self) -> dict[str, Featurizer]:
        """The featurizers of the pipelines: those of the config, and joined ones."""
        inputs = dict(self.featurizers)
        for name, classifier in self.classifiers.items():
            joined = self._joined_name(classifier.own_features())
            if joined and joined not in inputs:
                parts = {part: inputs[part] for part in joined.split(JOINT)}
                try:
                    inputs[joined] = classifier.joined(parts)
                except ValidationError as exc:
                    reason = str(exc.errors()[0]["msg"]).removeprefix("Value error, ")
                    raise ValueError(f"classifiers.{name}.features: {reason}") from exc
        return inputs

    @property
    def joined(self) -> dict[str, tuple[str, ...]]:
        """The names of the featurizers behind each joined one."""
        return {name: tuple(name.split(JOINT)) for name in self.inputs if JOINT in name}

    def _joined_name(self, features: Mapping[str, str]) -> str:
        named = set(features.values())
        return JOINT.join(name for name in self.featurizers if name in named)

    def to_yaml(self) -> str:
        """Return the resolved config as YAML for another run."""
        return dump_yaml(self.model_dump(mode="json"))
