"""The config of a run: its parts, and how a YAML file becomes one.

Every problem of a file is reported in one pass, each with file:line:column and the nearest valid
name. After `load_config` no name is looked up again: the config holds the working objects.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    field_serializer,
    model_validator,
)

from audioclf.audio.settings import AudioConfig
from audioclf.base.limits import Limits
from audioclf.base.settings import Settings
from audioclf.components.fields import AnyClassifier, AnyFeaturizer, AnyLoader
from audioclf.components.metrics import Metric
from audioclf.components.pooling import Flatten
from audioclf.config.yaml_source import (
    dump_yaml,
)
from audioclf.evaluation.splits import Split, StratifiedKFold


class Report(Settings):
    """The page `report.html`."""

    html: bool = True
    """Whether it is written."""

    media_mb: float | None = Field(default=None, ge=0, le=1000)
    """What sounds and pictures of clips may take, in MB; null for 4 at 100 clips to 8 at 1,000."""


PipelinePart = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class RunConfig(Settings):
    """One run: one dataset, one set of splits, a grid of featurizers and classifiers."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    """Name of the run and of its folder."""

    seed: int = Field(default=42, ge=0, le=2**32 - 1)
    """Seed of the splits, of every classifier and of the resampling behind intervals."""

    dataset: AnyLoader
    """Where the clips and their labels come from."""

    audio: AudioConfig = AudioConfig()
    """How files become waveforms: mono, at one sample rate."""

    featurizers: dict[PipelinePart, AnyFeaturizer] = Field(min_length=1)
    """Features by a name of your choice."""

    split: Split = StratifiedKFold()
    """Which clips train and which test, the same for every pipeline."""

    classifiers: dict[PipelinePart, AnyClassifier] = Field(min_length=1)
    """Classifiers by a name of your choice; each is combined with each featurizer."""

    metrics: tuple[Metric, ...] = Field(default=("accuracy", "balanced_accuracy"), min_length=1)
    """What is measured; the first is the main metric."""

    equivalence_margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest difference of the main metric that does not matter, above 0; null for no such."""

    audit: bool = True
    """Whether the run looks for reasons not to believe its numbers."""

    allow: tuple[str, ...] = ()
    """Names of audit findings that are known and accepted."""

    final: str = "best"
    """Pipeline that is fitted on all clips and kept as `model.audioclf`: a name, `best`, `none`."""

    calibrate: Literal["sigmoid", "isotonic", "temperature"] | None = None
    """How the scores of the final model become probabilities; null leaves them as they are."""

    abstain_below: float | None = Field(default=None, gt=0, lt=1)
    """Score below which the final model names no class; null names one always."""

    report: Report = Report()
    """The page that a run leaves."""

    on_error: Literal["fail", "skip"] = "fail"
    """What an unreadable clip does: end the run before any training, or be left out and counted."""

    isolate: bool = False
    """Whether clips are read in worker processes, so that a crash of a codec costs one clip."""

    limits: Limits = Limits()
    """How much of archives and audio files is believed; only what differs need be given."""

    @field_serializer("limits")
    def _only_changed_limits(self, limits: Limits) -> dict[str, Any]:
        return limits.changed()

    @model_validator(mode="after")
    def _flatten_is_bounded(self) -> RunConfig:
        for name, featurizer in self.featurizers.items():
            if isinstance(featurizer.pooling, Flatten) and self.audio.duration is None:
                raise ValueError(
                    f"featurizers.{name}.pooling is `flatten`, which needs an audio.duration "
                    "that bounds the length of all clips"
                )
        return self

    @model_validator(mode="after")
    def _time_is_kept(self) -> RunConfig:
        needing = [name for name, found in self.classifiers.items() if found.needs_shape()]
        for name, featurizer in self.featurizers.items():
            if needing and not isinstance(featurizer.pooling, Flatten):
                raise ValueError(
                    f"classifiers.{needing[0]} needs the frames of each clip, and "
                    f"featurizers.{name}.pooling is `{featurizer.pooling.type}`, which keeps none: "
                    "set it to {type: flatten}"
                )
        return self

    @model_validator(mode="after")
    def _final_is_a_pipeline(self) -> RunConfig:
        if self.final not in ("best", "none", *self.pipeline_names):
            names = ", ".join(self.pipeline_names)
            raise ValueError(
                f"final: no pipeline is called {self.final!r}; best, none, or of {names}"
            )
        return self

    @property
    def pipeline_names(self) -> tuple[str, ...]:
        """The names of the pipelines of the grid, without the baseline that a run adds."""
        single = len(self.featurizers) == 1
        return tuple(
            name if single else f"{feature_name}/{name}"
            for feature_name in self.featurizers
            for name in self.classifiers
        )

    def to_yaml(self) -> str:
        """Return the resolved config as YAML that runs again as it stands."""
        return dump_yaml(self.model_dump(mode="json"))
