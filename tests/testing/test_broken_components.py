"""Every check finds what it is for, and finds nothing in an honest component."""

from typing import Any

import pytest

from audioclf.base import machine
from audioclf.components import code_digest
from audioclf.components.component import Component
from audioclf.components.discovery import discover
from audioclf.testing import checks_for, example_sounds, other_process, run_check, run_checks
from tests.testing import heavy  # noqa: F401  registers a broken component
from tests.testing.broken_components import (
    BROKEN,
    Convertible,
    Declared,
    Files,
    Level,
    Nearest,
    Shaped,
)

HONEST = [Level, Files, Nearest, Shaped, Convertible, Declared]

SLOW = {
    "comes_back_in_time",
    "converts_to_onnx",
    "imports_nothing_heavy",
    "leaves_the_interpreter_running",
}


def made(cls: Any) -> Component:
    component: Component = cls(path=example_sounds()) if issubclass(cls, Files) else cls()
    return component


@pytest.mark.parametrize(
    "cls",
    [
        pytest.param(cls, id=cls.__name__, marks=[pytest.mark.slow] * (check in SLOW))
        for cls, (check, _) in BROKEN.items()
    ],
)
def test_exactly_the_broken_promise_fails(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check, message = BROKEN[cls]
    if check == "comes_back_in_time":
        monkeypatch.setattr(other_process, "MAX_SECONDS", 1.0)
    failed = {o.name: o.message for o in run_checks(made(cls)) if o.status == "failed"}
    assert list(failed) == [check], failed
    assert message in failed[check]


@pytest.mark.parametrize("cls", HONEST, ids=lambda cls: cls.__name__)
def test_an_honest_component_passes_all(cls: Any) -> None:
    assert [o for o in run_checks(made(cls)) if o.status not in {"ok", "skipped"}] == []


def test_every_check_has_a_component_that_breaks_it() -> None:
    names = {check.name for cls in HONEST for check in checks_for(made(cls))}
    of_a_plugin = {"library_update_changes_the_cache_key"}
    assert names == {check for check, _ in BROKEN.values()} | of_a_plugin


CARELESS = """
from typing import Literal
from audioclf.plugin import Featurizer, hookimpl

class Careless(Featurizer):
    type: Literal["careless"] = "careless"
    def extract(self, y, sr):
        import joblib

@hookimpl
def audioclf_featurizers():
    return [Careless]
"""


def test_a_library_that_a_plugin_does_not_require_is_found(make_dist: Any, on_path: Any) -> None:
    files = {"audioclf_careless.py": CARELESS}
    site = make_dist("audioclf-careless", {"careless": "audioclf_careless"}, files)
    on_path(site)
    careless = discover().resolve("featurizer", "careless")()
    checks = {check.name: check for check in checks_for(careless)}
    check = checks["library_update_changes_the_cache_key"]
    found = run_check(careless, check)
    assert found.status == "failed"
    assert (
        "audioclf_careless imports joblib, and its plugin does not require joblib" in found.message
    )
    metadata = site / "audioclf_careless-1.0.dist-info" / "METADATA"
    metadata.write_text(f"{metadata.read_text()}Requires-Dist: Joblib>=1\n")
    code_digest._requirements.cache_clear()
    machine._installed.cache_clear()
    assert run_check(careless, check).status == "ok"
