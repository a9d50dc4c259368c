"""Builds the documentation as a site: `make site`.

The pages are copied to build/pages with the layout of the repository, so that their links are valid
there too. The navigation follows the headings and tables of docs/README.md. MkDocs checks links.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
BUILD = REPO / "build"
PAGES = BUILD / "pages"
PATTERNS = (
    "*.md",
    "LICENSE",
    "configs/*.yaml",
    "data/*.md",
    "data/*.py",
    "docs/**/*.md",
    "docs/**/*.ipynb",
    "docs/pictures/*",
    "docs/site/extra.css",
    "plugins/*/*.md",
)
LINK = re.compile(r"\]\(([^)#:\s]+)")


def copy_pages() -> None:
    """Copy everything that pages show or link to; a notebook becomes a page."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for source in sorted({path for pattern in PATTERNS for path in REPO.glob(pattern)}):
        target = PAGES / source.relative_to(REPO)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text = source.read_text(encoding="utf-8").replace(".ipynb)", ".md)")
            target.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(source, target)
        if source.suffix == ".ipynb":
            page = "\n\n".join(notebook_parts(json.loads(source.read_text(encoding="utf-8"))))
            target.with_suffix(".md").write_text(page + "\n", encoding="utf-8")


def notebook_parts(notebook: dict[str, Any]) -> Iterator[str]:
    """Yield the cells of a notebook and their outputs in Markdown."""
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield text
            continue
        yield f"```python\n{text}\n```"
        for output in cell["outputs"]:
            shown = "".join(output.get("text") or output["data"]["text/plain"]).rstrip()
            yield f"```text\n{shown}\n```"


def navigation() -> list[dict[str, Any]]:
    """Return the navigation: the headings and links of docs/README.md, in their order."""
    tabs: list[dict[str, Any]] = []
    pages: list[Any] = []
    placed: set[str] = set()
    for line in (PAGES / "docs" / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            pages = ["README.md"] if not tabs else []
            tabs.append({line[3:]: pages})
        elif line.startswith("### "):
            group: list[Any] = []
            tabs[-1][next(iter(tabs[-1]))].append({line[4:]: group})
            pages = group
        elif line.startswith("| [") and (link := LINK.search(line)):
            path = (PAGES / "docs" / link[1]).resolve().relative_to(PAGES.resolve())
            new = [page for page in (str(path), *pages_below(path)) if page not in placed]
            pages += new
            placed.update(new)
    tabs[0][next(iter(tabs[0]))].append("docs/README.md")
    return tabs


def pages_below(index: Path) -> list[str]:
    """Return the other pages of its folder that a README links to, in its order."""
    if index.name != "README.md":
        return []
    links = LINK.findall((PAGES / index).read_text(encoding="utf-8"))
    paths = [str(index.parent / name) for name in links if "/" not in name]
    return list(dict.fromkeys(path for path in paths if path.endswith(".md")))


def main() -> int:
    """Build the site; return the exit code of MkDocs."""
    copy_pages()
    config = BUILD / "mkdocs.yml"
    nav = json.dumps(navigation(), indent=1, ensure_ascii=False)
    config.write_text(f"INHERIT: ../docs/site/mkdocs.yml\nnav: {nav}\n", encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(config)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, check=False, env=quiet).returncode  # noqa: S603  constant


if __name__ == "__main__":
    sys.exit(main())
