"""Text that is written as YAML reads back as it was."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.config.yaml_source import parse_yaml
from audioclf.starters.first_config.yaml_text import block, comment, flow

_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
_LEAF = st.one_of(_TEXT, st.booleans(), st.none(), st.integers(-9, 10**9), st.sampled_from([0.5]))


@settings(deadline=None)
@given(_TEXT)
def test_any_name_reads_back(text: str) -> None:
    read = parse_yaml("\n".join(block({"path": text})), "x")
    assert read.data == {"path": text}
    assert read.problems == []


@pytest.mark.slow
@settings(deadline=None)
@given(st.dictionaries(_TEXT, st.one_of(_LEAF, st.lists(_LEAF, max_size=3)), max_size=4))
def test_any_mapping_reads_back(data: dict[str, object]) -> None:
    assert (parse_yaml("\n".join(block({"x": data, "y": 1})), "x").data or {})["x"] == data
    assert parse_yaml(flow(data), "x").data == data


@settings(deadline=None)
@given(_TEXT)
def test_nothing_in_a_comment_ends_it(text: str) -> None:
    for keep in (True, False):
        read = parse_yaml("\n".join([*comment(text, 2, keep=keep), "a: 1"]), "x")
        assert read.data == {"a": 1}


def test_words_that_other_readers_take_for_truth_values_are_quoted() -> None:
    assert flow(["no", "on", "y", "null", "1e3", "dog"]) == "['no', 'on', 'y', 'null', '1e3', dog]"
