"""`audioclf listen`: the sound of a pipe or a microphone, as it arrives."""

import csv
import io
import json
import subprocess
import sys
import time
import types
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from shlex import quote

import numpy as np
import pytest
import soundfile

from audioclf.audio.live import Block, open_pipe
from audioclf.base.errors import DecodeError
from audioclf.models.bundle.reading import load
from audioclf.models.windows import Cutting
from audioclf.predict.events import EventRule
from audioclf.predict.scoring import Shared
from audioclf.predict.settings import Settings
from audioclf.server.workers import Request, _predict
from tests.conftest import run_cli, write_wav
from tests.models.making import made
from tests.predict.making import noise

SR = 8000


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return made(tmp_path / "m.audioclf")


def raw(y: np.ndarray, encoding: str = "s16") -> bytes:
    if encoding == "f32":
        return y.astype("<f4").tobytes()
    bits = int(encoding[1:])
    whole = np.round(y.astype(np.float64) * 2 ** (bits - 1)).astype("<i4")
    return bytes(whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes())


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def send(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return send


def rows(output: str) -> list[list[str]]:
    return [line.split(",") for line in output.splitlines()]


@pytest.mark.parametrize("suffix", ["raw", "wav"])
@pytest.mark.parametrize("sr", [SR, 11_025])
def test_a_file_on_the_pipe_gives_the_windows_of_predict(
    bundle: Path, tmp_path: Path, pipe: Callable[[bytes], None], suffix: str, sr: int
) -> None:
    path = write_wav(tmp_path / "a.wav", noise(2.0, sr), sr)
    content = path.read_bytes()
    pipe(content if suffix == "wav" else content[44:])
    options = ["--window", "0.5", "--hop", "0.2"]
    predicted = run_cli("predict", bundle, path, *options, "--partial", "drop", code=0)
    rate = ["--rate", str(sr)] if suffix == "raw" else []
    heard = run_cli("listen", bundle, "-", *options, *rate, "--format", "csv", code=0)
    assert [row[1:-1] for row in rows(heard.stdout)] == [row[1:] for row in rows(predicted.stdout)]
    assert len(rows(heard.stdout)) == 9


def test_windows_and_events_of_a_detector_have_p_values(
    tmp_path: Path, pipe: Callable[[bytes], None]
) -> None:
    detector = made(tmp_path / "m.audioclf", "nearest_normal", normal="barbie", lost=0.5)
    path = write_wav(tmp_path / "a.wav", noise(2.0, SR), SR)
    window, tables = ["--window", "0.5"], []
    for more in ([], ["--events", "--threshold-off", "0.1"]):
        predicted = run_cli("predict", detector, path, *window, *more, code=0)
        pipe(path.read_bytes())
        heard = run_cli("listen", detector, "-", *window, *more, "--format", "csv", code=0)
        rows = [list(csv.DictReader(io.StringIO(done.stdout))) for done in (predicted, heard)]
        columns = ("start", "label", "score", "p_value")
        first, second = ([[row[name] for name in columns] for row in table] for table in rows)
        assert first == second
        tables.append(rows[0])
    windows, events = tables
    strangest = max(windows, key=lambda row: float(row["score_ken"]))
    found = {float(row["score"]): row["p_value"] for row in events if row["label"] == "ken"}
    assert found[float(strangest["score_ken"])] == strangest["p_value"]
    request = Request(path, Settings(Cutting.of(0.5, None, SR, "drop"), EventRule()))
    answer = json.loads(_predict(request, Shared(load(detector), compares=False)))
    assert [f"{row['p_value']:.6f}" for row in answer["windows"]] == [r["p_value"] for r in windows]
    assert all("p_value" in event for event in answer["events"])


def test_events_have_clock_times_and_their_sound_is_kept(
    bundle: Path, tmp_path: Path, pipe: Callable[[bytes], None]
) -> None:
    y = noise(1.0)
    pipe(raw(y))
    clips = tmp_path / "clips"
    options = ["--window", "0.2", "--events", "--keep-clips", str(clips), "--rate", str(SR)]
    began = datetime.now().astimezone()
    done = run_cli("listen", bundle, "-", *options, code=0)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events
    assert (events[0]["start"], events[-1]["end"]) == (0.0, 1.0)
    lag = (datetime.fromisoformat(events[0]["time"]) - began).total_seconds()
    assert -1.5 < lag < 60
    kept = [soundfile.read(path)[0] for path in sorted(clips.iterdir())]
    assert len(kept) == len(events)
    np.testing.assert_allclose(np.concatenate(kept), y, atol=2**-15)


@pytest.mark.parametrize("encoding", ["s16", "s24", "s32", "f32"])
def test_samples_of_each_kind_arrive_in_order(encoding: str) -> None:
    y = noise(0.5, channels=2)
    left = io.BytesIO(raw(y, encoding) + b"\1")
    incoming = open_pipe(left, encoding, SR, 2, 5.0)
    frames = [block.frames for block in incoming.blocks if block is not None]
    np.testing.assert_allclose(np.concatenate(frames), y, atol=2**-15)


class Slow(io.RawIOBase):
    """A recorder that stalls between two parts of its sound."""

    def __init__(self, parts: list[bytes], stalled: Callable[[], None]) -> None:
        self.parts, self.stalled = parts, stalled

    def read(self, size: int = -1) -> bytes:
        if not self.parts:
            return b""
        part = self.parts[0]
        self.parts[0] = part[size:]
        if not self.parts[0]:
            self.parts.pop(0)
            self.stalled()
        return part[:size]


def test_a_stalled_recorder_is_waited_for() -> None:
    sound = raw(noise(0.3))
    slow = Slow([sound, sound], lambda: time.sleep(0.3))
    blocks = list(open_pipe(slow, "s16", SR, 1, 0.05).blocks)  # type: ignore[arg-type]
    assert None in blocks
    arrived = [block for block in blocks if isinstance(block, Block)]
    assert sum(len(block.frames) for block in arrived) == 2 * round(0.3 * SR)


def test_a_wav_file_of_other_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.1), SR, subtype="ULAW")
    with pytest.raises(DecodeError, match="u-law samples, which are none of s16, s24, s32, f32"):
        open_pipe(io.BytesIO(path.read_bytes()), "s16", SR, 1, 5.0)


class FakeStream:
    """A microphone that has all its sound at once."""

    y = noise(0.5)

    def __init__(self, *, callback: Callable[..., None], blocksize: int, **kwargs: object) -> None:
        self.callback, self.blocksize = callback, blocksize

    def __enter__(self) -> None:
        """Play noise, of which a part was lost, and then something that is no sound."""
        for number, start in enumerate(range(0, len(self.y), self.blocksize)):
            lost = types.SimpleNamespace(input_overflow=number == 2)
            self.callback(self.y[start : start + self.blocksize, None], 0, None, lost)
        self.callback(np.full((1, 1), np.nan, np.float32), 0, None, lost)

    def __exit__(self, *args: object) -> None:
        pass


@pytest.fixture
def microphone(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("sounddevice")
    module.PortAudioError = type("PortAudioError", (Exception,), {})  # type: ignore[attr-defined]
    module.InputStream = FakeStream  # type: ignore[attr-defined]
    module.query_devices = lambda: [  # type: ignore[attr-defined]
        {"index": 3, "name": "USB", "max_input_channels": 1},
        {"index": 4, "name": "Loudspeaker", "max_input_channels": 0},
    ]
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_lost_sound_of_a_microphone_is_said(bundle: Path, microphone: types.ModuleType) -> None:
    done = run_cli("listen", bundle, "--rate", str(SR), "--window", "0.2", code=3)
    assert len(done.stdout.splitlines()) == 2
    assert "about 0.1 s of sound were lost at 0.2 s" in done.stderr
    assert "NaN" in done.stderr


def test_a_microphone_that_is_not_there_is_named_with_those_that_are(
    bundle: Path, microphone: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**settings: object) -> None:
        raise ValueError(f"no device {settings['device']}")

    monkeypatch.setattr(microphone, "InputStream", refuse)
    done = run_cli("listen", bundle, "--device", "nowhere", code=3)
    assert "microphone 'nowhere' at 16000 Hz: no device nowhere" in done.stderr
    assert "there are: 3 USB." in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "0.7"], "--threshold is about events"),
        (["--keep-clips", "x"], "--keep-clips is about events"),
        (["-", "--device", "USB"], "--device is a microphone, and - is standard input"),
    ],
)
def test_options_that_do_not_fit(bundle: Path, options: list[str], message: str) -> None:
    assert message in run_cli("listen", bundle, *options, code=2).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_has_enough_ends_it_although_sound_goes_on(bundle: Path) -> None:
    command = (
        f"{quote(sys.executable)} -m audioclf listen {quote(str(bundle))} - < /dev/zero | head -1"
    )
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=True)
    assert done.stdout.startswith(b'{"path": "standard input", "start": 0.0')
    assert b"Broken" not in done.stderr


@pytest.mark.parametrize(
    ("more", "labels"), [([], ["barbie"]), (["--only", "ken"], []), (["--skip", "barbie"], [])]
)
def test_events_of_some_classes_alone(
    more: list[str], labels: list[str], bundle: Path, tmp_path: Path, pipe: Callable[[bytes], None]
) -> None:
    pipe(write_wav(tmp_path / "a.wav", noise(2.0, SR), SR).read_bytes())
    options = ["--window", "0.2", "--events", "--format", "csv"]
    done = run_cli("listen", bundle, "-", *options, *more, code=0)
    assert [row[3] for row in rows(done.stdout)[1:]] == labels
