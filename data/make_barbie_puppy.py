"""Make ``barbie_puppy.zip``, a small two-class data set of synthesised words.

The speech synthesiser espeak-ng says "barbie" and "puppy" with many voices. Each utterance is
then put into a short clip that imitates a recording made at home: a room, a microphone with a
limited band, background noise, mains hum, a few knocks, some silence before and after the word.

Usage::

    python data/make_barbie_puppy.py [--seed 20240] [--out data/barbie_puppy.zip]

Nothing about a recording may tell its label. One table of recording conditions is drawn, and each
class takes its values from that same table, every column in its own random order. Both classes
thus share their durations, levels, noises and voices, and no clip has a twin in the other class.

The same seed and the same versions of espeak-ng and numpy give the same bytes. If espeak-ng is
missing, it is installed with apt-get, which takes root. Without it, the script ends with exit
code 6.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import wave
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

Samples = npt.NDArray[np.float64]

RATE = 16_000
"""Sample rate of the clips, in Hz. It keeps all that speech needs and the archive small."""

COUNTS = {"barbie": 50, "puppy": 48}
"""Clips per class: not quite balanced, as in most collections that people record themselves."""

LONG_SECONDS = (3.0, 3.1, 3.2, 3.3, 3.4)
"""Durations that reach or pass 3 s, so that a recipe that caps clips at 3 s has work to do."""

KNOWN_ESPEAK = "1.51"
"""Version of espeak-ng that made the archive next to this script."""

MISSING_TOOL = 6
"""Exit code when espeak-ng is missing and cannot be installed."""

ENGLISH = {"barbie": "barbie", "puppy": "puppy"}
RESPELLED = {"barbie": "barbi", "puppy": "pappi"}
ACCENTS = {
    **dict.fromkeys(("en-us", "en-us-nyc", "en-gb", "en-gb-scotland", "en-gb-x-rp"), ENGLISH),
    **dict.fromkeys(("en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"), ENGLISH),
    **dict.fromkeys(("de", "es", "fi", "hu", "it", "nl", "pl", "sv"), RESPELLED),
}
"""What to type for each voice, so that foreign voices say the English words with their accent."""

VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("Alicia", "Annie", "Gene", "Jacky", "anika", "aunty", "belinda", "croak", "edward"),
    *("grandma", "grandpa", "klatt2", "klatt4", "linda", "max", "norbert", "steph", "travis"),
    *("victor", "whisper", "whisperf"),
)
"""Speakers of espeak-ng, from plain to hoarse and whispering. Each one can take any accent."""

COLOURS = {"blue": -1.0, "white": 0.0, "pink": 1.0, "brown": 2.0}
"""Noise colours: power falls with frequency to this power (1.0 is 3 dB per octave)."""


@dataclass(frozen=True)
class Take:
    """How one clip is spoken and recorded; nothing in it depends on the word."""

    accent: str
    variant: str
    speed: int
    """Words per minute, as espeak-ng counts them."""
    pitch: int
    """0 to 99, as espeak-ng counts it."""
    ending: str
    """Punctuation, which sets the melody of the word."""
    size: float
    """Playback rate; above 1 sounds like a smaller and faster speaker."""
    seconds: float
    lead: float
    """Share of the free time that comes before the word, 0 to 1."""
    peak_db: float
    """Peak of the clip, in dB relative to full scale."""
    crest_db: float
    """How far that peak may lie above the root mean square of the clip, in dB."""
    noise_db: float
    """RMS level of the noise, in dB relative to the word spread over one second."""
    colour: str
    hum_hz: float
    hum_db: float
    """RMS level of the mains hum, in dB relative to the noise."""
    knocks: int
    """Number of short knocks, at random times."""
    echo_s: float
    """Time in which the room's echo falls by 60 dB, in seconds."""
    echo_share: float
    """Energy of the echo relative to the direct sound."""
    low_hz: float
    high_hz: float
    """Band that the microphone lets through, in Hz."""


def pick(rng: np.random.Generator, options: tuple[Any, ...]) -> Any:
    """Choose one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def draw_take(rng: np.random.Generator, seconds: float) -> Take:
    """Draw the conditions of one clip of the given duration."""
    return Take(
        accent=pick(rng, tuple(ACCENTS)),
        variant=pick(rng, VARIANTS),
        speed=int(rng.integers(95, 200)),
        pitch=int(rng.integers(15, 90)),
        ending=pick(rng, (".", "!", "?", ",")),
        size=float(rng.uniform(0.85, 1.2)),
        seconds=seconds,
        lead=float(rng.uniform(0.05, 0.95)),
        peak_db=float(rng.uniform(-14.0, -1.5)),
        crest_db=float(rng.uniform(11.0, 16.0)),
        noise_db=float(rng.uniform(-30.0, -8.0)),
        colour=pick(rng, tuple(COLOURS)),
        hum_hz=pick(rng, (50.0, 60.0)),
        hum_db=float(rng.uniform(-30.0, 3.0)),
        knocks=int(rng.integers(0, 4)),
        echo_s=float(rng.uniform(0.1, 0.6)),
        echo_share=float(rng.uniform(0.0, 0.5)),
        low_hz=float(rng.uniform(40.0, 250.0)),
        high_hz=float(rng.uniform(3_200.0, 7_600.0)),
    )


def draw_takes(rng: np.random.Generator) -> list[Take]:
    """Draw the table of conditions: mostly 1 to 3 s, like a word that someone records alone."""
    short = max(COUNTS.values()) - len(LONG_SECONDS)
    seconds = [*rng.uniform(1.1, 2.4, size=short).tolist(), *LONG_SECONDS]
    return [draw_take(rng, duration) for duration in seconds]


def mix_takes(rng: np.random.Generator, takes: list[Take]) -> list[Take]:
    """Shuffle every column of the table on its own, so that classes share values, not rows."""
    columns: dict[str, list[Any]] = {}
    for field in fields(Take):
        order = rng.permutation(len(takes))
        columns[field.name] = [getattr(takes[row], field.name) for row in order]
    return [Take(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def speak(word: str, take: Take) -> Samples:
    """Let espeak-ng say the word and return it at ``RATE``, without silence around it."""
    voice = f"{take.accent}+{take.variant}"
    text = ACCENTS[take.accent][word] + take.ending
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        options = ["-v", voice, "-s", str(take.speed), "-p", str(take.pitch), "-w", str(path)]
        subprocess.run(["espeak-ng", *options, text], check=True)
        samples, rate = read_wav(path)
    wanted = round(len(samples) * RATE / rate / take.size)
    return trim(np.asarray(signal.resample(samples, wanted), dtype=np.float64))


def read_wav(path: Path) -> tuple[Samples, int]:
    """Read a 16-bit mono WAV file as samples in -1 to 1 and its rate in Hz."""
    with wave.open(str(path)) as file:
        frames = file.readframes(file.getnframes())
        return np.frombuffer(frames, dtype="<i2").astype(np.float64) / 32_768, file.getframerate()


def trim(samples: Samples) -> Samples:
    """Cut what lies more than 40 dB below the peak from both ends."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def scale_rms(samples: Samples, level: float) -> Samples:
    """Scale to the given root mean square, full scale being 1."""
    return samples * (level / np.sqrt(np.mean(samples**2)))


def gain(decibels: float) -> float:
    """Turn dB into a factor of amplitude."""
    return float(10 ** (decibels / 20))


def add_echo(rng: np.random.Generator, dry: Samples, take: Take) -> Samples:
    """Add a room: noise that dies away exponentially, convolved with the sound."""
    time = np.arange(round(take.echo_s * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / take.echo_s)
    tail *= np.sqrt(take.echo_share / np.sum(tail**2))
    tail[0] += 1.0
    return np.asarray(signal.fftconvolve(dry, tail)[: len(dry)], dtype=np.float64)


def coloured_noise(rng: np.random.Generator, size: int, slope: float) -> Samples:
    """Make noise with RMS 1 whose power falls with frequency to the power ``slope``."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 30.0)
    return scale_rms(np.fft.irfft(spectrum * hertz ** (-slope / 2), size), 1.0)


def hum(rng: np.random.Generator, size: int, base_hz: float) -> Samples:
    """Make mains hum with RMS 1: eight harmonics that grow weaker."""
    time = np.arange(size) / RATE
    phases = rng.uniform(0, 2 * np.pi, size=8)
    tones = [np.sin(2 * np.pi * base_hz * k * time + phases[k - 1]) / k for k in range(1, 9)]
    return scale_rms(np.sum(tones, axis=0), 1.0)


def knocks(rng: np.random.Generator, size: int, count: int) -> Samples:
    """Make knocks with a peak near 1: bursts of 10 to 60 ms, like a mouse or a table."""
    track = np.zeros(size)
    for _ in range(count):
        burst = rng.standard_normal(RATE // 10) / 3
        burst *= np.exp(-np.arange(len(burst)) / RATE / rng.uniform(0.003, 0.015))
        start = int(rng.integers(0, size - len(burst)))
        track[start : start + len(burst)] += burst * rng.uniform(0.2, 1.0)
    return track


def background(rng: np.random.Generator, size: int, take: Take) -> Samples:
    """Make all that the microphone hears besides the word; the steady part has RMS 1."""
    noise = coloured_noise(rng, size, COLOURS[take.colour])
    noise += gain(take.hum_db) * hum(rng, size, take.hum_hz)
    return scale_rms(microphone(noise, take), 1.0)


def microphone(sound: Samples, take: Take) -> Samples:
    """Keep the band that the microphone lets through."""
    band = signal.butter(2, (take.low_hz, take.high_hz), "bandpass", fs=RATE, output="sos")
    return np.asarray(signal.sosfilt(band, sound), dtype=np.float64)


def crest_db(clip: Samples) -> float:
    """Measure how far the peak lies above the root mean square, in dB."""
    return float(20 * np.log10(np.abs(clip).max() / np.sqrt(np.mean(clip**2))))


def limit(clip: Samples, wanted_db: float) -> Samples:
    """Press the peaks down until they lie at most ``wanted_db`` above the root mean square.

    Recorders do this. Here it also keeps the level from telling which word was said, because
    the two words differ in how far their peaks stand out. The drive is found by halving.
    """
    clip = clip / np.abs(clip).max()
    low, high = 0.01, 100.0
    for _ in range(30):
        drive = float(np.sqrt(low * high))
        low, high = (drive, high) if crest_db(np.tanh(drive * clip)) > wanted_db else (low, drive)
    pressed = np.tanh(low * clip)
    return np.asarray(pressed / np.abs(pressed).max(), dtype=np.float64)


def place(rng: np.random.Generator, word: Samples, take: Take) -> Samples:
    """Put the word into its clip and its room, with the energy of one second at RMS 1."""
    size = round(take.seconds * RATE)
    word = word[:size]
    start = round((size - len(word)) * take.lead)
    clip = np.pad(word, (start, size - len(word) - start))
    clip = microphone(add_echo(rng, clip, take), take)
    return clip * np.sqrt(RATE / np.sum(clip**2))


def record(rng: np.random.Generator, word: Samples, take: Take) -> Samples:
    """Record the word with the room, the noise and the microphone."""
    clip = place(rng, word, take)
    clip += gain(take.noise_db) * background(rng, len(clip), take)
    clip += 3 * microphone(knocks(rng, len(clip), take.knocks), take)
    return limit(clip, take.crest_db) * gain(take.peak_db)


def wav_bytes(samples: Samples) -> bytes:
    """Encode samples in -1 to 1 as a 16-bit mono WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(samples * 32_767).astype("<i2").tobytes())
    return buffer.getvalue()


def make_clips(seed: int) -> dict[str, bytes]:
    """Make all clips, by their path in the archive."""
    takes = draw_takes(np.random.default_rng(seed))
    clips: dict[str, bytes] = {}
    for label, (word, count) in enumerate(COUNTS.items()):
        rng = np.random.default_rng([seed, label])
        for number, take in enumerate(mix_takes(rng, takes)[:count], start=1):
            samples = record(rng, speak(word, take), take)
            clips[f"barbie_puppy/{word}/{word}_{number:03d}.wav"] = wav_bytes(samples)
    return clips
