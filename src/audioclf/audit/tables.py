"""The audits' own design matrices, extracted in the same pass as the features."""

from __future__ import annotations

from collections.abc import Mapping

from audioclf.audit.leakage.fingerprint import Fingerprint
from audioclf.audit.shortcuts.facts import AuditFacts
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Origin
from audioclf.features.waveform import own_origin

FACTS = "audit facts"
PRINTS = "audit prints"
"""Names of the audits' own design matrices; no featurizer of a config has a space in its name."""


def with_tables(
    featurizers: Mapping[str, Featurizer], origins: Mapping[str, Origin]
) -> tuple[dict[str, Featurizer], dict[str, Origin]]:
    """Return featurizers and their origins with those of the audits, for `extract`.

    `audits_of` reads the design matrices `FACTS` and `PRINTS`.
    """
    tables = {FACTS: AuditFacts(), PRINTS: Fingerprint()}
    return {**featurizers, **tables}, {**origins, **dict.fromkeys(tables, own_origin())}
