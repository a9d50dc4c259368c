"""Refusal of requests by pages of other sites, and the headers of our own pages."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Names of this machine for itself."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' blob:; connect-src 'self'; img-src data:; media-src blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Refusal(NamedTuple):
    """Status and message of an answer that refuses a request."""

    status: int
    message: str
    hint: str | None = None


def refusal(host: str, origin: str | None, hosts: Collection[str]) -> Refusal | None:
    """Return why a request is refused, from its headers Host and Origin, else None.

    `hosts` are the names of the server without a port; `*` is any.
    """
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in hosts and "*" not in hosts:
        hint = "Name it with --allow-host, if clients call this server so."
        return Refusal(400, f"this server is not called {name!r}", hint)
    if origin is not None and origin.partition("://")[2] != host:
        return Refusal(403, "requests by pages of another site are refused")
    return None
