"""A config with all that is derived from it before work begins: plugins, dataset, grid, folds."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import AudioclfError, ConfigError, DatasetError
from audioclf.base.machine import versions_behind
from audioclf.base.progress import Progress
from audioclf.components.augmenter import Augmenter
from audioclf.components.classifier import BASELINE_TYPES
from audioclf.components.discovery import discover
from audioclf.components.featurizer import Featurizer
from audioclf.components.guard import guard
from audioclf.components.pinned import pinned
from audioclf.components.registry import Origins, Registry
from audioclf.config.dataset import dataset_of
from audioclf.config.loading import config_of, load_config
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.sources import content_digest
from audioclf.experiment.grid import pipelines_of
from audioclf.runs.folder import LEDGER, RunFolder
from audioclf.starters.recipes import config_file, data_hint, recipe_overrides

if TYPE_CHECKING:
    from audioclf.components.metrics import TargetKind
    from audioclf.engines.base import Engine
    from audioclf.evaluation.fit_cache import FitCache
    from audioclf.evaluation.learning_curve import CurveFolds
    from audioclf.evaluation.results import Pipeline
    from audioclf.evaluation.splits import Splits
    from audioclf.features.cache import FeatureCache
    from audioclf.features.extraction import Extraction
    from audioclf.features.matrix import Matrix
    from audioclf.features.worker import CacheUse, Plan

MAX_LISTED = 20


@dataclass(frozen=True)
class Prepared:
    """A config, and what is derived from it before any clip is decoded."""

    config: RunConfig
    registry: Registry
    dataset: Dataset

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The grid, with a baseline."""
        classes, pipelines = self.dataset.classes, []
        for item in pipelines_of(self.config, self.registry):
            where = f"classifiers.{item.classifier_name}"
            with guard(where, ConfigError, known=partial(_config_error, where)):
                classifier = item.classifier.for_classes(classes)
            pipelines.append(replace(item, classifier=classifier))
        return tuple(pipelines)

    @property
    def baseline(self) -> str:
        """Name of the pipeline that predicts from class frequencies alone."""
        return next(pipeline.name for pipeline in self.pipelines if pipeline.is_baseline)

    @cached_property
    def featurizers(self) -> dict[str, Featurizer]:
        """The featurizers of the config, with the copies of each clip that it asks for."""
        from audioclf.features.augmented import WithCopies

        config = self.config
        if not config.augment:
            return config.inputs
        options: Any = {"copies": config.copies, "seed": config.seed}
        return {
            name: WithCopies.of(featurizer, config.augment, **options)
            for name, featurizer in config.inputs.items()
        }

    @cached_property
    def origins(self) -> dict[str, Origins]:
        """The plugins of each featurizer, its parts and its copies, by its name in the config."""
        origins = {
            name: self.registry.origins_of(item) for name, item in self.config.inputs.items()
        }
        changes = [self.registry.origins_of(item) for item in self.config.augment]
        if not all(changes):
            return dict.fromkeys(origins, ())
        return {
            name: tuple(dict.fromkeys(chain(own, *changes))) if own else ()
            for name, own in origins.items()
        }

    @cached_property
    def _splits(self) -> Splits:
        return self.config.split.folds(self.dataset, self.config.seed)

    def splits(self, dataset: Dataset | None = None) -> Splits:
        """Return the folds of all clips, or of a dataset from which unreadable ones are missing."""
        if dataset is None or dataset is self.dataset:
            return self._splits
        return self.config.split.folds(dataset, self.config.seed)

    def curve_folds(self) -> CurveFolds | None:
        """Return the folds of the learning curve of all clips; None without one."""
        from audioclf.evaluation.learning_curve import curve_folds

        settings, seed = self.config.learning_curve, self.config.seed
        if settings is None:
            return None
        return curve_folds(settings, self._splits, self.dataset.targets, seed)

    def check(self) -> None:
        """Check that metrics, splits and classifiers suit the dataset and the features."""
        from audioclf.evaluation.folds import check_training_sides
        from audioclf.evaluation.metrics.estimate import check_metrics
        from audioclf.models.decisions import UNKNOWN

        config, classes = self.config, self.dataset.classes
        if config.allow:
            from audioclf.audit import check_allowed

            check_allowed(config.allow)
        targets = self.dataset.targets
        check_metrics(config.metrics, classes, kind=targets.kind)
        if config.learning_curve and config.learning_curve.metric:
            metric = config.learning_curve.metric
            check_metrics([metric], classes, "learning_curve: ", kind=targets.kind)
        if config.unknown is not None and UNKNOWN in classes:
            raise ConfigError(
                f"a class has the name {UNKNOWN!r}, which `unknown` gives to sounds of no class",
                hint="Give the class another name, or remove `unknown`.",
            )
        _check_suits(config, targets.kind, self.registry)
        if targets.kind in ("several", "ordered"):
            classes = ("no", "yes")  # each fit is of one class
        kind: TargetKind = "number" if targets.is_numbers else "class"
        for name, classifier in config.classifiers.items():
            check_metrics(classifier.fit_metrics(), classes, f"classifiers.{name}: ", kind=kind)
        for number, item in enumerate(config.augment):
            where = f"augment.{number}"
            with guard(where, ConfigError, known=partial(_config_error, where)):
                item.sounds()
        folds = self.splits().folds
        baselines = BASELINE_TYPES.values()
        learning = [c for c in config.classifiers.values() if c.type_name() not in baselines]
        if any(classifier.only_class() is None for classifier in learning):
            check_training_sides(folds, self.dataset)
        n_clips = min(len(fold.train) for fold in folds)
        weights = self.dataset.targets.weights
        for name, classifier in config.classifiers.items():
            where = f"classifiers.{name}"
            with guard(where, ConfigError, known=partial(_config_error, where)):
                classifier.check_fit(n_clips, len(classes) or 1)
                if weights is not None:
                    built = classifier.build(random_state=config.seed)
                    classifier.weight_keywords(built, weights)
        _ = self.pipelines

    def extract(
        self,
        featurizers: Mapping[str, Featurizer],
        engine: Engine,
        cache_folder: Path | None,
        *,
        origins: Mapping[str, Origins] | None = None,
        cache_use: CacheUse | None = None,
        progress: Progress,
    ) -> Extraction:
        """Featurize all clips, then cut the cache to its size, if there is a folder for it.

        `origins` are the plugins of featurizers that are not in the config. Rows that join those of
        others are made of these.
        """
        from audioclf.features.cache import FeatureCache
        from audioclf.features.extraction import extract

        progress("reading", 0, len(self.dataset))
        joined = [name for name in featurizers if self._has_parts(name, featurizers)]
        extraction = extract(
            self.dataset,
            self.config.audio,
            {name: item for name, item in featurizers.items() if name not in joined},
            engine=engine,
            cache_folder=cache_folder,
            origins={**self.origins, **(origins or {})},
            cache_use=cache_use,
            progress=lambda done, total: progress("reading", done, total),
        )
        if cache_folder is not None:
            cache = FeatureCache(cache_folder)
            cache.written = extraction.cache.written
            cache.close()
        matrices, plans = dict(extraction.matrices), dict(extraction.plans)
        for name in joined:
            matrices[name], plans[name] = self.join(name, matrices), self._plan(name, plans)
        return replace(extraction, matrices=matrices, plans=plans)

    def _has_parts(self, name: str, featurizers: Container[str]) -> bool:
        parts = self.config.joined.get(name)
        return parts is not None and all(part in featurizers for part in parts)

    def join(self, name: str, matrices: Mapping[str, Matrix]) -> Matrix:
        """Return the rows of a joined featurizer from those of its parts."""
        from audioclf.features.matrix import joined_rows

        parts = self.config.joined[name]
        views = [len(self.featurizers[part].views()) for part in parts]
        n_copies = self.config.copies if self.config.augment else 0
        return joined_rows([matrices[part] for part in parts], views, n_copies)

    def _plan(self, name: str, plans: Mapping[str, Plan]) -> Plan:
        from audioclf.features.worker import Plan

        width = sum(plans[part].width for part in self.config.joined[name])
        return Plan(name, self.featurizers[name].views()[0], name, width, 1, width)

    @cached_property
    def classifier_digests(self) -> dict[str, str | None]:
        """Digests of the classifiers by pipeline; first read before long work.

        Source code that is edited while features are computed is not that of the fits.
        """
        from audioclf.evaluation.fit_cache import classifier_digest

        return {
            pipeline.name: classifier_digest(
                pipeline.classifier, self.registry.origins_of(pipeline.classifier)
            )
            for pipeline in self.pipelines
        }

    def open_fit_cache(self, store: FeatureCache, extraction: Extraction) -> FitCache:
        """Return the fits in a store, for these features and the installed versions."""
        from audioclf.evaluation.fit_cache import FitCache

        # Those of its plugins are in the digest of each classifier.
        versions = versions_behind({"audioclf"})
        matrices = {
            name: f"{digest} {self._shapes_in(name, extraction)}"
            for name, digest in extraction.feature_hashes.items()
        }
        return FitCache(store, self.classifier_digests, matrices, versions=versions)

    def _shapes_in(self, name: str, extraction: Extraction) -> list[tuple[int, int]]:
        """Return the shapes of the members of joined rows, of which each is fitted by itself."""
        parts = self.config.joined.get(name, ())
        plans = [extraction.plans[part] for part in parts if part in extraction.plans]
        return [(plan.n_bins, plan.max_frames) for plan in plans]


def prepare(
    config: RunConfig | Mapping[str, Any] | str | Path,
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
    *,
    check: bool = True,
) -> Prepared:
    """Load a config and its dataset; `overrides` are `key=value` each, for a config in a file."""
    config, registry = resolve(config, overrides, registry)
    prepared = Prepared(config, registry, load_dataset(config, registry))
    if check:
        prepared.check()
    return prepared


def resolve(
    config: RunConfig | Mapping[str, Any] | str | Path,
    overrides: Iterable[str],
    registry: Registry | None,
) -> tuple[RunConfig, Registry]:
    """Return a validated config, and the plugins that its names were resolved against.

    The config names the digests of all weights.
    """
    registry = discover() if registry is None else registry
    if isinstance(config, Mapping):
        config = config_of(config, overrides=overrides, registry=registry)
    if not isinstance(config, RunConfig):
        path = config_file(config)
        config = load_config(path, overrides=recipe_overrides(path, overrides), registry=registry)
    return _with_digests(config, registry), registry


def _with_digests(config: RunConfig, registry: Registry) -> RunConfig:
    """Return a config whose featurizers name the digests of their weights."""
    featurizers = {}
    for name, featurizer in config.featurizers.items():
        with guard(f"featurizers.{name}", ConfigError):
            featurizers[name] = pinned(featurizer, registry)
    if all(featurizers[name] is item for name, item in config.featurizers.items()):
        return config
    return config.model_copy(update={"featurizers": featurizers})


def load_dataset(config: RunConfig, registry: Registry) -> Dataset:
    """Load the dataset that a config names."""
    try:
        return dataset_of(config, registry)
    except DatasetError as exc:
        if (hint := data_hint(getattr(config.dataset, "path", None))) is None:
            raise
        raise DatasetError(exc.message, hint=hint) from exc


def unreadable_clips(dataset: Dataset, extraction: Extraction, folder: RunFolder) -> DatasetError:
    """Return the error that lists the clips that cannot be used."""
    messages = [row.message for row in extraction.failed]
    more = len(messages) - MAX_LISTED
    listed = "".join(f"\n  {message}" for message in messages[:MAX_LISTED])
    listed += f"\n  and {more} more" if more > 0 else ""
    return DatasetError(
        f"{dataset.name}: {len(messages)} of {len(extraction.ledger)} clips cannot be used, "
        f"nothing was trained:{listed}",
        hint=f"All are listed in {folder.path / LEDGER}. Correct or remove them, or leave them out "
        "with `on_error: skip`.",
    )


def check_apart(augment: Iterable[Augmenter], extraction: Extraction) -> None:
    """Refuse recordings that are mixed into training clips and are clips of the dataset as well."""
    from audioclf.audio.decode import inspect

    sounds = [sound for item in augment for sound in item.sounds()]
    if not sounds:
        return
    lengths = {(info.sr, info.frames) for info in map(inspect, sounds)}
    mixed = {content_digest(sound): sound.name for sound in sounds}
    digests: dict[str, str] = {}
    for row in extraction.ledger:
        source, info = row.clip.source, row.info
        if info is None or (source.span is None and (info.sr, info.frames) not in lengths):
            continue
        if source.file.name not in digests:
            digests[source.file.name] = content_digest(source.file)
        if (name := mixed.get(digests[source.file.name])) is not None:
            raise ConfigError(
                f"augment: {name} has the same bytes as the clip {row.clip.id}, so its sound would "
                "be in the training data of the folds that test it",
                hint="Remove the file from the folder of noise, or the clip from the dataset.",
            )


def of_copies(config: RunConfig) -> Iterator[str]:
    """Yield a note on the copies of training clips, if a config asks for some."""
    if config.augment:
        copies = "a changed copy" if config.copies == 1 else f"{config.copies} changed copies"
        names = ", ".join(item.type_name() for item in config.augment)
        yield f"each fit used every training clip and {copies} of it ({names})"


_CLIPS: dict[TargetKind, str] = {
    "several": "several labels per clip",
    "number": "numbers",
    "ordered": "ordered classes",
}


def _check_suits(config: RunConfig, kind: TargetKind, registry: Registry) -> None:
    """Refuse classifiers and settings that are not made for the targets of a dataset."""
    learned = "number" if kind == "number" else "class"
    for name, classifier in config.classifiers.items():
        if classifier.learns() != learned:
            raise ConfigError(
                f"classifiers.{name}: {classifier.type_name()!r} learns "
                f"{'classes' if learned == 'number' else 'numbers'}, and the clips have "
                f"{_CLIPS.get(kind, 'classes')}",
                hint=f"Use one of {', '.join(_types_that_learn(learned, registry))}.",
            )
    of_classes = ["calibrate", "abstain_below", "unknown"] if kind != "class" else []
    if kind == "several" and config.calibrate is not None:
        of_classes.remove("calibrate")
        if config.calibrate != "sigmoid":
            raise ConfigError(
                f"calibrate: {config.calibrate} is not made for {_CLIPS[kind]}",
                hint="Use `calibrate: sigmoid`, which treats each class by itself.",
            )
    for name in [*of_classes, *["learning_curve"] * (kind == "number")]:
        if getattr(config, name) is not None:
            raise ConfigError(f"{name} is not made for {_CLIPS[kind]}", hint=f"Remove `{name}`.")


def _types_that_learn(target: str, registry: Registry) -> Iterator[str]:
    """Yield the types of the classifiers of a target, except for the baseline."""
    for name in registry.types("classifier"):
        with suppress(AudioclfError):  # two plugins may provide one name
            cls = registry.resolve("classifier", name)
            if getattr(cls, "target", "") == target and name not in BASELINE_TYPES.values():
                yield name


def _config_error(where: str, exc: AudioclfError) -> AudioclfError:
    return ConfigError(f"{where}: {exc.message}", hint=exc.hint)
