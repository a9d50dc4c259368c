"""The labelled recordings of an evaluation: their config, and the classes that models share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.config.loading import config_of, load_config
from audioclf.dataset.label_sets import join_labels, normal_of, split_labels
from audioclf.dataset.path_labels import shown
from audioclf.evaluation.metrics.estimate import check_metrics
from audioclf.experiment.evaluating.models import NamedModel, metrics_of
from audioclf.experiment.prepared import load_dataset
from audioclf.runs.folder import MODEL, RECORD
from audioclf.starters.recipes import config_file, recipe_overrides

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.config.run_config import RunConfig
    from audioclf.dataset.dataset import Dataset
    from audioclf.models.model import Model
    from audioclf.starters.first_config.results import Layout

_CONFIGS = (".yaml", ".yml")
_KINDS = {
    "class": ("one class per clip", "labels: single"),
    "several": ("several labels per clip", "labels: several"),
    "ordered": ("ordered classes", "target: {ordered: [...]}"),
    "number": ("numbers", "target: number"),
}
_MAX_NAMED = 8


def read_config(
    data: str, models: Sequence[NamedModel], overrides: Iterable[str], registry: Registry
) -> tuple[RunConfig, list[str]]:
    """Return the config of an evaluation, and notes.

    `data` is a config with a dataset, or a folder, zip archive or table as `init` reads it. Its
    other keys are those of a run, but audio, featurizers and classifiers are those of the models.
    """
    first = models[0].bundle
    featurizer, classifier = {"type": "mfcc"}, {"type": "dummy"}  # a graph is of no plugin
    if first.graph is None:
        featurizer = first.featurizer.model_dump(mode="json")
        classifier = first.classifier.model_dump(mode="json")
    fixed: dict[str, Any] = {
        "audio": first.manifest.audio.model_dump(mode="json"),
        "featurizers": {models[0].name: featurizer},
        "classifiers": {models[0].name: classifier},
        "final": "none",
        "on_error": "skip",
    }
    others = ("split", "thresholds", "calibrate", "abstain_below", "learning_curve")
    fixed |= dict.fromkeys(others)
    notes: list[str] = []
    if Path(data).suffix.lower() in _CONFIGS:
        path = config_file(data)
        overrides = recipe_overrides(path, overrides)
        config = load_config(path, overrides=overrides, registry=registry, fixed=fixed)
    else:
        layout = _layout(data)
        notes += _reading(layout)
        from audioclf.starters.first_config import name_for

        plain = {key: str(v) if isinstance(v, Path) else v for key, v in layout.fields.items()}
        suggested = {"name": name_for(layout.path), "dataset": plain}
        config = config_of(suggested, overrides=overrides, registry=registry, fixed=fixed)
    parts: dict[str, Any] = {
        "featurizers": {each.name: each.bundle.featurizer for each in models},
        "classifiers": {each.name: each.bundle.classifier for each in models},
    }
    return config.model_copy(update=parts), notes


def _layout(data: str) -> Layout:
    from audioclf.starters.first_config.folders import find_layout
    from audioclf.starters.first_config.groups import with_groups

    path = Path(data)
    if not path.exists():
        raise DatasetError(
            f"{data}: no such config, folder, zip archive or table of labelled recordings",
            hint="`audioclf evaluate MODEL DATA`: the data come last.",
        )
    if path.suffix.lower() == ".audioclf" or any(
        (path / name).is_file() for name in (MODEL, RECORD)
    ):
        raise ConfigError(
            f"{data} is a model or a run, and the labelled recordings are missing",
            hint="`audioclf evaluate MODEL... DATA`: the data come last.",
        )
    return with_groups(find_layout(path))


def _reading(layout: Layout) -> Iterator[str]:
    yield f"read as `type: {layout.fields['type']}`; classes are from {layout.labels}"
    if layout.guessed_groups:
        groups = sorted({clip.group for clip in layout.dataset if clip.group is not None})
        yield (
            f"groups are guessed from the names: {shown(groups, most=_MAX_NAMED)}; name others in "
            "a config"
        )


def load_shared(
    config: RunConfig, models: Sequence[NamedModel], registry: Registry
) -> tuple[Dataset, list[str]]:
    """Load the dataset, and keep the classes that it shares with all models; return notes.

    Of one label per clip, clips of other classes are left out, and the dataset has all classes that
    a model can predict, so that a wrong prediction counts. Of several, other classes are no longer
    among the labels.
    """
    dataset = _tested(load_dataset(config, registry))
    several = models[0].model.is_several
    kinds = "several" if dataset.is_several else dataset.targets.kind, _kind(models[0].model)
    if kinds[0] != kinds[1]:
        has, gives = (_KINDS[kind] for kind in kinds)
        raise DatasetError(
            f"{dataset.name} has {has[0]}, and {models[0].name} gives {gives[0]}",
            hint=f"Use a config, with `{gives[1]}` in its dataset.",
        )
    _check_order(dataset, models)
    known = [set(each.model.classes) for each in models]
    shared = set(dataset.classes).intersection(*known)
    if not shared:
        names = ", ".join(each.name for each in models)
        raise DatasetError(
            f"{dataset.name} and {names} have no class in common: the data have "
            f"{shown(list(dataset.classes), most=_MAX_NAMED)}, the first model "
            f"{shown(list(models[0].model.classes), most=_MAX_NAMED)}",
            hint="Give the classes of the data the names that they have in the model.",
        )
    notes = list(_class_notes(dataset, models, shared))
    if several:
        clips = [replace(clip, label=_only(clip.label, shared)) for clip in dataset]
        return dataset.with_clips(clips, classes=shared), notes
    clips = [clip for clip in dataset if clip.label in shared]
    normal = None if dataset.is_ordered else normal_of(models[0].model.classes)
    return dataset.with_clips(clips, classes=shared.union(*known), normal=normal), notes


def _check_order(dataset: Dataset, models: Sequence[NamedModel]) -> None:
    """Refuse ordered classes whose order lacks a class of a model, or has another order."""
    for each in models if dataset.is_ordered else ():
        order = [name for name in dataset.target if name in each.model.classes]
        if order != list(each.model.classes):
            names = ", ".join(each.model.classes)
            raise DatasetError(
                f"{dataset.name} has the order {', '.join(dataset.target)}, and {each.name} has "
                f"{names}",
                hint=f"Set `target: {{ordered: [{names}]}}` in the config, the order of the model.",
            )


def _tested(dataset: Dataset) -> Dataset:
    """Leave out clips that were chosen by their score, which only train."""
    clips = [clip for clip in dataset if not clip.only_trains]
    if not clips:
        raise DatasetError(
            f"{dataset.name}: all clips were chosen by their score, and say nothing of others",
            hint="Test on the reviews of a list of `audioclf suggest --by random`.",
        )
    return dataset if len(clips) == len(dataset) else dataset.with_clips(clips)


def _only(label: str, classes: set[str]) -> str:
    present, unlabelled = split_labels(label)
    return join_labels(*([name for name in x if name in classes] for x in (present, unlabelled)))


def _class_notes(dataset: Dataset, models: Sequence[NamedModel], shared: set[str]) -> Iterator[str]:
    """Yield the classes that one side lacks, and their effect on the numbers."""
    left_out = "no number includes them" if dataset.is_several else "their clips are left out"
    wrong = "" if dataset.is_several else ", and to predict them is an error"
    for each in models:
        name, known = each.name, set(each.model.classes)
        if lacking := sorted(set(dataset.classes) - known):
            n = sum(dataset.class_counts[label] for label in lacking)
            yield f"{name} does not know {_named(lacking)} of the data ({n} clips): {left_out}"
        if more := sorted(known - set(dataset.classes)):
            yield f"the data lack {_named(more)} of {name}: no average includes them{wrong}"


def _named(classes: Sequence[str]) -> str:
    """Return some classes with their number, as "the 2 classes cat, dog"."""
    number = "class" if len(classes) == 1 else f"{len(classes)} classes"
    return f"the {number} {shown(classes, most=_MAX_NAMED)}"


def _kind(model: Model) -> str:
    if model.is_several:
        return "several"
    return "class" if model.manifest.ordered is None else "ordered"


def with_metrics(config: RunConfig, dataset: Dataset, model: Model) -> RunConfig:
    """Return the config with metrics that suit the classes.

    Without metrics in the config, they are those of the cross-validation of a model that do.
    """
    kind = dataset.targets.kind
    if "metrics" in config.model_fields_set:
        check_metrics(config.metrics, dataset.classes, kind=kind)
        return config
    suited = []
    for metric in metrics_of(model):
        try:
            check_metrics([metric], dataset.classes, kind=kind)
        except ConfigError:
            continue
        suited.append(metric)
    return config.model_copy(update={"metrics": tuple(suited) or config.metrics})
