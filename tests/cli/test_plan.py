"""`audioclf run --plan`: what a run would take, with nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_cli, zip_folder


def plan_of(config: Path, *args: str) -> dict[str, Any]:
    done = run_cli("run", config, "--plan", "--json", *args)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_table_has_a_row_per_stage(toy_config: Path) -> None:
    done = run_cli("run", toy_config, "--plan")
    assert done.returncode == 0, done.stderr
    stages = [line.split()[0] for line in done.stdout.splitlines()[1:6]]
    assert stages == ["load", "features", "evaluate", "report", "all"]
    assert "16 clips; 2 pipelines, 8 fits of 12 clips" in done.stdout


def test_nothing_is_written(toy_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy_config.parent)
    before = sorted(toy_config.parent.rglob("*"))
    plan_of(toy_config, "--cache-dir", str(toy_config.parent / "cache"))
    assert sorted(toy_config.parent.rglob("*")) == before


def test_columns_are_those_that_a_run_would_have(toy_config: Path) -> None:
    narrow = plan_of(toy_config)
    wide = plan_of(toy_config, "--set", "featurizers.mel.pooling={type: flatten}")
    assert wide["columns"]["mel"] == 16 * (1 + 4000 // 256)
    assert narrow["columns"]["mel"] == 16 * 12


def test_a_clip_that_cannot_be_read_does_not_end_the_plan(toy_config: Path, sounds: Path) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF")
    zip_folder(sounds, toy_config.parent / "sounds.zip")
    assert run_cli("run", toy_config, "--plan").returncode == 0


def test_a_config_that_is_wrong_is_refused_as_by_a_run(toy_config: Path) -> None:
    done = run_cli("run", toy_config, "--plan", "--set", "audio.sr=0")
    assert done.returncode == 2
    assert "audio.sr" in done.stderr
