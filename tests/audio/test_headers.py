"""Headers that crash a library: one clip is lost where they are read in processes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from audioclf.audio.decode import inspect
from audioclf.audio.headers import inspect_all
from audioclf.audio.reader import AudioInfo
from audioclf.base.errors import DecodeError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import AudioSource, FileSource
from audioclf.starters.first_config.headers import read_headers
from tests.conftest import run_cli
from tests.predict.making import many
from tests.predict.test_isolation import Crashing


def with_a_crash(folder: Path) -> Dataset:
    paths = sorted(many(folder, 4).iterdir())
    clips = [Clip(path.name, "ab"[n % 2], FileSource(path)) for n, path in enumerate(paths)]
    return Dataset([*clips, Clip("crash.wav", "b", Crashing())], name="sounds")


def test_headers_keep_their_order_and_are_the_same_in_processes(tmp_path: Path) -> None:
    sources = [FileSource(path) for path in sorted(many(tmp_path / "in", 3).iterdir())]
    sources.insert(1, FileSource(tmp_path / "missing.wav"))
    here, there = (inspect_all(sources, isolate=isolate) for isolate in (False, True))
    kinds = [type(info) for info in here]
    assert kinds == [AudioInfo, DecodeError, AudioInfo, AudioInfo]
    assert list(map(str, here)) == list(map(str, there))


@pytest.mark.slow
def test_a_clip_that_crashes_the_library_costs_check_that_clip_alone(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = with_a_crash(tmp_path / "in")
    monkeypatch.setattr(
        "audioclf.experiment.prepared.load_dataset", lambda config, registry: dataset
    )
    done = run_cli("check", toy_config, "--json", "--set", "split.n_splits=2", "--isolate")
    assert done.returncode == 3, done.stderr
    checked = json.loads(done.stdout)
    assert checked["clips"] == 5
    assert checked["unreadable"] == ["crash.wav: reading its header ended the worker process"]
    assert checked["seconds"] > 1  # those of the others


@pytest.mark.parametrize("option", [("--isolate",), ("--untrusted",), ("--set", "isolate=true")])
def test_check_reads_headers_in_isolation(
    option: tuple[str, ...], shared_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def read(sources: Sequence[AudioSource], *, isolate: bool) -> list[Any]:
        asked.append(isolate)
        return [inspect(source) for source in sources]

    monkeypatch.setattr("audioclf.audio.headers.inspect_all", read)
    assert run_cli("check", shared_config, *option).returncode == 0
    assert asked == [True]


@pytest.mark.slow
def test_a_clip_that_crashes_the_library_costs_init_that_clip_alone(tmp_path: Path) -> None:
    headers = read_headers(with_a_crash(tmp_path / "in"), isolate=True)
    message = "crash.wav: reading its header ended the worker process"
    assert headers.unreadable == {"crash.wav": message}
    assert len(headers.seconds) == 4


def test_init_writes_the_same_config_in_isolation(sounds: Path, tmp_path: Path) -> None:
    texts = []
    for option in ((), ("--untrusted",)):
        out = tmp_path / "c.yaml"
        assert run_cli("init", sounds, "--out", out, "--force", *option).returncode == 0
        texts.append(out.read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("option", [("--isolate",), ("--set", "isolate=true")])
def test_a_plan_does_not_read_here_what_is_to_be_isolated(
    option: tuple[str, ...], toy_config: Path
) -> None:
    done = run_cli("run", toy_config, "--plan", *option)
    assert done.returncode == 2
    assert "--plan reads clips and fits in this process" in done.stderr
