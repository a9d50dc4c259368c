"""Extensions that touch one module: each is defined here and used through the public path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from audioclf.base.errors import EXIT_USAGE
from audioclf.predict.formats import FORMATS, Line, OutputFormat, Place
from tests.conftest import run_cli
from tests.models.making import made
from tests.predict.making import recording


class LengthsFormat(OutputFormat):
    """The number of seconds of each line."""

    name = "lengths"
    suffixes = (".len",)
    content = "seconds"
    needs_windows = True

    @override
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        for line in lines:
            yield f"{line.end - line.start:g}\n"


def test_an_output_format_of_predict_is_one_class_and_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, wav = made(tmp_path / "m.audioclf"), recording(tmp_path / "a.wav", 0.6)
    assert run_cli("predict", bundle, wav, "--format", "lengths").returncode == EXIT_USAGE
    monkeypatch.setitem(FORMATS, "lengths", LengthsFormat)
    named = run_cli("predict", bundle, wav, "--format", "lengths", "--window", "0.2")
    assert (named.returncode, named.stdout) == (0, "0.2\n" * 3)
    out = tmp_path / "o.len"
    assert run_cli("predict", bundle, wav, "--out", out, "--window", "0.2").returncode == 0
    assert out.read_text() == named.stdout
    without = run_cli("predict", bundle, wav, "--format", "lengths")
    assert "the format lengths is made of windows\n  Add --window, in s." in without.stderr
