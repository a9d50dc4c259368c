"""Time the built-in featurizers against librosa, pair by pair, with the difference beside it.

    python benchmarks/bench_features.py [--rounds N]

Each round runs both sides one after the other on the same clips, so that a machine whose speed
drifts slows both; only the ratio means anything. Times are user + system CPU seconds of one
thread. Clips are noise at 22.05 kHz: 3 s and 0.4 s, as single calls and as batches of 32. `bound`
is the ratio if ours were nothing but scipy's Fourier transform of all frames. If torch is
installed, `torch.stft` and a matrix product join in.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audioclf.builtin.mel import MelSpectrogram
from audioclf.builtin.mel_filters import mel_weights
from audioclf.builtin.mfcc import Mfcc
from audioclf.builtin.spectral import Spectral
from audioclf.builtin.stft import Stft

Matrix = NDArray[np.float32]
Extract = Callable[[Matrix], Any]

SR = 22050
BATCH = 32


@dataclass(frozen=True)
class Case:
    """A featurizer, what it is compared with, and on how long clips."""

    name: str
    featurizer: Spectral
    other: Extract
    seconds: float
    goal: float | None = None


def librosa_mel(y: Matrix) -> Any:
    return librosa.feature.melspectrogram(y=y, sr=SR)


def librosa_mel_db(y: Matrix) -> Any:
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR))


def librosa_mfcc(y: Matrix) -> Any:
    return librosa.feature.mfcc(y=y, sr=SR)


def librosa_magnitude(y: Matrix) -> Any:
    return np.abs(librosa.stft(y))


def librosa_stft_db(y: Matrix) -> Any:
    return librosa.amplitude_to_db(np.abs(librosa.stft(y)))


def torch_mel() -> Extract:
    """Return a mel spectrogram by the recipe of torchaudio: `torch.stft` and a matrix product."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    window = torch.hann_window(2048)
    weights = torch.from_numpy(mel_weights(sr=SR, n_fft=2048))

    def extract(y: Matrix) -> Any:
        X = torch.stft(
            torch.from_numpy(y), 2048, 512, window=window, pad_mode="constant", return_complex=True
        )
        return (weights @ X.abs().square()).numpy()

    return extract


def cases() -> list[Case]:
    mel = MelSpectrogram(db=None)
    found = [
        Case("mel / librosa", mel, librosa_mel, 3.0, goal=6.0),
        Case("mel / librosa", mel, librosa_mel, 0.4, goal=14.0),
        Case("mel in dB / librosa", MelSpectrogram(), librosa_mel_db, 3.0),
        Case("mfcc / librosa", Mfcc(), librosa_mfcc, 3.0, goal=5.0),
        Case("mfcc / librosa", Mfcc(), librosa_mfcc, 0.4),
        Case("|stft| / librosa", Stft(db=None), librosa_magnitude, 3.0, goal=2.5),
        Case("stft in dB / librosa", Stft(), librosa_stft_db, 3.0),
    ]
    if importlib.util.find_spec("torch"):
        torch = torch_mel()
        found += [
            Case("mel / torch", mel, torch, 3.0, goal=1.6),
            Case("mel / torch", mel, torch, 0.4),
        ]
    return found


def cpu_seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


@dataclass(frozen=True)
class Timing:
    """Median CPU microseconds per clip, and the ratios of the other side, round by round."""

    alone: float
    batch: float
    other: float
    alone_ratio: float
    batch_ratio: float
    spread: tuple[float, float]


def measure(case: Case, ys: Sequence[Matrix], rounds: int) -> Timing:
    """Interleave single calls, a batch and the other side."""
    sides: list[Callable[[], Any]] = [
        lambda: [case.featurizer.extract(y, SR) for y in ys],
        lambda: case.featurizer.extract_many(ys, SR),
        lambda: [case.other(y) for y in ys],
    ]
    for side in sides:
        side()
    times = [[cpu_seconds(side) for side in sides] for _ in range(rounds)]
    alone, batch, other = (statistics.median(side) for side in zip(*times, strict=True))
    ratios = sorted(o / b for _, b, o in times)
    return Timing(
        alone=1e6 * alone / len(ys),
        batch=1e6 * batch / len(ys),
        other=1e6 * other / len(ys),
        alone_ratio=statistics.median(o / a for a, _, o in times),
        batch_ratio=statistics.median(ratios),
        spread=(ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]),
    )


def difference(case: Case, ys: Sequence[Matrix]) -> str:
    """Return the greatest difference: in dB, or as a share of the clip's greatest value."""
    worst = 0.0
    for y, ours in zip(ys, case.featurizer.extract_many(ys, SR), strict=True):
        theirs = np.asarray(case.other(y))
        scale = 1.0 if "dB" in case.name else float(np.abs(theirs).max())
        worst = max(worst, float(np.abs(ours - theirs).max()) / scale)
    return f"{worst:.1e} dB" if "dB" in case.name else f"{worst:.1e} of max"


def transform_microseconds(n_frames: int) -> float:
    """Return what the Fourier transform alone takes, in blocks of 128 frames."""
    from scipy.fft import rfft

    frames = np.random.default_rng(0).standard_normal((128, 2048)).astype(np.float32)
    rfft(frames, workers=1)
    times = [cpu_seconds(lambda: [rfft(frames, workers=1) for _ in range(4)]) for _ in range(30)]
    return 1e6 * statistics.median(times) / 4 / 128 * n_frames


def clips(seconds: float) -> list[Matrix]:
    rng = np.random.default_rng(0)
    shape = (BATCH, round(seconds * SR))
    return list((0.1 * rng.standard_normal(shape)).astype(np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="pairs per row (default: 15)")
    rounds = parser.parse_args().rounds
    print("CPU microseconds per clip; ratio = other / ours, median of pairs [10 %, 90 %]")
    print(f"{'':22}{'clip':>6}{'other':>8}{'alone':>8}{'batch':>8}{'FFT':>7}", end="")
    print(f"{'alone':>8}{'batch':>7}{'':14}{'bound':>7}{'goal':>5}  difference")
    with threadpool_limits(1):
        for case in cases():
            ys = clips(case.seconds)
            timing = measure(case, ys, rounds)
            low, high = timing.spread
            fft = transform_microseconds(1 + len(ys[0]) // 512)
            goal = "" if case.goal is None else f"{case.goal:g}"
            print(
                f"{case.name:22}{case.seconds:>5g}s{timing.other:8.0f}{timing.alone:8.0f}"
                f"{timing.batch:8.0f}{fft:7.0f}{timing.alone_ratio:7.1f}x{timing.batch_ratio:6.1f}x"
                f" {f'[{low:.1f}, {high:.1f}]':13}{timing.other / fft:6.1f}x{goal:>5}"
                f"  {difference(case, ys)}"
            )


if __name__ == "__main__":
    main()
