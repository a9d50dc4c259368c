"""The model card tells what a person must know, and shows names as they are."""

import re
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.cli.plugins import _explain
from audioclf.components.component import terms_of
from audioclf.components.registry import Origin, Provider
from audioclf.models.bundle.card import escaped, model_card
from audioclf.models.bundle.manifest import Manifest
from audioclf.models.bundle.reading import open_bundle
from tests.models.making import classifier, fitted, made, written

EVIL = "a|b](http://evil) <script>alert(1)</script> `x` www.evil.com\n# big"


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return open_bundle(made(tmp_path / "m.audioclf", "svm")).manifest


def test_the_card_holds_data_results_limits_and_use(manifest: Manifest, tmp_path: Path) -> None:
    card = model_card(manifest)
    assert card == open_bundle(tmp_path / "m.audioclf").card
    assert "40 clips of toys.zip, from 4 groups." in card
    assert "| accuracy | 0.750 | 0.600 to 0.900 |" in card
    assert "| roc\\_auc | not defined |  |" in card
    assert "with 95 % intervals over 40 clips" in card
    assert "Any other sound is given the name of one of these classes" in card
    assert "are no probabilities" in card
    assert 'audioclf.load("model.audioclf")' in card


def test_the_card_has_the_findings_and_notes_of_the_run(tmp_path: Path) -> None:
    notes = ("3 groups are on both sides (group-overlap)", "knn is the best of 8 pipelines")
    path = written(tmp_path / "m.audioclf", fitted(classifier("svm")), notes=notes)
    card = open_bundle(path).card
    assert "- 3 groups are on both sides \\(group-overlap\\)\n" in card
    assert card.index("## Results") < card.index("knn is the best of 8") < card.index("## Limits")


def test_the_card_has_the_terms_of_use_of_the_featurizer_and_its_parts(tmp_path: Path) -> None:
    class Bound(Mfcc):
        """Features that may not be sold."""

        type: Literal["bound"] = "bound"  # type: ignore[assignment]
        terms_of_use: ClassVar[str] = "not for *sale*"

    found = Concat.model_validate({"parts": {"voice": Bound()}})
    assert terms_of(found) == {"bound": "not for *sale*"}
    card = model_card(
        open_bundle(made(tmp_path / "m.audioclf", "svm")).manifest, (), terms_of(found)
    )
    assert "Terms of use, which also bind this model:\n\n- bound: not for \\*sale\\*.\n" in card
    shown = _explain(Provider(Bound, Origin("audioclf-bound", "1.0", "bound")))
    assert "\n\nTerms of use: not for *sale*\n\n" in shown


def test_a_model_without_results_says_so(manifest: Manifest) -> None:
    card = model_card(manifest.model_copy(update={"evaluation": None}))
    assert "This model was not evaluated." in card


def test_names_cannot_leave_their_place(tmp_path: Path) -> None:
    found = fitted(classifier("dummy"))
    from tests.models.making import TRAINING

    training = TRAINING.model_copy(update={"clips": {EVIL: 3, "puppy": 3}, "dataset": EVIL})
    path = written(
        tmp_path / "m.audioclf", found, classes=(EVIL, "puppy"), training=training, name=EVIL
    )
    card = open_bundle(path).card
    assert len(re.findall(r"^#", card, re.MULTILINE)) == 5
    assert not re.search(r"(?<!\\)<", card)
    assert not re.search(r"(?<!\\)\]", card)
    assert "http\\:" in card
    assert "www.evil" not in card
    (row,) = [line for line in card.splitlines() if line.endswith("| 3 |") and "evil" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_many_classes_are_cut(manifest: Manifest) -> None:
    clips = {f"class {number}": number for number in range(80)}
    training = manifest.training.model_copy(update={"clips": clips})
    card = model_card(manifest.model_copy(update={"training": training}))
    assert "| and 30 more | |" in card


def test_control_characters_are_blanks() -> None:
    assert escaped("a\x1b[31m\nb\u202ec") == "a \\[31m b c"
