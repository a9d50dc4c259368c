"""Untrusted recordings and models: a crash costs one recording, and is named."""

import io
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from audioclf.base.errors import EXIT_MODEL, EXIT_PARTIAL, ModelError
from audioclf.dataset.sources import AudioSource, FileSource
from audioclf.models.bundle import reading as trial
from audioclf.models.bundle import weights as unpacked
from audioclf.predict.inputs import Recording, collect
from audioclf.predict.job import predict_all
from audioclf.predict.settings import Job
from audioclf.predict.sinks import open_sink
from tests.conftest import run_cli
from tests.hostile.files import wav
from tests.models.making import made
from tests.predict.making import many, model, recording


@dataclass(frozen=True)
class Crashing(AudioSource):
    """A file that ends the process that decodes it, as a fault in a codec would."""

    name: str = "crash.wav"

    def open(self) -> BinaryIO:
        os.kill(os.getpid(), signal.SIGSEGV)
        return io.BytesIO()

    def digest(self) -> str:
        return ""


@pytest.mark.slow
def test_a_recording_that_crashes_the_codec_costs_itself_alone(tmp_path: Path) -> None:
    collected = collect([str(many(tmp_path / "in", 2))])
    good = collected.recordings
    recordings = [good[0], Recording("crash.wav", Crashing()), good[1]]
    job, out = Job(model(tmp_path)), tmp_path / "out.csv"
    result = predict_all(job, recordings, open_sink(out, job, collected), isolate=True)
    assert (result.done, result.failed, result.exit_code) == (2, 1, EXIT_PARTIAL)
    assert result.failures == ["crash.wav: decoding or predicting it ended the worker process"]
    names = [line.split(",")[0] for line in out.read_text().splitlines()[1:]]
    assert names == [recording.name for recording in good]


@pytest.mark.slow
def test_isolated_predictions_are_the_same(tmp_path: Path) -> None:
    many(tmp_path / "in", 3)
    bundle = made(tmp_path / "m.audioclf")
    plain = run_cli("predict", bundle, tmp_path / "in", code=0)
    untrusted = run_cli("predict", bundle, tmp_path / "in", "--untrusted", "--jobs", "1")
    assert (untrusted.returncode, untrusted.stdout) == (0, plain.stdout)


@pytest.mark.slow
def test_a_refused_model_from_a_stranger_is_refused_in_one_sentence(tmp_path: Path) -> None:
    bundle = made(tmp_path / "m.audioclf")
    bundle.write_bytes(bundle.read_bytes()[:-100])
    done = run_cli("predict", bundle, recording(tmp_path / "a.wav", 0.5), "--untrusted")
    assert done.returncode == EXIT_MODEL
    assert done.stderr.startswith(f"audioclf: error: {bundle}: ")


def crash(path: str) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def unpack_and_crash(files: tuple[Path, Sequence[Path], trial.GraphUse, str]) -> None:
    with suppress(ModelError):
        trial._load(files)
    assert unpacked._folder().parent == Path(files[-1])
    crash("")


@pytest.mark.slow
def test_a_model_that_crashes_a_library_ends_a_worker_and_leaves_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_load", unpack_and_crash)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    path = tmp_path / "m.audioclf"
    with pytest.raises(
        ModelError, match=r"m\.audioclf: loading it ended the worker process"
    ) as got:
        trial.try_bundle(path)
    assert "SIGSEGV" in got.value.message
    assert not [*(tmp_path / "temporary").iterdir()]


@pytest.mark.slow
def test_an_export_tries_a_strangers_model_in_a_process_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skl2onnx")
    monkeypatch.setattr(trial, "_load", crash)
    bundle = made(tmp_path / "m.audioclf")
    done = run_cli("export", bundle, "--to", "onnx", "--untrusted", code=EXIT_MODEL)
    assert "loading it ended the worker process" in done.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_a_limit_is_raised_on_the_command_line(tmp_path: Path) -> None:
    bundle = made(tmp_path / "m.audioclf")
    path = tmp_path / "many.wav"
    path.write_bytes(wav(bytes(2 * 70 * 4000), channels=70, sr=8000))
    done = run_cli("predict", bundle, path, code=EXIT_PARTIAL)
    assert "70 channels (limit 64); limits.max_channels accepts more" in done.stderr
    done = run_cli("predict", bundle, path, "--limit", "max_channels=70", code=0)
    assert FileSource(path).name in done.stdout
