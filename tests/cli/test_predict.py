"""`audioclf predict`."""

import io
import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from audioclf.base.errors import EXIT_ENVIRONMENT, EXIT_MODEL, EXIT_PARTIAL, EXIT_USAGE
from audioclf.cli.predict import _summary
from audioclf.predict.job import JobResult
from tests.cli.test_startup import CALL
from tests.conftest import imported_by, run_cli, run_process
from tests.models.making import forged, made
from tests.predict.making import many, recording


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return made(tmp_path / "m.audioclf")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return many(tmp_path / "in", 4, 0.4)


def test_predictions_go_to_standard_output(bundle: Path, folder: Path) -> None:
    done = run_cli("predict", bundle, folder, code=0)
    header, *lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert header == "path,start,end,label,score,score_barbie,score_ken"
    assert [line.split(",")[0] for line in lines] == sorted(map(str, folder.iterdir()))


def test_the_ending_of_out_says_the_format(bundle: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    done = run_cli("predict", bundle, folder, "--out", out, "--window", "0.2", code=0)
    assert done.stdout == ""
    assert f"audioclf: done: 4 recordings, 8 lines in {out}" in done.stderr
    assert {json.loads(line)["start"] for line in out.read_text().splitlines()} == {0.0, 0.2}
    assert out.with_name(f"{out.name}.ledger.csv").is_file()


def test_events_are_found(bundle: Path, folder: Path) -> None:
    options = ["--window", "0.1", "--events", "--threshold", "0.5", "--merge-gap", "0.2"]
    done = run_cli("predict", bundle, folder, *options, code=0)
    assert done.stdout.startswith("path,start,end,label,score,mean_score,n_windows\n")


def test_segments_cover_each_recording(bundle: Path, folder: Path) -> None:
    options = ["--window", "0.1", "--hop", "0.04", "--segments", "--min-duration", "0.15"]
    done = run_cli("predict", bundle, folder, *options, "--format", "jsonl", code=0)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for path in folder.iterdir():
        own = [row for row in rows if row["path"] == str(path)]
        assert own[0]["start"] == 0.0
        assert own[-1]["end"] == soundfile.info(path).duration
        assert all(row["end"] == following["start"] for row, following in pairwise(own))
        assert min(row["end"] - row["start"] for row in own) >= 0.15


@pytest.mark.parametrize(("end", "options"), [("\n", []), ("\0", ["-0"])])
def test_a_list_on_standard_input(
    bundle: Path, folder: Path, end: str, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(folder / "002.wav"), str(folder / "000.wav")]
    listed = io.TextIOWrapper(io.BytesIO((end.join(paths) + end).encode()))
    monkeypatch.setattr(sys, "stdin", listed)
    done = run_cli("predict", bundle, "-", *options)
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == paths


def test_resuming_does_only_what_is_left(bundle: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    run_cli("predict", bundle, folder, "--out", out)
    recording(folder / "new.wav", 0.3)
    done = run_cli("predict", bundle, folder, "--out", out, "--resume")
    assert "1 recording, 1 line, 4 were done before" in done.stderr
    assert len(out.read_text().splitlines()) == 6
    args = ("predict", bundle, folder, "--out", out, "--resume", "--window", "0.2")
    other = run_cli(*args, code=EXIT_ENVIRONMENT)
    assert "was begun with another model or other options" in other.stderr


def test_a_failed_file_is_named_and_the_rest_written(bundle: Path, folder: Path) -> None:
    (folder / "001.wav").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    done = run_cli("predict", bundle, folder, code=EXIT_PARTIAL)
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr.startswith(f"audioclf: failed: {folder / '001.wav'}: not WAV/FLAC/")


def test_label_files_of_several_recordings_need_a_folder(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:
    done = run_cli("predict", bundle, folder, "--format", "audacity", code=EXIT_USAGE)
    assert "belongs to one recording, and there are 4\n  Give a folder with --out" in done.stderr
    run_cli("predict", bundle, folder, "--out", tmp_path / "labels")
    assert len(list((tmp_path / "labels").glob("*.txt"))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hop", "1"], "--hop is about windows\n  Add --window"),
        (["--threshold", "0.3"], "--threshold is about events\n  Add --events."),
        (["--merge-gap", "1", "--window", "1"], "--merge-gap is about events"),
        (["--segments"], "segments are made of windows\n  Add --window, in s."),
        (["--segments", "--rollup", "mean"], "segments and a rollup cannot go into one output"),
        (["--segments", "--events", "--window", "1"], "two kinds of rows: choose one"),
        (["--segments", "--only", "ken", "--window", "1"], "--only is about events"),
        (["--events"], "events are made of windows\n  Add --window, in s."),
        (["--window", "0"], "a window of 0 s is less than a sample at 8000 Hz"),
        (["--window", "1e308"], "a window of 1e+308 s is longer than any recording"),
        (["--resume"], "--resume continues a file or folder\n  Name it with --out."),
        (["--out", "x.csv", "--resume", "--force"], "choose one"),
        (["--out", "x.xlsx"], "x.xlsx: the ending '.xlsx' stands for no format"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    bundle: Path, folder: Path, options: list[str], message: str
) -> None:
    done = run_cli("predict", bundle, folder, *options, code=EXIT_USAGE)
    assert done.stdout == ""
    assert message in done.stderr


def test_a_wrong_bundle_is_one_sentence(bundle: Path, folder: Path) -> None:
    wav = next(folder.iterdir())
    done = run_cli("predict", wav, folder, code=EXIT_MODEL)
    assert done.stderr.startswith(f"audioclf: error: {wav}: refused by the archive check: ")
    bundle.write_bytes(bundle.read_bytes()[:-200])
    run_cli("predict", bundle, folder, code=EXIT_MODEL)


def test_a_missing_plugin_is_named(bundle: Path, folder: Path) -> None:
    def strange(manifest: dict[str, dict[str, dict[str, str]]]) -> None:
        manifest["components"]["featurizer"].update(type="wavelet", distribution="audioclf-wave")
        manifest["featurizer"]["type"] = "wavelet"  # type: ignore[assignment]

    done = run_cli("predict", forged(bundle, edit=strange), folder, code=EXIT_MODEL)
    assert "it needs the featurizer 'wavelet' of audioclf-wave" in done.stderr
    assert "which is not installed" in done.stderr


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_it_quietly(bundle: Path, tmp_path: Path) -> None:
    folder = many(tmp_path / "in", 80)
    process = subprocess.Popen(
        [sys.executable, "-m", "audioclf", "predict", str(bundle), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.slow
def test_only_what_the_model_needs_is_imported(bundle: Path, folder: Path) -> None:
    args = ["predict", str(bundle), str(folder), "--window", "0.2"]
    unneeded = ["xgboost", "matplotlib", "numba", "librosa", "scipy.signal", "distributed"]
    unneeded += ["torch", "mlflow", "onnx", "skl2onnx", "fsspec", "audioclf.report"]
    unneeded += ["audioclf.experiment.run", "audioclf.experiment.planning", "audioclf.audit"]
    assert imported_by(CALL.format(args=args), unneeded) == set()


@pytest.mark.slow
def test_the_tutorials_recordings_are_told_apart(
    real_data: object, tmp_path: Path, bundle: Path
) -> None:
    archive = real_data("barbie_vs_puppy.zip")  # type: ignore[operator]
    done = run_process("predict", bundle, archive, "--out", tmp_path / "o.csv")
    assert done.returncode == 0
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 99
    assert "97 files at 48 kHz were resampled to 8 kHz" in done.stderr


def test_the_model_is_never_overwritten(bundle: Path, folder: Path, tmp_path: Path) -> None:
    before, link = bundle.read_bytes(), tmp_path / "out.csv"
    link.symlink_to(bundle)
    done = run_cli("predict", bundle, folder, "--out", link, "--force", code=EXIT_USAGE)
    assert f"{link}: is an input of this command ({bundle}), and would be" in done.stderr
    assert bundle.read_bytes() == before


def test_the_last_line_counts_all_labels() -> None:
    labels = Counter({f"c{number}": 30 - number for number in range(12)})
    last = _summary(JobResult(done=1, lines=labels.total(), labels=labels), Path("o.csv"))
    assert last.endswith("c8 22, c9 21, others 39)")
