"""`audioclf audit`: what it prints, and when it ends with 3."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioclf.audit.findings import Finding
from audioclf.cli.audit import _finding_text
from tests.conftest import REPO, run_cli, write_config, write_sounds, write_wav, zip_folder

pytestmark = pytest.mark.usefixtures("small_forests")


@pytest.fixture
def odd_config(tmp_path: Path) -> Path:
    """Return a config whose class 'low' alone is stereo, with a silent clip in it."""
    for path in write_sounds(tmp_path / "sounds").glob("low/*.wav"):
        y, sr = soundfile.read(path)
        write_wav(path, np.column_stack([y, y]), sr)
    write_wav(tmp_path / "sounds" / "low" / "low_7.wav", np.zeros((3000, 2)))
    return write_config(zip_folder(tmp_path / "sounds", tmp_path / "sounds.zip"))


def test_nothing_to_doubt_ends_with_0(toy_config: Path) -> None:
    done = run_cli("audit", toy_config, code=0)
    for title in ("Leakage: ", "Shortcuts: ", "Decoding: ", "Labels: "):
        assert title in done.stdout
    assert "no finding casts doubt on the numbers of" in done.stdout


def test_a_finding_ends_with_3_and_says_how_to_allow_it(odd_config: Path) -> None:
    done = run_cli("audit", odd_config, code=3)
    assert "[finding] recording-habit: " in done.stdout
    assert "all 8 'low' clips and no other are stereo" in done.stdout
    assert "low/low_7.wav" in done.stdout
    assert done.stdout.rstrip().endswith("--allow recording-habit --allow shortcut --allow silent")


def test_findings_that_are_allowed_end_with_0_and_stay_visible(odd_config: Path) -> None:
    names = ("recording-habit", "shortcut", "silent")
    allowed = [word for name in names for word in ("--allow", name)]
    done = run_cli("audit", odd_config, *allowed, code=0)
    assert "[allowed] silent: 1 clip is silent" in done.stdout


def test_doubtful_labels_have_a_column_of_pipelines() -> None:
    row = {"path": "a.wav", "suggested_score": 0.9, "cells": 2, "of": 3}
    header, line = _finding_text(
        Finding("label-doubt", "info", "", "", [row]), allowed=False
    ).splitlines()[-2:]
    assert header.split() == ["path", "suggested", "score", "pipelines", "of"]
    assert line.split() == ["a.wav", "0.9", "2", "3"]


def test_an_unknown_name_is_refused_with_the_known_ones(toy_config: Path) -> None:
    done = run_cli("audit", toy_config, "--allow", "shortcuts", code=2)
    assert "no finding is called 'shortcuts'" in done.stderr
    assert "Did you mean 'shortcut'?" in done.stderr
    assert "recording-habit" in done.stderr


def test_json_holds_the_audits_and_keeps_the_exit_code(odd_config: Path) -> None:
    done = run_cli("audit", odd_config, "--json", "--allow", "silent", code=3)
    data = json.loads(done.stdout)
    assert (data["format"], data["allowed"]) == (1, ["silent"])
    names = {audit["name"] for audit in data["audits"]}
    assert names == {"leakage", "shortcuts", "decode", "labels"}


@pytest.mark.slow
def test_the_result_does_not_depend_on_jobs_or_the_cache(odd_config: Path, tmp_path: Path) -> None:
    cache = ("--cache-dir", tmp_path / "cache")
    first, second, bare = (
        run_cli("audit", odd_config, "--json", *options).stdout
        for options in (("--jobs", "1", *cache), ("--jobs", "2", *cache), ("--no-cache",))
    )
    assert first == second == bare


def test_quick_trains_nothing(odd_config: Path) -> None:
    done = run_cli("audit", odd_config, "--quick", "--set", "classifiers.logreg.max_iter=1")
    assert "No pipeline has out-of-fold scores" in done.stdout
    assert "reaches" not in done.stdout


def test_a_clip_that_cannot_be_read_is_a_finding_and_no_end(toy_config: Path, sounds: Path) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF but no more than that")
    zip_folder(sounds, toy_config.parent / "sounds.zip")
    done = run_cli("audit", toy_config, "--quick", code=3)
    assert "[finding] unreadable: 1 clip is unreadable" in done.stdout


def test_long_tables_are_cut_and_say_so(toy_config: Path, sounds: Path) -> None:
    for label in ("low", "high"):
        for index in range(6):
            write_wav(sounds / label / f"{label}_{index}.wav", np.zeros(3000))
    zip_folder(sounds, toy_config.parent / "sounds.zip")
    done = run_cli("audit", toy_config, "--quick")
    assert "12 clips are silent" in done.stdout
    assert "and 2 more" in done.stdout


QUICKSTART = """\
name: real
seed: 42
dataset: {{type: zip, path: {path}}}
audio: {{sr: 22050, duration: 3.0}}
featurizers:
  mfcc: {{type: mfcc, n_mfcc: 40}}
split: {{type: stratified_kfold, n_splits: 5}}
classifiers:
  logistic_regression: {{type: logistic_regression}}
"""


def audit_of(path: Path, folder: Path) -> tuple[int, dict[str, str]]:
    config = folder / "real.yaml"
    config.write_text(QUICKSTART.format(path=json.dumps(str(path))), encoding="utf-8")
    done = run_cli("audit", config, "--json", "--quick")
    audits = json.loads(done.stdout)["audits"]
    found = [finding for audit in audits for finding in audit["findings"]]
    return done.returncode, {finding["name"]: finding["text"] for finding in found}


@pytest.mark.slow
def test_the_real_recordings_give_puppies_away_by_their_format(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    code, found = audit_of(real_data("barbie_vs_puppy.zip"), tmp_path)
    assert code == 3
    habit = "14 of 48 'puppy' clips and no other are stereo (14) or 24-bit (12)"
    assert habit in found["recording-habit"]
    chunks = "75 % of 'puppy' and 20 % of the others are files with the chunks 'fmt LIST data'"
    assert chunks in found["shortcut"]


def test_the_synthetic_recordings_have_no_habit(tmp_path: Path) -> None:
    code, found = audit_of(REPO / "data" / "barbie_puppy.zip", tmp_path)
    assert code == 0, found
    assert not {"recording-habit", "shortcut"} & set(found)
