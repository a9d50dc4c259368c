"""A plugin from `audioclf plugins new` installs, passes its own tests, and is found."""

import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path

import pytest

from audioclf.components.component import KINDS
from tests.conftest import REPO
from tests.starters.venv import Environment, make_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell"),
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None,
        reason="hatchling is not installed, which builds the plugin",
    ),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("fresh") / "venv")


def test_new_plugins_are_built_installed_tested_and_listed(
    environment: Environment, tmp_path: Path
) -> None:
    new = [f"audioclf plugins new {kind} fresh-{kind}\n" for kind in KINDS]
    environment.run("".join(new) + "pip wheel --wheel-dir dist ./audioclf-fresh-*", tmp_path)
    for kind in KINDS:
        (wheel,) = (tmp_path / "dist").glob(f"audioclf_fresh_{kind}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            assert f"audioclf_fresh_{kind}/__init__.py" in archive.namelist()
    environment.run("pip install dist/*.whl", tmp_path)
    output = environment.run("pytest -q -p no:cacheprovider audioclf-fresh-*", tmp_path)
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) >= 30
    listed = json.loads(environment.run("audioclf plugins --json", tmp_path))
    plugins = {plugin["distribution"]: plugin for plugin in listed}
    for kind in KINDS:
        plugin = plugins[f"audioclf-fresh-{kind}"]
        assert (plugin["status"], plugin["components"]) == ("ok", [f"{kind}:fresh_{kind}"])


def test_the_tutorial_does_what_it_says(environment: Environment, tmp_path: Path) -> None:
    page = (REPO / "docs" / "guides" / "plugins.md").read_text(encoding="utf-8")
    section = page.split("## Write a plugin in ten minutes", 1)[1].split("\n## ", 1)[0]
    commands = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(commands) >= 3
    output = environment.run("".join(commands), tmp_path)
    for promised in re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        for line in filter(None, map(str.strip, promised.splitlines())):
            assert " ".join(line.split()) in " ".join(output.split()), line


def test_the_wheel_of_audioclf_holds_templates_configs_and_pages(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    built = next(
        iter(WheelBuilder(str(REPO)).build(directory=str(tmp_path), versions=["standard"]))
    )
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    folder = "audioclf/starters/plugin_template/templates"
    templates = {f"{folder}/{path.name}" for path in (REPO / "src" / folder).glob("*")}
    configs = {f"audioclf/configs/{path.name}" for path in (REPO / "configs").glob("*.yaml")}
    pages = {f"audioclf/docs/{p.parent.name}/{p.name}" for p in (REPO / "docs").glob("[sgr]*/*.md")}
    assert templates
    assert configs
    assert pages
    assert templates | configs | pages <= names
