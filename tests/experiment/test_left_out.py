"""Nothing is silently partial: what was left out is counted wherever numbers are shown."""

import json
from pathlib import Path

import pytest

from tests.conftest import run_cli


@pytest.mark.slow
def test_a_clip_that_is_left_out_is_counted_everywhere(
    toy_config: Path, sounds: Path, tmp_path: Path
) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"no sound")
    out = tmp_path / "run"
    options = ("--set", f"dataset={{type: folder, path: {sounds}}}", "--set", "on_error=skip")
    pipeline = ("--set", "classifiers={logreg: {type: logistic_regression}, knn: {type: knn}}")
    page = ("--set", "report.html=true")
    done = run_cli("run", toy_config, *options, *pipeline, *page, "--out", out)
    assert done.returncode == 4
    assert "15 clips, 1 left out, 2 classes" in done.stdout
    assert "1 of 16 clips could not be read and were left out; ledger.csv lists them" in done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["clips"] == {"evaluated": 15, "left_out": 1}
    assert json.loads((out / "record.json").read_text())["dataset"]["failed"] == 1
    assert "1 clip could not be read" in (out / "report.html").read_text()

    compared = run_cli("compare", out)
    assert compared.returncode == 4
    assert "; 1 clip was left out" in compared.stdout
    as_json = run_cli("compare", out, "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["left_out"]) == (4, 1)

    replayed = run_cli("replay", out, "--out", tmp_path / "again")
    assert replayed.returncode == 0
    assert "15 clips, 1 left out by both" in replayed.stdout

    audited = run_cli("audit", toy_config, *options, "--quick")
    assert audited.returncode == 3
    assert "1 clip is unreadable" in audited.stdout
    advice = audited.stdout.splitlines()[-1]
    assert advice.startswith("to accept known findings: --allow ")
    allowed = advice.partition(": ")[2].split()
    accepted = run_cli("audit", toy_config, *options, "--quick", *allowed)
    assert accepted.returncode == 4, accepted.stdout
    assert "; 1 clip was left out" in accepted.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "check", "audit", "explore"])
def test_a_class_without_a_readable_clip_is_named(
    toy_config: Path, sounds: Path, tmp_path: Path, command: str
) -> None:
    for index in range(3):
        path = sounds / "owl" / f"{index}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"RIFF")
    options = ["--set", f"dataset={{type: folder, path: {sounds}}}", "--set", "on_error=skip"]
    options += ["--set", "split={type: stratified_kfold, n_splits: 2}"]
    options += ["--set", "metrics=[accuracy]"]
    options += ["--set", "audit=false"] if command == "run" else []
    options += ["--quick", "--json"] if command == "audit" else []
    options += [] if command in ("audit", "check") else ["--out", str(tmp_path / "out.html")]
    done = run_cli(command, toy_config, *options)
    note = "class 'owl' is missing from all numbers: none of its 3 clips could be read"
    assert note in (done.stdout if command == "check" else done.stderr)
    if command == "audit":
        assert "left out of all numbers; no clip is left of 'owl'." in done.stdout
    if command == "run":
        assert note in json.loads((tmp_path / "out.html" / "record.json").read_text())["notes"]
