"""Example configs of the installation, which commands take by name.

The folder `configs` of the repository is the only source. A wheel holds a copy of it in the
package; a checkout is read directly. The recordings of the examples are not in a wheel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from shlex import quote

from audioclf.base.errors import ConfigError
from audioclf.components.registry import suggest
from audioclf.config.yaml_source import parse_yaml
from audioclf.dataset.path_labels import is_audio
from audioclf.starters.installed import installed_folder

_ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar")
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


def config_file(config: str | Path) -> Path:
    """Return the path of a config: a file, or else the recipe of that name.

    Raises ConfigError with the next step for a folder, an archive, or a name that does not exist.
    """
    path = Path(config)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    init = f"Write a config for recordings: audioclf init {quote(str(path))}"
    if path.suffix.lower() in _ARCHIVES and path.is_file():
        raise ConfigError(f"{path} is an archive, not a config", hint=init)
    if path.is_file() and is_audio(path.name):
        hint = f"Write a config for its folder: audioclf init {quote(str(path.parent))}"
        raise ConfigError(f"{path} is a recording, not a config", hint=hint)
    if path.exists() and not path.is_dir():
        return path
    wanted = path.name.removesuffix(".yaml")
    known = [recipe.name for recipe in recipes()] if len(path.parts) == 1 else []
    if wanted in known:
        return _folder() / f"{wanted}.yaml"
    beside = (path / "config.yaml", Path(f"{path}.yaml"), Path(f"{path}.yml"))
    found = next((file for file in beside if file.is_file()), None)
    if found is not None:
        hint = f"Did you mean {quote(str(found))}?"
    elif path.is_dir():
        hint = init
    else:
        hint = suggest(wanted, known) or "`audioclf configs` lists the included configs."
    problem = "is a folder, not a config" if path.is_dir() else "no such file, nor included config"
    raise ConfigError(f"{path}{'' if path.is_dir() else ':'} {problem}", hint=hint)


def recipe_overrides(config: Path, overrides: Iterable[str]) -> list[str]:
    """Return the overrides; a folder that replaces the archive of a recipe is read as a folder."""
    listed = list(overrides)
    given = {key.strip(): value.strip() for key, _, value in (x.partition("=") for x in listed)}
    path = given.get("dataset.path", "")
    if path and "dataset.type" not in given and config.parent == _folder() and Path(path).is_dir():
        listed.append("dataset.type=folder")
    return listed


def data_hint(path: object) -> str | None:
    """Return how to get the recordings of a recipe, if `path` is where they are missing."""
    expected = _folder().parent / "data"
    if not isinstance(path, Path) or path.exists() or path.parent.resolve() != expected:
        return None
    return (
        "The recordings of the included configs are not installed with audioclf. Use your own zip "
        "or folder: --set dataset.path=my_sounds. Or make some: `audioclf sample-data clean`, then "
        "--set dataset.path=clean/sounds."
    )


def _folder() -> Path:
    return installed_folder("configs", "*.yaml")
