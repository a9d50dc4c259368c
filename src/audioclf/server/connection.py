"""Connections of clients, each of which has to send the head of its next request in time."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 10.0
"""Seconds for the head of a request: from the connection, or from the answer before, on."""


class Connection(HttpToolsProtocol):
    """A connection of uvicorn that is closed if no whole head of a request arrives in time.

    uvicorn limits only the silence after an answer: a client that sends nothing, or a byte of a
    header now and then, would keep its connection.
    """

    _late: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def on_headers_complete(self) -> None:
        """Wait no longer; the body has limits of its own."""
        self._late.cancel()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it has arrived already."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._late.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(SECONDS, self.timeout_keep_alive_handler)
