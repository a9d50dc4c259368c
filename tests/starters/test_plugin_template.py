"""`audioclf plugins new` writes a plugin that works as it stands."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from audioclf.base.errors import ConfigError, ResultError
from audioclf.components.component import KINDS, Kind
from audioclf.components.discovery import discover, provided_by
from audioclf.starters.plugin_template import new_plugin
from audioclf.testing import example_sounds, run_checks

REGISTRY = discover()
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: Kind, folder: Path, name: str = "my-own") -> Path:
    return new_plugin(kind, name, folder, registry=REGISTRY)


@pytest.fixture
def component_of(tmp_path: Path, on_path: Any) -> Callable[[Kind], Any]:
    def make(kind: Kind) -> Any:
        on_path(made(kind, tmp_path) / "src")
        ((found,), _) = provided_by(import_module("audioclf_my_own"))
        cls: Any = found
        return cls(path=example_sounds()) if kind == "loader" else cls()

    return make


@every_kind
def test_all_that_a_distribution_needs_is_there(kind: Kind, tmp_path: Path) -> None:
    target = made(kind, tmp_path)
    assert target == tmp_path / "audioclf-my-own"
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert files == {
        ".github/workflows/test.yml",
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/audioclf_my_own/__init__.py",
        "tests/test_my_own.py",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["audioclf-my-own"]
    for name in files - {".github/workflows/test.yml"}:
        assert "$" not in (target / name).read_text(encoding="utf-8"), name
    text = (target / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    assert project["name"] == "audioclf-my-own"
    assert project["entry-points"]["audioclf"] == {"my_own": "audioclf_my_own"}
    assert project["dependencies"] == [f"audioclf>={metadata.version('audioclf')}"]
    assert project["optional-dependencies"]["test"] == ["pytest>=8.3"]


def test_the_ci_file_is_yaml_and_runs_the_tests(tmp_path: Path) -> None:
    text = (made("loader", tmp_path) / ".github/workflows/test.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [
        "pip install '.[test]'",
        "pytest",
        "audioclf plugins doctor",
    ]
    assert steps[1]["with"]["python-version"] == "${{ matrix.python }}"


@every_kind
@pytest.mark.slow
def test_the_component_passes_the_checks_and_has_two_fields(kind: Kind, component_of: Any) -> None:
    component = component_of(kind)
    outcomes = list(run_checks(component))
    assert [o for o in outcomes if o.status not in {"ok", "skipped"}] == []
    assert sum(o.status == "ok" for o in outcomes) > 15
    cls = type(component)
    own = {name: cls.model_fields[name] for name in cls.__annotations__ if name != "type"}
    assert len(own) == 2
    assert all(field.description for field in own.values())
    assert cls.__name__ == f"MyOwn{kind.capitalize()}"
    assert cls.type_name() == "my_own"


@every_kind
def test_the_files_are_formatted_and_lint_clean(kind: Kind, tmp_path: Path) -> None:
    pytest.importorskip("ruff", reason="ruff is not installed")
    target = made(kind, tmp_path)
    for command in (["check", "--extend-select", "B,D,I,N,UP,W"], ["format", "--check"]):
        ignored = ["--ignore", "D100,D103,D203,D213,D413"] if command[0] == "check" else []
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *ignored, "--no-cache", "."],
            cwd=target,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_no_word_of_a_plugin_collides_with_its_imports(tmp_path: Path) -> None:
    text = made("classifier", tmp_path, "classifier") / "src/audioclf_classifier/__init__.py"
    assert "class ClassifierClassifier(Classifier):" in text.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["", "My", "1st", "a b", "a--b", "a-", "-a", "../up", "a/b", "a.b", "für", "x" * 51]
)
def test_an_invalid_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no name for a component: expected a lower-case"):
        made("loader", tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_the_prefix_is_not_doubled(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="begins with audioclf") as caught:
        made("loader", tmp_path, "audioclf-speakers")
    assert caught.value.hint == "Call it 'speakers'."


def test_the_name_of_a_component_of_that_kind_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is a classifier 'svm' already, of audioclf "):
        made("classifier", tmp_path, "svm")
    assert made("featurizer", tmp_path, "svm").is_dir()


def test_the_name_of_an_installed_distribution_is_taken(
    tmp_path: Path, make_dist: Any, on_path: Any
) -> None:
    on_path(make_dist("audioclf-my-own", {}, {}, "2.0"))
    with pytest.raises(ConfigError, match=r"a distribution audioclf-my-own 2\.0 is installed"):
        made("loader", tmp_path / "new")


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "audioclf-my-own").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        made("loader", tmp_path)
    assert list(tmp_path.rglob("*")) == [tmp_path / "audioclf-my-own"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match=r"audioclf-my-own cannot be written: "):
        made("loader", tmp_path / "file")
