"""Decoders of plugins: files that no reader of ours accepts, by a decoder made up here."""

from collections.abc import Iterator
from importlib import metadata
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest

from audioclf.audio.decode import decode, inspect
from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import DecodeError
from audioclf.components.discovery import discover
from audioclf.dataset import decoders
from audioclf.dataset.path_labels import is_audio
from audioclf.dataset.sources import PartSource, Span
from audioclf.plugin import Decoder
from tests.conftest import run_cli
from tests.hostile.files import MemorySource, wav

MAGIC = b"toy audio "
RAMP = MAGIC + np.arange(16_000, dtype="<i2").tobytes()


class Toy(Decoder):
    """16-bit samples at 16 kHz behind ten letters."""

    suffixes = frozenset({".toy"})

    def kind(self, head: bytes) -> str | None:
        return "TOY" if head.startswith(MAGIC) else None

    def open(self, stream: BinaryIO, kind: str) -> Any:
        y = np.frombuffer(stream.read()[10:], "<i2").astype(np.float32)[:, None] / 2**15
        if len(y) == 1:
            raise ValueError("one\nsample")
        return SimpleNamespace(
            subtype="RAMP", sr=16_000, channels=1, frames=len(y), warnings=(),
            read=lambda start, count: y[start : start + count], close=lambda: None,
        )  # fmt: skip


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Toy]]:
    def entry_points(group: str) -> list[metadata.EntryPoint]:
        names = {"toy": "Toy", "broken": "Gone", "other": "wav"}
        found = [metadata.EntryPoint(n, f"{__name__}:{v}", group) for n, v in names.items()]
        return found if group == decoders.GROUP else []

    monkeypatch.setattr("audioclf.dataset.decoders.metadata.entry_points", entry_points)
    decoders._installed.cache_clear()
    yield Toy
    decoders._installed.cache_clear()


def source(data: bytes = RAMP, name: str = "a.toy") -> MemorySource:
    return MemorySource(data, name)


@pytest.mark.usefixtures("toy")
def test_a_decoder_reads_a_file_like_any_other() -> None:
    assert inspect(source()) == AudioInfo("TOY", "RAMP", 16_000, 1, 16_000)
    whole = decode(source(), AudioConfig(sr=16_000)).y
    part = decode(PartSource(source(), Span(0.25, 0.5)), AudioConfig(sr=16_000)).y
    assert (part == whole[4000:8000]).all()
    with open_stream(source(), 16_000) as stream:
        assert (np.concatenate(list(stream.blocks)) == whole).all()
    assert inspect(source(name="a.wav")).warnings == ("TOY data in a file named .wav",)
    assert inspect(source(wav(), "a.toy")).container == "WAV"


def test_names_of_its_files_are_audio(toy: type[Toy], monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_audio("dog/1.TOY")
    monkeypatch.setenv(decoders.DISABLE_VARIABLE, "toy")
    assert not is_audio("dog/1.TOY")
    with pytest.raises(DecodeError, match="not WAV/FLAC"):
        inspect(source())


@pytest.mark.usefixtures("toy")
def test_what_a_decoder_raises_refuses_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DecodeError) as caught:
        inspect(source(RAMP[:12]))
    assert caught.value.message == "a.toy: TOY audio that cannot be decoded: one sample"
    bad = SimpleNamespace(
        subtype="", sr=16_000, channels=2, frames=9, warnings=(),
        read=lambda start, count: np.zeros((count, 1)), close=lambda: None,
    )  # fmt: skip
    monkeypatch.setattr(Toy, "open", lambda self, stream, kind: bad)
    with pytest.raises(DecodeError, match=r"the decoder gave float64 \(9, 1\)"):
        decode(source(), AudioConfig())


@pytest.mark.usefixtures("toy")
def test_decoders_are_listed_with_the_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {record.origin.entry_point: record for record in discover().plugins}
    assert (found["toy"].status, found["toy"].decodes) == ("ok", (".toy",))
    assert found["broken"].status == "failed"
    assert "has no attribute 'Gone'" in found["broken"].reason
    assert found["other"].reason.endswith("is no subclass of Decoder")
    assert "decodes .toy" in run_cli("plugins", code=0).stdout
