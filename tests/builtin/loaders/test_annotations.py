import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.builtin.loaders.annotations import Annotations
from audioclf.components.fields import validate_component
from audioclf.plugin import Dataset, DatasetError, DecodeError, inspect
from tests.builtin.loaders.files import labels
from tests.conftest import run_cli, tone, write_wav

RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Annotation\n"
)


def raven(*rows: str) -> str:
    """Return a selection table; a row is `begin end label`."""
    lines = []
    for number, row in enumerate(rows, 1):
        begin, end, label = row.split(" ", 2)
        lines.append(f"{number}\tSpectrogram 1\t1\t{begin}\t{end}\t100.0\t900.0\t{label}\n")
    return RAVEN + "".join(lines)


def concatenated(*rows: str, offset: bool = True) -> str:
    """Return a selection table over several files; a row is `begin end label path offset`."""
    header = (
        "Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin Path\tFile Offset (s)\tAnnotation"
    )
    lines = []
    for number, row in enumerate(rows, 1):
        begin, end, label, path, within = row.split(" ")
        lines.append(f"{number}\tSpectrogram 1\t{begin}\t{end}\t{path}\t{within}\t{label}")
    text = "\n".join([header, *lines])
    return text if offset else text.replace("File Offset (s)", "Notes")


def recordings(root: Path, *names: str, seconds: float = 4.0) -> Path:
    for name in names:
        write_wav(root / name, tone(440.0, seconds, 8000, 0))
    return root


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def load(root: Path, **fields: Any) -> Dataset:
    return Annotations(path=root, **fields).load()


def error(root: Path, **fields: Any) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        load(root, **fields)
    return caught.value


EXPECTED = {"rec1.wav@0.5-1.25": "dog", "rec1.wav@2.0-3.0": "cat"}


@pytest.mark.parametrize(
    "name", ["rec1.txt", "rec1.selections.txt", "rec1.Table.1.selections.txt", "rec1.wav.txt"]
)
def test_a_raven_table_goes_with_the_recording_of_its_name(name: str, tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec1.wav") / name, raven("0.5 1.25 dog", "2 3 cat"))
    found = load(tmp_path)
    assert labels(found) == EXPECTED
    assert found.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "0.500000\t1.250000\tdog\n2.000000\t3.000000\tcat\n",
        "0.5\t1.25\tdog\r\n2\t3\tcat",
        "0.5\t1.25\tdog\t\n2\t3\tcat\t\t \n",
        "0.5\t1.25\tdog\n\\\t100.0\t900.0\n2\t3\tcat\n\\\t100.0\t900.0\n",
        "\ufeff0.5\t1.25\tdog\n\n2\t3\tcat\n",
    ],
)
def test_an_audacity_label_track_goes_with_it_too(text: str, tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec1.wav") / "rec1.txt", text)
    assert labels(load(tmp_path)) == EXPECTED


def test_a_clip_is_the_part_of_its_recording_and_of_its_group(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(recordings(tmp_path, f"{name}.wav") / f"{name}.txt", "0.5\t1.25\tdog\n2\t3\tcat\n")
    found = load(tmp_path)
    assert [(clip.start, clip.end, clip.group) for clip in found] == [
        (0.5, 1.25, "a.wav"),
        (2.0, 3.0, "a.wav"),
        (0.5, 1.25, "b.wav"),
        (2.0, 3.0, "b.wav"),
    ]
    assert found.clips[0].source.name == f"{tmp_path / 'a.wav'}@0.5-1.25"


def test_the_views_of_raven_make_no_clip_twice(tmp_path: Path) -> None:
    table = raven("0.5 1.25 dog", "2 3 cat")
    both = table + table.partition("\n")[2].replace("Spectrogram", "Waveform")
    write(recordings(tmp_path, "rec1.wav") / "rec1.txt", both)
    assert labels(load(tmp_path)) == EXPECTED


def test_another_column_may_hold_the_label(tmp_path: Path) -> None:
    table = raven("0.5 1.25 dog", "2 3 cat").replace("Annotation", "Species")
    write(recordings(tmp_path, "rec1.wav") / "rec1.txt", table)
    assert labels(load(tmp_path, column="Species")) == EXPECTED
    found = error(tmp_path)
    assert f"{tmp_path / 'rec1.txt'}: no column 'Annotation'; there are Selection" in found.message
    assert found.hint == "Set `column: NAME` to the name of the column."


def test_a_table_may_lie_in_another_folder(tmp_path: Path) -> None:
    recordings(tmp_path, "audio/x/rec1.wav")
    write(tmp_path / "labels" / "rec1.txt", "0.5\t1.25\tdog\n2\t3\tcat\n")
    assert labels(load(tmp_path)) == EXPECTED


def test_a_table_goes_with_the_recording_in_its_own_folder(tmp_path: Path) -> None:
    recordings(tmp_path, "x/rec.wav", "y/rec.wav")
    write(tmp_path / "x" / "rec.txt", "0\t1\tdog\n")
    write(tmp_path / "y" / "rec.txt", "0\t1\tcat\n")
    assert labels(load(tmp_path)) == {"x/rec.wav@0.0-1.0": "dog", "y/rec.wav@0.0-1.0": "cat"}


def test_a_table_that_goes_with_two_recordings_is_refused(tmp_path: Path) -> None:
    recordings(tmp_path, "x/rec.wav", "y/rec.wav")
    write(tmp_path / "rec.txt", "0\t1\tdog\n")
    found = error(tmp_path)
    words = "rec.txt matches 2 recordings: x/rec.wav, y/rec.wav"
    assert found.message == f"{tmp_path}: {words}"


def test_two_tables_of_a_recording_count_together(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav")
    write(tmp_path / "rec1.Table.1.selections.txt", raven("0.5 1.25 dog"))
    write(tmp_path / "rec1.Table.2.selections.txt", raven("2 3 cat"))
    assert labels(load(tmp_path)) == EXPECTED


def test_a_table_over_several_files_counts_from_the_start_of_each(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", "rec2.wav")
    rows = ["0.5 1.25 dog C:\\data\\rec1.wav 0.5", "6.1 7.1 cat C:\\data\\rec2.wav 2.1"]
    write(tmp_path / "all.selections.txt", concatenated(*rows))
    assert labels(load(tmp_path)) == {"rec1.wav@0.5-1.25": "dog", "rec2.wav@2.1-3.1": "cat"}


def test_a_table_over_several_files_needs_offsets(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", "rec2.wav")
    rows = ["0.5 1.25 dog /rec1.wav 0", "6.1 7.1 cat /rec2.wav 0"]
    write(tmp_path / "rec1.txt", concatenated(*rows, offset=False))
    found = error(tmp_path)
    words = "has annotations of 2 files, and no column 'File Offset (s)' for the times within each"
    assert found.message == f"{tmp_path / 'rec1.txt'}: {words} file"


@pytest.mark.parametrize("name", ["session.selections.txt", "rec1.Table.1.selections.txt"])
@pytest.mark.parametrize("offset", [True, False])
def test_times_of_a_session_are_not_taken_for_those_of_its_second_file(
    tmp_path: Path, name: str, *, offset: bool
) -> None:
    recordings(tmp_path, "rec1.wav", "rec2.wav")
    empty = "" if offset else "0"  # no value in the column, or no such column
    rows = [f"0.5 1.25 dog /rec2.wav {empty}"]
    path = write(tmp_path / name, concatenated(*rows, offset=offset))
    message = error(tmp_path).message
    assert message.startswith(f"{path}, line 2: no 'File Offset (s)', and the table is not named")


def test_times_of_a_table_named_like_its_recording_count_from_its_start(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", "rec2.wav")
    rows = ["0.5 1.25 dog /rec1.wav 0", "2 3 cat /rec1.wav 0"]
    write(tmp_path / "rec1.txt", concatenated(*rows, offset=False))
    assert labels(load(tmp_path)) == EXPECTED


_RAVEN_OF_BIRDNET = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Common Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
    "1\tSpectrogram 1\t1\t0.5\t1.25\t0\t4000\tdog\tx\t0.9\t/data/rec1.wav\t0.5\n"
    "2\tSpectrogram 1\t1\t2\t3\t0\t4000\tcat\tx\t0.9\t/data/rec1.wav\t2\n"
)
_TRACK_OF_BIRDNET = "0.5\t1.25\tdog\t0.9\n2\t3\tcat\t0.8\n"
_CSV_OF_BIRDNET = (
    "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    "0.5,1.25,Canis,dog,0.9,/data/rec1.wav\n2.0,3.0,Felis,cat,0.8,/data/rec1.wav\n"
)
_R_OF_BIRDNET = (
    "filepath,start,end,scientific_name,common_name,confidence\n"
    "/data/rec1.wav,0.5,1.25,Canis,dog,0.9\n/data/rec1.wav,2.0,3.0,Felis,cat,0.8\n"
)
_KALEIDOSCOPE = (
    "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence\n"
    "/,data,rec1.wav,0.5,0.75,Canis,dog,0.9\n/,data,rec1.wav,2.0,1.0,Felis,cat,0.8\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rec1.BirdNET.selection.table.txt", _RAVEN_OF_BIRDNET),
        ("BirdNET_SelectionTable.txt", _RAVEN_OF_BIRDNET),
        ("rec1.BirdNET.results.txt", _TRACK_OF_BIRDNET),
        ("rec1.BirdNET.results.csv", _CSV_OF_BIRDNET),
        ("BirdNET_CombinedTable.csv", _CSV_OF_BIRDNET),
        ("rec1.BirdNET.results.r.csv", _R_OF_BIRDNET),
        ("rec1.BirdNET.results.kaleidoscope.csv", _KALEIDOSCOPE),
        ("results/BirdNET_Kaleidoscope.csv", _KALEIDOSCOPE),
    ],
)
def test_tables_of_birdnet_go_with_their_recordings(name: str, text: str, tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav")
    write(tmp_path / name, text)
    assert labels(load(tmp_path, column="Common Name")) == EXPECTED


def test_a_csv_of_birdnet_without_the_column_of_labels_is_refused(tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec1.wav") / "rec1.BirdNET.results.csv", _CSV_OF_BIRDNET)
    found = error(tmp_path)
    assert "no column 'Annotation'; there are Start (s), End (s)," in found.message
    write(tmp_path / "rec1.BirdNET.results.csv", "a,b\n1,2\n")
    assert "not a table of BirdNET: its columns are a, b" in error(tmp_path).message


def test_a_recording_that_the_table_names_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav")
    rows = ["0.5 1.25 dog /rec1.wav 0.5", "6.1 7.1 cat /rec2.wav 2.1"]
    write(tmp_path / "all.selections.txt", concatenated(*rows))
    found = error(tmp_path)
    words = "line 3: no recording is named 'rec2.wav'"
    assert found.message == f"{tmp_path / 'all.selections.txt'}, {words}"


def test_a_recording_may_be_renamed_together_with_its_table(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav")
    write(tmp_path / "rec1.txt", concatenated("0.5 1.25 dog /old.wav 0.5", "2 3 cat /old.wav 2"))
    assert labels(load(tmp_path)) == EXPECTED


def test_a_selection_table_without_a_recording_is_an_error(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav")
    write(tmp_path / "rec2.selections.txt", raven("0 1 dog"))
    assert "line 2: no recording is named like the table" in error(tmp_path).message


def test_recordings_without_tables_and_tables_without_recordings_are_noted(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", "rec2.wav")
    write(tmp_path / "rec1.txt", "0.5\t1.25\tdog\n2\t3\tcat\n")
    write(tmp_path / "README.txt", "Recorded in May.")
    found = load(tmp_path)
    assert labels(found) == EXPECTED
    assert found.notes == (
        "ignored 1 recording without a table: rec2.wav",
        "ignored 1 text file without a recording: README.txt",
    )


def test_without_any_pair_nothing_is_guessed(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav")
    assert error(tmp_path).message == f"{tmp_path}: no selection tables or label tracks found"
    write(tmp_path / "README.txt", "")
    found = error(tmp_path)
    words = "none of 1 text file has the name of one of 1 recording: README.txt"
    assert found.message == f"{tmp_path}: {words}"
    assert found.hint == "Name the table of rec1.wav rec1.txt or rec1.Table.1.selections.txt."


def test_annotations_without_label_or_length_are_skipped_and_noted(tmp_path: Path) -> None:
    text = "0.5\t1.25\tdog\n1.3\t1.4\n1.5\t1.6\t \n1.7\t1.7\tx\n2\t3\tcat\n"
    write(recordings(tmp_path, "rec1.wav") / "rec1.txt", text)
    found = load(tmp_path)
    assert labels(found) == EXPECTED
    assert found.notes == (
        "2 annotations are skipped: no label",
        "1 annotation is skipped: no length",
    )


def test_annotations_of_two_labels_that_overlap_are_noted(tmp_path: Path) -> None:
    text = "0\t1\tdog\n0.5\t2\tcat\n3\t4\tcat\n"
    write(recordings(tmp_path, "rec.wav") / "rec.txt", text)
    found = load(tmp_path)
    assert labels(found) == {"rec.wav@3.0-4.0": "cat"}
    assert found.notes == ("2 annotations are skipped: two labels at once",)
    found = load(tmp_path, on_conflict="longest")
    assert labels(found) == {"rec.wav@0.5-2.0": "cat", "rec.wav@3.0-4.0": "cat"}


def test_where_nothing_is_left_the_reasons_are_given(tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec.wav") / "rec.txt", "0\t1\tdog\n0.5\t2\tcat\n")
    found = error(tmp_path)
    words = "no clip is left: 2 annotations are skipped: two labels at once"
    assert found.message == f"{tmp_path}: {words}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dog", "expected start, end and text with tabs between, found 1 cells"),
        ("1\t2\tdog\t3", "expected start, end and text with tabs between, found 4 cells"),
        ("1,5\t2\tdog", "start is '1,5', not a time in s"),
        ("1\tnan\tdog", "end is 'nan', not a time in s"),
        ("-1\t2\tdog", "start is '-1', not a time in s"),
        ("2\t1\tdog", "the annotation ends at 1.0 s, before its start at 2.0 s"),
        ("1\t2\tdo\x07g", r"'do\x07g' cannot be a label"),
    ],
)
def test_a_bad_line_of_a_label_track_is_named(line: str, words: str, tmp_path: Path) -> None:
    path = write(recordings(tmp_path, "rec.wav") / "rec.txt", f"0\t1\tdog\n{line}\n")
    assert error(tmp_path).message == f"{path}, line 2: {words}"


def test_a_bad_row_of_a_raven_table_is_named(tmp_path: Path) -> None:
    table = raven("0 1 dog", "x 2 cat", "1  cat", "3 2 cat")
    path = write(recordings(tmp_path, "rec.wav") / "rec.txt", table)
    assert error(tmp_path).message.split("\n") == [
        f"{path}: 3 invalid rows:",
        "  line 3: Begin Time (s) is 'x', not a time in s",
        "  line 4: End Time (s) is '', not a time in s",
        "  line 5: the annotation ends at 2.0 s, before its start at 3.0 s",
    ]


def test_windows_are_labeled_and_the_rest_is_noted(tmp_path: Path) -> None:
    recordings(tmp_path, "rec.wav", seconds=6.5)
    write(tmp_path / "rec.txt", "0\t2.2\tdog\n3\t3.5\tdog\n3.5\t4\tcat\n")
    found = load(tmp_path, window=1.0, background="quiet")
    assert labels(found) == {
        "rec.wav@0.0-1.0": "dog",
        "rec.wav@1.0-2.0": "dog",
        "rec.wav@4.0-5.0": "quiet",
        "rec.wav@5.0-6.0": "quiet",
    }
    assert {clip.group for clip in found} == {"rec.wav"}
    assert found.notes == (
        "1 window is skipped: two labels at once",
        "1 window is skipped: an annotation covers too little",
    )
    hard = {"windows with two labels at once": 1, "windows that an annotation covers too little": 1}
    assert found.subset(["rec.wav@0.0-1.0"]).hard == found.hard == hard


def test_windows_may_overlap_and_ask_for_less(tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec.wav", seconds=2.0) / "rec.txt", "0.9\t1.1\tdog\n")
    found = load(tmp_path, window=1.0, hop=0.5, min_overlap=0.1)
    assert [clip.id for clip in found] == [f"rec.wav@{i / 2}-{i / 2 + 1}" for i in range(3)]


def test_windows_of_an_empty_track_are_background(tmp_path: Path) -> None:
    recordings(tmp_path, "a.wav", "b.wav", "c.wav", seconds=2.0)
    write(tmp_path / "a.txt", "0\t2\tdog\n")
    write(tmp_path / "b.txt", "")
    found = load(tmp_path, window=1.0, background="none")
    assert [(clip.group, clip.label) for clip in found] == [
        ("a.wav", "dog"),
        ("a.wav", "dog"),
        ("b.wav", "none"),
        ("b.wav", "none"),
    ]


def test_windows_follow_the_length_of_the_recording_to_the_end(tmp_path: Path) -> None:
    recordings(tmp_path, "rec.wav", seconds=3.0)
    write(tmp_path / "rec.txt", "0\t3.0004\tdog\n")
    found = load(tmp_path, window=0.3, hop=0.3)
    assert len(found) == 10
    assert {inspect(clip.source).frames for clip in found} == {2400}


def test_a_table_of_another_recording_is_noticed(tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec.wav") / "rec.txt", "0\t1\tdog\n99\t100\tdog\n")
    found = error(tmp_path, window=1.0)
    words = "the recording ends at 4 s, and line 2 of its table has an annotation at 99 s"
    assert found.message == f"{tmp_path / 'rec.wav'}: {words}"
    assert found.hint == "Check whether the table belongs to another recording."


def test_a_recording_whose_length_is_not_known_is_named(tmp_path: Path) -> None:
    write(tmp_path / "rec.wav", "no audio")
    write(tmp_path / "rec.txt", "0\t1\tdog\n")
    assert len(load(tmp_path)) == 1
    with pytest.raises(DecodeError, match=r"rec\.wav: "):
        load(tmp_path, window=1.0)


def test_split_folders_are_folds(tmp_path: Path) -> None:
    recordings(tmp_path, "train/a.wav", "test/b.wav")
    write(tmp_path / "train" / "a.txt", "0\t1\tdog\n")
    write(tmp_path / "test" / "b.txt", "0\t1\tcat\n")
    assert {clip.id: clip.fold for clip in load(tmp_path)} == {
        "test/b.wav@0.0-1.0": "test",
        "train/a.wav@0.0-1.0": "train",
    }


def test_a_zip_holds_the_same_clips(tmp_path: Path) -> None:
    root = recordings(tmp_path / "set", "a.wav", "b.wav")
    write(root / "a.txt", "0.5\t1.25\tdog\n")
    write(root / "b.txt", raven("2 3 cat"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in root.iterdir():
            archive.write(path, f"set/{path.name}")
    for fields in ({}, {"window": 0.5}):
        unpacked, packed = load(root, **fields), load(tmp_path / "set.zip", **fields)
        assert labels(unpacked) == labels(packed)


@pytest.mark.parametrize(
    "fields",
    [
        {"hop": 1.0},
        {"background": "x"},
        {"window": 0},
        {"window": 1.0, "hop": -1.0},
        {"window": 1.0, "min_overlap": 0},
        {"window": 1.0, "min_overlap": 1.5},
        {"on_conflict": "both"},
    ],
    ids=str,
)
def test_fields_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validate_component(Annotations, {"path": "x", **fields})


@pytest.mark.slow
def test_a_run_on_windows_keeps_recordings_together(tmp_path: Path) -> None:
    for number in range(4):
        parts = [tone(300.0 if i % 2 else 1800.0, 1.0, 8000, 10 * number + i) for i in range(6)]
        write_wav(tmp_path / "set" / f"r{number}.wav", np.concatenate(parts))
        lines = [f"{i}\t{i + 1}\t{'low' if i % 2 else 'high'}\n" for i in range(6)]
        write(tmp_path / "set" / f"r{number}.txt", "".join(lines))
    write(
        tmp_path / "c.yaml",
        "name: windows\n"
        "dataset: {type: annotations, path: set, window: 0.5}\n"
        "audio: {sr: 8000}\n"
        "featurizers: {mel: {type: mel, n_fft: 512, n_mels: 16}}\n"
        "split: {type: leave_one_group_out}\n"
        "classifiers: {logreg: {type: logistic_regression}}\n"
        "metrics: [accuracy]\n",
    )
    done = run_cli("run", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "48 clips, 2 classes; leave one group out, 4 groups" in done.stdout


def test_windows_of_several_labels_keep_all_of_them(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", seconds=6.0)
    table = raven("0 0.9 robin;wren", "0.5 2.2 wren", "3 4 ?owl", "3.1 4 robin", "4.5 4.5 robin")
    write(tmp_path / "rec1.txt", table)
    dataset = load(tmp_path, window=1.0, labels="several")
    assert [clip.label for clip in dataset] == [
        "robin;wren",
        "wren",
        "?wren",  # covered by 0.2 s
        "?owl;robin",
        "?robin",  # a point in time
        "",
    ]
    assert dataset.is_several
    assert {clip.group for clip in dataset} == {"rec1.wav"}


def test_an_annotation_without_a_label_leaves_all_other_classes_unlabelled(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", "rec2.wav", seconds=2.0)
    write(tmp_path / "rec1.txt", raven("0 1 robin", "0.2 0.4 "))
    write(tmp_path / "rec2.txt", raven("0 1 wren"))
    dataset = load(tmp_path, window=1.0, labels="several")
    assert [clip.label for clip in dataset] == ["robin;?wren", "", "wren", ""]


def test_a_track_of_audacity_holds_several_labels(tmp_path: Path) -> None:
    recordings(tmp_path, "rec1.wav", seconds=2.0)
    write(tmp_path / "rec1.txt", "0.0\t1.0\trobin;wren\n1.0\t2.0\twren\n")
    assert load(tmp_path, window=1.0, labels="several").class_counts == {"robin": 1, "wren": 2}
    assert load(tmp_path, labels="single").classes == ("robin;wren", "wren")
    write(tmp_path / "rec1.txt", "0.0\t1.0\trobin;wren\n1.0\t2.0\twren\n0\t1\trobin\n")
    assert "seems to hold several labels" in error(tmp_path).message
    write(tmp_path / "rec1.txt", "0.0\t1.0\trobin\n1.0\t2.0\t?wren\n")
    assert "line 2: Annotation is '?wren', which marks an unsure label" in error(tmp_path).message
    write(tmp_path / "rec1.txt", "0.0\t1.0\trobin;robin\n")
    message = error(tmp_path, window=1.0, labels="several").message
    assert "line 1: Annotation is 'robin;robin', which names 'robin' twice" in message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "labels: several needs a window"),
        ({"window": 1.0, "background": "none"}, "background is for single labels"),
        ({"window": 1.0, "on_conflict": "longest"}, "on_conflict is for single labels"),
    ],
)
def test_several_labels_refuse_settings_of_single_ones(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        Annotations(path=tmp_path, labels="several", **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"north/a_1.wav", "north/a_2.wav", "south/b_1.wav"}),
        ({"group": "folder"}, {"north", "south"}),
        ({"group_pattern": "(?P<group>[a-z])_"}, {"a", "b"}),
    ],
)
def test_recordings_are_grouped_by_site(
    fields: dict[str, Any], expected: set[str], tmp_path: Path
) -> None:
    for name in ("north/a_1", "north/a_2", "south/b_1"):
        write(recordings(tmp_path, f"{name}.wav") / f"{name}.txt", "0\t1\tfox\n2\t3\towl\n")
    assert {clip.group for clip in load(tmp_path, **fields)} == expected
    assert len(load(tmp_path, **fields)) == 6


@pytest.mark.parametrize("fields", [{"group": "folder"}, {"group_pattern": "^(?P<group>x)"}])
def test_a_recording_without_a_group_is_named(fields: dict[str, Any], tmp_path: Path) -> None:
    write(recordings(tmp_path, "rec1.wav") / "rec1.txt", "0\t1\tfox\n2\t3\towl\n")
    recordings(tmp_path, "without_table.wav")
    assert "gives no group for 1 recording: rec1.wav" in str(error(tmp_path, **fields))


@pytest.mark.parametrize("pattern", ["(", "north", "(?P<label>x)"])
def test_a_pattern_of_groups_needs_one_named_group(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Annotations(path=tmp_path, group_pattern=pattern)
