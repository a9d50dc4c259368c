"""Mistakes of users: a clear sentence, the right exit code, no traceback; see also `hostile`."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import run_cli, write_wav, zip_folder

MakeDist = Callable[..., Path]
OnPath = Callable[[Path], None]


def refused(config: Path, code: int, *words: str, args: tuple[str, ...] = ()) -> str:
    done = run_cli("run", config, "--out", config.parent / "out", *args)
    assert done.returncode == code, done.stderr + done.stdout
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("audioclf: error: ")
    for word in words:
        assert word in done.stderr
    assert not (config.parent / "out" / "record.json").exists()
    return done.stderr


def test_a_missing_config(tmp_path: Path) -> None:
    refused(tmp_path / "no.yaml", 2, "no.yaml: no such file")


def test_a_missing_dataset_is_named_with_its_full_path(toy_config: Path) -> None:
    (toy_config.parent / "sounds.zip").unlink()
    refused(toy_config, 3, f"{toy_config.parent}/sounds.zip")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_dataset(toy_config: Path) -> None:
    (toy_config.parent / "sounds.zip").chmod(0)
    refused(toy_config, 3, "sounds.zip", "ermission denied")


@pytest.mark.slow
def test_a_class_with_fewer_clips_than_folds_lowers_the_folds(
    toy_config: Path, sounds: Path
) -> None:
    for path in sorted((sounds / "low").iterdir())[3:]:
        path.unlink()
    zip_folder(sounds, toy_config.parent / "sounds.zip")
    done = run_cli("run", toy_config, "--out", toy_config.parent / "out")
    assert done.returncode == 0
    assert "audioclf: note: folds lowered from 4 to 3" in done.stderr
    assert "3 stratified folds" in done.stdout


@pytest.fixture
def truncated(toy_config: Path, sounds: Path) -> None:
    """Cut one clip short."""
    path = sounds / "low" / "low_3.wav"
    path.write_bytes(path.read_bytes()[:1000])
    zip_folder(sounds, toy_config.parent / "sounds.zip")


@pytest.mark.usefixtures("truncated")
def test_a_clip_that_cannot_be_read_ends_the_run_before_training(toy_config: Path) -> None:
    stderr = refused(toy_config, 3, "1 of 16 clips cannot be used", "low_3.wav", "truncated")
    assert "on_error: skip" in stderr
    ledger = (toy_config.parent / "out" / "ledger.csv").read_text()
    assert ledger.count(",ok,") == 15
    assert ledger.count(",failed,") == 1


@pytest.mark.usefixtures("truncated")
def test_with_skip_the_others_still_train_and_the_exit_code_says_so(toy_config: Path) -> None:
    out = toy_config.parent / "out"
    done = run_cli("run", toy_config, "--set", "on_error=skip", "--out", out)
    assert done.returncode == 4, done.stderr
    assert "15 clips, 1 left out" in done.stdout
    assert "1 of 16 clips could not be read and were left out" in done.stderr
    assert "truncated" in (out / "ledger.csv").read_text()


def test_many_bad_clips_are_all_in_the_ledger_and_some_on_screen(
    toy_config: Path, tmp_path: Path
) -> None:
    root = tmp_path / "many"
    for index in range(30):
        path = root / "ab"[index % 2] / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    write_wav(root / "a" / "good.wav", np.full(4000, 0.1, dtype=np.float32))
    zip_folder(root, toy_config.parent / "sounds.zip")
    stderr = refused(toy_config, 3, "30 of 31 clips cannot be used", "and 10 more")
    assert stderr.count("only 0 bytes") == 20
    ledger = (toy_config.parent / "out" / "ledger.csv").read_text()
    assert ledger.count(",failed,") == 30


@pytest.mark.usefixtures("truncated")
def test_check_names_what_cannot_be_read(toy_config: Path) -> None:
    done = run_cli("check", toy_config)
    assert done.returncode == 3
    assert "some clips cannot be read" in done.stdout
    assert "low_3.wav: truncated" in done.stdout


def of_folder(config: Path) -> Path:
    path = config.with_name("folder.yaml")
    text = config.read_text().replace("zip, path: sounds.zip", "folder, path: sounds")
    path.write_text(text)
    return path


def test_a_file_name_that_is_not_utf_8(toy_config: Path, sounds: Path) -> None:
    config = of_folder(toy_config)
    shutil.copy(sounds / "low" / "low_0.wav", sounds / "low" / os.fsdecode(b"\xff.wav"))
    refused(config, 3, "UTF-8", r"\xff.wav'")


def test_a_metric_that_does_not_fit_the_classes(toy_config: Path, sounds: Path) -> None:
    shutil.copytree(sounds / "low", sounds / "mid")
    zip_folder(sounds, toy_config.parent / "sounds.zip")
    refused(toy_config, 2, "metric 'f1' is defined for two classes, and there are 3", "f1_macro")


PLUGIN = """\
from typing import Literal
from audioclf.plugin import Classifier, hookimpl
class Mine(Classifier):
    '''Mine.'''
    type: Literal["mine"] = "mine"
    def build(self, *, random_state):
        {body}
@hookimpl
def audioclf_classifiers():
    return [Mine]
"""


def with_mine(config: Path) -> Path:
    path = config.with_name("mine.yaml")
    path.write_text(config.read_text().replace("type: logistic_regression", "type: mine"))
    return path


def test_a_plugin_that_fails_to_import_is_named_and_only_its_users_fail(
    toy_config: Path, make_dist: MakeDist, on_path: OnPath
) -> None:
    on_path(make_dist("audioclf-mine", {"mine": "audioclf_mine"}, {"audioclf_mine.py": "1 / 0"}))
    done = run_cli("run", toy_config, "--out", toy_config.parent / "a")
    assert done.returncode == 0
    said = "plugin audioclf-mine 1.0 (mine) is broken: ZeroDivisionError: division by zero"
    warnings = [line for line in done.stderr.splitlines() if ": warning: " in line]
    assert warnings == [f"audioclf: warning: {said}"]
    done = run_cli("run", with_mine(toy_config), "--out", toy_config.parent / "b")
    assert done.returncode == 2
    assert "no classifier is called 'mine'; the plugin audioclf-mine 1.0" in done.stderr
    assert "ZeroDivisionError" in run_cli("plugins").stdout
    assert run_cli("plugins", "--strict-plugins").returncode == 1


def test_a_plugin_that_raises_while_fitting_is_named_with_its_version(
    toy_config: Path, make_dist: MakeDist, on_path: OnPath
) -> None:
    files = {"audioclf_mine.py": PLUGIN.format(body="raise RuntimeError('no luck')")}
    on_path(make_dist("audioclf-mine", {"mine": "audioclf_mine"}, files, "4.2"))
    done = run_cli("run", with_mine(toy_config), "--out", toy_config.parent / "a", "--jobs", "1")
    assert done.returncode == 3
    assert "classifier 'logreg' (mine, audioclf-mine 4.2), fold '0'" in done.stderr
    assert "RuntimeError: no luck" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_control_characters_of_a_label_do_not_reach_the_terminal(
    toy_config: Path, sounds: Path
) -> None:
    (sounds / "low").rename(sounds / "l\x1b[31mow")
    config = of_folder(toy_config)
    done = run_cli("run", config, "--out", toy_config.parent / "a")
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("{type: knn, n_neighbors: 500}", "n_neighbors is 500, and the smallest training side has"),
        ("{type: sgd, alpha: 0}", "expected greater than 0, not 0"),
    ],
)
def test_a_fit_that_can_only_fail_is_refused_by_check(
    field: str, words: str, toy_config: Path
) -> None:
    done = run_cli("check", toy_config, "--set", f"classifiers.bad={field}")
    assert done.returncode == 2
    assert words in done.stderr
