"""What starting costs: imports, and time as a ratio within one run."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from audioclf.cli import COMMANDS
from audioclf.testing.common import HEAVY as NEVER_AT_IMPORT
from tests.conftest import REPO, imported_by

# numpy comes with the base classes; everything else that the kit calls heavy stays out.
HEAVY = sorted({*NEVER_AT_IMPORT, "mlflow", "sqlalchemy"} - {"numpy"})
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


@pytest.mark.parametrize("args", [["plugins"], ["plugins", "show", "mel"], ["run", "--help"]])
def test_listing_plugins_imports_no_heavy_library(args: list[str]) -> None:
    unneeded = [*HEAVY, "audioclf.testing", "audioclf.starters.plugin_template"]
    unneeded += ["numpy"] * (args[-1] == "plugins")
    assert imported_by(CALL.format(args=args), unneeded) == set()


def test_importing_a_command_imports_no_heavy_library() -> None:
    modules = [f"audioclf.cli.{name.replace('-', '_')}" for name in COMMANDS]
    unneeded = [*HEAVY, "numpy", "jinja2", "onnx", "skl2onnx", "onnxruntime"]
    assert imported_by(f"import {', '.join(modules)}", unneeded) == set()
    light = "import " + ", ".join(f"audioclf.cli.{name}" for name in ("init", "configs", "explore"))
    assert imported_by(light, ["pydantic", "yaml"]) == set()


def test_importing_the_package_is_light() -> None:
    code = "import audioclf"
    assert imported_by(code, [*HEAVY, "numpy", "pydantic", "pluggy", "typer"]) == set()


@pytest.mark.slow
def test_twelve_plugins_import_themselves_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("startup", REPO / "benchmarks" / "startup.py")
    assert spec is not None
    assert spec.loader is not None
    startup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(startup)
    call = f"{CALL.format(args=['plugins', '--json'])}\nprint(' '.join(sys.modules))"
    before = modules_after(call, monkeypatch, None)
    made = startup.make_plugins(tmp_path)
    assert len(made) == 12
    assert modules_after(call, monkeypatch, tmp_path) - before == set(made)
    assert before.isdisjoint(HEAVY)


def modules_after(code: str, monkeypatch: pytest.MonkeyPatch, site: Path | None) -> set[str]:
    monkeypatch.setenv("PYTHONPATH", "" if site is None else str(site))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())
