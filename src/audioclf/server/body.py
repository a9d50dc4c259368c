"""The body of a request: in memory while it is small, else in a temporary file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_SECONDS = 60.0
"""Seconds in which a client has to send a sound."""
_CHUNK_SECONDS = 10.0
"""Seconds in which a client has to send more of it."""
_IN_MEMORY = 1 << 20
"""Bytes of a sound from which on it is in a file."""
_MOST_IN_MEMORY = 64
"""Bodies in memory at a time; further ones are in files."""


class TooLargeError(Exception):
    """A body has more bytes than the server takes."""


@dataclass(eq=False)
class Bodies:
    """All bodies that are received or worked on; `max_bytes` limits each."""

    max_bytes: int
    count: int = 0

    @asynccontextmanager
    async def received(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | Path]:
        """Yield the content of a body, or its file, which is then removed.

        `TooLargeError` for a body of more than `max_bytes`, TimeoutError if it comes too slowly.
        """
        most = _IN_MEMORY if self.count < _MOST_IN_MEMORY else 0
        size, content, path = 0, bytearray(), None
        loop = asyncio.get_running_loop()
        end = loop.time() + _SECONDS
        self.count += 1
        try:
            with ExitStack() as stack:
                async with asyncio.timeout(_CHUNK_SECONDS) as limit:
                    async for chunk in chunks:
                        limit.reschedule(min(end, loop.time() + _CHUNK_SECONDS))
                        size += len(chunk)
                        if size > self.max_bytes:
                            raise TooLargeError
                        content += chunk
                        if len(content) <= most:
                            continue
                        if path is None:
                            path = Path(stack.enter_context(TemporaryDirectory()), "sound")
                        _append(path, content)
                if path is not None:
                    _append(path, content)
                yield bytes(content) if path is None else path
        finally:
            self.count -= 1


def _append(path: Path, content: bytearray) -> None:
    """Move the content to the end of a file."""
    with path.open("ab") as file:
        file.write(content)
    content.clear()
