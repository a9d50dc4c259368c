"""The documentation is true: its YAML is valid, its commands and links exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from audioclf.components.discovery import load_components, load_listener
from audioclf.config.loading import load_config
from audioclf.config.run_config import RunConfig
from audioclf.evaluation.splits import Split
from audioclf.plugin import DatasetError
from tests.conftest import run_cli

REPO = Path(__file__).resolve().parents[2]
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
    assert load_config(path).classifiers


@pytest.mark.parametrize("text", blocks("sh"))
def test_every_command_exists(text: str) -> None:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["audioclf"]:
            assert run_cli(words[1], "--help").returncode == 0, line
            for word in words:
                if word.startswith("configs/"):
                    assert (REPO / word).is_file(), line
        elif words[:1] == ["make"] and words[1] in {"run", "test"}:
            assert f"\n{words[1]}:" in (REPO / "Makefile").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_example_plugin_of_the_docs_loads() -> None:
    found = [b.values[0] for b in blocks("python") if "hookimpl" in b.values[0]]
    components, observers = [], []
    for block in found:
        module = type("module", (), {})()
        exec(
            compile(block, "plugins.md", "exec", dont_inherit=True),
            namespace := {"__name__": "example"},
        )
        for name, value in namespace.items():
            setattr(module, name, value)
        components += [each.type_name() for each in load_components(module)]
        observers.append(load_listener(module) is not None)
    assert components == ["nearest_centroid", "field_notes"]
    assert sorted(observers) == [False, False, True]


def test_the_example_loader_of_the_docs_reads_its_table(tmp_path: Path) -> None:
    source = next(b.values[0] for b in blocks("python") if "class FieldNotes" in b.values[0])
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(compile(source, "plugins.md", "exec", dont_inherit=True), namespace)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.wav").touch()
    (tmp_path / "notes.csv").write_text("file,species,site\na/1.wav,owl,pond\n")
    (clip,) = namespace["FieldNotes"](path=tmp_path).load()
    assert (clip.id, clip.label, clip.group) == ("a/1.wav", "owl", "pond")
    (tmp_path / "notes.csv").write_text("file,species\nb.wav,owl\n")
    with pytest.raises(DatasetError, match="no column 'site'"):
        namespace["FieldNotes"](path=tmp_path).load()


def test_every_key_of_the_config_is_documented() -> None:
    text = (REPO / "docs" / "guides" / "config.md").read_text(encoding="utf-8")
    missing = [name for name in RunConfig.model_fields if f"| `{name}` |" not in text]
    assert missing == []


def test_every_split_is_documented() -> None:
    text = (REPO / "docs" / "guides" / "config.md").read_text(encoding="utf-8")
    names = [model.model_fields["type"].default for model in get_args(get_args(Split)[0])]
    assert [name for name in names if f"`{name}`" not in text] == []
