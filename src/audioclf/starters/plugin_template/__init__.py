"""Template of a plugin: a distribution with one working component, for `audioclf plugins new`.

The templates are plain text with `$names`; each becomes one file.
"""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from string import Template

from audioclf._version import __version__
from audioclf.base.errors import ConfigError, ResultError
from audioclf.components.component import Kind
from audioclf.components.hookspecs import PLUGIN_API
from audioclf.components.registry import Registry

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST = 50
_SECTION = "[project.entry-points.audioclf]"

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "workflow.yml": ".github/workflows/test.yml",
    "{kind}.py": "src/{package}/__init__.py",
    "test.py": "tests/test_{type_name}.py",
}
"""Path of the file by the name of its template."""

_CASES: dict[Kind, tuple[str, ...]] = {
    "loader": ("path=example_sounds()", 'path=example_sounds(), separator="."'),
    "featurizer": ("", "frame_length=1024, hop_length=256"),
    "augmenter": ("", "gaps=1, seconds=0.1"),
    "classifier": ("", 'shrinkage=0.5, solver="eigen"'),
}
"""Fields of the components that the generated test checks."""

_USES: dict[Kind, str] = {
    "loader": "dataset: {{type: {0}, path: recordings}}",
    "featurizer": "featurizers:\n  {0}: {{type: {0}}}",
    "augmenter": "augment: [{{type: {0}}}]",
    "classifier": "classifiers:\n  {0}: {{type: {0}}}",
}


def new_plugin(kind: Kind, name: str, parent: Path, *, registry: Registry) -> Path:
    """Write a distribution with one component and return its folder.

    The name is in lower case; words are joined by `-` or `_`. The folder is made in `parent`.
    """
    values = _values(kind, _checked(name))
    _check_free(kind, values, registry)
    target = parent / values["distribution"]
    if target.exists():
        raise ConfigError(
            f"{target} exists already",
            hint="Choose another name, another folder by --dir, or remove it first.",
        )
    texts = {
        path.format(**values): _filled(template.format(**values), values)
        for template, path in _FILES.items()
    }
    try:
        _write(texts, target)
    except OSError as exc:
        raise ResultError(f"{target} cannot be written: {exc.strerror or exc}") from exc
    return target


def add_component(kind: Kind, name: str, folder: Path, *, registry: Registry) -> list[Path]:
    """Write one more component into the distribution in a folder; return the files.

    The component is a module of its own, and a plugin with its own entry point in `pyproject.toml`.
    """
    values = _values(kind, _checked(name))
    project = folder / "pyproject.toml"
    package, text = _package_of(project)
    _check_unused(kind, values, registry)
    values["package"] = f"{package.name}.{values['type_name']}"
    files = {
        package / f"{values['type_name']}.py": f"{kind}.py",
        folder / "tests" / f"test_{values['type_name']}.py": "test.py",
    }
    if taken := next((path for path in files if path.exists()), None):
        raise ConfigError(f"{taken} exists already", hint="Choose another name.")
    entry = f'{values["type_name"]} = "{values["package"]}"'
    try:
        for path, template in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(template, values), encoding="utf-8", newline="\n")
        project.write_text(text.replace(_SECTION, f"{_SECTION}\n{entry}", 1), encoding="utf-8")
    except OSError as exc:
        raise ResultError(f"{folder} cannot be written: {exc.strerror or exc}") from exc
    return [*files, project]


def _package_of(project: Path) -> tuple[Path, str]:
    """Return the folder of the package of a plugin, and the text of its `pyproject.toml`."""
    try:
        text = project.read_text(encoding="utf-8")
        module = next(iter(tomllib.loads(text)["project"]["entry-points"]["audioclf"].values()))
    except (OSError, ValueError, KeyError, StopIteration) as exc:
        raise ConfigError(
            f"{project.parent} is not a folder of a plugin: it has no pyproject.toml with entry "
            "points of audioclf",
            hint="Make a plugin with `audioclf plugins new KIND NAME` first.",
        ) from exc
    name = str(module).partition(".")[0].partition(":")[0]
    for package in (project.parent / "src" / name, project.parent / name):
        if package.is_dir() and _SECTION in text:
            return package, text
    raise ConfigError(
        f"{project}: the package {name!r} was not found in src, or there is no line {_SECTION}",
        hint="Write the component into the module by hand: see `audioclf docs plugins`.",
    )


def _checked(name: str) -> str:
    if name.startswith(("audioclf-", "audioclf_")):
        raise ConfigError(
            f"the name {name!r} begins with audioclf, which is added anyway",
            hint=f"Call it {name[len('audioclf-') :]!r}.",
        )
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name):
        raise ConfigError(
            f"{name[: _LONGEST + 10]!r} is no name for a component: expected a lower-case letter, "
            f"then lower-case letters and digits, with single - or _ between words, at most "
            f"{_LONGEST} characters and no word of Python",
            hint="Call it as a config should, as in `spectral_flux`.",
        )
    return name


def _check_free(kind: Kind, values: Mapping[str, str], registry: Registry) -> None:
    _check_unused(kind, values, registry)
    distribution = values["distribution"]
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return
    raise ConfigError(
        f"a distribution {distribution} {version} is installed already",
        hint="Choose another name, or add the component to that plugin: --add FOLDER.",
    )


def _check_unused(kind: Kind, values: Mapping[str, str], registry: Registry) -> None:
    type_name = values["type_name"]
    for provider in registry.providers(kind):
        if provider.cls.type_name() == type_name:
            raise ConfigError(
                f"there is a {kind} {type_name!r} already, of {provider.origin}",
                hint="Choose another name: two of one name could not be used together.",
            )


def _filled(template: str, values: Mapping[str, str]) -> str:
    templates = resources.files("audioclf.starters.plugin_template") / "templates"
    text = (templates / f"{template}.tmpl").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _values(kind: Kind, name: str) -> dict[str, str]:
    """Return the values of the `$names` in the templates."""
    type_name = name.replace("-", "_")
    # The kind avoids a clash with imported names.
    class_name = "".join(map(str.capitalize, type_name.split("_"))) + kind.capitalize()
    cases = [f"{class_name}({fields})" for fields in _CASES[kind]]
    helpers = ["parametrize_with_checks"]
    if kind == "loader":
        helpers.insert(0, "example_sounds")
    return {
        "kind": kind,
        "name": name,
        "distribution": f"audioclf-{name.replace('_', '-')}",
        "package": f"audioclf_{type_name}",
        "type_name": type_name,
        "class_name": class_name,
        "words": type_name.replace("_", " "),
        "api": str(PLUGIN_API),
        "version": __version__,
        "helpers": ", ".join(helpers),
        "cases": "\n".join(f"    {case}," for case in cases),
        "use": _USES[kind].format(type_name),
    }


def _write(files: dict[str, str], target: Path) -> None:
    """Write all files aside, then give the folder its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        for path, text in files.items():
            file = aside / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        aside.chmod(0o755)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
