"""Storage of fitted estimators as files: by skops, or in a format of the plugin.

`Classifier` declares the choices of a plugin: `trusted_types`, `model_format` with `dump` and
`restore`, `members`, and `unwrapped`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from audioclf.components.classifier import Classifier
from audioclf.components.component import components_inside
from audioclf.models.estimators.skops_format import (
    TRUSTED_TYPES,
    dump_skops,
    load_skops,
    unknown_types,
)
from audioclf.models.refusal import RefusedError, refusing

SKOPS = "skops"
MEMBERS = "members"
_SKOPS_FILE = "model.skops"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def dump_estimator(classifier: Classifier, estimator: Any) -> dict[str, bytes]:
    """Return a fitted estimator as files, in the classifier's format, or raise `RefusedError`."""
    what = f"the estimator of {classifier.type_name()} cannot be stored"
    hint = "A plugin can give its classifier a `model_format` with `dump` and `restore`."
    if classifier.model_format == MEMBERS:
        estimators = classifier.take_apart(estimator)
        return {
            f"{name}/{file}": content
            for name, (member, _) in classifier.members(0, 0).items()
            for file, content in dump_estimator(member, estimators[name]).items()
        }
    with refusing("type", what, hint=hint):
        if classifier.model_format == SKOPS:
            data = dump_skops(estimator)
            if foreign := unknown_types(data, trusted_types(classifier)):
                raise _untrusted(classifier, foreign)
            return {_SKOPS_FILE: data}
        files = classifier.dump(estimator)
        for name in files:
            if not _FILE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a plain file name")
        return files


def _untrusted(classifier: Classifier, types: list[str]) -> RefusedError:
    """Return the refusal that tells the author of a plugin how to declare types."""
    what = f"the estimator of {classifier.type_name()} holds {', '.join(types[:5])}, "
    if unnamed := [name for name in types if "<" in name]:
        hint = "Use a function or class at the top of a module, which has a name."
        return RefusedError("type", f"{what}and {unnamed[0]} has no name to load it by", hint=hint)
    return RefusedError(
        "type",
        f"{what}which a model file may not hold unless the classifier declares it",
        hint="If loading them runs no code from the file, set `trusted_types: ClassVar[tuple[str, "
        f"...]] = {tuple(types)!r}` in {type(classifier).__name__}; see `audioclf docs plugins`.",
    )


def restore_estimator(
    classifier: Classifier,
    stored_as: str,
    files: Mapping[str, bytes],
    *,
    seed: int,
    n_classes: int,
    n_features: int,
    n_indicators: int | None = None,
) -> Any:
    """Restore an estimator, and check that the classifier can have built it.

    One of scikit-learn may be fitted on an indicator matrix of `n_indicators` columns.
    `RefusedError` if the format is not the classifier's, or the files hold something else.
    """
    expected = classifier.model_format
    if stored_as != expected:
        raise RefusedError(
            "component",
            f"its estimator is stored as {stored_as!r}, and {classifier.type_name()} reads "
            f"{expected!r}",
            hint="Install the version of the plugin that the file names, or train again.",
        )
    if stored_as == SKOPS:
        if set(files) != {_SKOPS_FILE}:
            raise RefusedError("structure", f"the estimator is not in {_SKOPS_FILE!r} alone")
        estimator = load_skops(files[_SKOPS_FILE], trusted_types(classifier))
        with refusing("structure", "the estimator has no parameters to compare"):
            _check_parameters(classifier, estimator, seed)
    elif stored_as == MEMBERS:
        members = {
            name: restore_estimator(
                member,
                member.model_format,
                {
                    file.removeprefix(f"{name}/"): content
                    for file, content in files.items()
                    if file.startswith(f"{name}/")
                },
                seed=seed,
                n_classes=n_classes,
                n_features=n_columns,
            )
            for name, (member, n_columns) in classifier.members(n_features, n_classes).items()
        }
        estimator = classifier.put_together(members)
    else:
        with refusing("structure", f"the estimator of {stored_as} cannot be rebuilt"):
            estimator = classifier.restore(files)
    with refusing("structure", "the estimator names no classes"):
        _check_shape(estimator, n_classes, n_features, n_indicators)
    return estimator


def trusted_types(classifier: Classifier) -> tuple[str, ...]:
    """Return the types that the estimator may hold in addition to those of skops."""
    parts = [classifier, *(part for _, part in components_inside(classifier))]
    own = (each for part in parts if isinstance(part, Classifier) for each in part.trusted_types)
    return (*TRUSTED_TYPES, *own)


def _check_parameters(classifier: Classifier, estimator: Any, seed: int) -> None:
    """Compare type and parameters with those that the classifier builds.

    By the rules of scikit-learn, fitting changes no parameter; a forged one could select C code
    that the other checks do not cover.
    """
    built = classifier.build(random_state=seed)
    _check_type("estimator", estimator, built)
    actual, expected = estimator.get_params(deep=True), built.get_params(deep=True)
    for name in expected:
        if name not in actual:
            raise RefusedError("structure", f"the estimator has no parameter {name!r}")
        if name.endswith("class_weight"):
            continue  # used in the fit only, and fits in batches set it to weights
        if hasattr(expected[name], "get_params"):
            _check_type(name, actual[name], expected[name])
        elif not _same(actual[name], expected[name]):
            what = f"{name} of the estimator is not what {classifier.type_name()} sets"
            raise RefusedError("structure", what)


def _check_type(name: str, actual: Any, expected: Any) -> None:
    if type(actual) is not type(expected):
        what = f"{name} is a {type(actual).__name__} instead of a {type(expected).__name__}"
        raise RefusedError("structure", what)


def _same(actual: Any, expected: Any) -> bool:
    if isinstance(expected, list | tuple):
        is_alike = type(actual) is type(expected) and len(actual) == len(expected)
        return is_alike and all(map(_same, actual, expected))
    if hasattr(expected, "get_params"):
        return type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        return np.array_equal(actual, expected)
    is_nan = expected != expected and actual != actual
    return bool(type(actual) is type(expected) and (actual == expected or is_nan))


def _check_shape(estimator: Any, n_classes: int, n_features: int, n_indicators: int | None) -> None:
    classes = getattr(estimator, "classes_", ())
    if isinstance(classes, list):  # of several labels; those of each are some of 0 and 1
        classes = np.arange(n_classes) if len(classes) == n_indicators else ()
    if not np.array_equal(np.sort(classes), np.arange(n_classes)):
        what = f"the estimator has other classes than the {n_classes} of the manifest"
        raise RefusedError("structure", what)
    if getattr(estimator, "n_features_in_", n_features) != n_features:
        what = f"the estimator takes {estimator.n_features_in_} columns instead of {n_features}"
        raise RefusedError("structure", what)
