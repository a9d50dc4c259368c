"""YAML as data with positions."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.base.errors import ConfigError
from audioclf.base.limits import Limits, use_limits
from audioclf.config.yaml_source import dump_yaml, parse_yaml, read_yaml


@pytest.mark.parametrize(
    "word", ["no", "on", "1:30", "2026-01-01", "NO", "y", "0b1", "-0x1", "1e999", "1_0", "tRUE"]
)
def test_words_that_yaml_1_1_converts_stay_words(word: str) -> None:
    assert parse_yaml(f"a: {word}", "c.yaml").data == {"a": word}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("12", 12),
        ("+12", 12),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("9" * 39, int("9" * 39)),
        ("9" * 40, float("9" * 40)),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("", None),
    ],
)
def test_numbers_and_constants_of_the_core_schema_are_read(text: str, value: object) -> None:
    (found,) = parse_yaml(f"a: {text}", "c.yaml").data.values()
    assert (found, type(found)) == (value, type(value))


def test_keys_and_quoted_scalars_are_strings() -> None:
    assert parse_yaml("a: ['1', \"true\"]", "c.yaml").data == {"a": ["1", "true"]}
    assert parse_yaml("1: a\ntrue: b", "c.yaml").data == {"1": "a", "true": "b"}


def test_positions_are_those_of_keys_and_values() -> None:
    source = parse_yaml("a:\n  b: 3\n", "c.yaml")
    assert str(source.position(("a", "b"))) == "c.yaml:2:6"
    assert str(source.position(("a", "b"), of_key=True)) == "c.yaml:2:3"
    assert str(source.position(("a", "missing"))) == "c.yaml:2:3"
    assert str(source.position(("a", "missing"), of_key=True)) == "c.yaml:2:3"
    assert str(source.position(("a",), of_key=True)) == "c.yaml:1:1"
    assert str(source.position(("b", "c"))) == "c.yaml:1:1"


def test_positions_of_items_are_those_of_their_lines() -> None:
    source = parse_yaml("a:\n- x\n- [y, {k: z}]\n", "c.yaml")
    places = {"a 0": ("a", 0), "a 1 1 k": ("a", 1, 1, "k"), "a 9": ("a", 9)}
    assert {words: str(source.position(place)) for words, place in places.items()} == {
        "a 0": "c.yaml:2:3",
        "a 1 1 k": "c.yaml:3:11",
        "a 9": "c.yaml:2:1",
    }


def test_the_text_of_each_scalar_is_kept() -> None:
    source = parse_yaml("a: 1e-3\nb: ['x', ~]\n", "c.yaml")
    assert source.texts == {("a",): "1e-3", ("b", 0): "x", ("b", 1): "~"}


def test_an_empty_text_holds_nothing() -> None:
    source = parse_yaml("# nothing\n", "c.yaml")
    assert (source.data, source.problems, str(source.position(("a",)))) == (None, [], "c.yaml")


def test_everything_wrong_with_the_text_is_collected_and_leaves_the_rest() -> None:
    text = (
        "a: &x 1\nb: *x\na: 2\nc: !!python/object/apply:os.system [ls]\nd: .nan\n? [k]\n: 1\ne: 5"
    )
    source = parse_yaml(text, "c.yaml")
    assert source.data == {"a": 1, "b": None, "c": None, "d": None, "e": 5}
    assert list(map(str, source.problems)) == [
        "c.yaml:2:4: aliases are not allowed: replace *x by its value",
        "c.yaml:3:1: duplicate key 'a': remove it here or in line 1",
        "c.yaml:4:4: tags are not allowed: remove tag:yaml.org,2002:python/object/apply:os.system",
        "c.yaml:5:4: .nan is not a finite number",
        "c.yaml:6:3: a key must be a scalar",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "c.yaml:1:6: not YAML: while parsing a flow sequence, expected ',' or ']', but"),
        ("a: b: c", "c.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("[" * 33, "c.yaml:1:33: nested more than 32 levels deep"),
        ("a: 1\n--- \nb: 2", "c.yaml:2:1: not YAML: expected a single document in the stream, but"),
        ("a: \x00", "c.yaml: not YAML: unacceptable character #x0000: special characters are not"),
    ],
)
def test_what_is_not_yaml_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "c.yaml")
    assert str(caught.value).startswith(words)


def test_nesting_is_counted_by_depth_and_not_by_number() -> None:
    deepest = "[" * 32 + "]" * 32
    assert parse_yaml(deepest, "c.yaml").problems == []
    assert len(parse_yaml("- [[x], {a: [y]}]\n" * 40, "c.yaml").data) == 40
    with use_limits(Limits(max_config_depth=2)):
        assert parse_yaml("[a]", "c.yaml").data == ["a"]
        for text in ("[[a]]", "[b, [a]]", "{b: c, d: [a]}"):
            at = text.index("a") + 1
            words = f"^c.yaml:1:{at}: nested more than 2 levels deep$"
            with pytest.raises(ConfigError, match=words):
                parse_yaml(text, "c.yaml")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/nope\.yaml: no such file$"):
        read_yaml(tmp_path / "nope.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"[" * 300_000)
    with pytest.raises(ConfigError, match="larger than 256 KiB, too large for a config"):
        read_yaml(path)
    path.write_bytes(b"a: 12")
    with use_limits(Limits(max_config_bytes=5)):
        assert read_yaml(path).data == {"a": 12}
    with (
        use_limits(Limits(max_config_bytes=4)),
        pytest.raises(ConfigError, match=r"larger than 0\.00390625 KiB"),
    ):
        read_yaml(path)


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + "a: caf\u00e9".encode())
        source = read_yaml(path)
        assert (source.name, source.data) == (str(path), {"a": "caf\u00e9"})


def test_bytes_that_are_not_utf_8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}: byte 9 is not UTF-8"
    path.write_bytes(b"PK\3\4\xff")
    with pytest.raises(ConfigError, match="a model or another zip archive, where a config"):
        read_yaml(path)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    st.sampled_from(["no", "1e3", "0x10", "null", "~", "", "1:30", "true", ".inf", "*a", "é"]),
)


@settings(derandomize=True, max_examples=100, deadline=None)
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


def test_what_is_written_is_meant_for_people() -> None:
    shared = ["caf\u00e9"]
    data = {
        "z": shared,
        "a": {"b": shared, "c": None},
        "t": "no",
        "n": "1",
        "l": "word " * 18 + "end",
    }
    assert dump_yaml(data) == (
        "z:\n- caf\u00e9\na:\n  b:\n  - caf\u00e9\n  c: null\nt: 'no'\nn: \"1\"\n"
        f"l: {'word ' * 18}end\n"
    )
    assert max(map(len, dump_yaml({"text": "word " * 99}).splitlines())) in range(90, 106)


@pytest.mark.parametrize("text", ["true", "null", "", "0x1", "1e3", "a\nb", "a\x85b", "a\u2028b"])
def test_a_text_that_could_be_something_else_is_quoted(text: str) -> None:
    written = dump_yaml({"a": text})
    assert written.startswith('a: "')
    assert parse_yaml(written, "c.yaml").data == {"a": text}
