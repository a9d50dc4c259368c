"""How well the fact `decay_s` of a clip tells the reverberation time of its room, by simulation.

    python benchmarks/reverberation.py free_spoken_digits.zip 8000 --every 10

Clips are convolved with synthetic rooms of known reverberation times (direct sound, gap, noise that
decays), with their tail. Half of the clips, in rooms of 0.2 s, are the training; the others are
compared with it as by `predict`, in other rooms, and with white noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import fftconvolve
from scipy.stats import spearmanr

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.audit.shortcuts.facts import COLUMN, AuditFacts
from audioclf.builtin.loaders.class_folders import ZipDataset
from audioclf.dsp.changes import colored_noise, decaying_noise, mixed
from audioclf.models.bundle.sound_range import FACTS, SoundRange

TIMES = (0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
NOISES = (None, 30.0, 20.0, 10.0)
GAP, TAIL = 0.003, 0.4
COLUMNS = [COLUMN[name] for name in FACTS]


def in_room(y: Any, sr: int, seconds: float, rng: np.random.Generator) -> Any:
    """Return a clip with the first part of its tail, at a random distance from the source."""
    response = decaying_noise(sr, seconds, rng.uniform(-3, 6), rng)
    response[1 : round(GAP * sr)] = 0
    n_samples = len(y) + round(min(seconds, TAIL) * sr)
    return fftconvolve(y, response)[:n_samples].astype(np.float32)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("rate", type=int)
    parser.add_argument("--every", type=int, default=1, help="takes each n-th clip")
    options = parser.parse_args()
    sr, rng = options.rate, np.random.default_rng(0)
    clips = list(ZipDataset(path=options.archive, label_pattern=r"(?P<label>\w)").load())
    sounds = [decode(clip.source, AudioConfig(sr=sr)).y for clip in clips[:: options.every]]

    def facts_in(seconds: float, snr: float | None) -> Any:
        rooms = [in_room(y, sr, seconds, rng) for y in sounds]
        if snr is not None:
            rooms = [mixed(y, colored_noise(len(y), sr, "white", rng), snr) for y in rooms]
        return np.array([AuditFacts().extract(y, sr)[COLUMNS, 0] for y in rooms])

    training = SoundRange.of(facts_in(TIMES[0], None)[::2])
    print("| room | noise | measured | median | with more reverberation | with less |")
    print("|---|---|---|---|---|---|")
    known: list[Any] = []
    for snr in NOISES:
        for seconds in TIMES:
            facts = facts_in(seconds, snr)
            decay = facts[facts[:, -1] > 0, -1]
            words = [list(training.outside(row)) for row in facts[1::2]]
            more, less = (
                100 * np.mean([f"with {which} reverberation" in each for each in words])
                for which in ("more", "less")
            )
            if snr is None:
                known += [(seconds, value) for value in decay]
            noise = "none" if snr is None else f"{snr:g} dB"
            share = f"{100 * len(decay) / len(facts):.0f} %"
            typical = f"{np.median(decay):.2f} s" if len(decay) else ""
            print(
                f"| {seconds:g} s | {noise} | {share} | {typical} | {more:.1f} % | {less:.1f} % |"
            )
    rank = spearmanr(*np.array(known).T).statistic
    print(f"\nSpearman correlation of {len(known)} clips without noise: {rank:.2f}")


if __name__ == "__main__":
    main()
