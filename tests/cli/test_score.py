"""`audioclf score`: tables of any tool against annotations."""

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from audioclf.base.errors import ResultError
from audioclf.starters.sample_data.registry import SAMPLES, write_sample
from tests.conftest import Done, run_cli
from tests.models.making import made
from tests.predict.making import recording

HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return (
        write_sample(SAMPLES["soundscape"], tmp_path_factory.mktemp("s") / "field").folder
        / "sounds"
    )


def run_score(*args: object) -> Done:
    return run_cli("score", *map(str, args))


def planted(field: Path) -> list[tuple[str, float, float, str]]:
    rows = []
    for table in sorted(field.glob("*.txt")):
        for line in table.read_text().splitlines()[1:]:
            *_, start, end, label = line.split("\t")
            rows.append((table.name.split(".")[0] + ".wav", float(start), float(end), label))
    return rows


def scored(*args: object) -> dict[str, Any]:
    done = run_score(*args, "--json")
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def csv_of(path: Path, rows: list[tuple[Any, ...]], header: str = "path,start,end,label") -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("shift", "share"), [(0.0, 1.0), (0.1, 1.0), (0.3, 0.0), (0.6, 0.0)])
def test_a_shifted_detector_has_the_f1_that_arithmetic_says(
    field: Path, tmp_path: Path, shift: float, share: float
) -> None:
    rows = [(n, f"{a + shift:.6f}", f"{b + shift:.6f}", k) for n, a, b, k in planted(field)]
    data = scored(csv_of(tmp_path / "found.csv", rows), "--annotations", field)
    n = len(rows)
    overall = data["all"]
    assert overall["events"] == n
    assert overall["found"] == round(share * n)
    assert overall["false_alarms"] == n - overall["found"]
    assert overall["f1"]["value"] == share
    assert len(data["recordings"]) == 12
    assert data["hours"] == pytest.approx(12 * 8 / 3600)


def test_events_of_windows_longer_than_calls_are_explained(field: Path, tmp_path: Path) -> None:
    rows = [(name, max(0, start - 1), end + 1, label) for name, start, end, label in planted(field)]
    found = csv_of(tmp_path / "found.csv", rows)
    strict = run_score(found, "--annotations", field)
    assert "0% of the events are found, and 100% of their segments" in strict.stderr
    loose = run_score(found, "--annotations", field, "--onset", "2", "--offset", "2")
    assert "of their segments" not in loose.stderr


def test_the_formats_of_all_tools_give_the_same_numbers(field: Path, tmp_path: Path) -> None:
    rows = planted(field)[::2]
    raven = tmp_path / "raven"
    audacity = tmp_path / "audacity"
    raven.mkdir()
    audacity.mkdir()
    for name in {row[0] for row in rows}:
        own = [row for row in rows if row[0] == name]
        stem = name.removesuffix(".wav")
        text = "".join(f"{i}\tS\t1\t{a}\t{b}\t{k}\n" for i, (_, a, b, k) in enumerate(own, 1))
        (raven / f"{stem}.Table.1.selections.txt").write_text(HEADER + text)
        (audacity / f"{stem}.txt").write_text("".join(f"{a}\t{b}\t{k}\n" for _, a, b, k in own))
    birdnet = csv_of(
        tmp_path / "found.BirdNET.results.csv",
        [(a, b, k, 0.5, f"C:\\nights\\{n}") for n, a, b, k in rows],
        "Start (s),End (s),Common name,Confidence,File",
    )
    dcase = tmp_path / "dcase.tsv"
    dcase.write_text(
        "filename\tonset\toffset\tevent_label\n"
        + "".join(f"{n}\t{a}\t{b}\t{k}\n" for n, a, b, k in rows)
    )
    ours = csv_of(tmp_path / "ours.csv", rows)
    results = [
        scored(path, "--annotations", field)["all"]
        for path in (ours, raven, audacity, birdnet, dcase)
    ]
    for result in results:
        assert (result["found"], result["false_alarms"]) == (len(rows), 0)
    assert results[3]["average_precision"] is not None  # BirdNET has scores
    assert results[0]["average_precision"] is None


def test_recordings_without_annotations_are_named_and_left_out(field: Path, tmp_path: Path) -> None:
    table = csv_of(
        tmp_path / "truth.csv", [("recording_00.wav", 1, 2, "chirp"), ("recording_01", "", "", "")]
    )
    found = csv_of(tmp_path / "found.csv", [("recording_01.wav", 1, 2, "chirp")])
    done = run_score(found, field, "--annotations", table)
    assert "left out 10 recordings without annotations" in done.stderr
    assert "by a row with its name and no label" in done.stderr
    data = scored(found, field, "--annotations", table)
    assert data["recordings"] == ["recording_00.wav", "recording_01.wav"]
    assert (data["all"]["missed"], data["all"]["false_alarms"]) == (1, 1)


def test_two_annotators_overlaps_and_open_ends(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    tables: list[list[tuple[float, float]]] = [[(1, 3), (2, 4)], [(1.1, 3), (10, 11)]]
    for number, rows in enumerate(tables, 1):
        text = "".join(f"1\tS\t1\t{a}\t{b}\tfox\n" for a, b in rows)
        (truth / f"r1.Table.{number}.selections.txt").write_text(HEADER + text)
    found = csv_of(tmp_path / "found.csv", [("r1", 1, 3, "fox"), ("r1", 20, "", "fox")])
    done = run_score(found, "--annotations", truth, "--seconds", 60, "--json")
    overall = json.loads(done.stdout)["all"]
    assert (overall["events"], overall["found"], overall["false_alarms"]) == (3, 1, 1)
    assert "1 event annotated in several tables, counted once" in done.stderr


def test_names_that_differ_are_mapped_or_suggested(tmp_path: Path) -> None:
    truth = csv_of(tmp_path / "truth.csv", [("r1.wav", 1, 2, "blackbird")])
    found = csv_of(tmp_path / "found.csv", [("r1.wav", 1, 2, "Blackbirds"), ("r1.wav", 3, 4, "x")])
    options = ("--annotations", truth, "--seconds", 60)
    done = run_score(found, *options)
    assert "Did you mean 'blackbird'?" in done.stderr
    names = csv_of(tmp_path / "names.csv", [("Blackbirds", "blackbird"), ("x", "")], "from,to")
    overall = scored(found, *options, "--map", names)["all"]
    assert (overall["found"], overall["false_alarms"]) == (1, 0)
    only = scored(found, *options, "--only", "blackbird")["all"]
    assert (only["missed"], only["false_alarms"]) == (1, 0)


def test_files_of_a_score(field: Path, tmp_path: Path) -> None:
    rows = [(*row, 0.9) for row in planted(field)[1:]] + [("recording_11", 1, 2, "chirp", 0.2)]
    found = csv_of(tmp_path / "found.csv", rows, "path,start,end,label,score")
    out = tmp_path / "out"
    assert run_score(found, "--annotations", field, "--out", out).returncode == 0
    with (out / "matches.csv").open(encoding="utf-8") as stream:
        matches = list(csv.DictReader(stream))
    missed = [row for row in matches if row["status"] == "missed"]
    false = [row for row in matches if row["status"] == "false alarm"]
    assert [(row["recording"], row["line"]) for row in missed] == [("recording_00.wav", "2")]
    assert [(row["recording"], row["start"]) for row in false] == [("recording_11.wav", "1.000000")]
    assert len(matches) == 2 * len(planted(field))
    data = json.loads((out / "scores.json").read_text())
    assert data["all"]["average_precision"]["value"] > 0.9
    assert data["all"]["psds_1"]["low"] < data["all"]["psds_1"]["value"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<audio controls") == page.count('alt="Spectrogram"') == 2
    assert "http" not in page.replace("http-equiv", "")
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_segments_are_scored_over_time_and_by_their_boundaries(tmp_path: Path) -> None:
    truth = [("r1", 0, 20, "speech"), ("r1", 20, 50, "music"), ("r2", 0, 50, "music")]
    files = [
        csv_of(tmp_path / "truth.csv", truth),
        csv_of(
            tmp_path / "found.csv", [("r1", 0, 25, "speech"), ("r1", 25, 60, "music"), truth[2]]
        ),
    ]
    args = (files[1], "--annotations", files[0], "--seconds", 60, "--segments")
    data = scored(*args)
    found = data["segmentation"]
    assert found["accuracy"]["value"] == found["classes"]["all"]["recall"]["value"] == 0.95
    assert found["classes"]["speech"]["precision"]["value"] == 0.8
    assert (found["boundaries"]["annotated"], found["boundaries"]["found"]) == (1, 0)
    done = run_score(*args, "--onset", 5, "--out", tmp_path / "out")
    assert "accuracy over time: 0.950" in done.stdout
    assert "boundaries within 5 s: 1 of 1 found, 0 false" in done.stdout
    assert "time without an annotation, not scored: 20 s" in done.stdout
    assert "accuracy over time: 0.950" in (tmp_path / "out" / "report.html").read_text()
    whole = scored(*args, "--background", "noise")["segmentation"]
    assert whole["classes"]["noise"]["seconds"] == 20
    assert (whole["accuracy"]["value"], whole["unannotated_seconds"]) == (105 / 120, 0)


@pytest.mark.slow
def test_segments_of_a_model_are_those_that_predict_writes(tmp_path: Path) -> None:
    bundle, sounds = made(tmp_path / "m.audioclf"), tmp_path / "sounds"
    for number in range(2):
        recording(sounds / f"r{number}.wav", 3.0, seed=number)
    rows = [("r0", 0, 1, "barbie"), ("r0", 1, 3, "ken"), ("r1", 0, 3, "barbie")]
    truth = csv_of(tmp_path / "truth.csv", rows)
    windows = ("--window", 0.2, "--hop", 0.1, "--segments", "--min-duration", 0.5)
    of_model = scored(bundle, sounds, "--annotations", truth, *windows, "--untrusted")
    found = tmp_path / "found.csv"
    run_cli("predict", bundle, sounds, *map(str, windows), "--out", found, code=0)
    of_table = scored(found, sounds, "--annotations", truth, "--segments")
    assert of_model["segmentation"] == of_table["segmentation"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,start,end,label\nr1.wav,x,2,fox\n", "line 2: start is 'x', not a time in s"),
        ("path,start,end,label\nr1.wav,3,2,fox\n", "line 2: the event ends at 2 s, before"),
        (
            "path,start,end,label\nr1.wav,70,72,fox\n",
            "line 2: the event begins at 70 s, and r1.wav",
        ),
        ("path,begin,label\nr1.wav,1,fox\n", "no column for the start of events"),
        ("", "empty"),
    ],
)
def test_bad_tables_are_one_sentence_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    truth = csv_of(tmp_path / "truth.csv", [("r1.wav", 1, 2, "fox")])
    found = tmp_path / "found.csv"
    found.write_text(text)
    done = run_score(found, "--annotations", truth, "--seconds", 60)
    assert done.returncode != 0
    assert message in done.stderr
    assert "found.csv" in done.stderr


def test_the_folder_of_a_run_is_its_model(tmp_path: Path) -> None:
    (tmp_path / "model.audioclf").touch()
    done = run_score(tmp_path, "--annotations", "truth.csv")
    assert "a model needs the length of its windows" in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "score needs the annotations"),
        (("--annotations", "truth.csv"), "the length of r1.wav is unknown"),
        (("--annotations", "absent"), "no such"),
        (("--annotations", "truth.csv", "--window", "1"), "about a model"),
        (("--annotations", "truth.csv", "--weights", "w.onnx"), "about a model"),
        (("--annotations", "truth.csv", "--segments", "--threshold", "1"), "is about events"),
        (("--annotations", "truth.csv", "--background", "rest"), "is about segments"),
        (("--annotations", "truth.csv", "--seconds", "60", "--precision", "2"), "at most 1"),
        (("--annotations", "truth.csv", "--seconds", "0"), "above 0"),
        (("--annotations", "truth.csv", "--seconds", "60", "--only", "owl"), "neither"),
        (("--annotations", "truth.csv", "--seconds", "60", "--onset", "-1"), "0 or more"),
        (("--annotations", "truth.csv", "--seconds", "60", "--segment", "0"), "above 0"),
        (("--annotations", "truth.csv", "--seconds", "60", "--precision", "0.9"), "have none"),
    ],
)
def test_options_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("truth.csv", "found.csv"):
        csv_of(tmp_path / name, [("r1.wav", 1, 2, "fox")])
    done = run_score("found.csv", *args)
    assert done.returncode != 0
    assert message in done.stderr


def test_thresholds_are_reported_on_other_recordings(tmp_path: Path) -> None:
    truth, found = [], []
    for number in range(20):
        for place in range(10):
            truth.append((f"r{number}", 20 * place, 20 * place + 1, "fox"))
            found.append((*truth[-1], 0.9 - place / 100))
        found.append((f"r{number}", 300, 301, "fox", 0.1 + number / 100))
    files = [
        csv_of(tmp_path / "truth.csv", truth),
        csv_of(tmp_path / "found.csv", found, "path,start,end,label,score"),
    ]
    args = (files[1], "--annotations", files[0], "--seconds", 3600, "--max-false-alarms", 0.5)
    threshold = scored(*args)["thresholds"][0]
    assert 0.1 < threshold["threshold"] < 0.8
    assert threshold["on_other_recordings"]["recall"]["value"] == 1.0
    assert threshold["on_other_recordings"]["false_per_hour"]["value"] <= 0.5
    assert "on other recordings" in run_score(*args).stdout


def test_other_files_beside_the_tables_are_ignored(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    csv_of(truth / "events.csv", [("r1.wav", 1, 2, "fox")])
    csv_of(truth / "weather.csv", [("2024", 3)], "day,wind")
    (truth / "README.txt").write_text("Annotated by hand.\n")
    found = csv_of(tmp_path / "found.csv", [("r1.wav", 1, 2, "fox")])
    done = run_score(found, "--annotations", truth, "--seconds", 60)
    assert done.returncode == 0, done.stderr
    assert "ignored tables without events: weather.csv" in done.stderr
    assert "ignored annotations without a recording: README.txt" in done.stderr


def test_archives_hold_recordings_and_tables(field: Path, tmp_path: Path) -> None:
    archive = tmp_path / "night.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in field.iterdir():
            target.write(path, f"night/{path.name}")
    rows = [(f"{archive}!night/{row[0]}", *row[1:]) for row in planted(field)]
    found = csv_of(tmp_path / "found.csv", rows)
    assert scored(found, "--annotations", archive)["all"]["f1"]["value"] == 1.0
    assert scored(found, archive, "--annotations", archive)["all"]["f1"]["value"] == 1.0


def test_a_folder_with_other_files_is_not_written_into(tmp_path: Path) -> None:
    table = csv_of(tmp_path / "truth.csv", [("r1.wav", 1, 2, "fox")])
    args = (table, "--annotations", table, "--seconds", 60, "--out")
    done = run_score(*args, tmp_path)
    assert done.returncode == ResultError.exit_code
    assert "holds other files" in done.stderr
    for _ in range(2):
        assert run_score(*args, tmp_path / "new").returncode == 0
