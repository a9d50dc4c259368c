"""The changes of a stress test, as augmenters with fixed fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from audioclf.base.errors import ConfigError
from audioclf.builtin.augmenters.channel import Codec, Filter, Resample, Reverb
from audioclf.builtin.augmenters.level import Clipping, Gain
from audioclf.builtin.augmenters.noise import Background, Noise
from audioclf.builtin.augmenters.time import Shift
from audioclf.components.augmenter import Augmenter
from audioclf.dataset.sources import content_digest
from audioclf.features.augmented import Changed, WithCopies

if TYPE_CHECKING:
    from audioclf.base.progress import Progress
    from audioclf.components.featurizer import Featurizer
    from audioclf.components.registry import Origins, Registry
    from audioclf.experiment.prepared import Prepared
    from audioclf.experiment.resources import Resources
    from audioclf.features.extraction import Extraction

Group = Literal["noise", "codec", "band", "level", "room", "time"]
GROUPS: tuple[Group, ...] = get_args(Group)

CLEAN = ""
"""Name of the condition without a change."""

_SNRS = (20, 10, 0)
_COLORS: tuple[Literal["white", "pink"], ...] = ("white", "pink")


@dataclass(frozen=True)
class Condition:
    """A change of the sound, by its name in tables."""

    name: str
    group: Group
    change: Augmenter


def conditions(
    sr: int, noise: Path | None = None, groups: Sequence[str] = ()
) -> tuple[Condition, ...]:
    """Return the changes for sound at a rate in Hz: all, or those of some groups."""
    unknown = [name for name in groups if name not in GROUPS]
    if unknown:
        raise ConfigError(
            f"there is no group of changes {unknown[0]!r}", hint=f"Use {', '.join(GROUPS)}."
        )
    if noise is not None:
        Background(path=noise).sounds()  # an empty folder is an error before any work
    every = (*_noises(noise), *_channels(sr), *_others())
    return tuple(item for item in every if not groups or item.group in groups)


def _noises(noise: Path | None) -> Iterator[Condition]:
    for color in _COLORS:
        for snr in _SNRS:
            change = Noise(color=color, snr=(snr, snr))
            yield Condition(f"{color} noise, {snr} dB", "noise", change)
    if noise is not None:
        for snr in _SNRS:
            given = Background(path=noise, snr=(snr, snr))
            yield Condition(f"{noise.name}, {snr} dB", "noise", given)


def _channels(sr: int) -> Iterator[Condition]:
    rates: Mapping[Literal["mp3", "opus"], Sequence[int]] = {
        "mp3": (64, 32 if sr > 24_000 else 16),
        "opus": (32, 8),
    }
    for kind, name in (("mp3", "MP3"), ("opus", "Opus")):
        for kbps in rates[kind]:  # type: ignore[index]
            codec: Any = {"formats": (kind,), "kbps": (kbps, kbps)}
            yield Condition(f"{name}, {kbps} kbit/s", "codec", Codec(**codec))
    telephone = Filter(low=(300.0, 300.0), high=(3_400.0, 3_400.0))
    yield Condition("telephone, 300-3400 Hz", "band", telephone)
    if sr > 10_000:
        cheap = Filter(low=(150.0, 150.0), high=(5_000.0, 5_000.0))
        yield Condition("cheap microphone, 150-5000 Hz", "band", cheap)
    for rate in (16_000, 8_000):
        if rate < sr:
            yield Condition(f"resampled to {rate} Hz", "band", Resample(rates=(rate,)))


def _others() -> Iterator[Condition]:
    for db in (-20, 10):
        yield Condition(f"gain of {db:+d} dB", "level", Gain(db=(db, db)))
    for db in (6, 20):
        yield Condition(f"clipped by {db} dB", "level", Clipping(db=(db, db)))
    for rt60, direct in ((0.3, 6), (1.0, 0)):
        room = Reverb(rt60=(rt60, rt60), direct=(direct, direct))
        yield Condition(f"room, {rt60:g} s", "room", room)
    yield Condition("late by half a clip", "time", Shift(share=(0.5, 0.5)))


def extract_changed(
    prepared: Prepared,
    featurizer: Featurizer,
    own: Origins,
    changes: Sequence[Condition],
    resources: Resources,
    progress: Progress,
    *,
    clean: Featurizer | None = None,
) -> Extraction:
    """Featurize all clips changed, and as they are by `clean` if that is another featurizer.

    `own` are the plugins behind the featurizer.
    """
    featurizers = changed_featurizers(featurizer, changes, prepared.config.seed)
    with resources.at_work(prepared.config) as engine:
        return prepared.extract(
            {CLEAN: clean or featurizer, **featurizers},
            engine,
            resources.cache_folder,
            origins={CLEAN: own, **origins_with(own, changes, prepared.registry)},
            progress=progress,
        )


def changed_featurizers(
    featurizer: Featurizer, changes: Sequence[Condition], seed: int
) -> dict[str, Featurizer]:
    """Return the featurizers of clips after each change, with the views of the given one."""
    featurizers: dict[str, Featurizer] = {}
    for item in changes:
        first, *others = (Changed.of(view, (item.change,), seed, 0) for view in featurizer.views())
        featurizers[item.name] = (
            WithCopies(featurizer=first, pooling=first.pooling, copies=tuple(others))
            if others
            else first
        )
    return featurizers


def origins_with(
    own: Origins, changes: Sequence[Condition], registry: Registry
) -> dict[str, Origins]:
    """Return the plugins behind the featurizers of `changed_featurizers`."""
    return {
        item.name: tuple(dict.fromkeys((*own, *registry.origins_of(item.change)))) if own else ()
        for item in changes
    }


def noise_notes(trained: Sequence[Augmenter], changes: Sequence[Condition]) -> Iterator[str]:
    """Yield a note if noise of the test was mixed into training clips as well."""
    tested = {sound for item in changes for sound in item.change.sounds()}
    mixed = {content_digest(sound) for item in trained for sound in item.sounds()} if tested else ()
    both = sum(content_digest(sound) in mixed for sound in tested) if mixed else 0
    if both:
        yield (
            f"{both} of {len(tested)} recordings of noise were mixed into training clips as well, "
            "so the test says nothing about noise that is new to the model"
        )
