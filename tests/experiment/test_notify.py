"""Notification of plugins: only where it is asked for, and it never costs a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.base.errors import PluginError
from audioclf.components.discovery import discover
from audioclf.experiment.notify import NOTIFY_VARIABLE, plugins_to_notify
from tests.conftest import Done, run_cli

PLUGIN = """
from pathlib import Path
from audioclf.plugin import hookimpl

@hookimpl
def audioclf_run_finished(result):
    {body}
"""
WRITES = """
    print("on stdout")
    pipelines = list(result.metrics["cells"])
    names = [path.relative_to(result.folder).as_posix() for path in result.files]
    text = f"{result.name} {pipelines} {result.record['seed']} {'metrics.json' in names}"
    Path(__file__).with_name("told.txt").write_text(text)
    return "kept\\nwell"
"""
FAILURES = {
    "exits": ("raise SystemExit(0)", "SystemExit: 0"),
    "ends": ("import os; os._exit(0)", "it ended its process: exit code 0"),
    "hangs": ("import time; time.sleep(60)", "it ended its process: no answer within 4 s"),
    "babbles": ("return 3", "it returned int, expected a sentence or nothing"),
}


@pytest.fixture
def observer(make_dist: Any, on_path: Any) -> Callable[[str], Path]:
    def install(body: str) -> Path:
        files = {"audioclf_diary.py": PLUGIN.format(body=body)}
        site: Path = make_dist("audioclf-diary", {"diary": "audioclf_diary"}, files, "2.1")
        on_path(site)
        return site / "told.txt"

    return install


def run(config: Path, out: Path, *options: str) -> Done:
    return run_cli("run", config, "--out", out, "--no-cache", *options)


def test_it_is_told_of_the_whole_folder(observer: Any, toy_config: Path, tmp_path: Path) -> None:
    told = observer(WRITES)
    done = run(toy_config, tmp_path / "run", "--notify", "diary", "--json")
    assert done.returncode == 0, done.stderr
    assert told.read_text() == "toy ['logreg', 'baseline'] 1 True"
    assert "note: audioclf-diary 2.1 (diary): kept well" in done.stderr
    assert json.loads(done.stdout)["classes"] == ["high", "low"]


@pytest.mark.slow
def test_installed_alone_it_is_told_nothing(
    observer: Any, toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = observer(WRITES)
    assert run(toy_config, tmp_path / "one").returncode == 0
    assert not told.exists()
    monkeypatch.setenv(NOTIFY_VARIABLE, " diary,")
    assert run(toy_config, tmp_path / "two").returncode == 0
    assert told.exists()
    assert plugins_to_notify(()) == ()


@pytest.mark.slow
def test_a_failure_costs_nothing_and_is_named(
    observer: Any, toy_config: Path, tmp_path: Path
) -> None:
    module = observer("1 / 0").with_name("audioclf_diary.py")
    folder = tmp_path / "run"
    done = run(toy_config, folder, "--notify", "audioclf-diary")
    assert done.returncode == 4
    assert "accuracy" in done.stdout
    assert (folder / "record.json").is_file()
    check_failure(done, folder, "ZeroDivisionError: division by zero")
    for body, said in FAILURES.values():
        module.write_text(PLUGIN.format(body=body))
        seconds = "4" if "4 s" in said else "60"
        again = run_cli("notify", folder, "diary", "--notify-seconds", seconds)
        assert (again.returncode, again.stdout) == (4, "")
        check_failure(again, folder, said)


def check_failure(done: Done, folder: Path, said: str) -> None:
    (line,) = [line for line in done.stderr.splitlines() if ": warning: " in line]
    assert line.startswith(
        "audioclf: warning: notifying the plugin audioclf-diary 2.1 (diary) of this run "
        f"failed: {said}"
    )
    assert line.endswith(f"try again with `audioclf notify {folder} diary`")


@pytest.mark.slow
def test_from_python_it_is_named_as_well(observer: Any, toy_config: Path, tmp_path: Path) -> None:
    told = observer(WRITES)
    result = audioclf.run(toy_config, out=tmp_path / "run", notify=["diary"])
    assert result.remarks[-1] == "audioclf-diary 2.1 (diary): kept well"
    assert result.failed_notifications == ()
    told.unlink()
    done = run_cli("notify", tmp_path / "run", "diary")
    assert (done.returncode, done.stdout) == (0, "audioclf-diary 2.1 (diary): kept well\n")
    assert told.exists()


def test_an_unknown_plugin_is_refused_before_anything_runs(
    observer: Any, toy_config: Path, tmp_path: Path
) -> None:
    observer("pass")
    for name, said in {
        "diry": "Did you mean 'diary'?",
        "builtin": "cannot be notified of a finished run: it has no hook audioclf_run_finished",
    }.items():
        done = run(toy_config, tmp_path / "run", "--notify", name)
        assert done.returncode == 2
        assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_overview_says_how_to_ask_for_it(observer: Any) -> None:
    observer("pass")
    assert "--notify diary notifies it of a run" in run_cli("plugins").stdout
    listed = json.loads(run_cli("plugins", "--json").stdout)
    assert next(each["entry_point"] for each in listed if each["notify"]) == "diary"


def test_a_hook_with_another_argument_is_a_broken_plugin(make_dist: Any, on_path: Any) -> None:
    text = "from audioclf.plugin import hookimpl\n@hookimpl\ndef audioclf_run_finished(): pass\n"
    on_path(make_dist("audioclf-deaf", {"deaf": "audioclf_deaf"}, {"audioclf_deaf.py": text}))
    registry = discover()
    (record,) = [each for each in registry.plugins if each.origin.entry_point == "deaf"]
    assert record.status == "failed"
    assert "has to take one argument, `result`" in record.reason
    with pytest.raises(PluginError, match="has to take one argument"):
        registry.observers(["deaf"])


def test_two_plugins_of_one_name_are_told_apart_by_their_distributions(
    make_dist: Any, on_path: Any
) -> None:
    for name in ("audioclf-one", "audioclf-two"):
        module = name.replace("-", "_")
        files = {f"{module}.py": PLUGIN.format(body="pass")}
        site = make_dist(name, {"diary": module}, files)
    on_path(site)
    registry = discover()
    with pytest.raises(PluginError, match=r"matches more than one plugin: audioclf-one 1\.0"):
        registry.observers(["diary"])
    (found,) = registry.observers(["audioclf-two:diary", "audioclf-two"])
    assert found.origin.distribution == "audioclf-two"
