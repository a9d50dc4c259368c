"""Folders of the repository of which a wheel holds a copy in the package."""

from __future__ import annotations

from pathlib import Path

from audioclf.base.errors import EnvironmentMissingError


def installed_folder(name: str, probe: str) -> Path:
    """Return the folder of this name in the package, or in the checkout.

    Raises EnvironmentMissingError if no file in it matches the pattern `probe`.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / name, package.parents[1] / name):
        if any(folder.glob(probe)):
            return folder
    raise EnvironmentMissingError(
        f"this installation of audioclf lacks its {name}", hint="Install audioclf again."
    )
