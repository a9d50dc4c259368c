"""Writing of model bundles, each read back before the file appears."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf._version import __version__
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import ModelError
from audioclf.base.files import OutputFolder
from audioclf.base.machine import platform_name, versions_behind
from audioclf.components.classifier import Classifier
from audioclf.components.component import Component, components_inside, terms_of
from audioclf.components.featurizer import Featurizer
from audioclf.components.pinned import weights_inside
from audioclf.components.registry import Registry
from audioclf.evaluation.class_fits import OneFitPerClass
from audioclf.evaluation.ordered_fits import OrderedFits
from audioclf.evaluation.predictions import scores_of_rows
from audioclf.evaluation.results import Pipeline
from audioclf.features.extraction import make_plans
from audioclf.models.bundle.card import model_card, with_robustness
from audioclf.models.bundle.container import members_for, zipped
from audioclf.models.bundle.manifest import (
    FORMAT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    Evaluated,
    FeatureShape,
    Manifest,
    NumberRange,
    OrderedRanks,
    Provenance,
    SeveralLabels,
    StoredEstimator,
    StoredWeights,
    Training,
    to_json,
)
from audioclf.models.bundle.reading import CARD, ESTIMATOR, Bundle, open_bundle, restored_from
from audioclf.models.bundle.self_check import SelfCheck
from audioclf.models.bundle.training_clips import TrainingClips
from audioclf.models.bundle.weights import embedded
from audioclf.models.calibration.records import Abstention, Calibration
from audioclf.models.calibration.states import with_thresholds
from audioclf.models.estimators.several import dump_classes, scorer_of, unwrapped_classes
from audioclf.models.estimators.store import dump_estimator
from audioclf.models.model import Model
from audioclf.models.refusal import RefusedError, refusing
from audioclf.models.unknown import UnknownRule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ESTIMATOR_BYTES = 1_000_000
"""Size up to which an estimator becomes a graph, too; large forests take seconds."""

_NUMERIC = ("audioclf", "librosa", "numpy", "scikit-learn", "scipy", "skops", "soundfile", "soxr")


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleContents:
    """A trained model with everything that its bundle says about it.

    - `classes`: names in the order of the codes that the estimator was fitted on.
    - `matrix` [shape=(n_clips, n_views * n_features)]: rows of the fit; a few are stored.
    - `seconds`: length of each clip, within `audio.offset` and `audio.duration`; `digests`: SHA-256
      of the file of each clip.
    - `evaluation`: results of the pipeline in cross-validation.
    - `abstain_below`: score below which the model gives no class; `abstention` are its effects.
    - `notes`: findings of the audits and notes of the run, for the card.
    - `graph`: whether the bundle also holds the graph in ONNX, if it can be made.
    - `number`: range of the numbers that were learned; None for classes.
    """

    name: str
    pipeline: Pipeline
    featurizer: Featurizer
    audio: AudioConfig
    classes: Sequence[str]
    estimator: Any
    matrix: NDArray[np.float32]
    seed: int
    training: Training
    seconds: Sequence[float] = ()
    digests: Sequence[str] = ()
    facts: NDArray[np.float32] | None = None
    evaluation: Evaluated | None = None
    calibration: Calibration | None = None
    abstain_below: float | None = None
    abstention: Abstention | None = None
    unknown: UnknownRule | None = None
    notes: Sequence[str] = ()
    graph: bool = False
    number: NumberRange | None = None


def write_bundle(path: str | Path, contents: BundleContents, registry: Registry) -> Path:
    """Write a trained model as one file, such as `model.audioclf`.

    The bytes depend only on the contents and the installed versions. Before the file appears, its
    estimator is restored from these bytes and must give the same scores. `ModelError` if a
    component belongs to no plugin, or the estimator cannot be restored safely.
    """
    path = Path(path)
    try:
        content = _bundle_bytes(contents, registry)
    except RefusedError as exc:
        message = f"{path}: the model of {contents.pipeline.name!r} cannot be written: {exc.what}"
        raise ModelError(message, hint=exc.hint) from exc
    return OutputFolder(path.parent).write_bytes(path.name, content)


def add_robustness(path: Path, stress: Mapping[str, Any]) -> None:
    """Write the table of a stress test into the card of a model, if it is of this pipeline."""
    contents = open_bundle(path)
    if contents.manifest.cell == stress["subject"]:
        card = with_robustness(contents.card, stress).encode("utf-8")
        content = _zipped(contents.manifest, {**contents.files, CARD: card})
        OutputFolder(path.parent).write_bytes(path.name, content)


def _bundle_bytes(contents: BundleContents, registry: Registry) -> bytes:
    if isinstance(contents.estimator, OneFitPerClass):
        classifier, fitted = unwrapped_classes(contents.pipeline.classifier, contents.estimator)
        stored = dump_classes(classifier, fitted)
    else:
        classifier, fitted = contents.pipeline.classifier.unwrapped(contents.estimator)
        stored = dump_estimator(classifier, fitted)
    files = {f"{ESTIMATOR}{name}": content for name, content in stored.items()}
    manifest = _manifest(contents, classifier, fitted, files, registry)
    restored = restored_from(classifier, manifest, stored)
    original, again = (
        Model(manifest, contents.featurizer, scorer_of(classifier, estimator))
        for estimator in (fitted, restored)
    )
    check = SelfCheck.of(original, contents.pipeline.views.to_predict(contents.matrix))
    check.check(again, tolerance=0.0)
    plain = contents.pipeline.views.plain(contents.matrix)
    fingerprint, lengths = contents.training.fingerprint, contents.seconds
    clips = TrainingClips.of(plain, fingerprint, lengths, contents.digests, contents.facts)
    files = {**files, **check.to_files(), **clips.to_files(), **embedded(contents.featurizer)}
    if contents.unknown and contents.unknown.distance:
        files |= contents.unknown.distance.to_files()
    about_graph = "none"
    if contents.graph:
        parts = (contents.featurizer, classifier, restored, check, ())
        graph, about_graph = _graph(Bundle(Path("the model"), manifest, "", *parts))
        files |= graph
    terms = {**terms_of(contents.featurizer), **terms_of(classifier)}
    manifest = manifest.model_copy(update={"members": members_for(files)})
    card = model_card(manifest, contents.notes, terms, about_graph).encode("utf-8")
    return _zipped(manifest, {**files, CARD: card})


def _graph(bundle: Bundle) -> tuple[dict[str, bytes], str]:
    """Return the member with the graph, if it can be made at little cost, and its description."""
    from audioclf.models.onnx.names import GRAPH
    from audioclf.models.onnx.sound import graph_of

    sizes = bundle.manifest.members
    size = sum(sizes[name].size for name in bundle.manifest.estimator.files)
    if size > MAX_ESTIMATOR_BYTES:
        return {}, f"none, since the estimator has {size} bytes (limit {MAX_ESTIMATOR_BYTES})"
    if any(item.member not in sizes for item in bundle.manifest.weights):
        return {}, "none, since it would hold the weights"
    try:
        with refusing("type", "it cannot be made"):
            content, worst = graph_of(bundle)
    except RefusedError as exc:
        return {}, f"none, since {exc.what}"
    return {GRAPH: content}, f"its scores differ by at most {worst:.1e}"


def _manifest(
    contents: BundleContents,
    classifier: Classifier,
    fitted: Any,
    files: Mapping[str, bytes],
    registry: Registry,
) -> Manifest:
    pipeline, classes = contents.pipeline, tuple(contents.classes)
    first_row = pipeline.views.plain(contents.matrix[:1])
    components = (contents.featurizer, classifier)
    made_by = {item.kind: _provenance(item, registry) for item in components}
    inside = [_provenance(part, registry) for _, part in components_inside(components)]
    (plan,) = make_plans(contents.audio, {contents.featurizer.type_name(): contents.featurizer}, {})
    weights = _stored_weights(contents.featurizer)
    configured = pipeline.classifier if classifier is not pipeline.classifier else None
    several, ordered, scorer = None, None, scorer_of(classifier, fitted)
    calibration = contents.calibration
    if isinstance(fitted, OneFitPerClass):
        constants = tuple(e if isinstance(e, float) else None for e in fitted.estimators)
        kind = scorer.outputs(first_row).kind
        shared = fitted.shared is not None
        if isinstance(fitted, OrderedFits):
            ordered = OrderedRanks(constants=constants, shared=shared)
        else:
            limits = fitted.thresholds
            if calibration is not None:
                calibration, limits = with_thresholds(calibration, limits)
            several = SeveralLabels(
                thresholds=tuple(limits.tolist()), constants=constants, shared=shared
            )
    elif contents.number is not None:
        kind = "none"
    else:
        kind = scores_of_rows(scorer, first_row, len(classes))[1]
    with refusing("manifest", "a value does not fit into the manifest"):
        return Manifest(
            format=_format(contents, fitted, has_weights=bool(weights)),
            audioclf=__version__,
            name=contents.name,
            cell=pipeline.name,
            seed=contents.seed,
            classes=classes,
            audio=contents.audio,
            featurizer=contents.featurizer.model_dump(mode="json"),
            classifier=classifier.model_dump(mode="json"),
            configured=configured.model_dump(mode="json") if configured is not None else None,
            weights=weights,
            features=FeatureShape(n_bins=plan.n_bins, max_frames=plan.max_frames, width=plan.width),
            components=made_by,
            versions=_versions(inside),
            platform=platform_name(),
            estimator=StoredEstimator(format=classifier.model_format, files=tuple(files)),
            scores=kind,
            several=several,
            ordered=ordered,
            number=contents.number,
            training=contents.training,
            evaluation=contents.evaluation,
            calibration=calibration,
            abstain_below=contents.abstain_below,
            abstention=contents.abstention,
            unknown=contents.unknown.record if contents.unknown else None,
            members=members_for(files),
        )


def _format(contents: BundleContents, fitted: Any, *, has_weights: bool) -> Any:
    """Return the lowest version of the format that has all that a model needs."""
    if contents.number is not None or isinstance(fitted, OrderedFits):
        return FORMAT
    if contents.unknown is not None:
        return 5
    return 4 if isinstance(fitted, OneFitPerClass) else 3 if has_weights else 2


def _stored_weights(featurizer: Featurizer) -> tuple[StoredWeights, ...]:
    names = ("name", "sha256", "size", "license", "field", "digest_field")
    return tuple(
        StoredWeights(place=place, **{name: getattr(weights, name) for name in names})
        for place, weights in weights_inside(featurizer)
    )


def _provenance(component: Component, registry: Registry) -> Provenance:
    origin = registry.origin_of(component)
    if origin is None:
        raise RefusedError(
            "component",
            f"{component.kind} {component.type_name()!r} belongs to no plugin, so that the model "
            "could not be loaded",
            hint="Put the class into a plugin; `audioclf docs plugins` shows how.",
        )
    return Provenance(
        type=component.type_name(),
        distribution=origin.distribution,
        version=origin.version,
        entry_point=origin.entry_point,
    )


def _versions(made_by: Iterable[Provenance]) -> dict[str, str]:
    """Return the versions of the numeric libraries, and of the plugins and their requirements."""
    plugins = {item.distribution for item in made_by} - {"audioclf"}
    return dict(sorted(versions_behind(plugins, _NUMERIC).items()))


def _zipped(draft: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the zip file, with the digests of all files."""
    manifest = to_json(draft.model_copy(update={"members": members_for(files)}))
    if len(manifest) > MAX_MANIFEST_BYTES:
        what = f"its manifest has {len(manifest)} bytes (limit {MAX_MANIFEST_BYTES})"
        raise RefusedError("manifest", what, hint="Use fewer or shorter names of classes.")
    return zipped({MANIFEST: manifest, **{each: files[each] for each in sorted(files)}})
