"""Upper bounds on untrusted files.

Each is far above the needs of a classifier and far below any harm to a machine, and is checked
before memory is allocated. `limits_in_force()` returns those that a config or `predict --limit` set
wherever files are read: in loaders, threads, worker processes and on other machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, fields
from difflib import get_close_matches
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from audioclf.base.errors import ConfigError

MIB = 1 << 20
GIB = 1 << 30

Count = Annotated[int, Ge(1)]


@dataclass(
    frozen=True, slots=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True)
)
class Limits:
    """Upper and lower bounds for zip archives, audio files and configs.

    >>> Limits(max_seconds=7200.0).max_seconds
    7200.0
    """

    max_entries: Count = 200_000
    """Entries of one archive, folders and junk included."""

    max_entry_bytes: Count = 512 * MIB
    """Size of one entry in bytes, as stored and unpacked; size of a remote file."""

    max_total_bytes: Count = 64 * GIB
    """Size of all entries of one archive in bytes, unpacked."""

    max_ratio: Count = 250
    """Unpacked size over stored size, of one entry and of an archive, where the unpacked size
    exceeds `ratio_floor_bytes`. One second of silence alone packs 341:1."""

    ratio_floor_bytes: Count = 256 * MIB
    """Unpacked size in bytes up to which no ratio is refused."""

    max_name_bytes: Count = 1024
    """Length of an entry's name in bytes, as UTF-8."""

    max_depth: Count = 32
    """Folders above an entry."""

    min_sr: Count = 1_000
    """Least sample rate of a file in Hz."""

    max_sr: Count = 768_000
    """Greatest sample rate of a file in Hz."""

    max_channels: Count = 64
    """Channels of a file."""

    max_seconds: float = Field(default=1800.0, gt=0, allow_inf_nan=False)
    """Length in s of the part of a file that is decoded at once."""

    max_samples: Count = 1 << 28
    """Frames times channels of the part that is decoded, and samples after resampling."""

    max_chunks: Count = 1000
    """Chunks of one RIFF or AIFF file."""

    max_amplitude: float = Field(default=1e4, gt=0, allow_inf_nan=False)
    """Absolute value of a sample; full scale is 1."""

    max_config_bytes: Count = 256 * 1024
    """Size of a config file in bytes. No config can raise it; Python can."""

    max_config_depth: Count = 32
    """Levels of nesting of a config file. No config can raise it; Python can."""

    def changed(self) -> dict[str, Any]:
        """Return the limits that are not the default ones, by name."""
        return {k: v for k, v in asdict(self).items() if v != getattr(DEFAULT_LIMITS, k)}


DEFAULT_LIMITS = Limits()
"""The limits that hold unless others are set."""

_in_force: ContextVar[Limits] = ContextVar("limits", default=DEFAULT_LIMITS)


def limits_in_force() -> Limits:
    """Return the limits that hold here: those of `use_limits`, else `DEFAULT_LIMITS`."""
    return _in_force.get()


@contextmanager
def use_limits(limits: Limits) -> Iterator[None]:
    """Apply other limits inside of the `with` block, in this thread.

    >>> with use_limits(Limits(max_channels=128)):
    ...     limits_in_force().max_channels
    128
    """
    token = _in_force.set(limits)
    try:
        yield
    finally:
        _in_force.reset(token)


def raised_by(name: str) -> str:
    """Return the end of a message: how to raise the limit that refused a file."""
    return f"; limits.{name} accepts more"


def parse_limits(settings: Iterable[str]) -> Limits:
    """Return the limits that `name=value` texts set.

    >>> parse_limits(["max_seconds=7200"]).changed()
    {'max_seconds': 7200.0}
    """
    values: dict[str, str] = {}
    names = [field.name for field in fields(Limits)]
    for setting in settings:
        name, equals, value = setting.partition("=")
        if name not in names:
            near = get_close_matches(name, names)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
            raise ConfigError(f"--limit {setting}: no limit is called {name!r}", hint=hint)
        if not equals:
            raise ConfigError(f"--limit {setting}: expected {name}=VALUE")
        values[name] = value
    try:
        return TypeAdapter(Limits).validate_python(values)
    except ValidationError as exc:
        error = exc.errors()[0]
        name = str(error["loc"][0])
        expected = error["msg"].removeprefix("Input should be ")
        raise ConfigError(f"--limit {name}={values[name]}: expected {expected}") from None
