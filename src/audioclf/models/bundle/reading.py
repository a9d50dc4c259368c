"""Reading of model bundles: every check is made before anything of the bundle runs.

Nothing in a bundle is pickled. The checks, in the order of `refusal.Stage`: zip archive, digests,
manifest, versions, components, weights, types in the estimator, structure of the estimator, scores
of stored rows, features of a known signal.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast

from audioclf.base.errors import AudioclfError, ConfigError, ModelError, PluginError
from audioclf.base.limits import Limits
from audioclf.components.classifier import Classifier
from audioclf.components.component import Component, Kind, components_inside
from audioclf.components.discovery import discover
from audioclf.components.featurizer import Featurizer
from audioclf.components.fields import validate_component
from audioclf.components.registry import Registry
from audioclf.engines.base import WorkerDiedError
from audioclf.engines.local import ProcessEngine
from audioclf.evaluation.views import Views
from audioclf.models.bundle.container import MODEL_LIMITS, unseal
from audioclf.models.bundle.manifest import Manifest, Provenance, parse_manifest
from audioclf.models.bundle.self_check import SelfCheck
from audioclf.models.bundle.training_clips import TrainingClips
from audioclf.models.bundle.weights import check_weights, located
from audioclf.models.class_distance import ClassDistance
from audioclf.models.estimators.several import restore_classes, scorer_of
from audioclf.models.estimators.store import SKOPS, restore_estimator
from audioclf.models.model import Model
from audioclf.models.onnx.graph_model import GraphClassifier, GraphModel
from audioclf.models.onnx.names import GRAPH
from audioclf.models.refusal import RefusedError, Stage, naming, refusing

CARD = "MODEL_CARD.md"
ESTIMATOR = "estimator/"
GraphUse = Literal["if_needed", "never", "always"]
"""Whether a model predicts by the ONNX graph in its bundle."""

_OTHER_VERSIONS: tuple[Stage, ...] = ("version", "component", "score", "feature")
"""Checks that fail where other versions are installed; others show damage, or a forger."""
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True)
class Contents:
    """Members of an undamaged bundle except the manifest, before anything is built from them."""

    path: Path
    manifest: Manifest
    files: Mapping[str, bytes]

    @property
    def card(self) -> str:
        """The model card, in Markdown; untrusted text."""
        return self.files.get(CARD, b"").decode("utf-8", "replace")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that has passed every check.

    `classifier` is the component that predicts, `estimator` is fitted, and `notes` are harmless
    differences from the environment in which the model was made. Where `graph` predicts instead,
    the components stand for it, and there is no estimator.
    """

    path: Path
    manifest: Manifest
    card: str
    featurizer: Featurizer
    classifier: Classifier
    estimator: Any
    check: SelfCheck
    notes: tuple[str, ...]
    clips: TrainingClips | None = None
    distance: ClassDistance | None = None
    graph: GraphModel | None = None

    @cached_property
    def model(self) -> Model:
        """The model, ready to predict."""
        if self.graph is not None:
            return self.graph
        scorer = scorer_of(self.classifier, self.estimator)
        return Model(self.manifest, self.featurizer, scorer, self.clips, self.distance)


def restored_from(classifier: Classifier, manifest: Manifest, files: Mapping[str, bytes]) -> Any:
    """Restore the estimator of a manifest from its files; see `restore_estimator`."""
    if manifest.several is not None or manifest.ordered is not None:
        return restore_classes(classifier, manifest, files)
    return restore_estimator(
        classifier,
        manifest.estimator.format,
        files,
        seed=manifest.seed,
        n_classes=len(manifest.classes),
        n_features=manifest.features.width,
    )


def load(
    path: str | Path,
    *,
    registry: Registry | None = None,
    expect_sha256: str | None = None,
    weights: Sequence[str | Path] = (),
    graph: GraphUse = "if_needed",
) -> Model:
    """Load a model.

    Parameters
    ----------
    path : path
        A file such as `model.audioclf`, or the folder of a run that holds it.
    registry : Registry, optional
        By default all installed plugins.
    expect_sha256 : str, optional
        SHA-256 of the file, 64 hexadecimal digits, from a trusted source.
    weights : sequence of path
        Weights that the featurizer reads. Others are found by their digest in the folder of models
        (`AUDIOCLF_MODELS_DIR`) and where the run found them.
    graph : {"if_needed", "never", "always"}
        Whether the model predicts by the ONNX graph in the file, if it holds one, in 32-bit floats:
        where other versions of scikit-learn or of plugins are installed (with a warning), never, or
        always, which loads faster.

    Raises
    ------
    ConfigError
        If `expect_sha256` is no SHA-256, or a file of `weights` is not needed.
    ModelError
        If the file is damaged, foreign or incompatible, or weights are missing; names the check
        and the next step.

    Examples
    --------
    >>> import audioclf
    >>> audioclf.load("model.audioclf").predict("unknown.wav")  # doctest: +SKIP
    'puppy'
    """
    model, notes = open_model(
        path, registry, expect_sha256=expect_sha256, weights=weights, graph=graph
    )
    if isinstance(model, GraphModel) and graph != "always":
        warnings.warn(notes[0], stacklevel=2)
    return model


def open_model(
    path: str | Path,
    registry: Registry | None = None,
    *,
    graph: GraphUse = "if_needed",
    **options: Any,
) -> tuple[Model, tuple[str, ...]]:
    """Return the model of a bundle, and notes for its user; see `read_bundle`."""
    bundle = read_bundle(path, registry, graph=graph, **options)
    return bundle.model, bundle.notes


def _instead(contents: Contents, exc: RefusedError) -> Bundle:
    """Return the bundle by its graph, with a note; the refusal if there is no graph that works."""
    try:
        bundle = _graph_bundle(contents)
    except RefusedError as second:
        exc.what = f"{exc.what}; its graph is no help: {second.what}"
        raise exc from second
    assert bundle.graph is not None
    note = f"{contents.path}: {exc.what}; so it predicts by {bundle.graph.described}"
    if bundle.clips is not None:  # whose features have other last bits than those of a graph
        note += "; training clips are not recognized by their features"
    return replace(bundle, notes=(note,))


def _graph_bundle(contents: Contents) -> Bundle:
    if GRAPH not in contents.files:
        hint = "Train it again with `graph: true`, where the extra onnx is installed."
        raise RefusedError("component", "it holds no ONNX graph", hint=hint)
    manifest, files = contents.manifest, contents.files
    clips = TrainingClips.from_files(files, manifest.training.fingerprint)
    distance = ClassDistance.of_model(files, manifest)
    model = GraphModel.of(manifest, files, clips, distance)
    parts = (model.featurizer, GraphClassifier(), None, SelfCheck.from_files(files, manifest))
    return Bundle(contents.path, manifest, contents.card, *parts, (), clips, distance, model)


def model_file(path: str | Path) -> Path:
    """Return the file of a model, which may be given by the folder of its run."""
    path = Path(path)
    if not path.exists():
        raise ModelError(f"{path}: there is no such file", hint="Check the path.")
    inside = path / "model.audioclf"
    if not path.is_dir():
        return path
    if not inside.is_file():
        hint = "Name a model file, or a run that kept its best pipeline (`final: best`)."
        raise ModelError(f"{path}: the folder holds no model.audioclf", hint=hint)
    return inside


def open_bundle(
    path: str | Path, limits: Limits = MODEL_LIMITS, *, expect_sha256: str | None = None
) -> Contents:
    """Check the archive, digests and manifest of a bundle; nothing is built from it.

    `ConfigError` if `expect_sha256` is no SHA-256, `ModelError` if the file is damaged or foreign.
    """
    if expect_sha256 is not None and not _SHA256.fullmatch(expect_sha256):
        raise ConfigError(
            f"{expect_sha256!r} is no SHA-256, which has 64 hexadecimal digits",
            hint="`sha256sum FILE` prints that of a file.",
        )
    path = model_file(path)
    with naming(str(path)):
        manifest, files = unseal(path, limits, expect_sha256=expect_sha256)
        return Contents(path, parse_manifest(manifest), files)


def read_bundle(
    path: str | Path,
    registry: Registry | None = None,
    *,
    expect_sha256: str | None = None,
    weights: Sequence[str | Path] = (),
    graph: GraphUse = "never",
    untrusted: bool = False,
) -> Bundle:
    """Read a bundle, make every check, and restore its components, or open its graph.

    A file with another SHA-256 than the expected one is refused before it is parsed. The registry
    is by default that of all installed plugins. With `untrusted`, the file is tried in a worker
    process first. Errors are those of `load`.
    """
    if untrusted:
        try_bundle(model_file(path), expect_sha256, weights, graph)
    contents = open_bundle(path, expect_sha256=expect_sha256)
    with naming(str(contents.path)):
        if graph == "always":
            return _graph_bundle(contents)
        try:
            return _restored(contents, registry or discover(), list(map(Path, weights)))
        except RefusedError as exc:
            if graph == "never" or exc.stage not in _OTHER_VERSIONS or GRAPH not in contents.files:
                raise
            return _instead(contents, exc)


def try_bundle(
    path: Path,
    expect_sha256: str | None = None,
    weights: Sequence[str | Path] = (),
    graph: GraphUse = "never",
) -> None:
    """Load a bundle in a worker process, with all checks; errors are those of `read_bundle`.

    A crash of the interpreter, such as memory that a library corrupts, ends only the worker, and is
    a `ModelError`. This is no sandbox: the worker has all rights of its user.
    """
    if expect_sha256 is not None:
        open_bundle(path, expect_sha256=expect_sha256)  # before a process is started
    own_folder = TemporaryDirectory(prefix="audioclf-", ignore_cleanup_errors=True)
    with own_folder as folder, ProcessEngine(1) as engine:
        ((_, outcome),) = engine.map(_load, [(path, weights, graph, folder)])
    if isinstance(outcome, WorkerDiedError):
        raise ModelError(
            f"{path}: loading it ended the worker process ({outcome.how})",
            hint="It is damaged, hostile, or larger than the memory: do not use it.",
        )
    if isinstance(outcome, AudioclfError):
        raise outcome


def _load(files: tuple[Path, Sequence[str | Path], GraphUse, str]) -> None:
    """Load a bundle with all temporary files in a folder, which outlives a crash."""
    path, weights, graph, tempfile.tempdir = files
    open_model(path, weights=weights, graph=graph)


def _restored(contents: Contents, registry: Registry, weights: Sequence[Path]) -> Bundle:
    manifest = contents.manifest
    _check_versions(manifest)
    fields = located(manifest.featurizer, manifest.weights, weights, contents.files)
    featurizer = cast(Featurizer, _component("featurizer", fields, contents, registry))
    check_weights(featurizer, manifest.weights)
    classifier = cast(Classifier, _component("classifier", manifest.classifier, contents, registry))
    with refusing("component", "its classifier does not suit its classes"):
        classifier = classifier.for_classes(manifest.classes)
    check = SelfCheck.from_files(contents.files, manifest, Views.of(featurizer).predicted)
    _check_width(manifest, featurizer)
    stored = {n.removeprefix(ESTIMATOR): contents.files[n] for n in manifest.estimator.files}
    estimator = restored_from(classifier, manifest, stored)
    notes = tuple(_notes(manifest, (featurizer, classifier), registry))
    clips = TrainingClips.from_files(contents.files, manifest.training.fingerprint)
    distance = ClassDistance.of_model(contents.files, manifest)
    parts = (featurizer, classifier, estimator, check, notes, clips, distance)
    bundle = Bundle(contents.path, manifest, contents.card, *parts)
    check.check(bundle.model)
    check.check_features(bundle.model)
    return bundle


def _check_versions(manifest: Manifest) -> None:
    """Compare the minor versions of scikit-learn, which restores only objects of the same one."""
    if manifest.estimator.format != SKOPS:
        return
    here, there = metadata.version("scikit-learn"), manifest.versions.get("scikit-learn", "none")
    if _minor(here) != _minor(there):
        raise RefusedError(
            "version",
            f"it was written with scikit-learn {there}, and scikit-learn {here} is installed",
            hint=f'Run `pip install "scikit-learn=={_minor(there)}.*"`, or train the model again.',
        )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _component(
    kind: Kind, data: Mapping[str, Any], contents: Contents, registry: Registry
) -> Component:
    made_by = contents.manifest.components[kind]  # type: ignore[index]
    name = data.get("type")
    if name != made_by.type:
        raise RefusedError("component", f"its {kind} is {name!r} in one place, not in another")
    try:
        cls = registry.resolve(kind, made_by.type)
    except PluginError as exc:
        raise _missing(kind, made_by, exc, registry) from exc
    with refusing("component", f"the {kind} {made_by.type!r} does not take its fields"):
        component = validate_component(cls, dict(data), {"build": registry.build})
    origin = registry.origin_of(component)
    if origin is None or origin.distribution != made_by.distribution:
        what = f"its {kind} {made_by.type!r} is that of {made_by.distribution}, here it is {origin}"
        raise RefusedError("component", what, hint="Install the one, and disable the other.")
    return component


def _missing(kind: Kind, made_by: Provenance, exc: PluginError, registry: Registry) -> RefusedError:
    wanted = f"{kind} {made_by.type!r} of {made_by.distribution} {made_by.version}"
    known = [p for p in registry.plugins if p.origin.distribution == made_by.distribution]
    broken = [p for p in known if p.status != "ok"]
    if broken:
        what = f"it needs the {wanted}, which is {broken[0].status}: {broken[0].reason}"
        return RefusedError("component", what, hint="See `audioclf plugins`.")
    if known:
        return RefusedError("component", f"it needs the {wanted}: {exc.message}", hint=exc.hint)
    return RefusedError(
        "component",
        f"it needs the {wanted}, which is not installed",
        hint=f"If you trust that distribution, install {made_by.distribution} {made_by.version}.",
    )


def _check_width(manifest: Manifest, featurizer: Featurizer) -> None:
    """Compare the numbers of columns, which bound the memory of pooling."""
    shape = manifest.features
    width = featurizer.pooling.width(shape.n_bins, shape.max_frames)
    if width != shape.width:
        what = f"{shape.n_bins} bins pool to {width} columns instead of {shape.width}"
        raise RefusedError("component", what)


def _notes(
    manifest: Manifest, components: tuple[Component, ...], registry: Registry
) -> Iterator[str]:
    for component in components:
        origin = registry.origin_of(component)
        made_by = manifest.components[component.kind]  # type: ignore[index]
        if origin is not None and origin.version != made_by.version:
            yield (
                f"{component.kind} {made_by.type} was {made_by.distribution} {made_by.version} "
                f"when the model was made, and is {origin.version} here"
            )
        for place, part in components_inside(component):
            origin = registry.origin_of(part)
            there = manifest.versions.get(origin.distribution) if origin is not None else None
            if origin is not None and there not in (None, origin.version):
                yield (
                    f"{place} of the {component.kind} was {origin.distribution} {there} when the "
                    f"model was made, and is {origin.version} here"
                )
