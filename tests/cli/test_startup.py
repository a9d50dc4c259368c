"""What starting costs: imports, and time as a ratio within one run."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from audioclf.cli import COMMANDS
from audioclf.features.cache import FeatureCache
from audioclf.features.cache_entry import Entry
from audioclf.testing.common import HEAVY as NEVER_AT_IMPORT
from tests.conftest import REPO, imported_by
from tests.models.making import made

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


def test_what_needs_no_library_imports_none(tmp_path: Path) -> None:
    """One process does it all in turn, that which may import least first."""
    cache, model = FeatureCache(tmp_path / "cache"), str(made(tmp_path / "m.audioclf", "svm"))
    cache.put("0" * 64, Entry(np.ones((25, 100), dtype=np.float32), {}))
    cache.flush()
    light = "import " + ", ".join(f"audioclf.cli.{name}" for name in ("init", "configs", "explore"))
    commands = ", ".join(f"audioclf.cli.{name.replace('-', '_')}" for name in COMMANDS)
    listing = [*HEAVY, "audioclf.testing", "audioclf.starters.plugin_template"]
    exporting = ["jinja2", "onnx", "skl2onnx", "onnxruntime"]
    steps = [
        ("import audioclf", [*HEAVY, "numpy", "pydantic", "pluggy", "typer"]),
        (CALL.format(args=["--version"]), [*HEAVY, "numpy", "pydantic"]),
        (CALL.format(args=["--help"]), [*HEAVY, "numpy", "pydantic"]),
        (light, ["pydantic", "yaml"]),
        (CALL.format(args=["plugins"]), [*listing, "numpy"]),
        (f"import {commands}", [*HEAVY, *exporting, "numpy"]),
        (CALL.format(args=["plugins", "show", "mel"]), listing),
        (CALL.format(args=["run", "--help"]), listing),
        (CALL.format(args=["cache", "stats", "--cache-dir", str(cache.folder)]), HEAVY),
        (CALL.format(args=["model", "show", model]), [*HEAVY, "skops"]),
    ]
    check = "found = {names} & sys.modules.keys()\nassert not found, ({code!r}, found)"
    script = [f"{code}\n{check.format(names=set(names), code=code)}" for code, names in steps]
    assert imported_by("\n".join(["import sys", *script]), HEAVY) == set()


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
