"""The manifest of a model bundle, `manifest.json`, as strict pydantic models.

All text in it is untrusted. An unknown key, a number in quotes or a value out of range refuses the
file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from audioclf.audio.settings import AudioConfig
from audioclf.models.calibration.records import (
    Abstention,
    Calibration,
    Interval,
    Part,
    Text,
    Unknown,
    check_size,
)
from audioclf.models.refusal import RefusedError, first_problem

FORMAT = 6
"""Newest version of the format; this and all earlier versions are read.

It increases whenever an older reader could not read a file or would use it wrongly. Version 1 had
neither calibration nor abstention. A model without weights is written in version 2, one with
weights in 3, one of several labels per clip in 4, one with a rule for unknown sounds in 5, and one
of numbers or ordered classes in 6.
"""

MANIFEST = "manifest.json"
WEIGHTS = "weights/"
"""Start of the names of the members that are weights."""
MAX_MANIFEST_BYTES = 4 << 20

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$", max_length=100)]
DistributionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
ScoreKind = Literal["probability", "decision", "none"]


class Member(Part):
    """Digest and size of another file of the bundle."""

    sha256: Digest
    size: int = Field(ge=0)
    """Bytes, unpacked."""


class Provenance(Part):
    """The plugin of a component."""

    type: Text
    distribution: DistributionName
    version: Version
    entry_point: Text


class FeatureShape(Part):
    """Shape of the features of the longest clip that the audio settings allow."""

    n_bins: int = Field(ge=1)
    max_frames: int = Field(ge=1)
    width: int = Field(ge=1)
    """Columns of a row of the design matrix."""


class Training(Part):
    """The dataset that the estimator was fitted on."""

    dataset: Text
    fingerprint: Digest
    """SHA-256 over ids, labels, groups, folds and bytes of the clips."""
    clips: dict[Text, Annotated[int, Field(ge=0)]]
    """Number of clips by class."""
    groups: int = Field(ge=0)
    """Number of groups, such as speakers, sites or recordings; 0 if unknown."""


class Evaluated(Part):
    """Results of the pipeline in cross-validation."""

    split: Text
    unit: Text
    """Resampling unit of the intervals: "clip", "group" or "recording"."""
    n_units: int = Field(ge=0)
    confidence_level: float = Field(gt=0, lt=1)
    metrics: dict[Text, Interval | None]


class StoredEstimator(Part):
    """Format and files of the fitted estimator."""

    format: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)
    """`skops`, or the name of a format of a plugin."""
    files: tuple[Text, ...] = Field(min_length=1)
    """Names of its members."""


class StoredWeights(Part):
    """Weights that a featurizer reads; they are found by their digest, and may be a member."""

    place: str = Field(default="", max_length=1024)
    """Place of the featurizer that reads them, such as `parts.speech`; empty for the outermost."""
    name: Text
    sha256: Digest
    size: int = Field(ge=0)
    """Bytes."""
    license: str = Field(default="", max_length=1024)
    field: str = Field(default="", max_length=1024)
    """Field of the featurizer that holds the path; empty for a file of an installed package."""
    digest_field: str = Field(default="", max_length=1024)

    @property
    def member(self) -> str:
        """Name of the member with their content, in bundles that hold it."""
        return f"{WEIGHTS}{self.sha256}"


class SeveralLabels(Part):
    """Several labels per clip: each class has an estimator of its own, or a constant score."""

    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """Scores from which a clip has a class."""
    constants: tuple[Annotated[float, Field(ge=0, le=1)] | None, ...]
    """Score of a class without an estimator, since all its training clips have one state."""
    shared: bool = False
    """Whether one estimator learned all classes at once."""


class OrderedRanks(Part):
    """Ordered classes: each but the highest has an estimator of whether a clip is above it."""

    constants: tuple[Annotated[float, Field(ge=0, le=1)] | None, ...]
    """Score of being above a class without an estimator, since it was the same in training."""
    shared: bool = False
    """Whether one estimator learned all ranks at once."""


class NumberRange(Part):
    """Numbers instead of classes, with the range of those of the training clips."""

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)


class Manifest(Part):
    """Everything that a bundle records about its model."""

    format: Literal[1, 2, 3, 4, 5, 6]
    audioclf: Version
    name: Text
    """Name of the run."""
    cell: Text
    """Name of the pipeline: one featurizer with one classifier."""
    seed: int = Field(ge=0, le=2**32 - 1)
    classes: tuple[Text, ...]
    """Names of the classes; the estimator predicts positions in this list. Empty for numbers."""
    audio: AudioConfig
    featurizer: dict[str, Any]
    """Its fields, including `type` and `pooling`."""
    classifier: dict[str, Any]
    """Fields of the classifier that predicts."""
    configured: dict[str, Any] | None = None
    """The classifier of the config, if it selected another one, as a search does."""
    weights: tuple[StoredWeights, ...] = ()
    """Weights that the featurizer reads."""
    features: FeatureShape
    components: dict[Literal["featurizer", "classifier"], Provenance]
    versions: dict[Text, Version]
    """Versions of Python, audioclf and the numeric libraries."""
    platform: Text
    estimator: StoredEstimator
    scores: ScoreKind
    """Kind of the scores before calibration: the classifier's own probabilities (`probability`),
    the softmax of its decision values (`decision`), or no scores (`none`)."""
    calibration: Calibration | None = None
    """Map from scores to probabilities; null if the scores are not calibrated."""
    abstain_below: float | None = Field(default=None, gt=0, lt=1)
    """Score of the predicted class below which the model gives no class."""
    abstention: Abstention | None = None
    """Measured effects of `abstain_below`."""
    unknown: Unknown | None = None
    """Rule for sounds of no known class; null if each sound gets one."""
    several: SeveralLabels | None = None
    """Of a model of several labels per clip; null for one label."""
    ordered: OrderedRanks | None = None
    """Of a model of ordered classes."""
    number: NumberRange | None = None
    """Of a model that predicts numbers."""
    training: Training
    evaluation: Evaluated | None = None
    members: dict[Text, Member]
    """Every other file of the bundle."""

    @property
    def digest(self) -> str:
        """SHA-256 that stands for the model."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def withholds(self) -> bool:
        """Whether the model gives some sounds none of its classes."""
        return self.abstain_below is not None or self.unknown is not None

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        if (len(self.classes) < 2) if self.number is None else self.classes:
            raise ValueError(f"{len(self.classes)} classes")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have the same name")
        if set(self.components) != {"featurizer", "classifier"}:
            raise ValueError("components are a featurizer and a classifier")
        if not set(self.estimator.files) <= set(self.members):
            raise ValueError("a file of the estimator is not among the members")
        if self.weights and self.format < 3:
            raise ValueError("weights in a format before 3")
        if self.unknown is not None and (self.format < 5 or self.several is not None):
            raise ValueError("unknown sounds in a format before 5, or with several labels")
        return self

    @model_validator(mode="after")
    def _scores_are_consistent(self) -> Manifest:
        asked = self.calibration is not None or self.abstain_below is not None
        if self.abstention is not None and self.abstain_below is None:
            raise ValueError("abstention without abstain_below")
        if asked and self.format < 2:
            raise ValueError("format 1 has neither calibration nor abstain_below")
        if asked and self.scores == "none":
            raise ValueError("calibration or abstain_below without scores")
        if self.calibration is not None:
            several = self.several is not None
            check_size(self.calibration.mapping, len(self.classes), several=several)
        return self

    @model_validator(mode="after")
    def _targets_are_consistent(self) -> Manifest:
        kinds = {"several": 4, "ordered": 6, "number": 6}
        own = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(own) > 1 or any(self.format < kinds[kind] for kind in own):
            raise ValueError("several labels need format 4, ordered classes and numbers format 6")
        if not own:
            return self
        n_classes = len(self.classes)
        if self.several is not None:
            self._check_length(n_classes, self.several.thresholds, self.several.constants)
        if self.ordered is not None:
            self._check_length(n_classes - 1, self.ordered.constants)
        if self.number is not None and self.scores != "none":
            raise ValueError("scores of numbers")
        refused = ("abstain_below", "unknown", *["calibration"] * (own != ["several"]))
        for name in refused:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} with {own[0]}")
        return self

    def _check_length(self, n: int, *lists: tuple[Any, ...]) -> None:
        for values in lists:
            if len(values) != n:
                raise ValueError(f"{len(values)} values for {len(self.classes)} classes")

    @model_serializer(mode="wrap")
    def _without_empty_weights(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out empty fields, which readers of version 2 do not know."""
        data: dict[str, Any] = handler(self)
        if not self.weights:
            data.pop("weights", None)
        for name in ("several", "unknown", "ordered", "number"):
            if getattr(self, name) is None:
                data.pop(name, None)
        return data


class _Members(BaseModel):
    members: dict[str, Member]


def to_json(manifest: Manifest) -> bytes:
    """Return the manifest as JSON: equal bytes for equal manifests."""
    data = manifest.model_dump(mode="json")
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def members_of(raw: bytes) -> Mapping[str, Member]:
    """Return the members that a manifest lists, after a check of its format number.

    `RefusedError` if it is no JSON, has another format, or lists no members.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise RefusedError("manifest", f"{MANIFEST} is not JSON: {exc}") from exc
    number = data.get("format") if isinstance(data, dict) else None
    if number not in range(1, FORMAT + 1) or isinstance(number, bool):
        raise _other_format(number)
    try:
        return _Members.model_validate_json(raw, strict=True).members
    except ValidationError as exc:
        raise _invalid(exc) from None


def parse_manifest(raw: bytes) -> Manifest:
    """Validate a manifest; a `RefusedError` names the first value that is missing or invalid."""
    try:
        return Manifest.model_validate_json(raw, strict=True)
    except ValidationError as exc:
        raise _invalid(exc) from None


def _other_format(number: object) -> RefusedError:
    if isinstance(number, int) and number > FORMAT:
        what = f"its format is number {str(number)[:20]}, and this audioclf reads up to {FORMAT}"
        return RefusedError("manifest", what, hint="Install a newer version of audioclf.")
    return RefusedError("manifest", f"{MANIFEST} is not that of a model (no format number)")


def _invalid(exc: ValidationError) -> RefusedError:
    place, problem = first_problem(exc)
    what = f"{MANIFEST} is not valid at {place!r}: {problem}"
    return RefusedError("manifest", what, hint="Write the model again with `audioclf run`.")
