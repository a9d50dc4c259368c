"""Measure whether an embedding would find changed copies that the audit of leakage misses.

    python benchmarks/embedding_copies.py ../shared/data/free_spoken_digits.zip \\
        ../shared/data/barbie_vs_puppy.zip

Copies of clips are changed in one way each. Beside the present search, an embedding proposes pairs
whose waveforms are then compared, or decides alone. Its thresholds are chosen on the distinct clips
of the first archive; the second one has other sounds. The tables are in docs/development.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
from copies import AUDIO, CHANGES, SR, noisy
from scipy.signal import butter, sosfiltfilt

from audioclf.audit.leakage.agreement import SAME, agreement
from audioclf.audit.leakage.copies import CORRELATED, correlation, flattened
from audioclf.audit.leakage.fingerprint import Fingerprint, robust_part
from audioclf.dataset.listing import list_files
from audioclf.dataset.path_labels import is_audio
from audioclf.features.waveform import decode
from audioclf_onnx import SpeechEmbedding

PROPOSED = 0.9
"""Cosine of two embeddings above which their waveforms would be compared."""

TELEPHONE = butter(4, [300, 3000], "bandpass", fs=SR, output="sos")
ALL_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = CHANGES | {
    "noise at 10 dB": lambda y: noisy(y, 10.0),
    "1 s of silence before": lambda y: np.pad(y, (SR, 0)),
    "the last half cut off": lambda y: y[: len(y) // 2],
    "3 % faster and higher": lambda y: soxr.resample(y, 1.03 * SR, SR),
    "5 % slower and lower": lambda y: soxr.resample(y, 0.95 * SR, SR),
    "10 % faster and higher": lambda y: soxr.resample(y, 1.1 * SR, SR),
    "300 to 3,000 Hz": lambda y: sosfiltfilt(TELEPHONE, y),
}


def embedded(y: np.ndarray) -> np.ndarray:
    frames = SpeechEmbedding().extract(y, SR)
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1)])


def correlations(clips: list[np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Return the correlation of the prints of pairs of clips."""
    spectra = robust_part(np.concatenate([Fingerprint().extract(y, SR) for y in clips]))
    return correlation(flattened(spectra), pairs)


class Space:
    """Rows of one kind for the clips, centered and scaled over them as the audit does."""

    def __init__(self, row: Callable[[np.ndarray], np.ndarray], clips: list[np.ndarray]) -> None:
        self.row = row
        rows = np.array([row(y) for y in clips])
        self.mean, self.scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
        self.rows = self._unit(rows)

    def _unit(self, rows: np.ndarray) -> np.ndarray:
        scaled = (rows - self.mean) / self.scale
        return np.asarray(scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-6))

    def to_copies(self, copies: list[np.ndarray]) -> np.ndarray:
        """Return the cosine of each copy with its original."""
        rows = self._unit(np.array([self.row(y) for y in copies]))
        return np.asarray((rows * self.rows[: len(rows)]).sum(axis=1))

    def between(self) -> np.ndarray:
        """Return the cosines of all pairs of clips."""
        return np.asarray((self.rows @ self.rows.T)[np.triu_indices(len(self.rows), 1)])


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return agreement(one, other, SR) >= SAME


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", type=Path, nargs="+")
    parser.add_argument("--copies", type=int, default=120, help="clips to change")
    arguments = parser.parse_args()
    alone = 1.0
    for place, archive in enumerate(arguments.archives):
        sources = [source for name, source in sorted(list_files(archive).entries) if is_audio(name)]
        order = np.random.default_rng(0).permutation(len(sources))
        clips = [decode(sources[at], AUDIO).y for at in order]
        embeddings = Space(embedded, clips)
        distinct = embeddings.between()
        alone = float(distinct.max()) if place == 0 else alone
        near = np.stack(np.triu_indices(len(clips), 1), axis=1)[distinct >= PROPOSED]
        more = int((correlations(clips, near) < CORRELATED).sum())
        pairs = [int((distinct > level).sum()) for level in (alone, 0.95, PROPOSED)]
        print(f"\n{archive.name}: {len(clips)} distinct clips, {len(distinct)} pairs")
        print(f"above {alone:.3f}, 0.95, {PROPOSED}: {pairs}; {more} pairs more to compare\n")
        print("| change | found now | embedding proposes | embedding alone |\n|---|---|---|---|")
        originals = clips[: arguments.copies]
        for name, change in ALL_CHANGES.items():
            copies = [np.clip(change(y), -1, 1).astype(np.float32) for y in originals]
            is_same = np.array([same(*pair) for pair in zip(originals, copies, strict=True)])
            count = np.arange(len(copies))
            own = np.stack([count, count + len(copies)], axis=1)
            likely = correlations([*originals, *copies], own) >= CORRELATED
            close = embeddings.to_copies(copies)
            shares = [is_same & likely, is_same & (likely | (close >= PROPOSED)), close > alone]
            cells = " | ".join(f"{100 * share.mean():.1f} %" for share in shares)
            print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
