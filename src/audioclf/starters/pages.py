"""Pages of the documentation in the installation, which `audioclf docs` prints.

The folder `docs` of the repository is the only source. A wheel holds a copy of the pages for users.
"""

from __future__ import annotations

from pathlib import Path

from audioclf.base.errors import ConfigError
from audioclf.components.registry import suggest
from audioclf.starters.installed import installed_folder

FOLDERS = ("start", "guides", "reference")


def pages() -> dict[str, Path]:
    """Return the pages by topic, such as `plugins` or `classifier-svm`, in the order of reading."""
    root = installed_folder("docs", f"{FOLDERS[0]}/*.md")
    found = [path for folder in FOLDERS for path in sorted((root / folder).glob("*.md"))]
    return {path.stem: path for path in found if path.stem != "README"}


def page_of(topic: str) -> Path:
    """Return the page of a topic, of a component such as `svm`, or of the path of a page.

    Raises ConfigError with the nearest topics for an unknown one.
    """
    known = pages()
    name = topic.lower().rpartition("/")[2].removesuffix(".md").replace("-", "_")
    by_name = {stem.replace("-", "_"): stem for stem in known}
    for stem in (name, f"loader_{name}", f"featurizer_{name}", f"classifier_{name}"):
        if stem in by_name:
            return known[by_name[stem]]
    hint = f"{suggest(name, by_name)} `audioclf docs` lists all pages.".lstrip()
    raise ConfigError(f"there is no page on {topic!r}", hint=hint)


def title_of(page: Path) -> str:
    """Return the title of a page: its first heading."""
    with page.open(encoding="utf-8") as stream:
        lines = (line for line in stream if line.startswith("# "))
        return next(lines, page.stem).lstrip("# ").rstrip()
