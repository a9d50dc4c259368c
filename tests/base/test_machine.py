"""State of this process that a run changes."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest

from audioclf.base.machine import lean_imports, rare_gc


def test_garbage_is_collected_rarely_for_a_time() -> None:
    before = gc.get_threshold()
    with rare_gc():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before


def test_lean_imports_hide_what_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dask", raising=False)
    finders = list(sys.meta_path)
    with lean_imports():
        assert import_module("pytest") is pytest
        with pytest.raises(ModuleNotFoundError):
            import_module("dask")
        with ThreadPoolExecutor(1) as other:
            assert other.submit(sys.meta_path[0].find_spec, "dask", None).result() is None
    assert sys.meta_path == finders
