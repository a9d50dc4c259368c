"""State of this process that a run changes."""

from __future__ import annotations

import gc

from audioclf.base.machine import rare_gc


def test_garbage_is_collected_rarely_for_a_time() -> None:
    before = gc.get_threshold()
    with rare_gc():
        assert gc.get_threshold() > before
    assert gc.get_threshold() == before
