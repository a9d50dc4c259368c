"""The models of an evaluation, with their names in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ConfigError
from audioclf.evaluation.results import Pipeline
from audioclf.models.bundle.reading import Bundle, model_file, read_bundle
from audioclf.models.model import Model
from audioclf.predict.settings import check_classes
from audioclf.runs.folder import MODEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.components.metrics import Metric
    from audioclf.components.registry import Registry
    from audioclf.features.extraction import Extraction


@dataclass(frozen=True)
class NamedModel:
    """A bundle with the name of its pipeline, which is that of its file or of the run's folder."""

    name: str
    bundle: Bundle

    @property
    def model(self) -> Model:
        """The model."""
        return self.bundle.model

    def trained_on(
        self, extraction: Extraction, matrix: NDArray[np.float32]
    ) -> NDArray[np.bool_] | None:
        """Return which clips are in its training, by features or file; None if it records none."""
        if (clips := self.model.clips) is None:
            return None
        digests = {row.clip.id: row.digest for row in extraction.ledger}
        files = [digests[clip.id] for clip in extraction.dataset]
        return self.model.trained_on(self.model.views.plain(matrix)) | clips.contains_files(files)

    def pipeline(self, registry: Registry) -> Pipeline:
        """Return the pipeline of which the model is the fitted one."""
        classifier = self.bundle.classifier
        described = registry.describe(classifier)
        return Pipeline(self.name, self.name, self.name, classifier, described, None)


def read_models(
    paths: Sequence[Path],
    registry: Registry,
    *,
    expect_sha256: str | None = None,
    weights: Sequence[Path] = (),
    untrusted: bool = False,
) -> tuple[list[NamedModel], list[str]]:
    """Read models, each with every check, and return them with notes.

    With `untrusted`, each is tried in a worker process first. Models of one evaluation have labels
    of one kind, and either all or none takes each channel as a clip.
    """
    if expect_sha256 is not None and len(paths) > 1:
        raise ConfigError("--expect-sha256 is of one model", hint="Evaluate the models one by one.")
    files = [model_file(path) for path in paths]
    models = []
    for name, file in zip(_names(files), files, strict=True):
        bundle = read_bundle(
            file,
            registry,
            expect_sha256=expect_sha256,
            weights=weights,
            graph="if_needed",
            untrusted=untrusted,
        )
        check_classes(bundle.model, "evaluate")
        models.append(NamedModel(name, bundle))
    first = models[0]
    for other in models[1:]:
        if other.model.is_several != first.model.is_several:
            several = first if first.model.is_several else other
            raise ConfigError(
                f"{several.name} gives several labels per clip, and not all models do",
                hint="Evaluate such models in calls of their own.",
            )
        channels = {each.bundle.manifest.audio.channel for each in (first, other)}
        if len(channels) > 1 and "each" in channels:
            raise ConfigError(
                f"one of {first.name} and {other.name} takes each channel as a clip, and the other "
                "does not, so they have no clips in common",
                hint="Evaluate them in calls of their own.",
            )
    return models, [note for each in models for note in _notes(each, alone=len(models) == 1)]


def _notes(model: NamedModel, *, alone: bool) -> Iterator[str]:
    for note in model.bundle.notes:
        yield note if alone else f"{model.name}: {note}"


def _names(files: Sequence[Path]) -> list[str]:
    """Return a name for each file: its own, or of a `model.audioclf` that of its folder."""
    names = []
    for file in files:
        full = file.absolute()
        stem = full.parent.name if full.name == MODEL else full.stem
        names.append(re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-")[:50] or "model")
    counts: Counter[str] = Counter()
    for place, name in enumerate(names):
        counts[name] += 1
        if counts[name] > 1 or name == "baseline":
            names[place] = f"{name}-{counts[name]}"
    return names


def metrics_of(model: Model) -> tuple[Metric, ...]:
    """Return the metrics of the cross-validation of a model that are known here."""
    from audioclf.components.metrics import METRICS

    evaluated = model.manifest.evaluation
    stored: Any = () if evaluated is None else evaluated.metrics
    return tuple(name for name in stored if name in METRICS)
