"""Example configs of the installation.

The folder `configs` of the repository is the only source. A wheel holds a copy of it in the
package; a checkout is read directly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from audioclf.base.errors import ConfigError, EnvironmentMissingError
from audioclf.components.registry import suggest
from audioclf.config.yaml_source import parse_yaml

_FIRST_SENTENCE = re.compile(r"(.+?)[.:;](?=\s|$)", re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    """An example config."""

    name: str
    text: str

    @property
    def line(self) -> str:
        """Its purpose: the first sentence of the comment at the top of the file."""
        comment = takewhile(lambda line: line.startswith("#"), self.text.splitlines())
        words = " ".join(line.lstrip("# ").rstrip() for line in comment)
        found = _FIRST_SENTENCE.match(words)
        return found[1] if found else words

    def paths(self) -> tuple[tuple[str, str], ...]:
        """Return the keys of its dataset that hold a path, with their values."""
        data = parse_yaml(self.text, self.name).data
        dataset = data.get("dataset") if isinstance(data, dict) else None
        if not isinstance(dataset, dict):
            return ()
        return tuple((key, dataset[key]) for key in ("path", "root") if key in dataset)


def recipes() -> tuple[Recipe, ...]:
    """Return all recipes, sorted by name."""
    files = sorted(_folder().glob("*.yaml"))
    return tuple(Recipe(path.stem, path.read_text(encoding="utf-8")) for path in files)


def recipe_named(name: str) -> Recipe:
    """Return a recipe."""
    known = {recipe.name: recipe for recipe in recipes()}
    wanted = name.removesuffix(".yaml")
    if wanted in known:
        return known[wanted]
    hint = f"{suggest(wanted, known)} There are {', '.join(known)}.".lstrip()
    raise ConfigError(f"no config is called {name!r}", hint=hint)


def _folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parents[1] / "configs"):
        if folder.is_dir() and any(folder.glob("*.yaml")):
            return folder
    raise EnvironmentMissingError(
        "this installation of audioclf lacks its example configs", hint="Install audioclf again."
    )
