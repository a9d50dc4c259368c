"""Time of features of changed copies, against as many plain extractions.

    python benchmarks/augmented.py free_spoken_digits.zip 8000 --noise /tmp/noise --every 5

MFCC of clips with two copies by each change, in CPU seconds of one process without a cache, divided
by three plain extractions. Both sides run in turn; the ratio is the median of some rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from noise import write_noises

from audioclf.audio.settings import AudioConfig
from audioclf.builtin import audioclf_augmenters
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.loaders.class_folders import ZipDataset
from audioclf.components.featurizer import Featurizer
from audioclf.dataset.dataset import Dataset
from audioclf.features.augmented import WithCopies
from audioclf.features.extraction import extract

COPIES = 2
ROUNDS = 5
GOAL = 1.3


def seconds(dataset: Dataset, audio: AudioConfig, featurizer: Featurizer) -> float:
    """Return the CPU seconds of the features of all clips."""
    started = time.process_time()
    extract(dataset, audio, {"f": featurizer})
    return time.process_time() - started


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("rate", type=int)
    parser.add_argument("--noise", type=Path, required=True, help="folder; written if missing")
    parser.add_argument("--every", type=int, default=1, help="takes each n-th clip")
    options = parser.parse_args()
    if not options.noise.exists():
        write_noises(options.noise, 1)
    audio, plain = AudioConfig(sr=options.rate, duration=3.0), Mfcc(n_mfcc=20)
    dataset = ZipDataset(path=options.archive, label_pattern=r"(?P<label>\w)").load()
    dataset = dataset.subset([clip.id for clip in dataset][:: options.every])
    print("| change | times | goal |\n|---|---|---|")
    for cls in audioclf_augmenters():
        required = [name for name, field in cls.model_fields.items() if field.is_required()]
        change = cls.model_validate(dict.fromkeys(required, options.noise))
        copies = WithCopies.of(plain, [change], copies=COPIES, seed=0)
        ratios = [
            seconds(dataset, audio, copies) / seconds(dataset, audio, plain) / (1 + COPIES)
            for _ in range(ROUNDS)
        ]
        ratio = statistics.median(ratios)
        reached = "yes" if ratio <= GOAL else "NO"
        print(f"| `{change.type_name()}` | {ratio:.2f} | {reached} |", flush=True)


if __name__ == "__main__":
    main()
