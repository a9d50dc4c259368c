"""Settings of a prediction: windows, events, one line per recording, output format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ConfigError
from audioclf.components.registry import suggest
from audioclf.dataset.path_labels import shown
from audioclf.dataset.table_rows import read_number
from audioclf.models.windows import Cutting
from audioclf.predict.events import EVENTS_VERSION, EventRule, Rollup
from audioclf.predict.formats import COLUMNS_VERSION, CsvFormat, OutputFormat, line_columns
from audioclf.predict.segments import SegmentRule

if TYPE_CHECKING:
    from audioclf.models.model import Model

_OTHER = re.compile(
    r"background|noise|silen|other|none|nothing|unknown|ambient|empty|negative|absent|^no[ _-]",
    re.IGNORECASE,
)
"""Names of classes for all else."""
_WORSE = "scores may be worse than the model's evaluation says"


@dataclass(frozen=True)
class Settings:
    """How each recording is predicted and written.

    `cutting` is None where a recording is one clip. With `events`, lines are events or segments
    instead of windows; with `rollup`, there is one line per recording. `thresholds` are those of
    the classes of a model of several labels per clip.
    """

    cutting: Cutting | None = None
    events: EventRule | SegmentRule | None = None
    rollup: Rollup | None = None
    output: type[OutputFormat] = field(default=CsvFormat, repr=False)
    thresholds: tuple[float, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.events is not None and self.rollup is not None:
            raise ConfigError(
                f"{self.events.rows} and a rollup cannot go into one output: choose one"
            )
        needed_by = {
            f"{self.events.rows if self.events else 'events'} are": self.events is not None,
            "a rollup is": self.rollup is not None,
            f"the format {self.output.name} is": self.output.needs_windows,
        }
        for subject, needs_windows in needed_by.items():
            if needs_windows and self.cutting is None:
                raise ConfigError(f"{subject} made of windows", hint="Add --window, in s.")


@dataclass(frozen=True, eq=False)
class Job:
    """A model and the settings with which recordings are predicted.

    With `with_time`, lines have the clock time of their start, where the recording has one.
    """

    model: Model
    settings: Settings = Settings()
    model_digest: str = ""
    with_time: bool = False

    @property
    def digest(self) -> str:
        """Short digest of everything that an output depends on except the recordings."""
        settings = self.settings
        text = repr((COLUMNS_VERSION, self.model_digest, settings, settings.output.name))
        if settings.events is not None:
            text += f"events {EVENTS_VERSION}"
        if settings.thresholds is not None:
            text += f"thresholds {settings.thresholds}"
        if self.with_time:
            text += "time"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def writer(self) -> OutputFormat:
        """Return the format with the columns and the sample rate of this job."""
        model, settings = self.model, self.settings
        classes = () if model.score_kind == "none" and settings.rollup is None else model.classes
        events = settings.events is not None
        columns = line_columns(
            classes,
            events=events,
            kind="number" if model.is_number else "several" if model.is_several else "class",
            with_p_value=gives_p_values(model, settings),
            with_time=self.with_time,
            with_channel=model.manifest.audio.channel == "each",
        )
        return settings.output(columns, model.sr)


def gives_p_values(model: Model, settings: Settings) -> bool:
    """Return whether lines have the p-value of a detector of anomalies.

    Calibrated scores, and those of several windows or views together, have none. An event has that
    of its window with the highest score.
    """
    is_detector = hasattr(model.scorer, "p_values_of_scores")
    of_windows = settings.rollup is None and not isinstance(settings.events, SegmentRule)
    return is_detector and of_windows and model.manifest.calibration is None


def read_thresholds(texts: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """Return the threshold of all classes and those of some, from texts as `0.5` and `robin=0.4`.

    >>> read_thresholds(["0.5", "a=b=0.4"])
    (0.5, {'a=b': 0.4})
    """
    values: dict[str, float] = {}
    for text in texts:
        name, has_name, number = text.rpartition("=")
        value = read_number(number.strip())
        if value is None or not 0.0 <= value <= 1.0 or (has_name and not name):
            raise ConfigError(
                f"--threshold {text}: expected a number from 0 to 1, or CLASS=NUMBER for one class"
            )
        if name in values:
            whose = f"class {name!r} has" if has_name else "all classes have"
            raise ConfigError(f"--threshold {text}: {whose} the threshold {values[name]:g} already")
        values[name] = value
    return values.pop("", None), values


def class_thresholds(
    model: Model, every: float | None, by_class: Mapping[str, float]
) -> tuple[float, ...] | None:
    """Return the threshold of each class of a model of several labels; None for one label.

    By default they are those of the model; `every` is for all classes, `by_class` for some.
    """
    several = model.manifest.several
    if several is None:
        if by_class:
            raise ConfigError(
                "--threshold of a class: the model gives one class per clip, not several labels",
                hint="Give a number for all classes, and --events.",
            )
        return None
    for name in by_class:
        if name not in model.classes:
            hint = suggest(name, model.classes) or f"There are {shown(model.classes, most=12)}."
            raise ConfigError(f"--threshold: the model has no class {name!r}", hint=hint)
    own = several.thresholds if every is None else [every] * len(model.classes)
    return tuple(by_class.get(name, value) for name, value in zip(model.classes, own, strict=True))


def event_rule(
    model: Model, thresholds: Sequence[str], **rule: Any
) -> tuple[EventRule, tuple[float, ...] | None]:
    """Return the rule of events and the thresholds of several labels, from texts.

    Fields of the rule that are None keep their default.
    """
    every, by_class = read_thresholds(thresholds)
    own = class_thresholds(model, every, by_class)
    rule["threshold"] = every if own is None else max(own)
    return EventRule(**{name: value for name, value in rule.items() if value is not None}), own


def check_classes(model: Model, use: str) -> None:
    """Refuse a use that is made for classes, if the model predicts numbers."""
    if model.is_number:
        raise ConfigError(
            f"{use} needs a model of classes, and this one predicts numbers",
            hint="Use `audioclf predict`.",
        )


def check_settings(model: Model, settings: Settings) -> list[str]:
    """Return notes about windows that do not suit the model."""
    if model.is_number:
        if settings.events is not None or settings.rollup == "share":
            what = f"{settings.events.rows} are" if settings.events else "--rollup share is"
            raise ConfigError(
                f"{what} made of classes, and the model gives numbers",
                hint="Use windows, or --rollup mean.",
            )
    elif model.score_kind == "none":
        _check_without_scores(model, settings)
    if settings.cutting is None:
        return []
    cutting = settings.cutting
    notes = [*_length_note(model, cutting)]
    if isinstance(settings.events, SegmentRule) and model.is_several:
        raise ConfigError(
            "segments have one label at each instant, and this model gives several labels per clip",
            hint="Use --events.",
        )
    if isinstance(settings.events, SegmentRule) and model.manifest.unknown is not None:
        raise ConfigError(
            "segments name a class at each instant, and this model calls some sounds unknown",
            hint="Use --events.",
        )
    if isinstance(settings.events, EventRule):
        settings.events.makes_events(model.classes)
        notes += [] if model.is_several else _without_background(model)
    return [*notes, *_faster_hop(cutting, model)]


def _check_without_scores(model: Model, settings: Settings) -> None:
    no_scores = f"the classifier of {model.manifest.cell!r} gives no scores"
    if settings.events or settings.rollup == "mean":
        raise ConfigError(
            f"{no_scores}, and events, segments and means are made of them",
            hint="Use --rollup share, or predictions of windows.",
        )
    if settings.output.needs_scores:
        raise ConfigError(
            f"{no_scores}, and the format {settings.output.name} needs them",
            hint="Choose another --format.",
        )


def _length_note(model: Model, cutting: Cutting) -> Iterator[str]:
    """Yield a note on windows whose length differs from that of the training clips."""
    duration, seconds = model.manifest.audio.duration, cutting.size / model.sr
    if duration is None or cutting.size <= round(duration * model.sr):
        if model.clips is not None and (warning := model.clips.length_warning(seconds)):
            yield f"a window of {warning}: {_WORSE}"
        return
    problem = f"windows of {seconds:g} s are longer than the {duration:g} s clips of the training"
    if model.manifest.featurizer["pooling"]["type"] == "flatten":
        raise ConfigError(
            f"{problem}, and the features of this model end there",
            hint=f"Use --window {duration:g} or less.",
        )
    yield f"{problem}: {_WORSE}"


def is_background(name: str) -> bool:
    """Return whether a class is for all else, by its name."""
    return _OTHER.search(name) is not None


def _without_background(model: Model) -> Iterator[str]:
    """Name the trap of events of a model that was trained on calls alone."""
    if not model.manifest.withholds and not any(map(is_background, model.classes)):
        yield (
            "no class of the model is background, so every window gets one of its classes, also "
            "silence and other sounds; train with a class for these, as `background` of the loader "
            "annotations makes it (`audioclf docs loaders`)"
        )


def _faster_hop(cutting: Cutting, model: Model) -> Iterator[str]:
    """Name a hop close by with which overlapping windows would have frames in common."""
    step = model.shared_step
    if step is None:
        return
    hop = max(1, round(cutting.hop / step)) * step
    near = replace(cutting, hop=hop)
    if 2 * near.own_samples(step) > cutting.own_samples(step) or 4 * hop > 5 * cutting.hop:
        return
    yield (
        f"windows every {cutting.hop / model.sr:g} s have few frames in common, or none; with "
        f"--hop {_shortest_seconds(hop, model.sr)} they would share more and be predicted faster"
    )


def _shortest_seconds(n_samples: int, sr: int) -> str:
    """Return the shortest number of seconds that is rounded to a number of samples."""
    texts = (f"{n_samples / sr:.{digits}f}" for digits in range(10))
    return next(text for text in texts if round(float(text) * sr) == n_samples)
