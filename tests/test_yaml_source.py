"""YAML as data with positions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.errors import ConfigError
from audioclf.yaml_source import YamlSource, dump_yaml, parse_yaml, read_yaml


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "1:30", "2026-01-01", "NO", "y", "0b1"])
def test_words_that_yaml_1_1_converts_stay_words(word: str) -> None:
    assert parse_yaml(f"a: {word}", "c.yaml").data == {"a": word}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("12", 12), ("-1.5", -1.5), ("0x1F", 31), ("true", True), ("~", None)],
)
def test_numbers_and_constants_of_the_core_schema_are_read(text: str, value: object) -> None:
    assert parse_yaml(f"a: {text}", "c.yaml").data == {"a": value}


def test_quoted_scalars_are_strings() -> None:
    assert parse_yaml("a: ['1', \"true\"]", "c.yaml").data == {"a": ["1", "true"]}


def test_keys_are_strings() -> None:
    assert parse_yaml("1: a\ntrue: b", "c.yaml").data == {"1": "a", "true": "b"}


def test_positions_are_those_of_keys_and_values() -> None:
    source = parse_yaml("a:\n  b: 3\n", "c.yaml")
    assert str(source.position(("a", "b"))) == "c.yaml:2:6"
    assert str(source.position(("a", "b"), of_key=True)) == "c.yaml:2:3"
    assert str(source.position(("a", "missing"))) == "c.yaml:2:3"


def test_everything_wrong_with_the_text_is_collected() -> None:
    text = "a: &x 1\nb: *x\na: 2\nc: !!python/object/apply:os.system [ls]\nd: .nan\n? [k]\n: 1\n"
    problems = [str(problem) for problem in parse_yaml(text, "c.yaml").problems]
    assert problems == [
        "c.yaml:2:4: aliases are not allowed: write the value of *x out",
        "c.yaml:3:1: key 'a' stands here twice; first in line 1",
        "c.yaml:4:4: tag not allowed: tag:yaml.org,2002:python/object/apply:os.system",
        "c.yaml:5:4: .nan is not a finite number",
        "c.yaml:6:3: a key must be a plain word",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "c.yaml:1:6: not YAML"),
        ("[" * 5000, "nested more than 32 levels deep"),
        ("a: 1\n--- \nb: 2", "c.yaml:2:1: not YAML"),
        ("a: \x00", "not YAML: unacceptable character"),
    ],
)
def test_what_is_not_yaml_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "c.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.yaml: no such file"):
        read_yaml(tmp_path / "nope.yaml")


def test_a_folder_is_not_a_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"[" * 300_000)
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_yaml(path)


def test_bytes_that_are_not_utf_8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match="byte 9 is not UTF-8"):
        read_yaml(path)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    st.sampled_from(["no", "1e3", "0x10", "null", "~", "", "1:30", "true", ".inf", "*a", "é"]),
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(categories=["L", "N"])), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_is_written_is_read_back_equal(data: object) -> None:
    source = parse_yaml(dump_yaml(data), "c.yaml")
    assert source.problems == []
    assert source.data == data


def test_a_place_of_which_nothing_is_known_is_the_file() -> None:
    assert str(YamlSource("c.yaml").position(("a", 1))) == "c.yaml"
