"""Storage of one estimator per class or rank: the files of each have its number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.classifier import Classifier
from audioclf.evaluation.class_fits import HALF, OneFitPerClass, columns_of
from audioclf.evaluation.ordered_fits import OrderedFits
from audioclf.models.estimators.store import dump_estimator, restore_estimator
from audioclf.models.refusal import RefusedError

if TYPE_CHECKING:
    from audioclf.models.bundle.manifest import Manifest

_SHARED = "shared/"
MAX_CLASSES = 900
"""Most classes of a model, whose files a bundle can hold."""


def scorer_of(classifier: Classifier, estimator: Any) -> Any:
    """Return the object that predicts, from an estimator or those of several labels."""
    if isinstance(estimator, OneFitPerClass):
        return estimator.mapped(classifier.scorer)
    return classifier.scorer(estimator)


def unwrapped_classes(
    classifier: Classifier, fitted: OneFitPerClass
) -> tuple[Classifier, OneFitPerClass]:
    """Return the classifier and the estimators to save, as `Classifier.unwrapped` does for one."""
    if fitted.shared is not None:
        return classifier, fitted
    parts = [classifier.unwrapped(e) for e in fitted.estimators if not isinstance(e, float)]
    if len(fitted.estimators) > MAX_CLASSES:
        what = f"it has {len(fitted.estimators)} classes, and a model file holds {MAX_CLASSES}"
        raise RefusedError("structure", what)
    if any(part[0] != parts[0][0] for part in parts):
        raise RefusedError(
            "component",
            f"{classifier.type_name()} chose other parameters for some classes than for others, "
            "which a model file cannot hold",
            hint="Write parameters that suit all classes into the config.",
        )
    estimators = iter([part[1] for part in parts])
    return parts[0][0] if parts else classifier, fitted.mapped(lambda _: next(estimators))


def dump_classes(classifier: Classifier, fitted: OneFitPerClass) -> dict[str, bytes]:
    """Return the estimators of all classes as files; a constant has none."""
    if fitted.shared is not None:
        files = dump_estimator(classifier, fitted.shared)
        return {f"{_SHARED}{name}": content for name, content in files.items()}
    return {
        f"{_folder(code)}{name}": content
        for code, estimator in enumerate(fitted.estimators)
        if not isinstance(estimator, float)
        for name, content in dump_estimator(classifier, estimator).items()
    }


def restore_classes(
    classifier: Classifier, manifest: Manifest, files: Mapping[str, bytes]
) -> OneFitPerClass:
    """Restore the estimators of a manifest, each with all checks of one of two classes."""
    of_fits = manifest.several or manifest.ordered
    assert of_fits is not None
    parts: list[Any]
    if of_fits.shared:
        shared = restore_estimator(
            classifier,
            manifest.estimator.format,
            {name.removeprefix(_SHARED): content for name, content in files.items()},
            seed=manifest.seed,
            n_classes=len(of_fits.constants),
            n_features=manifest.features.width,
            n_indicators=max(2, of_fits.constants.count(None)),
        )
        parts = [*columns_of(shared, of_fits.constants)]
    else:
        parts = [
            constant
            if constant is not None
            else restore_estimator(
                classifier,
                manifest.estimator.format,
                {
                    name.removeprefix(_folder(code)): content
                    for name, content in files.items()
                    if name.startswith(_folder(code))
                },
                seed=manifest.seed,
                n_classes=2,
                n_features=manifest.features.width,
            )
            for code, constant in enumerate(of_fits.constants)
        ]
    if manifest.several is None:
        return OrderedFits(tuple(parts), np.full(len(parts), HALF))
    return OneFitPerClass(tuple(parts), np.array(manifest.several.thresholds))


def _folder(code: int) -> str:
    return f"class{code:04d}/"
