"""A small dataset to explore, and its config."""

from collections.abc import Sequence
from pathlib import Path

from audioclf.experiment.exploring import explore
from audioclf.experiment.prepared import prepare
from audioclf.experiment.resources import Resources
from audioclf.report.clips import DatasetClips
from audioclf.report.explore.exploration import Exploration
from audioclf.report.explore.page import build_page
from tests.conftest import tone, write_wav

HOSTILE = "<b>bold</b><script>alert(1)</script>"

CONFIG = """\
name: toy
dataset: {{type: manifest, path: labels.jsonl}}
audio: {{sr: 4000, duration: 0.2}}
featurizers:
  mfcc: {{type: mfcc, n_fft: 256, hop_length: 64, n_mels: 20, n_mfcc: 8}}
  mel: {{type: mel, n_fft: 256, n_mels: 8}}
split: {{type: stratified_kfold, n_splits: 2}}
classifiers: {{knn: {{type: knn}}}}
{more}"""


def make_config(
    folder: Path, labels: Sequence[str], *, each: int = 3, groups: bool = False, more: str = ""
) -> Path:
    """Write clips of these classes, listed in a manifest, and return a config for them."""
    import json

    rows = []
    for code, label in enumerate(labels):
        for n in range(each):
            name = f"{code:02d}_{n}.wav"
            write_wav(folder / name, tone(200.0 + 15 * code + n, 0.15, 4000, 10 * code + n), 4000)
            row = {"path": name, "label": label}
            rows.append({**row, "group": f"{HOSTILE} {n}"} if groups else row)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "labels.jsonl").write_text(text, encoding="utf-8")
    path = folder / "toy.yaml"
    path.write_text(CONFIG.format(more=more), encoding="utf-8")
    return path


def explored(path: Path) -> Exploration:
    return explore(prepare(path, check=False), Resources(1))


def page_of(found: Exploration, **more: float | bool) -> str:
    clips = DatasetClips(found.dataset, found.config.audio)
    return build_page(found, clips, **more)  # type: ignore[arg-type]
