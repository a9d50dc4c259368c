"""Content of the sample datasets: one function each, from a seeded generator to files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from audioclf.starters.sample_data.sounds import (
    SR,
    chirp,
    knocks,
    machine,
    murmur,
    noise,
    room,
    syllable,
    tone,
    trill,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]


LABELS = "labels.csv"
"""Table of labels, beside the sounds that need one."""


@dataclass(frozen=True)
class SampleFile:
    """One sound file of a sample dataset, or its table of labels.

    The path is POSIX, below the folder of sounds; `planted` is the fault that an audit should find,
    empty for most.
    """

    path: str
    content: bytes
    planted: str = ""


KINDS: dict[str, Callable[[Generator], Waveform]] = {"chirp": chirp, "noise": noise, "tone": tone}
"""The classes of most datasets, with the functions that make their sounds."""

SPEAKERS = ("ada", "ben", "cleo", "dan", "eva", "finn")
WORDS = ("left", "right", "stop")


def clean(rng: Generator) -> list[SampleFile]:
    """Make 20 clips of each of three kinds of sound that differ only in the sound."""
    return [
        SampleFile(f"{kind}/{kind}_{index:02d}.wav", wav(make(rng)))
        for kind, make in KINDS.items()
        for index in range(20)
    ]


def duplicates(rng: Generator) -> list[SampleFile]:
    """Make two classes that are hard to distinguish, and copies of most clips."""
    files: list[SampleFile] = []
    for label, slope in (("rain", -1.0), ("wind", 1.0)):
        for index in range(24):
            y, name = murmur(rng, slope), f"{label}/{label}_{index:02d}"
            files.append(SampleFile(f"{name}.wav", wav(y)))
            if index < 20:
                files.append(_copy(y, files[-1], name, index % 5, rng))
    y = murmur(rng, 0.0)
    for label in ("rain", "wind"):
        note = "the same sound is in both classes"
        files.append(SampleFile(f"{label}/{label}_both.wav", wav(y), note))
    return files


def _copy(y: Waveform, original: SampleFile, name: str, way: int, rng: Generator) -> SampleFile:
    """Return one kind of copy of a clip."""
    of = f"of {original.path}"
    if way == 0:
        return replace(original, path=f"{name}_copy.wav", planted=f"copy {of}")
    if way == 1:
        return SampleFile(f"{name}_copy.flac", flac(y), f"the samples {of} in another format")
    if way == 2:
        return SampleFile(f"{name}_copy.wav", wav(0.4 * y), f"quieter copy {of}")
    if way == 3:
        late = np.pad(y, (round(rng.uniform(0.02, 0.05) * SR), 0))
        return SampleFile(f"{name}_copy.wav", wav(late), f"later copy {of}")
    return SampleFile(f"{name}_copy.wav", wav(y, subtype="ULAW"), f"mu-law copy {of}")


def groups(rng: Generator) -> list[SampleFile]:
    """Make three words by six speakers that differ more by the speaker than by the word.

    The words differ roughly in the direction in which the resonances glide; the frequencies of the
    resonances depend on the speaker.
    """
    files = []
    for speaker in SPEAKERS:
        pitch = rng.uniform(90.0, 220.0)
        for word, glide in zip(WORDS, (-0.25, 0.0, 0.25), strict=True):
            habit = glide + rng.normal(0.0, 0.15)
            formants = (rng.uniform(300, 900), rng.uniform(1000, 2000), rng.uniform(2200, 3200))
            for take in range(6):
                y = syllable(rng, pitch, formants, habit)
                files.append(SampleFile(f"{word}_{speaker}_{take}.wav", wav(y)))
    return files


def shortcut(rng: Generator) -> list[SampleFile]:
    """Make two classes with the same sounds, one of them recorded with better equipment."""
    files = []
    for index in range(24):
        files.append(SampleFile(f"cat/cat_{index:02d}.wav", wav(0.5 * murmur(rng, 0.0))))
        better = np.repeat(murmur(rng, 0.0)[:, None], 2, axis=1)
        files.append(
            SampleFile(
                f"dog/dog_{index:02d}.wav",
                wav(1.2 * better, subtype="PCM_24"),
                "louder, stereo, 24 bit",
            )
        )
    return files


def bad_files(rng: Generator) -> list[SampleFile]:
    """Make the clean dataset, with one file of each kind of damage among the others."""
    return clean(rng) + list(_damaged(rng))


def _damaged(rng: Generator) -> Iterator[SampleFile]:
    y = tone(rng)
    n = len(y)
    yield SampleFile("tone/tone_20.wav", wav(np.zeros(n, np.float32)), "digital silence")
    yield SampleFile("tone/tone_21.wav", wav(8.0 * tone(rng)), "clipped")
    yield SampleFile("chirp/chirp_20.wav", wav(np.full(n, 0.25, np.float32)), "a constant")
    yield SampleFile("chirp/chirp_21.wav", wav(chirp(rng) * 0.7 + 0.3), "a constant offset")
    whole = wav(noise(rng))
    yield SampleFile("noise/noise_20.wav", whole[: len(whole) // 2], "cut short: half of the data")
    long = np.concatenate([noise(rng) for _ in range(40)])
    yield SampleFile("noise/noise_21.wav", wav(long), "far longer than the others")
    yield SampleFile("noise/noise_22.wav", b"", "empty")


def mislabeled(rng: Generator) -> list[SampleFile]:
    """Make the clean dataset, with two clips of each kind in the folder of the next kind."""
    kinds = list(KINDS)
    files = []
    for place, (kind, make) in enumerate(KINDS.items()):
        wrong = kinds[(place + 1) % len(kinds)]
        swapped = set(rng.choice(20, size=2, replace=False).tolist())
        for index in range(20):
            folder, note = (wrong, f"is a {kind}") if index in swapped else (kind, "")
            number = 20 * place + index
            files.append(SampleFile(f"{folder}/clip_{number:02d}.wav", wav(make(rng)), note))
    return files


MIXED = {**KINDS, "trill": trill}
"""The classes of mixtures."""

RECORDERS = ("brook", "cliff", "field", "hill", "lake", "marsh", "ridge", "wood")


def mixtures(rng: Generator) -> list[SampleFile]:
    """Make clips of 1 s with any number of four kinds of sound, and the table of their labels.

    Recorders differ in the noise of their place and in how often they record each kind. A sound
    that is hardly louder than the noise is not labelled (`?`).
    """
    files, lines = [], ["path,label,recorder"]
    for recorder in RECORDERS:
        rates = rng.uniform(0.15, 0.6, len(MIXED))
        color, level = rng.normal(0.0, 12.0), rng.uniform(0.002, 0.01)
        for index in range(14):
            y = level * room(rng, color)
            names = []
            for kind, rate in zip(MIXED, rates, strict=True):
                if rng.random() < rate:
                    unsure = rng.random() < 0.08
                    sound = MIXED[kind](rng) * (0.04 if unsure else rng.uniform(0.3, 1.0))
                    start = rng.integers(len(y) - len(sound) + 1)
                    y[start : start + len(sound)] += sound
                    names.append(f"?{kind}" if unsure else kind)
            path = f"{recorder}_{index:02d}.wav"
            files.append(SampleFile(path, wav(y)))
            lines.append(f"{path},{';'.join(names)},{recorder}")
    table = "".join(f"{line}\n" for line in lines)
    return [*files, SampleFile(LABELS, table.encode())]


def speeds(rng: Generator) -> list[SampleFile]:
    """Make clips of a machine at eight places, and the table of its speed in Hz in each clip."""
    files, lines = [], ["path,speed,recorder"]
    for recorder in RECORDERS:
        color, level = rng.normal(0.0, 12.0), rng.uniform(0.01, 0.06)
        for index in range(14):
            speed = round(float(rng.uniform(30.0, 90.0)), 1)
            y = 0.08 * machine(rng, speed) + level * room(rng, color)
            path = f"{recorder}_{index:02d}.wav"
            files.append(SampleFile(path, wav(y)))
            lines.append(f"{path},{speed},{recorder}")
    table = "".join(f"{line}\n" for line in lines)
    return [*files, SampleFile(LABELS, table.encode())]


MACHINES = {"fan": 31.0, "gearbox": 47.0, "pump": 61.0, "valve": 83.0}
"""Machines with their speeds in Hz."""


def machines(rng: Generator) -> list[SampleFile]:
    """Make normal clips of four machines in two places, and some in which one knocks."""
    files = []
    for name, pitch in MACHINES.items():
        for place, (slope, level) in {"hall": (-12.0, 0.02), "yard": (6.0, 0.04)}.items():
            for index in range(14):
                label = "anomaly" if index >= 10 else "normal"
                y = 0.08 * machine(rng, pitch) + level * room(rng, slope)
                if label == "anomaly":
                    y += rng.uniform(0.05, 0.2) * knocks(rng)
                files.append(SampleFile(f"{label}/{name}_{place}_{index:02d}.wav", wav(y)))
    return files


def wav(y: NDArray[np.float32], subtype: str = "PCM_16") -> bytes:
    """Return a WAV file; the same samples always give the same bytes.

    `y` [shape=(n_samples,) or (n_samples, n_channels)] is clipped to [-1, 1]; `subtype` is
    `PCM_U8`, `PCM_16`, `PCM_24` or `ULAW`.
    """
    return _encoded(y, "WAV", subtype)


def flac(y: NDArray[np.float32]) -> bytes:
    """Return a FLAC file of 16 bits."""
    return _encoded(y, "FLAC", "PCM_16")


def _encoded(y: NDArray[np.float32], container: str, subtype: str) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    clipped = np.clip(y, -1.0, 1.0 - 2.0**-15)
    # Rounded here: libsndfile rounds in its own way in each format.
    samples = np.round(clipped * 2.0**15).astype(np.int16) if subtype == "PCM_16" else clipped
    soundfile.write(buffer, samples, SR, format=container, subtype=subtype)
    return buffer.getvalue()
