"""`audioclf features`: one row for each clip, the same numbers in each format."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.builtin.featurizers.mfcc import Mfcc
from tests.conftest import run_cli, tone, write_wav

CONFIG = """\
dataset: {type: manifest, path: clips.csv}
audio: {sr: 8000}
featurizers:
  mfcc: {type: mfcc, augment: {type: vtlp}}
  both: {type: concat, parts: {a: {type: mfcc, n_mfcc: 13}}}
classifiers: {svm: {type: svm}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    y = np.concatenate([tone(300.0, 0.5, 8000, 1), tone(900.0, 0.5, 8000, 2)])
    write_wav(tmp_path / "rec.wav", y)
    write_wav(tmp_path / "ä.wav", tone(500.0, 0.5, 8000, 3))
    rows = [
        "path,label,start,end,group",
        "rec.wav,low,0,0.5,ann",
        "rec.wav,high,0.5,1,",
        "ä.wav,low,,,",
    ]
    (tmp_path / "clips.csv").write_text("\n".join(rows), encoding="utf-8")
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_all_formats_hold_the_same_rows(config: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    for name in ("t.csv", "t.parquet", "t.npz"):
        done = run_cli("features", config, "--out", tmp_path / name, "--no-cache")
        assert done.returncode == 0, done.stderr
        assert f"{name}: 3 clips; columns: mfcc 240, both 156" in done.stdout
    data: Any = np.load(tmp_path / "t.npz")
    assert data["id"].tolist() == ["rec.wav@0.0-0.5", "rec.wav@0.5-1.0", "ä.wav"]
    assert data["label"].tolist() == ["low", "high", "low"]
    assert data["group"].tolist() == ["ann", "", ""]
    np.testing.assert_array_equal(data["start"], [0.0, 0.5, np.nan])
    expected = Mfcc().pooling.pool(Mfcc().extract(tone(500.0, 0.5, 8000, 3), 8000), 1)
    np.testing.assert_allclose(data["X_mfcc"][2], expected, atol=0.5)  # of samples in 16 bits
    matrix = np.hstack([data["X_mfcc"], data["X_both"]])
    with (tmp_path / "t.csv").open(encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert header[:6] == ["id", "label", "group", "start", "end", "mfcc.0"]
    assert [row[:5] for row in rows][0::2] == [
        ["rec.wav@0.0-0.5", "low", "ann", "0.0", "0.5"],
        ["ä.wav", "low", "", "", ""],
    ]
    np.testing.assert_array_equal(np.array([row[5:] for row in rows], dtype=np.float32), matrix)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == header
    assert table["group"].to_pylist() == ["ann", None, None]
    columns = [table[name].to_numpy() for name in header[5:]]
    np.testing.assert_array_equal(np.column_stack(columns), matrix)


def test_featurizers_are_chosen_and_unreadable_clips_are_named(
    config: Path, tmp_path: Path
) -> None:
    (tmp_path / "ä.wav").write_bytes(b"no audio")
    out = tmp_path / "t.npz"
    done = run_cli("features", config, "--out", out, "--featurizer", "both", "--no-cache")
    assert done.returncode == 4
    assert "ä.wav: " in done.stderr
    data: Any = np.load(out)
    assert [name for name in data if name.startswith("X_")] == ["X_both"]
    assert len(data["id"]) == 2


WINDOWS = ("--window", "0.2", "--hop", "0.1", "--no-cache", "--featurizer", "mfcc")


@pytest.mark.slow
def test_isolated_windows_have_the_same_rows(config: Path, tmp_path: Path) -> None:
    for name, more in {"here": ("--jobs", "1"), "there": ("--isolate",)}.items():
        run_cli("features", config, "--out", tmp_path / f"{name}.npz", *WINDOWS, *more, code=0)
    here, there = (np.load(tmp_path / f"{name}.npz")["X_mfcc"] for name in ("here", "there"))
    np.testing.assert_array_equal(here, there)


def test_windows_have_a_row_each_with_their_times(config: Path, tmp_path: Path) -> None:
    """The windows of a clip are cut as those of `predict`, and each is a clip of its own."""
    for name, more in {"t.csv": ("--jobs", "2"), "t.npz": ("--jobs", "1")}.items():
        done = run_cli("features", config, "--out", tmp_path / name, *WINDOWS, *more, code=0)
        assert f"{name}: 12 windows; columns: mfcc 240" in done.stdout
    data: Any = np.load(tmp_path / "t.npz")
    assert data["id"].tolist() == [id_ for id_ in np.unique(data["id"]) for _ in range(4)]
    np.testing.assert_allclose(data["start"][4:8], [0.5, 0.6, 0.7, 0.8])
    np.testing.assert_allclose(data["end"][4:8], [0.7, 0.8, 0.9, 1.0])
    assert data["label"].tolist()[4:8] == ["high"] * 4
    whole = tone(500.0, 0.5, 8000, 3)
    expected = Mfcc().pooling.pool(Mfcc().extract(whole[800:2400], 8000), 1)
    np.testing.assert_allclose(data["X_mfcc"][9], expected, atol=0.5)  # of samples in 16 bits
    with (tmp_path / "t.csv").open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    assert [float(row[3]) for row in rows] == data["start"].tolist()


def test_a_featurizer_that_fails_to_name_its_step_computes_each_window_alone(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[Any] = []
    for step in (lambda *_: None, lambda *_: 1 / 0):
        monkeypatch.setattr(Mfcc, "shared_step", step)
        out = tmp_path / f"{len(tables)}.npz"
        run_cli("features", config, "--out", out, *WINDOWS, "--jobs", "1", code=0)
        tables.append(np.load(out)["X_mfcc"])
    np.testing.assert_array_equal(*tables)


def test_a_clip_without_a_window_is_named(config: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "ä.wav", tone(500.0, 0.1, 8000, 3))
    out = tmp_path / "t.npz"
    done = run_cli("features", config, "--out", out, "--window", "0.5", code=4)
    assert "shorter than half a window of 0.5 s" in done.stderr
    assert len(np.load(out)["id"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "t.xlsx"), "must end in one of .csv, .parquet, .npz"),
        (("--out", "t.csv", "--hop", "1"), "--hop is about windows"),
        (("--out", "t.csv", "--window", "0"), "a window of 0 s is less than a sample"),
        (("--out", "t.csv", "--featurizer", "mfc"), "no featurizer of the config is called 'mfc'"),
    ],
)
def test_another_format_or_name_is_refused(config: Path, arguments: Any, words: str) -> None:
    done = run_cli("features", config, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
