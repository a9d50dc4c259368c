"""How much is believed of a file, and how a user changes that."""

from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from audioclf.audio.decode import decode, inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import ConfigError, DatasetError, DecodeError
from audioclf.base.limits import DEFAULT_LIMITS, Limits, limits_in_force, parse_limits, use_limits
from audioclf.config.loading import load_config
from audioclf.dataset.archive import open_archive
from audioclf.engines.local import ProcessEngine, SerialEngine, ThreadEngine
from tests.conftest import run_cli, write_wav
from tests.hostile.files import Entry, MemorySource, chunk, float_wav, fmt, pcm16, riff, wav, zip_of

CONFIG = AudioConfig(sr=8000)
LIMIT_NAMES = [field.name for field in fields(Limits)]

REFUSED = {
    "max_seconds": (wav(pcm16(20_000), sr=1000), Limits(max_seconds=10.0), Limits(max_seconds=30)),
    "max_samples": (wav(), Limits(max_samples=100), Limits(max_samples=10_000)),
    "max_channels": (wav(pcm16(10, 65), channels=65), Limits(), Limits(max_channels=65)),
    "min_sr": (wav(sr=500), Limits(), Limits(min_sr=500)),
    "max_sr": (wav(sr=800_000), Limits(), Limits(max_sr=800_000)),
    "max_amplitude": (float_wav([2e4, -2e4]), Limits(), Limits(max_amplitude=2e4)),
    "max_chunks": (
        riff(*[chunk(b"JUNK", b"")] * 1000, fmt(), chunk(b"data", pcm16())),
        Limits(),
        Limits(max_chunks=1002),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_the_limit_that_accepts_the_file(name: str) -> None:
    data, tight, loose = REFUSED[name]
    source = MemorySource(data)
    with pytest.raises(DecodeError, match=f"; limits.{name} accepts more"):
        decode(source, CONFIG, tight)
    with use_limits(loose):
        assert len(decode(source, CONFIG).y) >= 1
        inspect(source)


def test_limits_that_are_not_the_users_are_not_offered_to_be_set(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(zip_of(Entry(b"a.wav"), Entry(b"b.wav")))
    with pytest.raises(DatasetError, match="2 entries") as caught:
        open_archive(path, Limits(max_entries=1))
    assert caught.value.hint is None


def seen(item: int) -> float:
    return limits_in_force().max_seconds + item


def test_every_engine_hands_the_limits_on() -> None:
    for engine in (SerialEngine(), ThreadEngine(2), ProcessEngine(1)):
        with engine, use_limits(Limits(max_seconds=7.0)):
            assert sorted(engine.map(seen, [0, 1])) == [(0, 7.0), (1, 8.0)]
    assert limits_in_force() == DEFAULT_LIMITS


def test_every_limit_is_described_and_positive() -> None:
    described = TypeAdapter(Limits).json_schema()
    for name in LIMIT_NAMES:
        assert described["properties"][name]["description"]
        with pytest.raises(ValueError, match="greater than"):
            Limits(**{name: 0})


def test_a_config_sets_limits_and_keeps_only_what_differs(toy_config: Path) -> None:
    config = load_config(toy_config, overrides=["limits={max_seconds: 7200}"])
    assert config.limits == Limits(max_seconds=7200.0)
    assert "limits:\n  max_seconds: 7200.0\n" in config.to_yaml()
    again = toy_config.with_name("again.yaml")
    again.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(again) == config


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "limits={max_secons: 3}",
            "unknown key 'max_secons' in limits. Did you mean 'max_seconds'",
        ),
        ("limits.max_channels=0", "limits.max_channels: expected greater than or equal to 1"),
        ("limits.max_channels=true", "limits.max_channels: expected a valid integer"),
        ("limits.max_seconds=.inf", "not a finite number"),
    ],
)
def test_a_bad_limit_in_a_config_is_named(toy_config: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(toy_config, overrides=[override])


@pytest.mark.parametrize(
    ("setting", "words", "hint"),
    [
        ("max_chanels=3", "no limit is called 'max_chanels'", "Did you mean 'max_channels'?"),
        ("min_rs=3", "no limit is called 'min_rs'", "Did you mean 'min_sr'?"),
        ("max_seconds", "expected max_seconds=VALUE", None),
        ("zzz=1", "no limit is called 'zzz'", f"Known: {', '.join(LIMIT_NAMES)}."),
        ("=1", "no limit is called ''", f"Known: {', '.join(LIMIT_NAMES)}."),
        ("max_seconds=-1", "expected greater than 0", None),
        (
            "max_entries=many",
            "expected a valid integer, unable to parse string as an integer",
            None,
        ),
        ("max_entries=", "expected a valid integer, unable to parse string as an integer", None),
        ("max_seconds=1=2", "expected a valid number, unable to parse string as a number", None),
    ],
)
def test_a_bad_limit_on_the_command_line_is_named(
    setting: str, words: str, hint: str | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_limits(["max_channels=2", setting, "max_depth=3"])
    assert caught.value.message == f"--limit {setting}: {words}"
    assert caught.value.hint == hint


def test_limits_of_the_command_line_hold_together_and_the_last_of_a_name_counts() -> None:
    found = parse_limits(["max_channels=2", "max_seconds=7.5", "max_channels=3"])
    assert found == Limits(max_channels=3, max_seconds=7.5)
    assert found.changed() == {"max_channels": 3, "max_seconds": 7.5}
    assert parse_limits([]) == DEFAULT_LIMITS
    assert DEFAULT_LIMITS.changed() == {}


def test_limits_hold_inside_of_their_block_alone_whatever_happens_there() -> None:
    one, two = Limits(max_depth=1), Limits(max_depth=2)
    with use_limits(one):
        with suppress(KeyError), use_limits(two):
            assert limits_in_force() is two
            raise KeyError
        assert limits_in_force() is one
    assert limits_in_force() is DEFAULT_LIMITS


@pytest.mark.slow
def test_a_run_reads_under_the_limits_of_its_config(toy_config: Path, sounds: Path) -> None:
    write_wav(sounds / "low" / "low_0.wav", np.full((4000, 70), 0.1))
    args = ("run", toy_config, "--set", f"dataset={{type: folder, path: {sounds}}}")
    done = run_cli(*args, "--out", toy_config.parent / "a")
    assert done.returncode == 3
    assert "low_0.wav: 70 channels (limit 64); limits.max_channels accepts more" in done.stderr
    done = run_cli(*args, "--set", "limits.max_channels=70", "--out", toy_config.parent / "b")
    assert done.returncode == 0, done.stderr
    done = run_cli("check", *args[1:], "--set", "limits.max_channels=70")
    assert done.returncode == 0, done.stderr
