"""Numbers and names as the page writes them."""

import math
from collections.abc import Callable

import pytest

from audioclf.report.words import anything, count, number, seconds, shown, signed, size, span

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (number, 0.5, "0.500"),
        (number, -0.25, f"{MINUS}0.250"),
        (number, -0.0001, "0.000"),
        (number, None, DASH),
        (number, math.nan, DASH),
        (number, True, DASH),
        (number, "x", DASH),
        (signed, 0.1, "+0.100"),
        (signed, -0.1, f"{MINUS}0.100"),
        (signed, 0.0, "0.000"),
        (signed, None, DASH),
        (seconds, 0, "0 µs"),
        (seconds, 2e-7, "0.2 µs"),
        (seconds, 0.00995, "10 ms"),
        (seconds, 0.25, "250 ms"),
        (seconds, 4.26, "4.3 s"),
        (seconds, None, DASH),
        (size, 0, "0 B"),
        (size, 999, "999 B"),
        (size, 1000, "1.0 kB"),
        (size, 5e18, "5000000 TB"),
    ],
)
def test_numbers_have_three_decimals_signs_and_units(
    write: Callable[[object], str], value: object, text: str
) -> None:
    assert write(value) == text


def test_text_of_intervals_counts_and_other_values() -> None:
    assert span({"low": 0.1, "high": None}) == span(None) == ""
    assert span({"low": 0.1, "high": 0.2}) == "[0.100, 0.200]"
    assert (count(39.5), count(3.0), count(None)) == ("39.5", "3", DASH)
    assert (count(12_345), count(12_345.5)) == ("12345", "12346")
    assert anything([1, None, True, 0.5, {"a": "b\x1b"}]) == f"1, {DASH}, yes, 0.500, a: b\\x1b"
    assert shown("猫 \u202e\x00é") == "猫 \\u202e\\x00é"
