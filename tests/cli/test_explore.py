"""`audioclf explore`: a first look, as a table, as a page, as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import run_cli, tone, write_wav
from tests.report.explore.making import make_config


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_and_the_page(here: Path, toy_config: Path) -> None:
    done = run_cli("explore", toy_config, code=0)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["class", "clips", "length"]
    assert [line.split()[:2] for line in lines[1:3]] == [["high", "8"], ["low", "8"]]
    assert "files: 16 WAV PCM_16, 8000 Hz, mono" in lines
    assert "groups: none declared, none in the names" in lines
    assert "% of it. Distances on it are no accuracy." in done.stdout
    assert lines[-1] == "page    toy_explore.html"
    assert (here / "toy_explore.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.slow
def test_it_is_the_same_from_the_cache_and_for_any_number_of_jobs(
    here: Path, toy_config: Path
) -> None:
    args = ("explore", toy_config, "--json", "--no-audio")
    first = run_cli(*args, "--cache-dir", here / "c", "--jobs", "1")
    again = run_cli(*args, "--cache-dir", here / "c", "--jobs", "2")
    bare = run_cli(*args, "--no-cache")
    assert json.loads(first.stdout) == json.loads(again.stdout) == json.loads(bare.stdout)


@pytest.mark.slow
def test_a_run_finds_in_the_cache_what_was_explored(here: Path, toy_config: Path) -> None:
    cache = ("--cache-dir", here / "c")
    run_cli("explore", toy_config, "--no-audio", *cache, code=0)
    run_cli("run", toy_config, "--out", here / "r", *cache, code=0)
    record = json.loads((here / "r" / "record.json").read_text(encoding="utf-8"))
    assert record["cache"]["hits"] >= 16


def test_json_holds_each_point_and_what_it_means(here: Path) -> None:
    path = make_config(here, ["a", "b"], groups=True)
    found = json.loads(run_cli("explore", path, "--json", "--no-audio").stdout)
    assert found["clips"] == 6
    assert [row["name"] for row in found["classes"]] == ["a", "b"]
    assert found["classes"][0]["seconds"] == {"median": 0.15, "low": 0.15, "high": 0.15}
    assert found["rates"] == {"4000": 6}
    points = found["map"]["points"]
    assert [point["label"] for point in points] == list("aaabbb")
    assert all(point["group"] for point in points)
    assert len(found["map"]["variance"]) == 2
    assert found["page"] == "toy_explore.html"


@pytest.mark.slow
def test_limits_of_the_config_hold_and_clips_can_be_read_in_processes(here: Path) -> None:
    path = make_config(here, ["a", "b"])
    refused = run_cli("explore", path, "--no-audio", "--set", "limits.max_sr=3000", code=3)
    assert "limits.max_sr accepts more" in refused.stderr
    same = [run_cli("explore", path, "--no-audio", "--json", *x) for x in ((), ("--isolate",))]
    assert same[0].stdout == same[1].stdout


def test_overrides_hold(here: Path, toy_config: Path) -> None:
    options = ("--set", "audio.duration=0.1", "--features", "mel")
    done = run_cli("explore", toy_config, *options, "--no-audio", "--json")
    seconds = json.loads(done.stdout)["classes"][0]["seconds"]
    assert seconds == {"median": 0.1, "low": 0.1, "high": 0.1}


def test_bad_files_are_listed_and_not_the_end(here: Path, sounds: Path) -> None:
    (sounds / "low" / "bad.wav").write_bytes(b"RIFF")
    config = here / "x.yaml"
    text = "dataset: {type: folder, path: sounds}\nfeaturizers: {mfcc: {type: mfcc}}\n"
    config.write_text(text + "classifiers: {knn: {type: knn}}\n", encoding="utf-8")
    done = run_cli("explore", config, code=4)
    assert "16 clips, 1 unreadable, 2 classes" in done.stdout
    assert "bad.wav" in done.stderr
    page = (here / "x_explore.html").read_text(encoding="utf-8")
    assert "1 clip could not be read" in page
    assert "low/bad.wav" in page


def test_what_no_run_could_train_on_can_be_looked_at(here: Path) -> None:
    done = run_cli("explore", make_config(here, ["alone"], each=1), "--no-audio", code=0)
    assert "1 clips, 1 classes" in done.stdout


def test_recording_habits_copies_and_silence_are_found(here: Path) -> None:
    for n in range(8):
        y = tone(300 + 20 * n, 0.2, 8000, n)
        write_wav(here / "s" / "cat" / f"{n}.wav", y, 8000)
        both = np.column_stack([y, y])
        write_wav(here / "s" / "dog" / f"{n}.wav", both, 8000, subtype="PCM_24")
    write_wav(here / "s" / "cat" / "silent.wav", np.zeros(1600, dtype=np.float32), 8000)
    (here / "s" / "cat" / "copy.wav").write_bytes((here / "s" / "cat" / "0.wav").read_bytes())
    config = here / "x.yaml"
    text = "dataset: {type: folder, path: s}\naudio: {sr: 8000}\nfeaturizers: {mel: {type: mel, "
    text += "n_fft: 256, n_mels: 16, pooling: {type: stats}}}\nclassifiers: {knn: {type: knn}}\n"
    config.write_text(text, encoding="utf-8")
    done = run_cli("explore", config, "--no-audio", code=0)
    assert "finding recording-habit: " in done.stdout
    assert "all 8 'dog' clips and no other are" in done.stdout
    assert "finding duplicate-files: 2 clips have the same bytes as another clip." in done.stdout
    assert " silent: " in done.stdout


def test_a_group_in_the_names_is_shown_as_a_guess(here: Path) -> None:
    for label in ("dog", "cat"):
        for site in ("north", "south", "west"):
            for n in range(4):
                y = tone(300, 0.1, 8000, n)
                write_wav(here / "s" / label / f"{site}_{n:03d}.wav", y, 8000)
    run_cli("init", here / "s", code=0)
    text = (here / "s.yaml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.strip().startswith("label_pattern")]
    (here / "s.yaml").write_text("\n".join(kept), encoding="utf-8")
    done = run_cli("explore", here / "s.yaml", "--no-audio", "--set", "split.type=kfold")
    assert "guessed groups: 3: north, south, west" in done.stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--out", "x.yaml"), 2, "needs a name that ends in .html"),
        (("--set", "dataset.path=gone.zip"), 3, "no such zip archive"),
        (("--set", "nonsense=1"), 2, "nonsense"),
        (("--features", "mell"), 2, "no featurizer of the config is called 'mell'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    args: tuple[str, ...], code: int, said: str, here: Path, toy_config: Path
) -> None:
    done = run_cli("explore", toy_config, *args, code=code)
    assert said in done.stderr
    assert list(here.glob("*.html")) == []


def test_the_page_stands_elsewhere_and_replaces_only_a_page(here: Path, toy_config: Path) -> None:
    (here / "mine.html").write_text("mine", encoding="utf-8")
    done = run_cli("explore", toy_config, "--no-audio", "--out", here / "mine.html", code=6)
    assert "holds no page of audioclf, and is not replaced" in done.stderr
    assert (here / "mine.html").read_text(encoding="utf-8") == "mine"
    for _ in range(2):
        run_cli("explore", toy_config, "--out", here / "new" / "look.html", code=0)
    assert "data:audio/" in (here / "new" / "look.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_recordings_of_the_tutorial(here: Path, real_data: Callable[[str], Path]) -> None:
    run_cli("init", real_data("barbie_vs_puppy.zip"), code=0)
    done = run_cli("explore", "barbie_vs_puppy.yaml", code=0)
    assert "14 of 48 'puppy' clips and no other are stereo (14) or 24-bit (12)" in done.stdout
