"""Results of audits in the cache: found again for the same parts, computed for all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audioclf.audio.settings import AudioConfig
from audioclf.audit.remembered import Part, Remember, remembered_in

PARTS: list[Part] = ["one", np.arange(6).reshape(2, 3)]
RESULT = {"b": [1, 0.1, float("inf")], "a": None}


def refuse() -> object:
    raise AssertionError("it is computed again")


def in_cache(folder: Path | None, sr: int = 8000) -> Remember:
    with remembered_in(folder, AudioConfig(sr=sr)) as remember:
        remember("search", PARTS, lambda: RESULT)
    with remembered_in(folder, AudioConfig(sr=8000)) as remember:
        return remember


def test_a_result_is_found_again_with_the_order_of_its_keys(tmp_path: Path) -> None:
    result = in_cache(tmp_path)("search", PARTS, refuse)
    assert list(result.items()) == list(RESULT.items())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("other", PARTS),
        ("search", PARTS[:1]),
        ("search", ["two", *PARTS[1:]]),
        ("search", ["one", np.arange(6)]),
        ("search", ["one", np.arange(6, dtype=np.float32).reshape(2, 3)]),
    ],
    ids=["name", "fewer", "text", "shape", "type"],
)
def test_anything_else_is_computed(tmp_path: Path, name: str, parts: list[Part]) -> None:
    assert in_cache(tmp_path)(name, parts, lambda: "new") == "new"


def test_another_setting_and_no_cache_compute(tmp_path: Path) -> None:
    assert in_cache(tmp_path, sr=16000)("search", PARTS, lambda: "new") == "new"
    assert in_cache(None)("search", PARTS, lambda: ("new",)) == ["new"]


def test_a_damaged_result_is_computed_again(tmp_path: Path) -> None:
    in_cache(tmp_path)
    (pack,) = (path for path in tmp_path.rglob("*") if b"Infinity" in _content(path))
    pack.write_bytes(_content(pack).replace(b"Infinity", b"infinity"))
    with remembered_in(tmp_path, AudioConfig(sr=8000)) as remember:
        assert remember("search", PARTS, lambda: "new") == "new"


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
