"""Make ``barbie_puppy.zip``, a small two-class data set of synthesised words.

The speech synthesiser espeak-ng says "barbie" and "puppy" with many voices. Each utterance is
then put into a short clip that imitates a recording made at home: a room, a microphone with a
limited band, background noise, mains hum, a few knocks, some time before and after the word.

Usage::

    python data/make_barbie_puppy.py [--seed 20240] [--out data/barbie_puppy.zip]

No recording habit may tell the label: the conditions of every clip are drawn on their own, from
one distribution that does not know the word. They are not drawn once and used for both words. If
they were, the one training clip with the level of a held-out clip would always be of the other
class, which is a leak too, only upside down.

The same seed gives the same bytes with the same versions of espeak-ng, numpy, scipy and zlib.
If espeak-ng is missing, it is installed with apt-get, which takes root. If that cannot be done,
the script says so and ends with exit code 6.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import wave
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import signal

if TYPE_CHECKING:
    from collections.abc import Sequence

Choice = TypeVar("Choice")
Samples = npt.NDArray[np.float64]

RATE = 16_000
"""Sample rate of the clips, in Hz: enough for speech, and it keeps the archive small."""

COUNTS = {"barbie": 50, "puppy": 48}
"""Clips per class: not quite balanced, like most collections that people record themselves."""

LONG_CLIPS = 5
"""Clips per class that pass 3 s, so that a recipe that caps clips at 3 s has work to do."""

KNOCK_LEVEL = 3.0
"""Peak of the loudest knock; a word has the energy of 1 s at RMS 1, and a peak near 9."""

KNOWN_ESPEAK = "1.51"
"""Version of espeak-ng that made the archive next to this script."""

MISSING_TOOL = 6
"""Exit code when espeak-ng is missing and cannot be installed."""

ACCENTS = (
    *("en-us", "en-us-nyc", "en-gb", "en-gb-scotland", "en-gb-x-rp"),
    *("en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
"""The kinds of English that espeak-ng speaks."""

VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5"),
    *("Annie", "Gene", "belinda", "croak", "edward", "grandma", "grandpa", "klatt2"),
    *("linda", "max", "steph", "travis"),
)
"""Speakers of espeak-ng; each one can take any accent."""

COLOURS = {"blue": -1.0, "white": 0.0, "pink": 1.0, "brown": 2.0}
"""Noise colours: power falls with frequency to this power (1.0 is 3 dB per octave)."""


@dataclass(frozen=True)
class Take:
    """How one clip is spoken and recorded; nothing in it depends on the word."""

    accent: str
    variant: str
    speed: int
    """Words per minute, as espeak-ng counts them; slow, like people who say a single word."""
    pitch: int
    """0 to 99, as espeak-ng counts it."""
    ending: str
    """Punctuation, which sets the melody of the word."""
    size: float
    """Playback rate; above 1 sounds like a smaller and faster speaker."""
    lead: float
    """Time before the word, in seconds, as far as the clip has room for it."""
    peak_db: float
    """Peak of the clip, in dB relative to full scale."""
    crest_db: float
    """How far that peak may lie above the root mean square of the clip, in dB."""
    noise_db: float
    """RMS level of noise and hum, in dB relative to the word spread over one second."""
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


def pick(rng: np.random.Generator, options: Sequence[Choice]) -> Choice:
    """Choose one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def draw_take(rng: np.random.Generator) -> Take:
    """Draw the conditions of one clip."""
    return Take(
        accent=pick(rng, ACCENTS),
        variant=pick(rng, VARIANTS),
        speed=int(rng.integers(80, 110)),
        pitch=int(rng.integers(15, 90)),
        ending=pick(rng, (".", "!", "?", ",")),
        size=rng.uniform(0.88, 1.12),
        lead=rng.uniform(0.05, 0.5),
        peak_db=rng.uniform(-14.0, -1.5),
        crest_db=rng.uniform(11.0, 16.0),
        noise_db=rng.uniform(-40.0, -13.0),
        colour=pick(rng, tuple(COLOURS)),
        hum_hz=pick(rng, (50.0, 60.0)),
        hum_db=rng.uniform(-40.0, -5.0),
        knocks=int(rng.integers(0, 3)),
        echo_s=rng.uniform(0.1, 0.6),
        echo_share=rng.uniform(0.0, 0.5),
        low_hz=rng.uniform(40.0, 250.0),
        high_hz=rng.uniform(3_200.0, 7_600.0),
    )


def draw_seconds(rng: np.random.Generator, count: int) -> list[float]:
    """Draw durations in seconds: mostly what a single word takes, and the few long ones."""
    short = rng.uniform(1.1, 2.4, size=count - LONG_CLIPS)
    long = rng.uniform(3.0, 3.4, size=LONG_CLIPS)
    seconds: list[float] = rng.permutation([*short, *long]).tolist()
    return seconds


def speak(word: str, take: Take) -> Samples:
    """Let espeak-ng say the word and return it at ``RATE``, without silence around it."""
    options = ["-v", f"{take.accent}+{take.variant}", "-s", str(take.speed), "-p", str(take.pitch)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        subprocess.run(["espeak-ng", *options, "-w", str(path), word + take.ending], check=True)
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
    """Scale to the given root mean square."""
    return samples * (level / float(np.sqrt(np.mean(samples**2))))


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


def mains_hum(rng: np.random.Generator, size: int, base_hz: float) -> Samples:
    """Make mains hum with RMS 1: eight harmonics that grow weaker."""
    orders = np.arange(1, 9)[:, np.newaxis]
    phases = rng.uniform(0, 2 * np.pi, size=(8, 1))
    tones = np.sin(2 * np.pi * base_hz * orders * np.arange(size) / RATE + phases) / orders
    return scale_rms(tones.sum(axis=0), 1.0)


def knock_track(rng: np.random.Generator, size: int, count: int) -> Samples:
    """Make knocks with a peak near 1: bursts of 10 to 60 ms, like a mouse or a table."""
    track = np.zeros(size)
    for _ in range(count):
        burst = rng.standard_normal(RATE // 10) / 3
        burst *= np.exp(-np.arange(len(burst)) / RATE / rng.uniform(0.003, 0.015))
        start = int(rng.integers(0, size - len(burst)))
        track[start : start + len(burst)] += burst * rng.uniform(0.2, 1.0)
    return track


def microphone(sound: Samples, take: Take) -> Samples:
    """Keep the band that the microphone lets through."""
    band = signal.butter(2, (take.low_hz, take.high_hz), "bandpass", fs=RATE, output="sos")
    return np.asarray(signal.sosfilt(band, sound), dtype=np.float64)


def background(rng: np.random.Generator, size: int, take: Take) -> Samples:
    """Make the noise and the hum as the microphone hears them, with RMS 1."""
    noise = coloured_noise(rng, size, COLOURS[take.colour])
    noise += gain(take.hum_db) * mains_hum(rng, size, take.hum_hz)
    return scale_rms(microphone(noise, take), 1.0)


def place(rng: np.random.Generator, word: Samples, take: Take, size: int) -> Samples:
    """Put the word into its clip and its room, with the energy of one second at RMS 1."""
    word = word[:size]
    start = min(round(take.lead * RATE), size - len(word))
    clip = np.pad(word, (start, size - len(word) - start))
    clip = microphone(add_echo(rng, clip, take), take)
    return clip * float(np.sqrt(RATE / np.sum(clip**2)))


def measure_crest(clip: Samples) -> float:
    """Measure how far the peak lies above the root mean square, in dB."""
    return float(20 * np.log10(np.abs(clip).max() / np.sqrt(np.mean(clip**2))))


def limit(clip: Samples, crest_db: float) -> Samples:
    """Press the peaks down until they lie ``crest_db`` above the root mean square; peak 1.

    Recorders do this. Here it also keeps the level from telling which word was said, because
    the two words differ in how far their peaks stand out. The drive is found by bisection.
    """
    clip = clip / np.abs(clip).max()
    low, high = 0.01, 100.0
    for _ in range(30):
        drive = float(np.sqrt(low * high))
        too_peaky = measure_crest(np.tanh(drive * clip)) > crest_db
        low, high = (drive, high) if too_peaky else (low, drive)
    pressed = np.tanh(low * clip)
    return np.asarray(pressed / np.abs(pressed).max(), dtype=np.float64)


def record(rng: np.random.Generator, word: Samples, take: Take, seconds: float) -> Samples:
    """Record the word with its room, the noise around it and the microphone."""
    clip = place(rng, word, take, round(seconds * RATE))
    clip += gain(take.noise_db) * background(rng, len(clip), take)
    clip += KNOCK_LEVEL * microphone(knock_track(rng, len(clip), take.knocks), take)
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
    clips: dict[str, bytes] = {}
    for label, (word, count) in enumerate(COUNTS.items()):
        rng = np.random.default_rng([seed, label])
        for number, seconds in enumerate(draw_seconds(rng, count), start=1):
            take = draw_take(rng)
            samples = record(rng, speak(word, take), take, seconds)
            clips[f"barbie_puppy/{word}/{word}_{number:03d}.wav"] = wav_bytes(samples)
    return clips


def archive_bytes(clips: dict[str, bytes]) -> bytes:
    """Pack the clips into a zip that holds no time, user or system of its making."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(clips):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, clips[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def install_espeak() -> str | None:
    """Install espeak-ng with apt-get; return None, or the reason why that did not work."""
    if getattr(os, "geteuid", lambda: 1)() != 0:
        return "only root can install it"
    if shutil.which("apt-get") is None:
        return "there is no apt-get here to install it"
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "espeak-ng"]):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            return f"'{' '.join(command)}' failed"
    return None


def espeak_version() -> str:
    """Ask espeak-ng for its version, such as 1.51."""
    answer = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(\.\d+)+", answer.stdout)
    return found.group() if found else "unknown"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Make the synthesised barbie and puppy data set.")
    parser.add_argument("--seed", type=int, default=20240, help="default: %(default)s")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).with_name("barbie_puppy.zip"),
        help="archive to write (default: barbie_puppy.zip next to this script)",
    )
    return parser.parse_args()


def main() -> int:
    """Run the script and return its exit code."""
    arguments = parse_arguments()
    if shutil.which("espeak-ng") is None and (problem := install_espeak()):
        print(f"espeak-ng is missing and {problem}; please install it.", file=sys.stderr)
        return MISSING_TOOL
    version = espeak_version()
    if version != KNOWN_ESPEAK:
        print(f"espeak-ng is {version}, not {KNOWN_ESPEAK}: bytes will differ.", file=sys.stderr)
    arguments.out.write_bytes(archive_bytes(make_clips(arguments.seed)))
    print(f"wrote {arguments.out} ({arguments.out.stat().st_size:,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
