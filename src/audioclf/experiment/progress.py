"""Progress of a run: which work to report when it is interrupted, and which was reused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.base.errors import AudioclfError
from audioclf.base.progress import Progress
from audioclf.runs.folder import earlier_fits
from audioclf.runs.working_folder import FIT_CACHE

if TYPE_CHECKING:
    from audioclf.evaluation.fit_cache import FitCache
    from audioclf.features.worker import CacheUse

_RESUME = "run the same command to go on"


class RunProgress:
    """Which work of a run is finished, and is kept if the run is interrupted now."""

    def __init__(self, folder: Path, *, cached: bool) -> None:
        from audioclf.features.worker import CacheUse

        self.folder = folder
        self.cached = cached
        self.cache_use: CacheUse = CacheUse()
        self.fit_cache: FitCache | None = None
        self._done: dict[str, tuple[int, int]] = {}
        self._finished = False

    def recording(self, progress: Progress) -> Progress:
        """Return a callable that records each step here and then calls `progress`."""

        def record(stage: str, done: int, total: int, detail: str = "", /) -> None:
            self._done[stage] = done, total
            progress(stage, done, total, detail)

        return record

    @contextmanager
    def noted_when_stopped(self) -> Iterator[None]:
        """Add a summary to the exception that stops the run."""
        try:
            yield
        except KeyboardInterrupt as exc:
            exc.add_note(self.summary())
            raise
        except AudioclfError as exc:
            if self.fit_cache is not None and not self._finished and self._fits_done():
                exc.hint = " ".join(filter(None, (exc.hint, f"{self.summary()}.")))
            raise

    def finish(self) -> None:
        """Record that all results are written, and delete the fits that are kept in the folder."""
        if self.fit_cache is not None:
            self.fit_cache.store.close()
        shutil.rmtree(self.folder / FIT_CACHE, ignore_errors=True)
        self._finished = True

    def fits(self) -> dict[str, int]:
        """Return the number of all fits so far, and of those that earlier runs have done."""
        _, total = self._fits()
        return {"total": total, "resumed": 0 if self.fit_cache is None else self.fit_cache.earlier}

    def summary(self) -> str:
        """Return which work is finished, and how to go on."""
        if self._finished:
            return f"all results are in {self.folder}; `audioclf report` writes its page"
        if done := self._fits_done():
            kept = 0 if self.fit_cache is None else self.fit_cache.kept
            which = "" if kept >= done else f"{kept} of them "
            _, total = self._fits()
            return f"{done} of {total} fits done and {which}kept; {_RESUME}"
        done, total = self._done.get("reading", (0, 0))
        if not done:
            return f"nothing is done yet; {_RESUME}"
        if not self.cached or self.cache_use.warnings:
            return f"{done} of {total} clips done, but not cached: the same command reads them anew"
        return f"{done} of {total} clips done and cached; {_RESUME}"

    def remarks(self, fits: Mapping[str, int]) -> Iterator[str]:
        """Yield remarks on this run that do not concern its numbers, with the result of `fits`."""
        if self.fit_cache is None:
            return
        if earlier := earlier_fits(fits):
            yield earlier
        if damaged := self.fit_cache.store.damaged:
            yield f"{damaged} damaged {'fit' if damaged == 1 else 'fits'} done again"
        if self.fit_cache.warning is not None:
            yield self.fit_cache.warning

    def _fits_done(self) -> int:
        return self._fits()[0]

    def _fits(self) -> tuple[int, int]:
        """Return how many fits are done, and how many there are, with those of a learning curve."""
        stages = [self._done.get(stage, (0, 0)) for stage in ("fitting", "curve")]
        return sum(done for done, _ in stages), sum(total for _, total in stages)
