"""docs/reference is what the code says, and leaves nothing out."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from audioclf.builtin import audioclf_classifiers, audioclf_featurizers, audioclf_loaders
from audioclf.cli import _COMMANDS
from audioclf.components.component import Component
from tests.docs.test_docs import REPO


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", REPO / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = load()
PAGES: dict[str, str] = GENERATE.pages()
BUILT_IN: list[type[Component]] = [
    *audioclf_loaders(),
    *audioclf_featurizers(),
    *audioclf_classifiers(),
]


def test_there_is_a_page_for_each_and_for_nothing_else() -> None:
    stored = {path.name for path in GENERATE.REFERENCE.glob("*.md")}
    assert stored == set(PAGES), "run `make docs`"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_code_says(name: str) -> None:
    stored = (GENERATE.REFERENCE / name).read_text(encoding="utf-8")
    assert stored == PAGES[name], "run `make docs`"


@pytest.mark.parametrize("cls", BUILT_IN, ids=lambda cls: cls.__name__)
def test_every_field_of_a_component_is_there(cls: type[Component]) -> None:
    page = PAGES[f"{cls.kind}-{cls.type_name()}.md"]
    for name, field in cls.model_fields.items():
        if name != "type":
            assert f"| `{name}` |" in page
            meaning = " ".join((field.description or "").split())
            assert meaning.replace("|", "\\|") in page
    assert cls.summary() in page


def test_ranges_types_and_defaults_are_there() -> None:
    page = PAGES["featurizer-mel.md"]
    assert "| `n_mels` | integer | `128` | >= 1, <= 8192 |" in page
    assert "### TrimSilence" in page
    assert "| `path` | string | required |" in PAGES["loader-folder.md"]


def test_every_hook_error_and_command_is_there() -> None:
    hooks = GENERATE.hook_names()
    assert {"audioclf_loaders", "audioclf_run_finished"} < set(hooks)
    for name in hooks:
        assert f"hook-{name}.md" in PAGES["README.md"]
    for cls in GENERATE.error_classes():
        assert f"## `{cls.__name__}`\n\nExit code {cls.exit_code}." in PAGES["errors.md"]
    assert len(GENERATE.error_classes()) > 10
    for name in _COMMANDS:
        assert f"## `audioclf {name}" in PAGES["commands.md"]
    assert "## `audioclf plugins new" in PAGES["commands.md"]
    assert "`--notify`" in PAGES["commands.md"]


def test_the_index_leads_to_every_page() -> None:
    for name in PAGES:
        assert name == "README.md" or f"({name})" in PAGES["README.md"]


def test_the_verb_of_a_hook_is_explained() -> None:
    page = PAGES["hook-audioclf_featurizers.md"]
    assert "### `extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]`" in page
    assert "- `sr` : int" in page
    assert "**Raises**" in PAGES["hook-audioclf_loaders.md"]
