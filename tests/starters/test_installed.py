"""A plugin from `audioclf plugins new` installs, passes its own tests, and is found."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path

import pytest

from audioclf.components.component import KINDS, Kind
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_is_built_installed_tested_and_listed(
    kind: Kind, environment: Environment, tmp_path: Path
) -> None:
    name = f"fresh-{kind}"
    environment.run(f"audioclf plugins new {kind} {name}", tmp_path)
    folder = tmp_path / f"audioclf-{name}"
    environment.run("pip wheel --wheel-dir dist .", folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert f"audioclf_fresh_{kind}/__init__.py" in archive.namelist()
    environment.run(f"pip install {wheel}", folder)
    assert re.search(r"\d{2} passed", environment.run("pytest -q -p no:cacheprovider", folder))
    listed = json.loads(environment.run("audioclf plugins --json", tmp_path))
    (found,) = [each for each in listed if each["distribution"] == f"audioclf-{name}"]
    assert found["status"] == "ok"
    assert found["components"] == [f"{kind}:fresh_{kind}"]


def test_the_tutorial_does_what_it_says(environment: Environment, tmp_path: Path) -> None:
    page = (REPO / "docs" / "guides" / "plugins.md").read_text(encoding="utf-8")
    section = page.split("## Write a plugin in ten minutes", 1)[1].split("\n## ", 1)[0]
    commands = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(commands) >= 3
    said = environment.run("".join(commands), tmp_path)
    for promised in re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        for line in filter(None, map(str.strip, promised.splitlines())):
            assert " ".join(line.split()) in " ".join(said.split()), line


def test_the_wheel_of_audioclf_holds_the_templates(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    built = next(
        iter(WheelBuilder(str(REPO)).build(directory=str(tmp_path), versions=["standard"]))
    )
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    templates = (REPO / "src/audioclf/scaffold/templates").glob("*")
    assert {f"audioclf/scaffold/templates/{path.name}" for path in templates} <= names
