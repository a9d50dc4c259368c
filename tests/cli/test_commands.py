"""The command line as a user meets it: words, streams, exit codes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audioclf import __version__
from audioclf.cli import COMMANDS, LazyGroup
from audioclf.cli.help import EXAMPLES
from tests.conftest import CONFIG, WHOLE, run_cli


def test_help_lists_every_command_in_sections_with_first_steps() -> None:
    done = run_cli("--help", code=0)
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    for title in ("Start:", "Use a model:", "Examples:\n  audioclf init my_sounds\n"):
        assert f"\n{title}" in done.stdout


def test_the_help_of_each_command_is_its_line_in_the_list() -> None:
    for name, line in COMMANDS.items():
        assert LazyGroup().get_command(None, name).help == line
    shown = run_cli("run", "--help").stdout
    places = [shown.index(f"\n{title}:") for title in ("Arguments", "Options", "Speed", "Output")]
    assert places == sorted(places)


def test_examples_of_the_help_are_commands_with_their_options() -> None:
    for of, line in ((of, line) for of, lines in EXAMPLES.items() for line in lines):
        name, *args = line.split()
        assert name == (of or name), line
        command = LazyGroup().get_command(None, name)
        while getattr(command, "commands", None) and args:
            command = command.commands[args.pop(0)]
        command.make_context(name, args)


def test_version() -> None:
    assert run_cli("--version").stdout == f"audioclf {__version__}\n"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rnu", "No such command 'rnu'. Did you mean 'run'?"),
        ("toy.yaml", "Did you mean 'audioclf run toy.yaml'?"),
        ("sounds", "Did you mean 'audioclf init sounds'?"),
        ("xyz", "No such command 'xyz'."),
    ],
)
def test_an_unknown_command_is_a_usage_error_with_the_nearest(
    word: str, message: str, toy_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy_config.parent)
    done = run_cli(word, code=2)
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize("args", [("-v", "check", "nope"), ("check", "nope", "--verbose")])
def test_verbose_shows_versions_and_the_traceback_of_an_error(args: tuple[str, ...]) -> None:
    done = run_cli(*args, code=2)
    assert f"audioclf: info: audioclf {__version__}, Python 3" in done.stderr
    assert "Traceback" in done.stderr
    assert "Traceback" not in run_cli("check", "nope", code=2).stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [("ru", "run runs"), ("run quick", "quickstart"), ("run --jo", "--jobs")],
)
def test_the_shell_completes_commands_configs_and_options(
    words: str, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AUDIOCLF_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"audioclf {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert run_cli(code=0).stdout.split() == completed.split()


@pytest.mark.slow
def test_run_prints_a_table_and_leaves_a_complete_folder(toy_config: Path, tmp_path: Path) -> None:
    whole = [word for override in WHOLE for word in ("--set", override)]
    where = ("--no-cache", "--out", tmp_path / "run")  # fits of other tests would be a note
    done = run_cli("run", toy_config, *where, *whole, code=0)
    lines = done.stdout.splitlines()
    costs = ["fit", "s", "predict", "ms/clip", "model", "memory"]
    assert lines[0].split() == ["pipeline", "accuracy", "f1", "of", "'low'", *costs]
    assert [line.split()[0] for line in lines[1:3]] == ["logreg", "baseline"]
    assert "16 clips, 2 classes; 4 stratified folds" in done.stdout
    assert "bootstrap interval over 16 clips" in done.stdout
    assert "logreg has the best accuracy" in done.stdout
    assert done.stderr == (
        "audioclf: note: 4 clips are longer than audio.duration (0.5 s): the rest was left out\n"
    )
    names = "config.yaml record.json folds.csv ledger.csv predictions.csv metrics.json plots "
    names += "comparison.json audit.json importances.json model.audioclf report.html"
    assert {path.name for path in (tmp_path / "run").iterdir()} == set(names.split())


@pytest.mark.slow
def test_runs_go_below_runs_by_default(toy_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy_config.parent)
    done = run_cli("run", toy_config, code=0)
    (folder,) = (toy_config.parent / "runs").iterdir()
    assert folder.name.startswith("toy-")
    assert f"\nresults in runs/{folder.name}\n" in done.stdout


@pytest.mark.slow
def test_a_resolved_config_runs_again_to_the_same_predictions(
    plain_run: Path, tmp_path: Path
) -> None:
    run_cli("run", plain_run / "config.yaml", "--out", tmp_path / "b", "--jobs", "2", code=0)
    for name in ("predictions.csv", "folds.csv", "ledger.csv"):
        assert (plain_run / name).read_text() == (tmp_path / "b" / name).read_text()
    records = [json.loads((run / "record.json").read_text()) for run in (plain_run, tmp_path / "b")]
    assert records[0]["features"] == records[1]["features"]
    assert records[0]["dataset"] == records[1]["dataset"]


def test_the_record_says_where_everything_comes_from(plain_run: Path) -> None:
    record = json.loads((plain_run / "record.json").read_text())
    component = {"type": "logistic_regression", "distribution": "audioclf"}
    component |= {"version": __version__, "entry_point": "builtin"}
    assert record["components"]["classifiers.logreg"] == component
    assert {"numpy", "scikit-learn", "librosa", "soxr"} <= set(record["versions"])
    assert record["dataset"]["clips"] == 16
    assert len(record["dataset"]["fingerprint"]) == 64
    assert set(record["seconds"]) == {"load", "features", "evaluate", "report"}


def test_check_says_what_a_run_would_do(toy_config: Path) -> None:
    done = run_cli("check", toy_config, code=0)
    words = " ".join(done.stdout.split())
    assert "clips 16, 6.8 s of audio" in words
    assert "classes 2: high 8, low 8" in words
    assert "pipelines 2: logreg, baseline" in words
    assert "fits 8" in words
    assert not (toy_config.parent / "runs").exists()
    data = json.loads(run_cli("check", toy_config, "--json").stdout)
    assert data["clips"] == 16
    assert data["classes"] == {"high": 8, "low": 8}


def test_set_swaps_a_classifier_by_one_word_and_json_is_for_programs(
    toy_config: Path, tmp_path: Path
) -> None:
    swap = ("--set", "classifiers.logreg.type=knn")
    done = run_cli("run", toy_config, *swap, "--json", "--out", tmp_path / "r", code=0)
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    assert record["components"]["classifiers.logreg"]["type"] == "knn"
    data = json.loads(done.stdout)
    assert data["cells"]["logreg"]["metrics"]["accuracy"]["value"] > 0.9
    assert data["unit"] == {"name": "clip", "count": 16}
    table = run_cli("compare", tmp_path / "r", "--per-class", code=0).stdout
    assert "\nlogreg (knn)  " in table
    assert [line.split()[:2] for line in table.splitlines()[-2:]] == [["high", "8"], ["low", "8"]]


def test_runs_are_listed_with_their_state(plain_run: Path, tmp_path: Path) -> None:
    assert run_cli("runs", tmp_path, code=0).stdout == f"{tmp_path} holds no runs\n"
    for name in ("done", "cut", "bad"):
        shutil.copytree(plain_run, tmp_path / name)
    (tmp_path / "cut" / "record.json").rename(tmp_path / "cut" / ".audioclf-unfinished")
    (tmp_path / "bad" / "metrics.json").write_text("{")
    data = json.loads(run_cli("runs", tmp_path, "--json").stdout)
    states = {Path(run["path"]).name: run["state"] for run in data}
    assert states == {"done": "finished", "cut": "unfinished", "bad": "damaged"}
    shown = run_cli("runs", tmp_path, code=0).stdout
    assert "logreg accuracy " in " ".join(shown.split())
    assert f"next: audioclf report {tmp_path / 'done'}, or audioclf compare" in shown
    hint = f"Name one of the runs in it, such as {tmp_path / 'done'}."
    assert hint in run_cli("compare", tmp_path, code=6).stderr
    assert "no such file or directory" in run_cli("runs", tmp_path / "x", code=6).stderr.lower()


def test_a_page_is_opened_on_request(toy_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.chdir(toy_config.parent)
    done = run_cli("explore", toy_config, "--no-audio", "--open", code=0)
    page = toy_config.parent / "toy_explore.html"
    assert opened == [page.as_uri()]
    assert "no browser was found to open toy_explore.html" in done.stderr


def test_plugins_lists_what_is_installed_and_from_where() -> None:
    done = run_cli("plugins", code=0)
    assert f"audioclf {__version__} (builtin)" in done.stdout
    assert "gradient_boosting" in done.stdout
    data = json.loads(run_cli("plugins", "--json").stdout)
    builtin = next(record for record in data if record["entry_point"] == "builtin")
    assert "classifier:svm" in builtin["components"]


@pytest.mark.parametrize("name", ["svm", "classifier:svm"])
def test_plugins_show_explains_fields(name: str) -> None:
    done = run_cli("plugins", "show", name, code=0)
    assert done.stdout.startswith("classifier:svm  from audioclf")
    assert "\nC " in done.stdout


def test_schema_is_json() -> None:
    assert "any_classifier" in json.loads(run_cli("schema").stdout)["$defs"]


def test_five_mistakes_come_in_one_pass_with_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        CONFIG.replace("n_mels: 16", "n_mel: 16")
        .replace("type: zip", "type: zpi")
        .replace("n_splits: 4", "n_splits: four")
        .replace("sr: 8000", "sr: 0")
        .replace("[accuracy, f1]", "[accuracy, f1, x]")
    )
    done = run_cli("run", path, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith(f"audioclf: error: {path}: 5 problems:\n")
    assert len(done.stderr.splitlines()) == 6
    for place in (":3:10: ", ":4:13: ", ":6:", ":7:43: ", ":10:25: "):
        assert f"{path}{place}" in done.stderr


@pytest.mark.slow
def test_ctrl_c_in_one_process_exits_130_and_leaves_no_record(
    toy_config: Path, tmp_path: Path
) -> None:
    text = toy_config.read_text().replace("n_splits: 4", "n_splits: 4, repeats: 1000")
    toy_config.write_text(text)
    out = tmp_path / "run"
    args = [sys.executable, "-m", "audioclf", "run", str(toy_config), "--out", str(out)]
    args += ["--jobs", "1"]
    process = subprocess.Popen(args, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 60
    while not (out / "ledger.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "audioclf: stopped: " in stderr
    assert "Traceback" not in stderr
    assert not (out / "record.json").exists()
