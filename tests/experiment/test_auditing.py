"""Which pipelines an audit without a full run looks at."""

from pathlib import Path
from typing import Any, Literal

import pytest

from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.components.embedding import has_embedding
from audioclf.config.loading import load_config
from audioclf.experiment.auditing import audit_config
from audioclf.experiment.prepared import prepare
from audioclf.experiment.resources import Resources
from audioclf.features import cache
from audioclf.plugin import Embedding


class Blocks(Embedding):
    """Blocks of 100 samples."""

    type: Literal["blocks"] = "blocks"

    def model_rate(self) -> int:
        return 8000

    def embed(self, y: Any) -> Any:
        return y[: len(y) // 100 * 100].reshape(-1, 100).T


def test_labels_are_compared_with_an_embedding_as_well(shared_config: Path) -> None:
    """The first pipeline and that of the embedding, not that of another featurizer."""
    assert has_embedding(Blocks())
    config = load_config(shared_config)
    more = {"other": Mfcc(n_fft=512), "net": Concat(parts={"a": Blocks()})}
    config = config.model_copy(update={"featurizers": {**config.featurizers, **more}})
    audits = {audit.name: audit for audit in audit_config(prepare(config), Resources(1)).audits}
    assert audits["labels"].facts["cells"] == 2


def test_a_second_audit_searches_nothing_again(
    shared_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, folder = prepare(load_config(shared_config)), tmp_path / "cache"
    first = audit_config(prepared, Resources(1, cache_folder=folder), quick=True).to_data()
    for name in ("leakage.copies.likely_pairs", "shortcuts.probe.ShortcutProbe._predict"):
        monkeypatch.setattr(f"audioclf.audit.{name}", None)
    again = audit_config(prepared, Resources(1, cache_folder=folder), quick=True).to_data()
    assert again == first


def test_an_audit_leaves_few_packs_in_the_cache(
    shared_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_MOST_SMALL", 1)
    folder = tmp_path / "cache"
    audit_config(prepare(load_config(shared_config)), Resources(1, cache_folder=folder))
    assert len([*folder.rglob("*.pack")]) == 1
