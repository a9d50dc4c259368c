"""`audioclf cache`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioclf.base.text import human_bytes
from audioclf.cli.options import JsonOption, QuietOption, new_app, progress_on_stderr
from audioclf.cli.terminal import format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.features.cache import CacheStats, FeatureCache

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_DAYS = {"h": Decimal(1) / 24, "d": Decimal(1), "w": Decimal(7)}
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([a-z]*)")


def _size(text: str) -> int:
    return int(_quantity(text, {"": 1, **_UNITS}, "a size such as 500MB, 2GB or 1.5GiB"))


def _days(text: str) -> float:
    return float(_quantity(text, _DAYS, "an age such as 12h, 30d or 8w"))


def _quantity(text: str, units: Mapping[str, int | Decimal], expected: str) -> Decimal:
    found = _QUANTITY.fullmatch(text.strip().lower())
    if found is None or found[2] not in units:
        raise typer.BadParameter(f"{text!r} is not {expected}.")
    return Decimal(found[1]) * units[found[2]]


FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="DIR",
        help="Folder of the cache; by default $AUDIOCLF_CACHE_DIR or where the system has caches.",
        show_default=False,
    ),
]

app = new_app()


@app.callback()
def _cache() -> None:
    """Show, verify or prune the feature cache."""


@app.command()
def stats(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Show the place and the content of the cache."""
    cache = _open(folder)
    found = cache.stats()
    say(json_text(_data(cache, found)) if as_json else _text(cache, found))


@app.command()
def verify(
    folder: FolderOption = None, quiet: QuietOption = False, as_json: JsonOption = False
) -> None:
    """Read every entry and remove the damaged ones."""
    cache = _open(folder)
    with progress_on_stderr(quiet=quiet, stage="verify") as progress:
        found = cache.verify(partial(progress, "verify"))
    if as_json:
        data = {"checked": found.checked, "damaged": list(found.damaged)}
        say(json_text({"folder": str(cache.folder), **data}))
        return
    damaged = len(found.damaged)
    verdict = f"{damaged} damaged and removed; the next run computes what is missing"
    say(f"{_entries(found.checked)} checked, {verdict if damaged else 'none damaged'}")


@app.command()
def prune(
    folder: FolderOption = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            parser=_size,
            metavar="SIZE",
            help="Most that stays, such as 2GB; without this and --older-than, 10GiB.",
            show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(
            parser=_days,
            metavar="AGE",
            help="Remove what was not used for that long, such as 30d.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the entries that were used longest ago."""
    cache = _open(folder)
    if max_size is None and older_than is None:
        max_size = cache.max_bytes
    removed = cache.prune(max_size, older_than)
    left = cache.stats()
    if as_json:
        data = {"removed": removed.entries, "removed_bytes": removed.bytes}
        say(json_text({**data, **_data(cache, left)}))
        return
    gone = f"{_entries(removed.entries)} removed ({human_bytes(removed.bytes)})"
    say(f"{gone}, {_entries(left.entries)} left ({human_bytes(left.bytes)})")


def _open(folder: Path | None) -> FeatureCache:
    from audioclf.features.cache import FeatureCache, default_folder

    return FeatureCache(default_folder() if folder is None else folder)


def _data(cache: FeatureCache, found: CacheStats) -> dict[str, Any]:
    return {
        "folder": str(cache.folder),
        "entries": found.entries,
        "bytes": found.bytes,
        "oldest_use": _moment(found.oldest),
        "newest_use": _moment(found.newest),
        "outdated": found.outdated,
    }


def _text(cache: FeatureCache, found: CacheStats) -> str:
    if not found.entries:
        return f"{cache.folder}: empty"
    rows = [
        ("entries", str(found.entries)),
        ("size", human_bytes(found.bytes)),
        ("oldest use", str(_moment(found.oldest))),
        ("newest use", str(_moment(found.newest))),
        ("outdated", f"{found.outdated} of an earlier format"),
    ]
    return format_table(("cache", str(cache.folder)), rows[: None if found.outdated else -1])


def _entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    year_9999 = 253_402_300_799.0
    return datetime.fromtimestamp(min(seconds, year_9999), UTC).isoformat(timespec="minutes")
