"""Structure of the source tree, beyond the layers that import-linter checks."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp

import audioclf

ROOT = Path(audioclf.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LAZY_TABLES = {"__init__.py", "cli/__init__.py"}
MOST_LINES = 400
IMPORTED = re.compile(r"^ *from audioclf[\w.]* import (\([^)]*\)|.*)", re.MULTILINE)

LIGHT = """
import importlib, pkgutil, sys
names = ["audioclf.plugin", "audioclf.config.loading"]
for package in ("audioclf.components", "audioclf.base"):
    folder = importlib.import_module(package).__path__
    names += [module.name for module in pkgutil.iter_modules(folder, package + ".")]
for name in names:
    importlib.import_module(name)
    heavy = {"numpy", "scipy", "sklearn", "librosa"} & set(sys.modules)
    assert not heavy, f"{name} imports {heavy}"
"""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_what_starts_a_command_imports_no_heavy_library() -> None:
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_only_the_lazy_tables_import_our_modules_by_name() -> None:
    """A hidden import would dodge the layers; a name that comes from data is one of a plugin."""
    hidden = {relative(path) for path in FILES if names_module(path.read_text("utf-8"))}
    assert hidden <= LAZY_TABLES


def names_module(source: str) -> bool:
    if "import_module" not in source:
        return False
    nodes = list(ast.walk(ast.parse(source)))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    calls = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    return any("import_module" in call for call in calls) and any(
        isinstance(text, str) and re.match(r"audioclf\.\w", text) for text in texts
    )


def test_no_private_name_is_imported_from_another_module() -> None:
    private = {
        f"{relative(path)}: {name}"
        for path in FILES
        for names in IMPORTED.findall(path.read_text("utf-8"))
        for name in re.findall(r"(?<!as )\b_\w+", names)
    }
    assert {name.rpartition(": ")[2] for name in private} <= {"__version__", "_version"}, private


def test_no_file_is_too_long() -> None:
    lengths = {relative(path): path.read_text("utf-8").count("\n") for path in FILES}
    too_long = {name for name, length in lengths.items() if length > MOST_LINES}
    assert too_long == set()


def test_four_loose_modules_stand_at_the_top() -> None:
    loose = {path.name for path in ROOT.glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "_version.py", "plugin.py"}


def test_there_is_no_circle_of_files() -> None:
    """A module whose imports are all done can be taken away; a circle is what remains."""
    graph = grimp.build_graph("audioclf")
    open_imports = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    while done := {module for module, imported in open_imports.items() if not imported}:
        open_imports = {
            module: imported - done
            for module, imported in open_imports.items()
            if module not in done
        }
    assert open_imports == {}
