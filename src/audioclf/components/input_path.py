"""Paths of input files in configs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from audioclf.dataset.remote import is_url


def _input_path(
    value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> Path | str:
    if is_url(value):
        return str(value)
    path: Path = validate(value).expanduser()
    context = info.context or {}
    typed = value in context.get("typed", ())
    base = Path.cwd() if typed else context.get("base_dir")
    return path if base is None or path.is_absolute() else Path(base, path)


if TYPE_CHECKING:
    InputPath = Path | str
else:
    InputPath = Annotated[Path, WrapValidator(_input_path)]
    """A path relative to the config file, as a `Path`; or a URL, as a `str`."""
