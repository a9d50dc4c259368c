"""What starting costs: imports, and time as a ratio within one run."""

from __future__ import annotations

import pytest

from tests.conftest import imported_by

HEAVY = ["sklearn", "librosa", "xgboost", "numba", "scipy", "matplotlib", "soundfile", "pandas"]
CALL = """
import sys
from audioclf.cli import app
sys.argv = ["audioclf", *{args!r}]
try:
    app(prog_name="audioclf")
except SystemExit as exc:
    assert not exc.code, exc.code
"""


@pytest.mark.parametrize("args", [["--help"], ["--version"]])
def test_help_imports_next_to_nothing(args: list[str]) -> None:
    assert imported_by(CALL.format(args=args), [*HEAVY, "numpy", "pydantic"]) == set()


@pytest.mark.parametrize(
    "args", [["plugins"], ["plugins", "--json"], ["plugins", "show", "mel"], ["run", "--help"]]
)
def test_listing_plugins_imports_no_heavy_library(args: list[str]) -> None:
    assert imported_by(CALL.format(args=args), HEAVY) == set()


def test_importing_the_package_is_light() -> None:
    code = "import audioclf"
    assert imported_by(code, [*HEAVY, "numpy", "pydantic", "pluggy", "typer"]) == set()
