"""The config of a run: its parts, and how a YAML file becomes one.

Every problem of a file is reported in one pass, each with file:line:column and the nearest valid
name. After `load_config` no name is looked up again: the config holds the working objects.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types as at
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    model_validator,
)

from audioclf.audio import AudioConfig
from audioclf.components import COMPONENT_KEY, KINDS, AnyClassifier, AnyFeaturizer, AnyLoader
from audioclf.config_problems import config_error, in_data, problem
from audioclf.errors import ConfigError, PluginError
from audioclf.limits import Limits
from audioclf.pooling import Flatten
from audioclf.registry import Registry
from audioclf.yaml_source import (
    Location,
    Position,
    YamlSource,
    dump_yaml,
    parse_yaml,
    read_yaml,
)

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "f1_weighted",
    "precision",
    "precision_macro",
    "recall",
    "recall_macro",
    "matthews_corrcoef",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier_score",
    "expected_calibration_error",
]
"""Metrics by their names in scikit-learn."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Holdout(_Part):
    """One part of the clips is held out for testing (scikit-learn's `train_test_split`)."""

    type: Literal["holdout"] = "holdout"

    test_size: Annotated[float, at.Gt(0.0), at.Lt(1.0)] = 0.25
    """Share of the clips that is held out; rounded up to whole clips."""

    stratify: bool = False
    """Whether both sides keep the proportions of the classes."""

    repeats: int = Field(default=1, ge=1, le=10_000)
    """Number of independent random splits."""


class _KFold(_Part):
    n_splits: int = Field(default=5, ge=2, le=10_000)
    """Number of folds; each is the test side once."""

    repeats: int = Field(default=1, ge=1, le=10_000)
    """Number of times that the clips are dealt into folds anew."""


class KFold(_KFold):
    """Shuffled folds of equal size."""

    type: Literal["kfold"] = "kfold"


class StratifiedKFold(_KFold):
    """Shuffled folds that keep the proportions of the classes."""

    type: Literal["stratified_kfold"] = "stratified_kfold"


class GroupKFold(_KFold):
    """Shuffled folds that never separate the clips of one group."""

    type: Literal["group_kfold"] = "group_kfold"


class StratifiedGroupKFold(_KFold):
    """Folds that never separate a group and keep the proportions of the classes nearly."""

    type: Literal["stratified_group_kfold"] = "stratified_group_kfold"


class LeaveOneGroupOut(_Part):
    """Each group is the test side once: how good on a speaker or site never heard."""

    type: Literal["leave_one_group_out"] = "leave_one_group_out"


class Predefined(_Part):
    """The folds that the dataset's authors published; clips without one always train."""

    type: Literal["predefined"] = "predefined"

    test_folds: tuple[str, ...] | None = None
    """Folds that together are the one test side; without it each fold is the test side once."""


Split = Annotated[
    Holdout
    | KFold
    | StratifiedKFold
    | GroupKFold
    | StratifiedGroupKFold
    | LeaveOneGroupOut
    | Predefined,
    Field(discriminator="type"),
]


class Report(_Part):
    """The page `report.html`."""

    html: bool = True
    """Whether it is written."""

    media_mb: float | None = Field(default=None, ge=0, le=1000)
    """What sounds and pictures of clips may take, in MB; null for 4 at 100 clips to 8 at 1,000."""


CellPart = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class RunConfig(_Part):
    """One run: one dataset, one set of splits, a grid of featurizers and classifiers."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    """Name of the run and of its folder."""

    seed: int = Field(default=42, ge=0, le=2**32 - 1)
    """Seed of the splits, of every classifier and of the resampling behind intervals."""

    dataset: AnyLoader
    """Where the clips and their labels come from."""

    audio: AudioConfig = AudioConfig()
    """How files become waveforms: mono, at one sample rate."""

    featurizers: dict[CellPart, AnyFeaturizer] = Field(min_length=1)
    """Features by a name of your choice."""

    split: Split = StratifiedKFold()
    """Which clips train and which test, the same for every cell."""

    classifiers: dict[CellPart, AnyClassifier] = Field(min_length=1)
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
    """Cell that is fitted on all clips and kept as `model.audioclf`: its name, `best` or `none`."""

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
    def _final_is_a_cell(self) -> RunConfig:
        if self.final not in ("best", "none", *self.cell_names):
            names = ", ".join(self.cell_names)
            raise ValueError(f"final: no cell is called {self.final!r}; best, none, or of {names}")
        return self

    @property
    def cell_names(self) -> tuple[str, ...]:
        """The names of the cells of the grid, without the baseline that a run adds."""
        single = len(self.featurizers) == 1
        return tuple(
            name if single else f"{feature_name}/{name}"
            for feature_name in self.featurizers
            for name in self.classifiers
        )

    def to_yaml(self) -> str:
        """Return the resolved config as YAML that runs again as it stands."""
        return dump_yaml(self.model_dump(mode="json"))


def load_config(
    path: str | Path, *, overrides: Iterable[str] = (), registry: Registry | None = None
) -> RunConfig:
    """Read and validate a config file.

    Parameters
    ----------
    path : path
        YAML file; relative paths inside it are relative to its folder.
    overrides : iterable of str
        `a.b=c` each: the value, read as YAML, replaces or adds the key. Relative paths in it are
        relative to the working directory, where it was typed.
    registry : Registry, optional
        What names are resolved against; the installed plugins by default.

    Raises
    ------
    ConfigError
        With every problem of the file, each with its position.
    """
    return _load(read_yaml(Path(path)), Path(path), overrides, registry)


def read_config(text: str, path: Path, *, registry: Registry | None = None) -> RunConfig:
    """Validate the text of a config as if it stood in a file.

    Parameters
    ----------
    text : str
    path : Path
        Where it is going to stand; relative paths inside it are relative to its folder.
    registry : Registry, optional

    Raises
    ------
    ConfigError
        As `load_config`.
    """
    return _load(parse_yaml(text, str(path)), path, (), registry)


def _load(
    source: YamlSource, path: Path, overrides: Iterable[str], registry: Registry | None
) -> RunConfig:
    if registry is None:
        from audioclf.discovery import discover

        registry = discover()
    if not isinstance(source.data, dict):
        raise ConfigError(f"{source.name}: a config is a mapping with keys such as `dataset`")
    source.data.setdefault("name", _name_from(path))
    typed = [text for override in overrides for text in _apply_override(source, override)]
    return _validate(source, path.absolute().parent, typed, registry)


def _name_from(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).lstrip("_.-") or "run"


def _apply_override(source: YamlSource, override: str) -> list[str]:
    """Put a value in its place and return the words that it holds."""
    key, equals, text = override.partition("=")
    position = Position(f"--set {override}")
    if not equals or not key.strip():
        raise ConfigError(f"{position}: expected key=value, as in split.test_size=0.3")
    parsed = parse_yaml(text, str(position))
    location: Location = ()
    node: Any = source.data
    parts = key.strip().split(".")
    for part in parts[:-1]:
        location = (*location, _step(node, part, position))
        if isinstance(node, dict):
            node.setdefault(part, {})
        node = node[location[-1]]
    location = (*location, _step(node, parts[-1], position))
    _forget(source, location)
    node[location[-1]] = parsed.data
    source.keys[location] = position
    source.values.update({(*location, *inner): position for inner in parsed.values})
    source.values[location] = position
    source.texts.update({(*location, *inner): text for inner, text in parsed.texts.items()})
    source.problems += parsed.problems
    return list(parsed.texts.values())


def _step(node: Any, part: str, position: Position) -> str | int:
    if isinstance(node, dict):
        return part
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return int(part)
    raise ConfigError(f"{position}: there is nothing below which {part!r} could be set")


def _forget(source: YamlSource, location: Location) -> None:
    """Drop what the file said at and below a place that an override replaces."""
    size = len(location)
    replaced = {str(place) for at, place in source.values.items() if at[:size] == location}
    source.problems = [p for p in source.problems if str(p.position) not in replaced]
    source.values = {at: place for at, place in source.values.items() if at[:size] != location}
    source.keys = {at: place for at, place in source.keys.items() if at[:size] != location}
    source.texts = {at: text for at, text in source.texts.items() if at[:size] != location}


def _validate(
    source: YamlSource, base_dir: Path, typed: list[str], registry: Registry
) -> RunConfig:
    context = {"build": registry.build, "base_dir": str(base_dir), "typed": typed}
    for _ in range(8):
        try:
            config = RunConfig.model_validate_json(
                json.dumps(source.data), strict=True, context=context
            )
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=False)
            if not _keep_words(source, errors):
                raise config_error(
                    source, [problem(source, e, RunConfig, registry) for e in errors]
                ) from None
        else:
            break
    if source.problems:
        raise config_error(source, [])
    return config


def _keep_words(source: YamlSource, errors: Sequence[Any]) -> bool:
    """Where a string is wanted, give back the text of a scalar that looked like something else.

    A class called `1e3` or `no` keeps its name without quotes.
    """
    changed = False
    for error in errors:
        location = in_data(source.data, error["loc"])
        if error["type"] == "string_type" and location in source.texts:
            _assign(source.data, location, source.texts[location])
            changed = True
    return changed


def _assign(data: Any, location: Location, value: Any) -> None:
    for part in location[:-1]:
        data = data[part]
    data[location[-1]] = value


def config_schema(registry: Registry) -> dict[str, Any]:
    """Return the JSON schema of configs, with the components of all installed plugins.

    A name that two plugins claim is left out, since a config cannot use it.
    """
    schema = RunConfig.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for kind in KINDS:
        choices = []
        for type_name in registry.types(kind):
            with contextlib.suppress(PluginError):
                component = registry.resolve(kind, type_name).model_json_schema()
                definitions.update(component.pop("$defs", {}))
                component["required"] = ["type", *component.get("required", [])]
                definitions[f"{kind}_{type_name}"] = component
                choices.append({"$ref": f"#/$defs/{kind}_{type_name}"})
        definitions[f"any_{kind}"] = {"oneOf": choices}
    filled: dict[str, Any] = _with_references(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **filled}


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    kind = node.get(COMPONENT_KEY)
    rest = {key: _with_references(value) for key, value in node.items() if key != COMPONENT_KEY}
    return rest if kind is None else {**rest, "$ref": f"#/$defs/any_{kind}"}
