"""Measure how many changed copies the audit of leakage finds, its false alarms, and its time.

    python benchmarks/copies.py ../shared/data/free_spoken_digits.zip

Copies of spoken digits, and of long recordings made of them, are changed in one way each. False
alarms are pairs among recordings that are all different. The tables are in docs/development.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audioclf.audio.settings import AudioConfig
from audioclf.audit.leakage.copies import find_copies
from audioclf.audit.leakage.fingerprint import LONGEST_SECONDS, Fingerprint
from audioclf.builtin.loaders.class_folders import ZipDataset
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.features.waveform import decoded

SR = 8000
AUDIO = AudioConfig(sr=SR)


def encoded(y: np.ndarray, container: str, subtype: str) -> np.ndarray:
    buffer = io.BytesIO()
    soundfile.write(buffer, y, SR, format=container, subtype=subtype)
    buffer.seek(0)
    return np.asarray(soundfile.read(buffer, dtype="float32")[0])


def noisy(y: np.ndarray, snr_db: float) -> np.ndarray:
    level = np.sqrt(np.mean(y**2)) * 10.0 ** (-snr_db / 20.0)
    return np.asarray(y + level * np.random.default_rng(len(y)).standard_normal(len(y)))


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half the level": lambda y: 0.5 * y,
    "8-bit mu-law": lambda y: encoded(y, "WAV", "ULAW"),
    "Vorbis": lambda y: encoded(y, "OGG", "VORBIS"),
    "at 11025 Hz and back": lambda y: soxr.resample(soxr.resample(y, SR, 11025), 11025, SR),
    "noise at 20 dB": lambda y: noisy(y, 20.0),
    "0.3 s of silence before": lambda y: np.pad(y, (round(0.3 * SR), 0)),
    "the last fifth cut off": lambda y: y[: -len(y) // 5],
}


def digits(path: Path) -> list[np.ndarray]:
    """Return all spoken digits, in an order without meaning."""
    clips = list(ZipDataset(path=path, label_pattern=r"(?P<label>\d)_").load())
    order = np.random.default_rng(0).permutation(len(clips))
    return [decoded(clips[at], AUDIO) for at in order]


def recordings(words: list[np.ndarray], seconds: float, count: int) -> list[np.ndarray]:
    """Return long recordings of words with pauses and some noise."""
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        y = rng.normal(0.0, 0.002, round(seconds * SR))
        at = rng.integers(0, SR)
        while at < len(y) - 2 * SR:
            word = words[rng.integers(len(words))][:SR]
            y[at : at + len(word)] += word
            at += len(word) + rng.integers(SR // 4, SR)
        made.append(y.astype(np.float32))
    return made


def found(originals: list[np.ndarray], copies: list[np.ndarray]) -> tuple[float, int, float]:
    """Return the share of copies that are found, the false alarms, and the seconds of CPU.

    There may be several copies of each original: those of all, one after the other.
    """
    ys = [np.clip(y, -1, 1).astype(np.float32) for y in (*originals, *copies)]
    compared = [y[: round(LONGEST_SECONDS * SR)] for y in ys]
    clips = [Clip(f"{at:06}", "one", FileSource(Path("none"))) for at in range(len(ys))]
    names = [clip.id for clip in clips]
    started = time.process_time()
    prints = np.concatenate([Fingerprint().extract(y, SR) for y in ys])
    dataset = Dataset(clips, name="made")
    sets = find_copies(dataset, names, prints, AUDIO, lambda clip, _: compared[int(clip.id)]).sounds
    seconds = time.process_time() - started
    count = np.arange(len(copies))
    hits = int(np.count_nonzero(sets[len(originals) + count] == sets[count % len(originals)]))
    return hits / max(1, len(copies)), len(ys) - len(np.unique(sets)) - hits, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("digits", type=Path)
    parser.add_argument("--clips", type=int, default=200, help="digits to change")
    arguments = parser.parse_args()
    words = digits(arguments.digits)
    minutes = recordings(words, 75.0, 40)
    print("| change | of digits | of recordings of 75 s |\n|---|---|---|")
    for name, change in CHANGES.items():
        short, long = (
            found(sounds, [change(y) for y in sounds])
            for sounds in (words[: arguments.clips], minutes)
        )
        print(f"| {name} | {100 * short[0]:.1f} % | {100 * long[0]:.1f} % |", flush=True)
    print(f"\nfalse alarms among {len(words)} digits: {found(words, [])[1]}", flush=True)
    share, alarms, _ = found(words, [change(y) for change in CHANGES.values() for y in words])
    print(f"all digits with all {len(CHANGES)} changes: {100 * share:.1f} %, {alarms} false alarms")
    hours = recordings(words, 1200.0, 8)
    print(f"8 recordings of 20 min, no copies: {found(hours, [])[1:]} false alarms, s of CPU")


if __name__ == "__main__":
    main()
