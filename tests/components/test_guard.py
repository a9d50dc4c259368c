"""The guard around the code of components."""

import sys
import warnings
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

from audioclf.base.errors import ClassifierError, DatasetError, SplitError
from audioclf.components.guard import guard, recorded
from audioclf.dataset.targets import Targets
from audioclf.evaluation.fitting import fit_final
from audioclf.evaluation.results import Pipeline
from audioclf.plugin import Classifier


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (ValueError("not\n today"), "svm, mine 1.0 raised ValueError: not today"),
        (SystemExit(3), "svm, mine 1.0 raised SystemExit: 3"),
        (RuntimeError(), "svm, mine 1.0 raised RuntimeError"),
    ],
)
def test_any_error_becomes_one_that_names_the_code(raised: BaseException, text: str) -> None:
    with (
        pytest.raises(ClassifierError) as caught,
        guard("svm, mine 1.0", ClassifierError, hint=lambda text: f"Fix {text}."),
    ):
        raise raised
    assert caught.value.message == text
    assert caught.value.hint == f"Fix {text.partition(' raised ')[2]}."


def test_errors_for_the_user_keep_their_class_and_hint() -> None:
    with pytest.raises(SplitError) as caught, guard("svm", ClassifierError):
        raise SplitError("too few", hint="Add some.")
    assert (caught.value.message, caught.value.hint) == ("svm: too few", "Add some.")
    with (
        pytest.raises(DatasetError, match="gone"),
        guard("zip", ClassifierError, known=lambda e: e),
    ):
        raise DatasetError("gone")


def test_ctrl_c_passes() -> None:
    with pytest.raises(KeyboardInterrupt), guard("svm", ClassifierError):
        raise KeyboardInterrupt


def test_warnings_and_changes_of_the_process_are_recorded() -> None:
    with recorded() as remarks:
        warnings.warn("too\n few", stacklevel=1)
        np.random.seed(3)  # noqa: NPY002
    assert remarks == ["it changes np.random for the whole process, which was put back", "too few"]


class Quitting(Classifier):
    """Ends the interpreter at its fit."""

    type: Literal["quitting"] = "quitting"

    def build(self, *, random_state: int) -> Any:
        return SimpleNamespace(fit=lambda X, y: sys.exit(4))


def test_the_final_fit_cannot_end_the_program() -> None:
    pipeline = Pipeline("mine", "mel", "mine", Quitting(), "quitting, plugin 2.0")
    targets = Targets.of([*"abab"], [None] * 4, [*"1234"])
    with pytest.raises(ClassifierError, match=r"'mine'.* on all clips raised SystemExit: 4"):
        fit_final(pipeline, np.zeros((4, 2), np.float32), targets, seed=0)
