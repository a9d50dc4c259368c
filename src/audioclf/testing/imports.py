"""Libraries that the source code of a plugin imports, with the distributions that bring them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

_NOT_NUMERIC = frozenset(("annotated_types", "audioclf", "pydantic", "typing_extensions"))


def canonical_name(distribution: str) -> str:
    """Return the name of a distribution as package indexes compare it.

    >>> canonical_name("Typing_Extensions")
    'typing-extensions'
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported_libraries(module: str) -> dict[str, set[str]]:
    """Return the distributions of each library that the package of a module imports.

    Of audioclf itself, only the module counts. The standard library, libraries that are not
    installed, and those that compute nothing are left out.
    """
    package = module.partition(".")[0]
    names = {name for path in _sources(module, package) for name in _imported(path)}
    names -= {package, *_NOT_NUMERIC, *sys.stdlib_module_names}
    installed = _distributions()
    return {name: installed[name] for name in sorted(names) if name in installed}


def _sources(module: str, package: str) -> list[Path]:
    own = sys.modules[module].__file__
    folders = getattr(sys.modules[package], "__path__", ()) if package != "audioclf" else ()
    files = [path for folder in folders for path in Path(folder).rglob("*.py")]
    return files or ([Path(own)] if own else [])


def _imported(path: Path) -> Iterator[str]:
    """Yield the top-level names that a file imports, except for annotations."""
    waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        waiting.extend(ast.iter_child_nodes(node))


@cache
def _distributions() -> dict[str, set[str]]:
    found = metadata.packages_distributions()
    return {name: set(map(canonical_name, owners)) for name, owners in found.items()}
