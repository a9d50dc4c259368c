"""Configs of any content: loaded, and the same when written, or refused with a position."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from audioclf.base.errors import ConfigError
from audioclf.components.discovery import discover
from audioclf.components.registry import Registry
from audioclf.config.loading import load_config
from audioclf.config.yaml_source import dump_yaml, parse_yaml
from tests.conftest import CONFIG

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WORDS = st.sampled_from(
    ["no", "on", "1e3", "null", "~", "1:30", "0x10", ".nan", "- a", "a: b", "#"]
)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT | WORDS
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | WORDS, inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "name",
    "seed",
    "dataset",
    "audio",
    "split",
    "metrics",
    "limits",
    "allow",
    "final",
    "report",
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover()


def refusal(path: Path, registry: Registry) -> str | None:
    """Return why a config is refused, or None."""
    try:
        load_config(path, registry=registry)
    except ConfigError as exc:
        message = exc.message
    else:
        return None
    assert message.startswith(str(path))
    assert "pydantic" not in message
    assert len(message) < 5000
    return message


@settings(max_examples=200, deadline=None)
@given(data=DATA)
@example(data={"\x85": "a\u2028b\u2029c\rd"})
def test_any_data_is_written_and_read_back_equal(data: Any) -> None:
    source = parse_yaml(dump_yaml(data), "x")
    assert source.problems == []
    assert source.data == data


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.sampled_from(KEYS), value=DATA)
def test_any_value_of_a_key_is_accepted_or_refused_where_it_stands(
    key: str, value: Any, tmp_path: Path, registry: Registry
) -> None:
    data = {**parse_yaml(CONFIG, "x").data, key: value}
    path = tmp_path / "c.yaml"
    path.write_text(dump_yaml(data), encoding="utf-8")
    message = refusal(path, registry)
    if message is not None:
        assert key in message
        return
    config = load_config(path, registry=registry)
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(path, registry=registry) == config


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(noise=st.binary(max_size=60))
def test_any_bytes_are_a_config_or_refused(
    noise: bytes, tmp_path: Path, registry: Registry
) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(noise)
    assert refusal(path, registry) is not None
