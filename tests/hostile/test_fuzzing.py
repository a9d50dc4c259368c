"""The fuzzing itself: it can be repeated, and it finds what there is to find."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audioclf.base.errors import DecodeError
from tests.conftest import REPO
from tests.hostile import fuzzing
from tests.hostile.fuzzing import KINDS, fuzz, mutants, seeds_of

MUTANTS = 400


@pytest.mark.parametrize("kind", KINDS)
def test_every_seed_is_sound(kind: str, tmp_path: Path) -> None:
    attempt = {
        "zip": fuzzing.attempt_zip,
        "audio": fuzzing.attempt_audio,
        "config": fuzzing.attempt_config,
    }[kind](tmp_path)
    refused = [name for name, data in seeds_of(kind).items() if not attempt(data)]
    # Decoders would read the first of two streams, and no more.
    assert refused == (["chained"] if kind == "audio" else [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutant_is_known_by_its_number(kind: str) -> None:
    some = dict(mutants(kind, 1500))
    assert dict(mutants(kind, 500, first=1000)) == {n: some[n] for n in range(1000, 1500)}
    assert dict(mutants(kind, 10, seed=1)) != {n: some[n] for n in range(10)}
    assert len(set(some.values())) > 1400


def test_mutated_configs_are_loaded_or_refused() -> None:
    found = fuzz("config", MUTANTS)
    assert found.findings == ()
    assert found.tried == MUTANTS


Break = Callable[[pytest.MonkeyPatch], None]


def raising(patch: pytest.MonkeyPatch) -> None:
    def decode(*args: object) -> None:
        raise IndexError("far away")

    patch.setattr(fuzzing, "decode", decode)


def nameless(patch: pytest.MonkeyPatch) -> None:
    def decode(*args: object) -> None:
        raise DecodeError("something is wrong")

    patch.setattr(fuzzing, "decode", decode)


@pytest.mark.parametrize(
    ("broken", "words"),
    [(raising, "IndexError: far away"), (nameless, "AssertionError: does not name the file")],
)
def test_a_broken_promise_is_a_finding(
    broken: Break, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    found = fuzz("audio", 30)
    assert (found.tried, found.uncaught, found.accepted) == (30, 30, 0)
    assert found.findings[0].startswith(f"0: {words}")
    assert len(found.findings) == 20


def test_time_ends_it() -> None:
    assert fuzz("audio", 10**9, seconds=0.05).tried < 10_000


@pytest.mark.slow
def test_the_command_prints_figures_as_json() -> None:
    args = ["--zips", "30", "--audio", "30", "--seed", "3", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.fuzzing", *args],
        cwd=REPO, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert [(each["kind"], each["tried"], each["uncaught"]) for each in found] == [
        ("zip", 30, 0),
        ("audio", 30, 0),
    ]
