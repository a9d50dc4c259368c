import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from audioclf.builtin.loaders.manifest import Manifest
from audioclf.components.fields import validate_component
from audioclf.plugin import Dataset, DatasetError
from tests.builtin.loaders.files import archive, content, fill
from tests.conftest import run_cli, tone, write_wav, zip_folder


def load(folder: Path, text: str, name: str = "m.csv", **fields: Any) -> Dataset:
    (folder / name).write_text(text, encoding="utf-8")
    data = {"path": str(folder / name), **fields}
    component = validate_component(Manifest, data, {"base_dir": folder})
    assert isinstance(component, Manifest)
    return component.load()


def error(folder: Path, text: str, **fields: Any) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        load(folder, text, **fields)
    return caught.value


def test_paths_are_relative_to_the_table(tmp_path: Path) -> None:
    fill(tmp_path / "set", "a/1.wav", "2.wav")
    found = load(tmp_path / "set", "path,label\n2.wav,cat\na/1.wav,dog\n")
    assert {clip.id: clip.label for clip in found} == {"2.wav": "cat", "a/1.wav": "dog"}
    assert content(found) == {"2.wav": "2.wav", "a/1.wav": "a/1.wav"}
    assert found.name == str(tmp_path / "set" / "m.csv")
    assert found.notes == ()


def test_all_columns_are_read(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav", "2.wav")
    rows = "1.wav,7,1.5,3,ann,2,train\n1.wav,8,3,,bob,,test\n2.wav,8,,2.25,,,\n"
    found = load(tmp_path, "path,label,start,end,group,fold,split\n" + rows)
    facts = [(c.id, c.label, c.start, c.end, c.group, c.fold) for c in found]
    assert facts == [
        ("1.wav@1.5-3.0", "7", 1.5, 3.0, "ann", "2"),
        ("1.wav@3.0-", "8", 3.0, None, "bob", "test"),
        ("2.wav@0.0-2.25", "8", 0.0, 2.25, None, None),
    ]


def test_columns_of_subgroups_are_read_and_have_to_be_there(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav", "2.wav")
    text = "path,label,machine,domain\n1.wav,a,fan,source\n2.wav,b,pump,\n"
    found = load(tmp_path, text, columns={"subgroups": ["machine", "domain"]})
    assert found.clips[0].subgroups == (("machine", "fan"), ("domain", "source"))
    assert found.notes == ()
    problem = error(tmp_path, text, columns={"subgroups": ["section"]})
    assert "no column 'section'" in problem.message


def test_a_weight_column_weights_the_clips_unless_it_is_null(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav", "2.wav")
    table = "path,label,weight\n1.wav,7,0.5\n2.wav,8,2\n"
    found = load(tmp_path, table)
    assert [clip.weight for clip in found.clips] == [0.5, 2.0]
    assert found.targets.weights is not None
    assert "weighted by the column 'weight', from 0.5 to 2" in found.notes[0]
    plain = load(tmp_path, table, columns={"weight": None})
    assert plain.targets.weights is None
    assert plain.notes == ("columns that are not used: weight",)
    digests = {clip.id: "d" for clip in found.clips}
    assert found.fingerprint(digests) != plain.fingerprint(digests)


@pytest.mark.parametrize("weight", ["-1", "nan", "heavy", "", "1e10", "1,5"])
def test_a_bad_weight_is_named_with_line_and_column(tmp_path: Path, weight: str) -> None:
    fill(tmp_path, "1.wav", "2.wav")
    with pytest.raises(DatasetError, match=r"line 3: w is .*, not a number from 0 to 1e\+09"):
        load(tmp_path, f'path,label,w\n1.wav,7,1\n2.wav,8,"{weight}"\n', columns={"weight": "w"})


def test_weights_of_0_alone_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav")
    with pytest.raises(DatasetError, match="weight is 0 in all rows, from line 2 on"):
        load(tmp_path, "path,label,weight\n1.wav,7,0\n")


def test_json_lines_say_the_same_as_csv(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav", "2.wav")
    rows = [{"path": "1.wav", "label": 7, "start": 0.5}, {"path": "2.wav", "label": "8"}]
    lines = "\n".join(map(json.dumps, rows))
    one = load(tmp_path, lines, "m.jsonl")
    other = load(tmp_path, "path,label,start\n2.wav,8,\n1.wav,7,0.5\n")
    assert one.clips == other.clips


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="reading Parquet needs pyarrow")
    fill(tmp_path, "1.wav", "2.wav")
    data = {"path": ["1.wav", "2.wav"], "label": [7, 8], "start": [0.5, None], "fold": [1, 2]}
    parquet.write_table(pyarrow.table(data), tmp_path / "m.parquet")
    found = Manifest(path=tmp_path / "m.parquet").load()
    other = load(tmp_path, "path,label,start,fold\n2.wav,8,,2\n1.wav,7,0.5,1\n")
    assert found.clips == other.clips


def test_columns_have_the_names_that_the_config_says(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav")
    columns = {"path": "filename", "label": "category", "group": "who", "start": None}
    text = "filename,category,who,start\n1.wav,dog,ann,somewhere\n"
    (clip,) = load(tmp_path, text, columns=columns)
    assert (clip.label, clip.group, clip.start) == ("dog", "ann", None)


def test_a_missing_column_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    found = error(tmp_path, "filename,label\n1.wav,dog\n")
    assert found.message == f"{tmp_path / 'm.csv'}: no column 'path'; there are filename, label"
    assert found.hint == "Set `columns: {path: NAME}` to the name of the column."
    found = error(tmp_path, "path,label\n1.wav,dog\n", columns={"group": "who"})
    assert "no column 'who'; there are path, label" in found.message


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert error(tmp_path, "path,label\n").message.endswith("m.csv: no rows below the header")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",dog", "no path"),
        ("1.wav,", "no label"),
        ("1.wav, ", "no label"),
        ("1.wav,dog,x", "start is 'x', not a time in s"),
        ('1.wav,dog,"1,500"', "start is '1,500', not a time in s"),
        ("1.wav,dog,nan", "start is 'nan', not a time in s"),
        ("1.wav,dog,inf", "start is 'inf', not a time in s"),
        ("1.wav,dog,1e999", "start is '1e999', not a time in s"),
        ("1.wav,dog,1_0", "start is '1_0', not a time in s"),
        ("1.wav,dog,\u0661", "start is '\u0661', not a time in s"),
        ("1.wav,dog,-1", "start is -1, less than 0"),
        ("1.wav,dog,2,1", "the clip ends at 1.0 s, not after its start at 2.0 s"),
        ("1.wav,dog,2,2", "the clip ends at 2.0 s, not after its start at 2.0 s"),
        ("1.wav,dog,,0", "the clip ends at 0.0 s, not after its start at 0.0 s"),
        ("1.wav,do\x1b[31mg", r"label holds a control character: 'do\x1b[31mg'"),
        (f"1.wav,{'x' * 1001}", "label has 1,001 characters (limit 1,000)"),
        (f"{'x' * 4097},dog", "path has 4,097 characters (limit 4,096)"),
    ],
)
def test_a_bad_row_is_named_by_its_line(row: str, words: str, tmp_path: Path) -> None:
    fill(tmp_path, "0.wav", "1.wav")
    found = error(tmp_path, f"path,label,start,end\n0.wav,dog\n{row}\n")
    assert found.message == f"{tmp_path / 'm.csv'}, line 3: {words}"


def test_all_bad_rows_are_reported_together(tmp_path: Path) -> None:
    found = error(tmp_path, "path,label,start\n,dog\n1.wav,dog,0\n1.wav,,\n1.wav,dog,x\n")
    assert found.message.split("\n") == [
        f"{tmp_path / 'm.csv'}: 3 invalid rows:",
        "  line 2: no path",
        "  line 4: no label",
        "  line 5: start is 'x', not a time in s",
    ]


@pytest.mark.parametrize(
    ("rows", "clip"),
    [
        ("1.wav,a\n1.wav,b", "1.wav"),
        ("1.wav,a\n./1.wav,a", "1.wav"),
        ("1.wav,a,1,2\n1.wav,b,1.0,2.0", "1.wav@1.0-2.0"),
    ],
)
def test_a_clip_that_is_listed_twice_is_refused(rows: str, clip: str, tmp_path: Path) -> None:
    fill(tmp_path, "1.wav")
    found = error(tmp_path, f"path,label,start,end\n{rows}\n")
    assert found.message.endswith(f"m.csv, line 3: '{clip}' is a duplicate of line 2")
    assert found.hint == "Keep one row with one label for each clip."


def test_missing_files_are_counted_and_five_are_named(tmp_path: Path) -> None:
    fill(tmp_path, "0.wav")
    rows = "".join(f"{i}.wav,a\n" for i in range(8))
    found = error(tmp_path, f"path,label\n{rows}")
    listed = "1.wav, 2.wav, 3.wav, 4.wav, 5.wav, ..."
    where = f"looked for in {tmp_path}: {listed}"
    assert found.message == f"{tmp_path / 'm.csv'}: 7 files are missing, of 8, {where}"
    assert found.hint is None


def test_where_no_file_is_there_the_place_is_wrong(tmp_path: Path) -> None:
    found = error(tmp_path, "path,label\n1.wav,a\n")
    assert "1 file is missing, of 1, looked for in" in found.message
    assert found.hint == "No file was found: check the folder that the paths are relative to."


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("listed", "file", "change"),
    [
        ("cat/0", "cat/0.wav", "Add the suffix to the paths."),
        ("cat/0.5", "cat/0.5.FLAC", "Add the suffix to the paths."),
        ("cat/0.wav", "cat/0.mp3", "Correct the suffixes of the paths."),
        ("cat/0.wav", "cat/0.WAV", "Correct the suffixes of the paths."),
    ],
)
def test_a_file_with_another_suffix_than_in_the_table_is_named(
    tmp_path: Path, listed: str, file: str, change: str, *, zipped: bool
) -> None:
    root = fill(tmp_path / "set", file)
    if zipped:
        root = zip_folder(root, tmp_path / "set.zip")
    found = error(tmp_path, f"path,label\n{listed},a\n", root=str(root))
    assert found.hint == f"{listed!r} exists as {file!r}. {change}"


@pytest.mark.parametrize("folder_form", ["NFC", "NFD"])
@pytest.mark.parametrize("file_form", ["NFC", "NFD"])
def test_names_are_equal_in_any_normal_form(
    tmp_path: Path, folder_form: Any, file_form: Any
) -> None:
    folder = unicodedata.normalize(folder_form, "kröte")
    file = unicodedata.normalize(file_form, "ä.wav")
    fill(tmp_path, f"{folder}/{file}")
    assert len(load(tmp_path, "path,label\nkröte/ä.wav,a\n")) == 1


def test_a_folder_or_an_endless_name_is_a_missing_file(tmp_path: Path) -> None:
    fill(tmp_path, "x.wav/1.wav")
    found = error(tmp_path, f"path,label\nx.wav,a\n{'y' * 3000}.wav,b\nx.wav/1.wav,c\n")
    assert "2 files are missing, of 3" in found.message


def test_a_root_folder_is_relative_to_the_config(tmp_path: Path) -> None:
    fill(tmp_path / "audio", "1.wav")
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "m.csv").write_text("path,label\n1.wav,dog\n")
    data = {"path": "meta/m.csv", "root": "audio"}
    component = validate_component(Manifest, data, {"base_dir": tmp_path})
    assert isinstance(component, Manifest)
    assert content(component.load()) == {"1.wav": "1.wav"}


def test_a_missing_root_is_named_in_full(tmp_path: Path) -> None:
    found = error(tmp_path, "path,label\n1.wav,dog\n", root="x/../audio")
    assert found.message == f"no such folder or zip archive: {tmp_path / 'audio'}"


@pytest.mark.parametrize("wrapping", ["", "audio/", "set-main/audio/"])
def test_audio_may_lie_in_a_zip_below_wrapping_folders(wrapping: str, tmp_path: Path) -> None:
    names = [f"{wrapping}1.wav", f"{wrapping}x/2.wav"]
    archive(tmp_path / "audio.zip", *names, "README.md")
    text = "path,label\n1.wav,dog\nx/2.wav,cat\n"
    found = load(tmp_path, text, root="audio.zip")
    assert content(found) == {"1.wav": names[0], "x/2.wav": names[1]}


def test_paths_with_one_of_two_wrapping_folders_are_found(tmp_path: Path) -> None:
    archive(tmp_path / "audio.zip", "set-main/audio/1.wav", "set-main/audio/2.wav")
    found = load(tmp_path, "path,label\naudio/1.wav,dog\n", root="audio.zip")
    assert content(found) == {"audio/1.wav": "set-main/audio/1.wav"}


@pytest.mark.parametrize(
    "path", ["../1.wav", "a/../../1.wav", "..", "/1.wav", "..\\1.wav", "C:\\1.wav", "file:///1.wav"]
)
def test_paths_that_lead_out_are_refused(path: str, tmp_path: Path) -> None:
    fill(tmp_path, "1.wav")
    fill(tmp_path / "set", "2.wav")
    found = error(tmp_path / "set", f"path,label\n2.wav,a\n{path},b\n")
    words = f"line 3: {path!r} leads out of the folder of the audio files"
    assert found.message == f"{tmp_path / 'set' / 'm.csv'}, {words}"
    assert found.hint is not None
    assert "`allow_outside` if you trust it" in found.hint


def test_paths_that_only_seem_to_lead_out_are_read(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav", "..2.wav", "a/x.wav")
    found = load(tmp_path, "path,label\na/../1.wav,x\n..2.wav,y\na\\x.wav,z\n")
    assert [clip.id for clip in found] == ["..2.wav", "1.wav", "a/x.wav"]


def test_paths_may_lead_out_where_the_user_says_so(tmp_path: Path) -> None:
    fill(tmp_path, "1.wav")
    fill(tmp_path / "set", "2.wav")
    text = f"path,label\n../1.wav,a\n{tmp_path}/set/2.wav,b\n"
    found = load(tmp_path / "set", text, allow_outside=True)
    assert [clip.id for clip in found] == ["../1.wav", f"{tmp_path}/set/2.wav"]
    assert sorted(content(found).values()) == ["1.wav", "2.wav"]


def memory(**files: str) -> str:
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    for name, text in files.items():
        fs.pipe(f"/set/{name.replace('__', '/').replace('_', '.')}", text.encode())
    return "memory://set"


def test_table_and_audio_may_lie_behind_a_url() -> None:
    url = memory(m_csv="path,label\na/1.wav,dog\n", a__1_wav="one")
    found = Manifest(path=f"{url}/m.csv").load()
    assert content(found) == {"a/1.wav": "one"}


def test_a_file_that_is_not_behind_the_url_is_missing() -> None:
    url = memory(m_csv="path,label\na/1.wav,dog\nb.wav,cat\n", a__1_wav="one")
    with pytest.raises(DatasetError, match=r"1 file is missing, of 2, .* memory://set: b\.wav"):
        Manifest(path=f"{url}/m.csv").load()


def test_web_addresses_are_made_of_the_root_and_the_quoted_path(tmp_path: Path) -> None:
    (clip,) = load(tmp_path, "path,label\na b/é#1.wav,dog\n", root="https://host/set/")
    assert clip.source.name == "https://host/set/a%20b/%C3%A9%231.wav"


@pytest.mark.parametrize(
    "columns", [{"file": "x"}, {"path": None}, {"label": ""}, {"path": 3}, "filename"]
)
def test_columns_that_mean_nothing_are_refused(columns: Any, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        validate_component(Manifest, {"path": "m.csv", "columns": columns})


@pytest.mark.slow
def test_a_run_reads_the_parts_that_a_manifest_lists(tmp_path: Path) -> None:
    import numpy as np

    parts = [tone(300.0 if i % 2 else 1800.0, 0.5, 8000, i) for i in range(16)]
    write_wav(tmp_path / "rec.wav", np.concatenate(parts))
    rows = [
        f"rec.wav,{'low' if i % 2 else 'high'},{i / 2},{i / 2 + 0.5},{'test' if i > 9 else 'train'}"
        for i in range(16)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["path,label,start,end,split", *rows]))
    (tmp_path / "c.yaml").write_text(
        "name: parts\n"
        "dataset: {type: manifest, path: m.csv}\n"
        "audio: {sr: 8000}\n"
        "featurizers: {mel: {type: mel, n_fft: 512, n_mels: 16}}\n"
        "split: {type: predefined, test_folds: [test]}\n"
        "classifiers: {logreg: {type: logistic_regression}}\n"
        "metrics: [accuracy]\n"
    )
    done = run_cli("run", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"logreg \(logistic_regression\) +1\.000", done.stdout)
    assert "rec.wav@5.0-5.5" in (tmp_path / "out" / "predictions.csv").read_text()
