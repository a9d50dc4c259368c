"""The notebook, the Python of the pages, and the site: executed and built."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import audioclf
from audioclf.starters.sample_data.registry import sample_named, write_sample
from tests.conftest import REPO, run_cli

DOCS = REPO / "docs"


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, DOCS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python_of(page: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.slow
def test_the_notebook_runs_and_its_stored_outputs_are_true(tmp_path: Path) -> None:
    notebook = json.loads((DOCS / "start" / "first_notebook.ipynb").read_text(encoding="utf-8"))
    executed = load("notebook.py").executed(notebook, tmp_path)
    for new, stored in zip(executed["cells"], notebook["cells"], strict=True):
        assert new.get("outputs") == stored.get("outputs"), "run `make docs`"


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_sample(sample_named("groups"), folder / "groups")
    return folder


@pytest.mark.slow
def test_the_page_from_python_runs(
    groups: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(groups)
    names: dict[str, Any] = {}
    exec(compile(python_of("guides/python.md"), "python.md", "exec", dont_inherit=True), names)
    assert round(names["result"]["logistic_regression"].metrics["accuracy"].value, 3) == 0.926
    printed = capsys.readouterr().out
    assert "unknown key" in printed
    assert "group-overlap" in printed


@pytest.mark.slow
def test_the_script_of_the_page_models_needs_no_audioclf(
    groups: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("skl2onnx")
    result = audioclf.run(groups / "groups" / "config.yaml", out=tmp_path / "run")
    assert result.model is not None
    run_cli("export", result.model, "--to", "onnx", "--out", tmp_path / "model.onnx", code=0)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    script = python_of("guides/models.md").partition("import json\n")[2]
    assert "audioclf" not in re.findall(r"^import (\w+)", script, re.MULTILINE)
    exec(compile("import json\n" + script, "models.md", "exec", dont_inherit=True), names)
    model = audioclf.load(result.model)
    for path in sorted((groups / "groups" / "sounds").glob("*.wav"))[::9]:
        label, scores = names["classify"](path)
        assert label == model.predict(path)
        assert list(scores.values()) == pytest.approx(model.scores(path), abs=1e-4)


def test_every_page_has_its_place_in_the_navigation_of_the_site() -> None:
    site = load("site/build.py")
    site.copy_pages()
    placed = re.findall(r'"([^"]+\.md)"', json.dumps(site.navigation()))
    pages = {str(path.relative_to(site.PAGES)) for path in site.PAGES.rglob("*.md")}
    assert sorted(placed) == sorted(pages)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="see `make site`")
def test_the_site_loads_nothing_from_elsewhere() -> None:
    subprocess.run([sys.executable, DOCS / "site" / "build.py"], check=True)
    pages = list((REPO / "build" / "site").rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"?(https?:[^\" >]*)", text
        )
        assert loaded == [], page
