"""A model bundle, written: whole or not at all, and read back before it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf._version import __version__
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import ModelError
from audioclf.base.files import OutputFolder
from audioclf.base.machine import platform_name, versions_behind
from audioclf.components.component import Component
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Registry
from audioclf.evaluation.results import Pipeline
from audioclf.features.extraction import make_plans
from audioclf.models.bundle.card import model_card
from audioclf.models.bundle.container import members_for, zipped
from audioclf.models.bundle.manifest import (
    FORMAT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    Evaluated,
    FeatureShape,
    Manifest,
    Provenance,
    StoredEstimator,
    Training,
    to_json,
)
from audioclf.models.bundle.reading import CARD, ESTIMATOR
from audioclf.models.bundle.self_check import SelfCheck
from audioclf.models.bundle.training_clips import TrainingClips
from audioclf.models.calibration.records import Abstention, Calibration
from audioclf.models.estimators.store import dump_estimator, restore_estimator
from audioclf.models.model import Model, raw_scores
from audioclf.models.refusal import RefusedError, refusing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMERIC = (
    "audioclf",
    "librosa",
    "numpy",
    "scikit-learn",
    "scipy",
    "skops",
    "soundfile",
    "soxr",
)


def write_bundle(
    path: str | Path,
    *,
    name: str,
    pipeline: Pipeline,
    featurizer: Featurizer,
    audio: AudioConfig,
    classes: Sequence[str],
    estimator: Any,
    matrix: NDArray[np.float32],
    seed: int,
    training: Training,
    registry: Registry,
    seconds: Sequence[float] = (),
    evaluation: Evaluated | None = None,
    calibration: Calibration | None = None,
    abstain_below: float | None = None,
    abstention: Abstention | None = None,
) -> Path:
    """Write a trained model as one file.

    The bytes depend on nothing but what is passed and the installed versions. Before the file is
    there, its estimator is rebuilt from what will be written and must give the same scores.

    Parameters
    ----------
    path : path
        Where to write, such as `model.audioclf`; a file that is there is replaced.
    name : str
        Name of the run.
    pipeline : Pipeline
    featurizer : Featurizer
        That of the pipeline.
    audio : AudioConfig
    classes : sequence of str
        Names of the classes, in the order of the codes that the estimator was fitted on.
    estimator : scikit-learn classifier
        Fitted on `matrix`, as `fit_final` does.
    matrix : np.ndarray [shape=(n_clips, n_views * n_features)], float32
        A few of its rows are stored, so that whoever reads the file can try the model.
    seed : int
        `random_state` of the classifier.
    training : Training
    registry : Registry
        Says which plugins bring the components.
    seconds : sequence of float
        Length of each clip, as far as it was looked at.
    evaluation : Evaluated, optional
        What the pipeline earned in cross-validation.
    calibration : Calibration, optional
        How scores become probabilities, as `effects_of` finds it.
    abstain_below : float, optional
        Score below which the model names no class, above 0 and below 1.
    abstention : Abstention, optional
        What that costs.

    Returns
    -------
    path : Path

    Raises
    ------
    ModelError
        If the model cannot be stored: a component comes from no plugin, or the estimator holds
        what cannot be rebuilt safely.
    ResultError
        If the file cannot be written.
    """
    path = Path(path)
    try:
        classifier, fitted = pipeline.classifier.unwrapped(estimator)
        stored = dump_estimator(classifier, fitted)
        files = {f"{ESTIMATOR}{each}": content for each, content in stored.items()}
        components = {"featurizer": featurizer, "classifier": classifier}
        made_by = {kind: _provenance(item, registry) for kind, item in components.items()}
        chosen = classifier is not pipeline.classifier
        with refusing("manifest", "a value does not fit into the manifest"):
            manifest = Manifest(
                format=FORMAT,
                audioclf=__version__,
                name=name,
                cell=pipeline.name,
                seed=seed,
                classes=tuple(classes),
                audio=audio,
                featurizer=featurizer.model_dump(mode="json"),
                classifier=classifier.model_dump(mode="json"),
                configured=pipeline.classifier.model_dump(mode="json") if chosen else None,
                features=_shape(featurizer, audio),
                components=made_by,
                versions=_versions(made_by.values()),
                platform=platform_name(),
                estimator=StoredEstimator(format=classifier.model_format, files=tuple(files)),
                scores=raw_scores(fitted, pipeline.views.plain(matrix[:1]), len(classes))[1],
                training=training,
                evaluation=evaluation,
                calibration=calibration,
                abstain_below=abstain_below,
                abstention=abstention,
                members=members_for(files),
            )
        restored = restore_estimator(
            classifier,
            manifest.estimator.format,
            stored,
            seed=seed,
            n_classes=len(classes),
            n_features=manifest.features.width,
        )
        check = SelfCheck.of(Model(manifest, featurizer, classifier.scorer(fitted)), matrix)
        check.check(Model(manifest, featurizer, classifier.scorer(restored)), tolerance=0.0)
        clips = TrainingClips.of(pipeline.views.plain(matrix), training.fingerprint, seconds)
        content = _sealed(manifest, {**files, **check.to_files(), **clips.to_files()})
    except RefusedError as exc:
        message = f"{path}: the model of {pipeline.name!r} cannot be written: {exc.what}"
        raise ModelError(message, hint=exc.hint) from exc
    return OutputFolder(path.parent).write_bytes(path.name, content)


def _provenance(component: Component, registry: Registry) -> Provenance:
    origin = registry.origin_of(component)
    if origin is None:
        raise RefusedError(
            "component",
            f"{component.kind} {component.type_name()!r} comes from no plugin, so that nobody "
            "could load it",
            hint="Put the class into a plugin; docs/guides/plugins.md shows how.",
        )
    return Provenance(
        type=component.type_name(),
        distribution=origin.distribution,
        version=origin.version,
        entry_point=origin.entry_point,
    )


def _shape(featurizer: Featurizer, audio: AudioConfig) -> FeatureShape:
    (plan,) = make_plans(audio, {featurizer.type_name(): featurizer}, {})
    return FeatureShape(n_bins=plan.n_bins, max_frames=plan.max_frames, width=plan.width)


def _versions(made_by: Iterable[Provenance]) -> dict[str, str]:
    """Return the versions of what makes the numbers, those of plugins and their needs included."""
    plugins = {item.distribution for item in made_by} - {"audioclf"}
    found = versions_behind(plugins)
    for name in _NUMERIC:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return dict(sorted(found.items()))


def _sealed(draft: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the zip file, with the card and the digests of all files."""
    files = {**files, CARD: model_card(draft).encode("utf-8")}
    manifest = to_json(draft.model_copy(update={"members": members_for(files)}))
    if len(manifest) > MAX_MANIFEST_BYTES:
        what = f"its manifest has {len(manifest)} bytes (limit {MAX_MANIFEST_BYTES})"
        raise RefusedError("manifest", what, hint="Use fewer or shorter names of classes.")
    return zipped({MANIFEST: manifest, **{each: files[each] for each in sorted(files)}})
