"""`audioclf export`."""

import shutil
import sys
from pathlib import Path

import pytest

import audioclf
from audioclf.base.errors import EXIT_ENVIRONMENT, EXIT_MODEL, EXIT_USAGE
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.plugin import NotInOnnxError, OnnxGraph
from tests.conftest import run_cli
from tests.models.making import made

pytest.importorskip("skl2onnx")


def test_a_model_is_written_next_to_its_file(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "logistic_regression")
    done = run_cli("export", path, "--to", "onnx", "--from", "features", code=0)
    first, second, third, fourth = done.stdout.splitlines()
    assert first == str(tmp_path / "m.onnx")
    assert second.strip().startswith("input features [n, ")
    assert "compared on 8 stored rows: scores differ by at most " in third
    assert fourth.startswith("  classes are equal on these and on 512 made rows, where scores ")
    assert "not in a run folder: its clips are not compared" in done.stderr
    assert (tmp_path / "m.onnx").is_file()


@pytest.mark.slow
def test_the_clips_of_the_run_are_compared(toy_config: Path, tmp_path: Path) -> None:
    folder = audioclf.run(toy_config, overrides=["final=best"], out=tmp_path / "run", jobs=1).folder
    elsewhere = shutil.copy(folder / "model.audioclf", tmp_path / "m.audioclf")
    for args in ((folder / "model.audioclf",), (elsewhere, "--config", toy_config)):
        done = run_cli("export", *args, "--to", "onnx", code=0)
        assert done.stderr == ""
        assert "compared on 16 clips and 5 made sounds: classes are equal" in done.stdout
    rows = tmp_path / "rows.onnx"
    options = ["--to", "onnx", "--from", "features", "--out", str(rows)]
    done = run_cli("export", folder / "model.audioclf", *options, code=0)
    assert "compared on 16 clips and 8 stored rows" in done.stdout

    toy_config.with_name("sounds.zip").unlink()
    out = tmp_path / "again.onnx"
    done = run_cli("export", folder / "model.audioclf", "--to", "onnx", "--out", out, code=0)
    assert "note: the clips of the run are not compared: " in done.stderr
    done = run_cli("export", elsewhere, "--to", "onnx", "--config", toy_config, "--out", "x.onnx")
    assert done.returncode != 0
    assert not Path("x.onnx").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "logistic_regression")
    target = tmp_path / "m.onnx"
    target.write_bytes(b"mine")
    done = run_cli("export", path, "--to", "onnx", code=EXIT_ENVIRONMENT)
    assert done.stdout == ""
    assert f"{target}: is there already, and is not overwritten" in done.stderr
    assert target.read_bytes() == b"mine"


def test_a_refusal_writes_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    done = run_cli("export", path, "--to", "onnx", code=EXIT_MODEL)
    assert done.stdout == ""
    assert f"error: {path}: 'mel/dummy' is not exported: skl2onnx" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["m.audioclf"]


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    path = made(tmp_path / "m.audioclf", "dummy")
    done = run_cli("export", path, "--to", "onnx", code=EXIT_ENVIRONMENT)
    assert "pip install onnx" in done.stderr


def test_another_format_is_a_mistake(tmp_path: Path) -> None:
    run_cli("export", tmp_path / "m.audioclf", "--to", "pickle", code=EXIT_USAGE)


def test_a_featurizer_without_a_form_in_onnx_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> str:
        raise NotInOnnxError("the featurizer mel has no form in ONNX")

    monkeypatch.setattr(MelSpectrogram, "to_onnx", refuse)
    path = made(tmp_path / "m.audioclf")
    done = run_cli("export", path, "--to", "onnx", code=EXIT_MODEL)
    assert "the featurizer mel has no form in ONNX" in done.stderr
    assert "--from features" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["m.audioclf"]


def test_wrong_numbers_from_sound_on_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = MelSpectrogram.frames_in_onnx

    def wrong(component: MelSpectrogram, graph: OnnxGraph, y: str, sr: int) -> str:
        matrix = right(component, graph, y, sr)
        return graph.op("Mul", matrix, graph.constant(0.5))

    monkeypatch.setattr(MelSpectrogram, "frames_in_onnx", wrong)
    path = made(tmp_path / "m.audioclf")
    done = run_cli("export", path, "--to", "onnx", code=EXIT_MODEL)
    assert "is not exported from sound on: a feature of " in done.stderr
    assert not (tmp_path / "m.onnx").exists()
