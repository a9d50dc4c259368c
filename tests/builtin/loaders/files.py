"""Files of datasets for the tests of loaders: each holds its own name."""

import zipfile
from pathlib import Path

from audioclf.plugin import Dataset


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as writer:
        for name in names:
            writer.writestr(name, name)
    return path


def labels(found: Dataset) -> dict[str, str]:
    return {clip.id: clip.label for clip in found}


def content(found: Dataset) -> dict[str, str]:
    contents = {}
    for clip in found:
        with clip.source.open() as stream:
            contents[clip.id] = stream.read().decode()
    return contents
