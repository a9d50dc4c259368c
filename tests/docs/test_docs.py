"""The documentation: its configs are valid, its commands, options, links and pages exist."""

import re
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import pytest

from audioclf.cli import LazyGroup
from audioclf.components.discovery import provided_by
from audioclf.config.loading import load_config
from audioclf.config.run_config import RunConfig
from audioclf.evaluation.splits import Split
from tests.conftest import REPO, skip_without_plugin

DOCS = REPO / "docs"
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "data/*.md", "plugins/*/*.md")
    for path in REPO.glob(pattern)
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(match.group(2), id=f"{path.relative_to(REPO)}:{number}")
        for path in PAGES
        for number, match in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")))
        if match.group(1) == language
    ]


@pytest.mark.parametrize("text", [b for b in blocks("yaml") if "dataset:" in b.values[0]])
def test_every_config_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    skip_without_plugin(text)
    assert load_config(path).classifiers


def test_every_command_option_and_config_exists() -> None:
    found = cache(partial(LazyGroup().get_command, None))
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(block.values[0] for block in blocks("sh"))
    for line in text.replace("\\\n", " ").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["audioclf"]:
            command = found(words[1])
            assert command is not None, line
            command = getattr(command, "commands", {}).get(words[2] if words[2:] else "", command)
            options = {name for parameter in command.params for name in parameter.opts}
            assert {word for word in words if re.match("--[a-z]", word)} <= options, line
            for word in words:
                assert not word.startswith("configs/") or (REPO / word).is_file(), line
        elif words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line


def test_the_workflow_and_ci_call_commands_of_the_makefile() -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    workflow = (REPO / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    script = (REPO / ".ci" / "run").read_text(encoding="utf-8")
    targets = {text: set(re.findall(r"\bmake ([a-z][\w-]*)", text)) for text in (workflow, script)}
    for target in set.union(*targets.values()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert targets[workflow] >= targets[script] - {"test-fast"}
    for plugin in REPO.glob("plugins/*/pyproject.toml"):
        assert f"-e plugins/{plugin.parent.name}" in workflow  # Windows, without make


@cache
def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        links = re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text(encoding="utf-8"))
        for target, anchor in links:
            path = page.parent / target if target else page
            assert path.exists(), f"{page}: {target}"
            assert not anchor or anchor in anchors(path), f"{page}: {target}#{anchor}"


def test_the_map_has_every_page() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    decisions = (DOCS / "development" / "adr" / "README.md").read_text(encoding="utf-8")
    for folder in ("start", "guides", "development"):
        for page in (DOCS / folder).glob("*.md"):
            assert f"({folder}/{page.name})" in text
    for page in (DOCS / "development" / "adr").glob("0*.md"):
        assert f"({page.name})" in decisions


def test_every_page_that_code_names_exists() -> None:
    patterns = ("Makefile", "src/**/*.py", "benchmarks/**/*.py", "configs/*.yaml")
    for path in (path for pattern in patterns for path in REPO.glob(pattern)):
        for name in re.findall(r"\bdocs/[\w/]+\.md", path.read_text(encoding="utf-8")):
            assert (REPO / name).is_file(), f"{path}: {name}"


def test_benchmarks_import_modules_that_exist() -> None:
    imported = re.compile(r"^(?:from|import) ((?:audioclf|tests)\.[\w.]+)", re.MULTILINE)
    for path in (REPO / "benchmarks").glob("**/*.py"):
        for name in imported.findall(path.read_text(encoding="utf-8")):
            root = REPO / "src" if name.startswith("audioclf") else REPO
            module = root.joinpath(*name.split("."))
            assert module.is_dir() or module.with_suffix(".py").is_file(), f"{path}: {name}"


def test_no_page_and_no_hint_installs_a_package_that_is_not_registered() -> None:
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "src/**/*.py",
        "plugins/*/*.md",
        "plugins/*/src/**/*.py",
    ):
        for path in set(REPO.glob(pattern)) - {REPO / "CHANGELOG.md"}:
            text = path.read_text(encoding="utf-8")
            for packages in re.findall(r"pip install ([^\n`]+)", text):
                words = packages.partition("#")[0].split()
                wrong = [word for word in words if re.match("['\"]?audioclf|.*{.*distrib", word)]
                assert wrong == [], f"{path}: {packages}"


def test_the_example_plugin_of_the_docs_loads() -> None:
    components, observers = [], []
    for block in [b.values[0] for b in blocks("python") if "hookimpl" in b.values[0]]:
        module = type("module", (), {})()
        namespace = {"__name__": "example"}
        exec(compile(block, "plugins.md", "exec", dont_inherit=True), namespace)
        for name, value in namespace.items():
            setattr(module, name, value)
        provided, listener = provided_by(module)
        components += [cls.type_name() for cls in provided]
        observers.append(listener is not None)
    assert components == ["nearest_centroid", "field_notes"]
    assert sorted(observers) == [False, False, True]


def test_every_key_and_split_of_the_config_is_documented() -> None:
    text = (DOCS / "guides" / "config.md").read_text(encoding="utf-8")
    splits = [model.model_fields["type"].default for model in get_args(get_args(Split)[0])]
    assert [name for name in RunConfig.model_fields if f"| `{name}` |" not in text] == []
    assert [name for name in splits if f"`{name}`" not in text] == []
