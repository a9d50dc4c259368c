"""The reference: generated from the code, and complete."""

import importlib.util
import sys
from types import ModuleType

import pytest

from audioclf.builtin import (
    audioclf_augmenters,
    audioclf_classifiers,
    audioclf_featurizers,
    audioclf_loaders,
)
from audioclf.components.component import Component
from tests.conftest import REPO


def load() -> ModuleType:
    sys.path.insert(0, str(REPO / "docs"))  # as for `python docs/generate.py`
    spec = importlib.util.spec_from_file_location("generate", REPO / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = load()
PAGES: dict[str, str] = GENERATE.pages()
BUILT_IN = [
    *audioclf_loaders(),
    *audioclf_featurizers(),
    *audioclf_classifiers(),
    *audioclf_augmenters(),
]


def test_stored_pages_are_those_that_the_code_gives() -> None:
    stored = {path.name: path.read_text("utf-8") for path in GENERATE.REFERENCE.glob("*.md")}
    outdated = sorted(name for name in {*stored, *PAGES} if stored.get(name) != PAGES.get(name))
    assert outdated == [], "run `make docs`"


@pytest.mark.parametrize("cls", BUILT_IN, ids=lambda cls: cls.__name__)
def test_every_field_of_a_component_is_there(cls: type[Component]) -> None:
    page = PAGES[f"{cls.kind}-{cls.type_name()}.md"]
    for name, field in cls.model_fields.items():
        if name != "type":
            assert f"| `{name}` |" in page
            meaning = " ".join((field.description or "").split())
            assert meaning.replace("|", "\\|") in page
    assert cls.summary() in page


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("featurizer-mel.md", "| `n_mels` | integer | `128` | >= 1, <= 8192 |"),
        ("featurizer-mel.md", "### TrimSilence"),
        ("loader-folder.md", "| `path` | string | required |"),
        ("commands.md", "## `audioclf plugins new"),
        ("commands.md", "`--notify`"),
        (
            "hook-audioclf_featurizers.md",
            "### `extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]`",
        ),
        ("hook-audioclf_featurizers.md", "- `sr` : int"),
        ("hook-audioclf_loaders.md", "**Raises**"),
    ],
)
def test_a_page_contains(name: str, text: str) -> None:
    assert text in PAGES[name]


def test_every_hook_error_command_and_page_is_there() -> None:
    assert {"audioclf_loaders", "audioclf_run_finished"} < set(GENERATE.hook_names())
    assert len(GENERATE.error_classes()) > 10
    for cls in GENERATE.error_classes():
        assert f"## `{cls.__name__}`\n\nExit code {cls.exit_code}." in PAGES["errors.md"]
    for name in GENERATE.command_names():
        assert f"## `audioclf {name}" in PAGES["commands.md"]
    for name in PAGES:
        assert name == "README.md" or f"({name})" in PAGES["README.md"]
