"""How far a run has come: what is told when it is stopped, and what it needed not do again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.base.errors import AudioclfError

if TYPE_CHECKING:
    from audioclf.evaluation.fit_cache import FitCache
    from audioclf.features.extraction import CacheUse

Progress = Callable[[str, int, int], None]

_AGAIN = "run the same command to go on"


class RunProgress:
    """What of a run is finished, and stays so if the run is stopped now.

    Parameters
    ----------
    folder : Path
        Of the run.
    cached : bool
        Whether features are kept in the cache.

    Attributes
    ----------
    cache_use : CacheUse
        Filled by the extraction.
    kept : FitCache or None
        The fits that are done.
    """

    def __init__(self, folder: Path, *, cached: bool) -> None:
        from audioclf.features.extraction import CacheUse

        self.folder = folder
        self.cached = cached
        self.cache_use: CacheUse = CacheUse()
        self.kept: FitCache | None = None
        self._done: dict[str, tuple[int, int]] = {}
        self._finished = False

    def watching(self, progress: Progress) -> Progress:
        """Return a progress that is also noted here."""

        def noted(stage: str, done: int, total: int) -> None:
            self._done[stage] = done, total
            progress(stage, done, total)

        return noted

    @contextmanager
    def told(self) -> Iterator[None]:
        """Add to whatever stops the run what of it is finished."""
        try:
            yield
        except KeyboardInterrupt as exc:
            exc.add_note(self.words())
            raise
        except AudioclfError as exc:
            if self.kept is not None and not self._finished and self._fits_done():
                exc.hint = " ".join(filter(None, (exc.hint, f"{self.words()}.")))
            raise

    def finish(self) -> None:
        """Note that all results are written; what was kept of them can go."""
        if self.kept is not None:
            self.kept.discard()
        self._finished = True

    def fits(self) -> dict[str, int]:
        """Return the number of all fits, and of those that were done before the run was stopped."""
        _, total = self._done.get("fitting", (0, 0))
        return {"total": total, "resumed": 0 if self.kept is None else self.kept.found}

    def words(self) -> str:
        """Say what is finished, and how to go on."""
        if self._finished:
            return f"all results are in {self.folder}; `audioclf report` writes its page"
        if done := self._fits_done():
            kept = 0 if self.kept is None else self.kept.found + self.kept.written
            which = "" if kept >= done else f"{kept} of them "
            _, total = self._done["fitting"]
            return f"{done} of {total} fits done and {which}kept in {self.folder}; {_AGAIN}"
        done, total = self._done.get("reading", (0, 0))
        if not done:
            return f"nothing is done yet; {_AGAIN}"
        if not self.cached or self.cache_use.warnings:
            return f"{done} of {total} clips done, but not cached: the same command reads them anew"
        return f"{done} of {total} clips done and cached; {_AGAIN}"

    def remarks(self) -> Iterator[str]:
        """Yield what befell this run and is no property of its numbers."""
        if self.kept is None:
            return
        if found := self.kept.found:
            total = self.fits()["total"]
            yield f"{found} of {total} fits were done before this run was stopped, and are used"
        if damaged := self.kept.damaged:
            yield f"{damaged} damaged {'fit' if damaged == 1 else 'fits'} done again"
        if self.kept.warning is not None:
            yield self.kept.warning

    def _fits_done(self) -> int:
        return self._done.get("fitting", (0, 0))[0]
