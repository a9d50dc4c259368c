"""The kit itself: names, ids, expected failures, and the page that lists the promises."""

import contextlib
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, ClassVar

import pytest

from audioclf.base.process_state import global_state, isolated_process_state, random_state
from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.regressors import Ridge
from audioclf.testing import (
    CheckFailedError,
    CheckSkippedError,
    checks_for,
    example_sounds,
    parametrize_with_checks,
    run_check,
    run_checks,
)
from audioclf.testing.capture import captured_stdout, unpickled_classes
from audioclf.testing.parametrize import component_id
from tests.conftest import REPO
from tests.testing import estimators
from tests.testing.broken_components import BROKEN, Blind, Files, Level, Nearest

EVERY = {
    check.name: check
    for component in (Level(), Nearest(), Ridge(), Files(path=example_sounds()))
    for check in checks_for(component)
}

SUITE = """
from audioclf.testing import parametrize_with_checks
from tests.testing.broken_components import Level, Nearest, Printing

@parametrize_with_checks([Level(), Nearest()])
def test_honest(component, check):
    check(component)

@parametrize_with_checks([Printing()])
def test_failing(component, check):
    check(component)

@parametrize_with_checks(
    [Printing()], expected_failed_checks={"writes_nothing_to_stdout": "it talks"}
)
def test_expected(component, check):
    check(component)

@parametrize_with_checks([Level()], expected_failed_checks={"pickles": "it never did"})
def test_strict(component, check):
    check(component)
"""


class Announced(Blind):
    """Says what it does not do."""

    expected_failed_checks: ClassVar[dict[str, str]] = {"learns_a_separable_toy": "it is blind"}


def statuses(component: Any, **options: Any) -> dict[str, tuple[str, str]]:
    return {o.name: (o.status, o.message) for o in run_checks(component, **options)}


def test_every_check_is_a_sentence_with_a_name() -> None:
    for check in EVERY.values():
        assert re.fullmatch(r"[a-z0-9_]+", check.name)
        assert re.fullmatch(r"[A-Z`].*\.", check.promise), check.promise


def test_every_promise_is_on_the_page() -> None:
    page = (REPO / "docs" / "guides" / "plugins.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    kinds = {n: "all" if len(c.kinds) > 1 else c.kinds[0] for n, c in EVERY.items()}
    assert {row for row in rows if row[1] in {"all", *kinds.values()}} == {
        (name, kinds[name], check.promise) for name, check in EVERY.items()
    }


def test_checks_of_all_kinds_come_first() -> None:
    lengths = [len(check.kinds) for check in checks_for(Nearest())]
    assert lengths == sorted(lengths, reverse=True)
    assert set(lengths) == {1, 4}


def test_a_check_raises_a_sentence() -> None:
    with pytest.raises(CheckFailedError, match="far apart is 50%"):
        EVERY["learns_a_separable_toy"](Blind())
    with pytest.raises(CheckSkippedError, match="uses_groups is false"):
        EVERY["takes_groups"](Nearest())
    with pytest.raises(CheckSkippedError, match="uses_shape is false"):
        EVERY["takes_shape"](Nearest())


@pytest.mark.slow
def test_an_expected_failure_has_a_status_of_its_own() -> None:
    assert statuses(Announced())["learns_a_separable_toy"] == ("expected", "it is blind")


def test_an_expected_failure_that_passes_has_failed() -> None:
    status, message = statuses(Level(), expected_failed_checks={"pickles": "no"})["pickles"]
    assert status == "failed"
    assert message == "it was expected to fail (no), but passes: remove it from the list"


def test_an_expected_failure_of_an_unknown_check_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no check of a classifier is called 'pickle'\. Did you"):
        parametrize_with_checks([Dummy()], expected_failed_checks={"pickle": "no"})


def test_ids_hold_the_fields_that_differ_from_the_defaults() -> None:
    assert component_id(Knn()) == "knn"
    assert component_id(Knn(n_neighbors=1, p=1.0)) == "knn(n_neighbors=1, p=1.0)"
    long = component_id(Files(path=Path("x" * 99)))
    assert long.startswith("files(path=xxx")
    assert long.endswith("...)")


def test_whatever_a_component_raises_is_a_failure() -> None:
    class Leaving(Level):
        """Ends the program."""

        def extract(self, y: Any, sr: int) -> Any:
            sys.exit(3)

    outcome = run_check(Leaving(), EVERY["silence_is_finite"])
    assert (outcome.status, outcome.message) == ("failed", "it raised SystemExit: 3")


def test_changes_of_the_process_state_are_restored() -> None:
    before = global_state(), random_state(), list(warnings.filters)
    moving = next(cls() for cls in BROKEN if cls.__name__ == "Moving")
    for check in checks_for(moving):
        run_check(moving, check)
    with contextlib.suppress(ZeroDivisionError), isolated_process_state():
        os.chdir(Path.cwd().parent)
        raise ZeroDivisionError
    assert (global_state(), random_state(), list(warnings.filters)) == before


def test_output_below_python_is_captured() -> None:
    with captured_stdout() as written:
        print("above")  # noqa: T201
        os.write(1, b"below")
    assert "".join(written) == "above\nbelow"


def test_unpickling_is_recorded_only_within_the_block() -> None:
    import pickle

    data = pickle.dumps(Path("a"))
    with unpickled_classes() as seen:
        pickle.loads(data)
    count = len(seen)
    pickle.loads(data)
    assert any("Path" in name for name in seen)
    assert len(seen) == count


@pytest.mark.slow
def test_the_kit_does_not_import_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from audioclf.testing import run_checks\n"
        "from tests.testing.broken_components import Level\n"
        "print([o for o in run_checks(Level()) if o.status == 'failed'])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_an_authors_test_file_reports_as_pytest_does(tmp_path: Path) -> None:
    path = tmp_path / "test_plugin.py"
    path.write_text(SUITE)
    options = ["-q", "-rfsx", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", *options, str(path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "src")])}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    failed = [line.split(" - ")[0] for line in lines if line.startswith("FAILED")]
    assert failed == [
        "FAILED test_plugin.py::test_failing[level-writes_nothing_to_stdout]",
        "FAILED test_plugin.py::test_strict[level-pickles]",
    ]
    assert "SKIPPED [1] " in done.stdout
    assert "uses_groups is false" in done.stdout
    expected = "XFAIL test_plugin.py::test_expected[level-writes_nothing_to_stdout] - it talks"
    assert expected in lines
    assert re.search(r"2 failed, \d+ passed, 13 skipped, 1 xfailed in", lines[-1])


def test_a_fit_that_many_checks_look_at_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []
    fit = estimators.Nearest.fit

    def counted(self: Any, X: Any, y: Any) -> Any:
        fits.append(len(y))
        return fit(self, X, y)

    monkeypatch.setattr(estimators.Nearest, "fit", counted)
    assert {outcome.status for outcome in run_checks(Nearest())} == {"ok", "skipped"}
    assert len(fits) <= 10
