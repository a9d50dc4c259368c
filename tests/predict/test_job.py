"""Many recordings: order, journal, resuming, full disks."""

import csv
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioclf.base.errors import EXIT_ENVIRONMENT, ConfigError, ResultError
from audioclf.dataset.sources import FileSource
from audioclf.models.bundle.reading import load
from audioclf.models.bundle.training_clips import TrainingClips
from audioclf.models.model import Model
from audioclf.models.windows import Cutting
from audioclf.predict import job as job_module
from audioclf.predict.events import EventRule
from audioclf.predict.formats import AudacityFormat, RavenFormat, choose_format
from audioclf.predict.inputs import Collected, collect, each_channel
from audioclf.predict.job import JobResult, predict_all
from audioclf.predict.journal import read_journal
from audioclf.predict.settings import Job, Settings, check_settings
from audioclf.predict.sinks import FileSink, FolderSink, Mode, Sink, open_sink
from tests.conftest import zip_folder
from tests.models.making import made
from tests.predict.making import many, model, recording

HALF = Settings(Cutting(4000, 2000))


def predicted(
    loaded: Model,
    folder: Path | str,
    out: Path,
    settings: Settings = HALF,
    *,
    jobs: int = 1,
    mode: Mode = "new",
    model_digest: str = "",
) -> JobResult:
    collected = collect([str(folder)])
    job = Job(loaded, settings, model_digest)
    sink = open_sink(out, job, collected, mode=mode)
    return predict_all(job, collected.recordings, sink, jobs=jobs)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_clips_have_the_label_and_scores_of_the_model(tmp_path: Path) -> None:
    loaded, folder = model(tmp_path), many(tmp_path / "in", 40)
    predicted(loaded, folder, tmp_path / "o.csv", Settings())
    lines = rows(tmp_path / "o.csv")
    paths = sorted(folder.iterdir())
    assert [line["path"] for line in lines] == list(map(str, paths))
    assert [line["label"] for line in lines] == loaded.predict(paths)
    scores = [[float(line[f"score_{name}"]) for name in loaded.classes] for line in lines]
    np.testing.assert_allclose(scores, loaded.predict_proba(paths), atol=1e-6)
    assert {line["score"] for line in lines} <= {
        line[f"score_{name}"] for line in lines for name in loaded.classes
    }


def test_jobs_do_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "_TASK_FILES", 2)
    loaded, folder = model(tmp_path), many(tmp_path / "in", 21, 1.2)
    predicted(loaded, folder, tmp_path / "1.csv")
    predicted(loaded, folder, tmp_path / "4.csv", jobs=4)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "4.csv").read_bytes()
    assert len(rows(tmp_path / "1.csv")) > 60


def test_a_bad_file_among_good_ones_costs_itself_alone(tmp_path: Path) -> None:
    loaded, folder = model(tmp_path), many(tmp_path / "in", 3, 0.6)
    (folder / "001.wav").write_bytes(b"RIFF" + b"x" * 50)
    (folder / "0short.wav").write_bytes(recording(tmp_path / "s.wav", 0.1).read_bytes())
    result = predicted(loaded, folder, tmp_path / "o.csv")
    assert (result.done, result.failed, result.exit_code) == (2, 2, 4)
    ledger = {Path(row["path"]).name: row for row in rows(tmp_path / "o.csv.ledger.csv")}
    assert {name: row["status"] for name, row in ledger.items()} == {
        "000.wav": "ok",
        "001.wav": "failed",
        "002.wav": "ok",
        "0short.wav": "failed",
    }
    assert ledger["001.wav"]["message"].startswith(f"{folder / '001.wav'}: not WAV/FLAC/")
    assert ledger["0short.wav"]["message"].endswith("lasts 0.1 s, less than half a window of 0.5 s")


def test_a_recording_that_breaks_off_leaves_no_rows(tmp_path: Path) -> None:
    import soundfile

    loaded, folder = model(tmp_path), many(tmp_path / "in", 1)
    y = np.zeros(8000 * 60, np.float32)
    y[-1] = np.nan
    soundfile.write(folder / "bad.wav", y, 8000, subtype="FLOAT")
    predicted(loaded, folder, tmp_path / "o.csv")
    assert {Path(row["path"]).name for row in rows(tmp_path / "o.csv")} == {"000.wav"}


def test_events_and_rollups_are_lines_of_their_own(tmp_path: Path) -> None:
    loaded, folder = model(tmp_path), many(tmp_path / "in", 3, 2.0)
    predicted(loaded, folder, tmp_path / "e.csv", Settings(HALF.cutting, EventRule(0.0)))
    events = rows(tmp_path / "e.csv")
    assert [(e["start"], e["end"], e["n_windows"]) for e in events[:2]] == [
        ("0.000000", "2.000000", "7")
    ] * 2
    predicted(loaded, folder, tmp_path / "r.csv", Settings(HALF.cutting, rollup="share"))
    shares = rows(tmp_path / "r.csv")
    assert len(shares) == 3
    for row in shares:
        assert float(row["score_barbie"]) + float(row["score_ken"]) == pytest.approx(1, abs=2e-6)


def test_parts_have_times_of_the_file(tmp_path: Path) -> None:
    loaded = model(tmp_path)
    recording(tmp_path / "a.wav", 4)
    (tmp_path / "t.csv").write_text("path,start,end\na.wav,1.5,2.5\na.wav,3,\n")
    predicted(loaded, tmp_path / "t.csv", tmp_path / "o.csv", Settings(Cutting(4000, 4000)))
    times = [(float(r["start"]), float(r["end"])) for r in rows(tmp_path / "o.csv")]
    assert times == [(1.5, 2.0), (2.0, 2.5), (3.0, 3.5), (3.5, 4.0)]


def test_raven_counts_each_file_once(tmp_path: Path) -> None:
    loaded = model(tmp_path)
    for name in ("a.wav", "b.wav"):
        recording(tmp_path / name, 2)
    (tmp_path / "t.csv").write_text("path,start,end\na.wav,1,1.5\na.wav,1.5,2\nb.wav,0,.5\n")
    out = tmp_path / "o.selections.txt"
    predicted(loaded, tmp_path / "t.csv", out, replace(HALF, output=RavenFormat))
    lines = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    assert [line[0] for line in lines] == ["1", "2", "3"]
    assert [float(line[3]) for line in lines] == [1.0, 1.5, 2.0]
    assert [float(line[8]) for line in lines] == [1.0, 1.5, 0.0]


def test_raven_times_go_on_behind_a_file_that_is_too_short(tmp_path: Path) -> None:
    for name, seconds in (("1.wav", 2.0), ("2.wav", 0.1), ("3.wav", 1.0)):
        recording(tmp_path / "in" / name, seconds)
    out = tmp_path / "o.selections.txt"
    predicted(model(tmp_path), tmp_path / "in", out, replace(HALF, output=RavenFormat))
    lines = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    assert next(float(line[3]) for line in lines if line[7].endswith("3.wav")) == 2.1


@pytest.mark.parametrize("extra", [b"", b"x.wav,0.0", b"x.wav,0.0,1.0,a,1,1,0\n"])
def test_incomplete_recordings_are_predicted_again(tmp_path: Path, extra: bytes) -> None:
    loaded, folder, out = model(tmp_path), many(tmp_path / "in", 9), tmp_path / "o.csv"
    predicted(loaded, folder, out)
    whole, ledger = out.read_bytes(), tmp_path / "o.csv.ledger.csv"
    lines = ledger.read_bytes().splitlines(keepends=True)
    for kept in (0, 1, 5, 9):
        ledger.write_bytes(b"".join(lines[: kept + 1]) + (lines[-1][:20] if extra else b""))
        length = read_journal(ledger)[-1].bytes if kept else 0
        out.write_bytes(whole[:length] + extra)
        result = predicted(loaded, folder, out, mode="resume")
        assert (out.read_bytes(), result.skipped) == (whole, kept)


def test_a_journal_that_is_ahead_of_the_output_is_not_trusted(tmp_path: Path) -> None:
    loaded, folder, out = model(tmp_path), many(tmp_path / "in", 9), tmp_path / "o.csv"
    predicted(loaded, folder, out)
    whole = out.read_bytes()
    for length in (0, 10, 300):
        out.write_bytes(whole[:length])
        predicted(loaded, folder, out, mode="resume")
        assert out.read_bytes() == whole
    out.unlink()
    predicted(loaded, folder, out, mode="resume")
    assert out.read_bytes() == whole


def test_a_mended_file_is_tried_again(tmp_path: Path) -> None:
    loaded, folder, out = model(tmp_path), many(tmp_path / "in", 3), tmp_path / "o.csv"
    good = (folder / "001.wav").read_bytes()
    (folder / "001.wav").write_bytes(b"nothing")
    assert predicted(loaded, folder, out).failed == 1
    (folder / "001.wav").write_bytes(good)
    assert predicted(loaded, folder, out, mode="resume").exit_code == 0
    assert [row.status for row in read_journal(tmp_path / "o.csv.ledger.csv")] == ["ok"] * 3


def test_an_output_is_not_replaced_unasked(tmp_path: Path) -> None:
    loaded, folder, out = model(tmp_path), many(tmp_path / "in", 2), tmp_path / "o.csv"
    out.write_text("mine")
    with pytest.raises(ResultError, match=r"o\.csv: exists already\n  Continue it with --resume"):
        predicted(loaded, folder, out)
    with pytest.raises(ResultError, match=r"o\.csv\.ledger\.csv, which .* is missing"):
        predicted(loaded, folder, out, mode="resume")
    assert out.read_text() == "mine"
    predicted(loaded, folder, out, mode="force")
    with pytest.raises(ResultError, match="with another model or other options"):
        predicted(loaded, folder, out, model_digest="other", mode="resume")


def test_a_folder_has_a_file_for_each_recording(tmp_path: Path) -> None:
    loaded = model(tmp_path)
    for name in ("x/a.wav", "x/a.flac", "b.wav"):
        recording(tmp_path / "in" / name, 0.6)
    labels = replace(HALF, output=AudacityFormat)

    def run(mode: Mode = "new") -> JobResult:
        return predicted(loaded, tmp_path / "in", tmp_path / "out", labels, mode=mode)

    assert run().done == 3
    files = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert files == {"b.txt", "x/a.txt", "x/a-2.txt", "predictions.ledger.csv"}
    assert (tmp_path / "out" / "b.txt").read_text().startswith("0.000000\t0.500000\t")
    with pytest.raises(ResultError, match="exists already"):
        run()
    assert run("resume").skipped == 3


def test_a_resumed_folder_keeps_the_labels_of_recordings_with_the_same_name(tmp_path: Path) -> None:
    job, out = Job(model(tmp_path), replace(HALF, output=AudacityFormat)), tmp_path / "out"
    for site, seconds in (("b", 0.6), ("a", 1.2)):
        recording(tmp_path / site / "rec.wav", seconds)

    def run(*sites: str, mode: Mode) -> None:
        collected = collect([str(tmp_path / site) for site in sites])
        predict_all(job, collected.recordings, open_sink(out, job, collected, mode=mode))

    run("b", mode="new")
    first = (out / "rec.txt").read_bytes()
    journal = out / "predictions.ledger.csv"
    old_rows = [line.rpartition(",")[0] for line in journal.read_text().splitlines()]
    for text in (journal.read_text(), "\n".join(old_rows) + "\n"):
        journal.write_text(text)
        run("a", "b", mode="resume")
        assert (out / "rec.txt").read_bytes() == first
        assert (out / "rec-2.txt").read_bytes() not in (b"", first)
        (out / "rec-2.txt").unlink()


@pytest.mark.parametrize("mode", ["new", "force", "resume"])
def test_an_output_that_is_an_input_is_refused(tmp_path: Path, mode: Mode) -> None:
    loaded, wav = model(tmp_path), recording(tmp_path / "in" / "a.wav", 0.6)
    archive = zip_folder(tmp_path / "in", tmp_path / "in.zip")
    table = tmp_path / "t.csv"
    table.write_text("path\nin/a.wav\n")
    (tmp_path / "link.csv").symlink_to(wav)
    (tmp_path / "hard.csv").hardlink_to(wav)
    journal = tmp_path / "out.csv.ledger.csv"
    journal.write_text("path\nin/a.wav\n")
    label = recording(tmp_path / "labels" / "b.wav", 0.6).rename(tmp_path / "labels" / "b.txt")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for source, out in (
        (wav, wav),
        (wav, tmp_path / "link.csv"),
        (wav, tmp_path / "hard.csv"),
        (tmp_path / "in", tmp_path / "link.csv"),
        (archive, archive),
        (table, table),
        (table, tmp_path / "in" / ".." / "t.csv"),
        (journal, tmp_path / "out.csv"),
        (label, label.parent),
    ):
        output = AudacityFormat if out.is_dir() else HALF.output
        expected = ResultError if out.is_dir() and mode != "force" else ConfigError
        with pytest.raises(expected, match=r"is an input of this command|exists already|missing"):
            predicted(loaded, source, out, replace(HALF, output=output), mode=mode)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_writing_that_fails_leaves_whole_recordings(tmp_path: Path) -> None:
    loaded, folder, out = model(tmp_path), many(tmp_path / "in", 30, 1.2), tmp_path / "o.csv"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # the disk is full from there
    try:
        with pytest.raises(ResultError, match=r"o\.csv: cannot be written: File too large") as info:
            predicted(loaded, folder, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert info.value.exit_code == EXIT_ENVIRONMENT
    assert out.stat().st_size == read_journal(tmp_path / "o.csv.ledger.csv")[-1].bytes > 0
    predicted(loaded, folder, out, mode="resume")
    predicted(loaded, folder, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


KILLED = """
import sys
from pathlib import Path
from audioclf.predict import job
job._TASK_FILES = 1
from tests.predict.test_job import predicted
from audioclf.models.bundle.reading import load
print("ready", flush=True)
predicted(load(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), mode="resume", jobs=2)
"""


@pytest.mark.slow
def test_no_row_is_lost_or_repeated_after_kill_9(tmp_path: Path) -> None:
    bundle, folder = made(tmp_path / "m.audioclf"), many(tmp_path / "in", 40, 20.0)
    out, killed = tmp_path / "o.csv", 0
    for wait in (0.02, 0.1):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(bundle), str(folder), str(out)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        before = out.stat().st_size if out.exists() else 0
        while process.poll() is None and (not out.exists() or out.stat().st_size <= before + 500):
            time.sleep(0.001)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed
    loaded = load(bundle)
    predicted(loaded, folder, out, mode="resume")
    predicted(loaded, folder, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Settings(None, EventRule()), "events are made of windows\n  Add --window"),
        (lambda: Settings(None, None, "mean"), "a rollup is made of windows"),
        (lambda: Settings(HALF.cutting, EventRule(), "mean"), "choose one"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    make: Callable[[], Settings], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_windows_longer_than_the_training_clips_are_noted(tmp_path: Path) -> None:
    loaded, folder = model(tmp_path), many(tmp_path / "in", 2, 1.0)
    result = predicted(loaded, folder, tmp_path / "o.csv", Settings(Cutting(8000, 8000)))
    assert result.notes[0].startswith("windows of 1 s are longer than the 0.5 s clips of the train")


def test_a_hop_that_would_share_frames_is_named(tmp_path: Path) -> None:
    loaded = model(tmp_path)  # frames every 128 samples
    (note,) = check_settings(loaded, Settings(Cutting(4000, 1000)))
    assert "every 0.125 s have few frames in common, or none; with --hop 0.128 they" in note
    for size, hop in ((4000, 1024), (4000, 4000), (4000, 2100), (4000, 20), (200, 100)):
        assert check_settings(loaded, Settings(Cutting(size, hop))) == []


def trained_on(loaded: Model, paths: list[Path]) -> Model:
    rows = np.stack([loaded._row(FileSource(path), loaded.manifest.audio) for path in paths])
    return replace(loaded, clips=TrainingClips.of(rows, "ab" * 32, [0.2] * len(paths)))


def test_recordings_that_the_model_was_trained_on_are_counted(tmp_path: Path) -> None:
    folder = many(tmp_path / "in", 5)
    paths = sorted(folder.iterdir())
    loaded = trained_on(model(tmp_path), paths[1:4])
    result = predicted(loaded, folder, tmp_path / "o.csv", Settings())
    (note,) = result.notes
    assert note.startswith("3 of 5 recordings were in the training data of the model")
    (note,) = predicted(loaded, paths[2], tmp_path / "one.csv", Settings()).notes
    assert note.startswith("the recording was in the training data of the model")
    assert predicted(loaded, paths[0], tmp_path / "new.csv", Settings()).notes == []


@pytest.mark.parametrize("constant", [0.0, 0.25])
@pytest.mark.parametrize("settings", [Settings(), Settings(Cutting(1600, 1600))])
def test_silence_is_never_known_from_the_training(
    constant: float, settings: Settings, tmp_path: Path
) -> None:
    """All silent clips have equal features, whether they were in the training or not."""
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.full(1600, constant, np.float32), 8000, subtype="FLOAT")
    loaded = trained_on(model(tmp_path), [silent])
    y = np.full(1600 if settings.cutting is None else 8000, constant, np.float32)
    soundfile.write(tmp_path / "new.wav", y, 8000, subtype="FLOAT")
    assert predicted(loaded, tmp_path / "new.wav", tmp_path / "o.csv", settings).notes == []


def test_sound_with_the_features_of_silence_is_not_known_from_the_training(tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(1600), 8000)
    loaded = trained_on(model(tmp_path), [silent])
    y = np.zeros(1600, np.float32)
    y[::2] = 1e-30
    soundfile.write(tmp_path / "new.wav", y, 8000, subtype="FLOAT")
    row = loaded._row(FileSource(tmp_path / "new.wav"), loaded.manifest.audio)
    assert loaded.trained_on(row[None])[0]
    assert predicted(loaded, tmp_path / "new.wav", tmp_path / "o.csv", Settings()).notes == []


def test_no_event_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def outputs(self: Model, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(len(rows), np.intp), np.tile([0.26, 0.74], (len(rows), 1))

    monkeypatch.setattr(Model, "outputs_of", outputs)
    loaded, folder = model(tmp_path), many(tmp_path / "in", 2, 1.0)
    result = predicted(loaded, folder, tmp_path / "o.csv", Settings(HALF.cutting, EventRule(0.8)))
    assert result.lines == 0
    (note,) = (each for each in result.notes if each.startswith("no events"))
    assert note.startswith(
        "no events: no window reaches --threshold 0.8, the highest score is 0.740"
    )
    threshold = float(note.rpartition(" ")[2])
    again = Settings(HALF.cutting, EventRule(threshold))
    assert predicted(loaded, folder, tmp_path / "again.csv", again).lines > 0


def test_events_of_a_model_without_a_class_for_other_sounds_are_noted(tmp_path: Path) -> None:
    loaded, events = model(tmp_path), Settings(HALF.cutting, EventRule())
    assert any("no class of the model is background" in n for n in check_settings(loaded, events))
    changes: tuple[dict[str, object], ...] = (
        {"classes": ("call", "Background")},
        {"abstain_below": 0.5},
    )
    for manifest in (loaded.manifest.model_copy(update=change) for change in changes):
        assert check_settings(replace(loaded, manifest=manifest), events) == []


def test_resumed_events_are_those_of_one_version(tmp_path: Path) -> None:
    events = Job(model(tmp_path), Settings(HALF.cutting, EventRule()), "ab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audioclf.predict.settings.EVENTS_VERSION", 1)
        before = events.digest
    assert events.digest != before


def test_a_copy_in_another_format_is_recognized_too(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", 0.4)
    y, sr = soundfile.read(path, dtype="int16")
    soundfile.write(tmp_path / "copy.flac", y, sr)
    loaded = trained_on(model(tmp_path), [path])
    (note,) = predicted(loaded, tmp_path / "copy.flac", tmp_path / "o.csv", Settings()).notes
    assert note.startswith("the recording was in the training data of the model")


def test_windows_unlike_the_training_clips_are_noted(tmp_path: Path) -> None:
    loaded = trained_on(model(tmp_path), [recording(tmp_path / "a.wav", 0.2)])
    (note,) = check_settings(loaded, Settings(Cutting(480, 480)))
    assert note.startswith("a window of 0.06 s is much shorter than the training clips")
    (note,) = check_settings(loaded, Settings(Cutting(3600, 3600)))
    assert note.startswith("a window of 0.45 s is much longer")
    assert check_settings(loaded, Settings(Cutting(1600, 1600))) == []


def test_sound_that_the_model_does_not_use_is_noted_once_per_kind(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for index in range(3):
        recording(folder / f"{index}.wav", 0.4, sr=4000)
    recording(folder / "hi.wav", 0.9, sr=16_000, channels=2)
    result = predicted(model(tmp_path), folder, tmp_path / "o.csv", Settings())
    assert result.notes[-1] == (
        "1 file is longer than the 0.5 s that the model uses: the rest was ignored; add "
        "--window to predict all of it"
    )
    assert result.notes[:-1] == [
        "3 files at 4 kHz were resampled to 8 kHz: nothing above 2 kHz is in them",
        "1 file at 16 kHz was resampled to 8 kHz: sound above 4 kHz was left out",
        "1 file with 2 channels was averaged to one",
    ]


@pytest.mark.parametrize("cutting", [None, Cutting(800, 800)])
def test_channels_that_cancel_each_other_are_noted(tmp_path: Path, cutting: Cutting | None) -> None:
    y = 0.1 * np.random.default_rng(0).standard_normal(3000)
    soundfile.write(tmp_path / "a.wav", np.stack([y, -y], axis=1), 8000)
    settings = Settings() if cutting is None else Settings(cutting)
    notes = predicted(model(tmp_path), tmp_path / "a.wav", tmp_path / "o.csv", settings).notes
    assert any(note.startswith("in 1 file channels are opposite and cancel") for note in notes)


def test_two_calls_do_not_write_to_one_output(tmp_path: Path) -> None:
    loaded, folder, out = model(tmp_path), many(tmp_path / "in", 2), tmp_path / "o.csv"
    makers: tuple[Callable[[Mode], Sink], ...] = (
        lambda mode: FileSink(out, "", "j", mode),
        lambda mode: FolderSink(tmp_path / "o", Collected(()), "", "j", mode),
    )
    modes: tuple[Mode, ...] = ("resume", "force")
    for make in makers:
        sink = make("new")
        for mode in modes:
            with pytest.raises(ResultError, match="another call is writing here") as caught:
                make(mode)
            assert caught.value.exit_code == EXIT_ENVIRONMENT
        sink.close()
    predicted(loaded, folder, out, mode="force")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith("lock")]


@pytest.mark.parametrize("out", ["o.csv", "o.jsonl", "o.selections.txt", "labels"])
def test_each_channel_is_a_recording_of_its_own(out: str, tmp_path: Path) -> None:
    loaded = model(tmp_path)
    audio = loaded.manifest.audio.model_copy(update={"channel": "each"})
    loaded = replace(loaded, manifest=loaded.manifest.model_copy(update={"audio": audio}))
    for name, channels in (("a", 2), ("b", 1)):
        recording(tmp_path / "in" / f"{name}.wav", 0.6, channels=channels)
    collected = each_channel(collect([str(tmp_path / "in")]))
    job = Job(loaded, replace(HALF, output=choose_format(None, Path(out))))
    for mode, skipped in (("new", 0), ("resume", 3)):
        sink = open_sink(tmp_path / out, job, collected, mode=mode)  # type: ignore[arg-type]
        result = predict_all(job, collected.recordings, sink)
        assert (result.done, result.skipped) == (3 - skipped, skipped)
    if out == "labels":
        names = {path.name for path in (tmp_path / out).glob("*.txt")}
        assert names == {"a-channel1.txt", "a-channel2.txt", "b.txt"}
    elif out == "o.csv":
        assert [row["channel"] for row in rows(tmp_path / out)] == ["1", "1", "2", "2", "1", "1"]
    else:
        text = (tmp_path / out).read_text(encoding="utf-8")
        assert text.count('"channel": 2' if out == "o.jsonl" else "Spectrogram 1\t2\t") == 2
