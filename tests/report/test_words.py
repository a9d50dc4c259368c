"""Numbers and names as the page writes them."""

from __future__ import annotations

import math

import pytest

from audioclf.report.words import anything, count, number, seconds, shown, signed, size, span

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (-0.25, f"{MINUS}0.250"),
        (-0.0001, "0.000"),
        (None, DASH),
        (math.nan, DASH),
        (True, DASH),
        ("x", DASH),
    ],
)
def test_numbers_have_three_decimals(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "+0.100"), (-0.1, f"{MINUS}0.100"), (0.0, "0.000"), (None, DASH)]
)
def test_differences_have_a_sign(value: object, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 µs"),
        (2e-7, "0.2 µs"),
        (0.00995, "10 ms"),
        (0.25, "250 ms"),
        (4.26, "4.3 s"),
        (None, DASH),
    ],
)
def test_times_have_the_unit_that_suits_them(value: object, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5e18, "5000000 TB")]
)
def test_sizes_have_the_unit_that_suits_them(value: object, text: str) -> None:
    assert size(value) == text


def test_an_interval_without_both_ends_is_left_out() -> None:
    assert span({"low": 0.1, "high": None}) == ""
    assert span(None) == ""
    assert span({"low": 0.1, "high": 0.2}) == "[0.100, 0.200]"


def test_counts_are_whole_where_they_are() -> None:
    assert (count(39.5), count(3.0), count(None)) == ("39.5", "3", DASH)


def test_any_value_of_a_table_is_written() -> None:
    assert anything([1, None, True, 0.5, {"a": "b\x1b"}]) == f"1, {DASH}, yes, 0.500, a: b\\x1b"


def test_invisible_characters_are_written_out_and_others_are_kept() -> None:
    assert shown("猫 \u202e\x00é") == "猫 \\u202e\\x00é"
