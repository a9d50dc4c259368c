import numpy as np
import pytest
from scipy.signal import get_window

from audioclf.dsp.analysis_windows import analysis_window


@pytest.mark.parametrize("name", ["boxcar", "hann", "hamming", "blackman", "blackmanharris"])
@pytest.mark.parametrize("length", [1, 2, 3, 16, 401, 2048])
def test_own_windows_equal_those_of_scipy(name: str, length: int) -> None:
    expected = get_window(name, length, fftbins=True)
    np.testing.assert_allclose(analysis_window(name, length, length), expected, atol=1e-7)


@pytest.mark.parametrize("window", ["bartlett", "flattop", ("kaiser", 8.0), ("tukey", 0.3), 14.0])
def test_other_windows_come_from_scipy(window: str | float | tuple[str | float, ...]) -> None:
    expected = get_window(window, 400, fftbins=True)  # type: ignore[arg-type]
    np.testing.assert_allclose(analysis_window(window, 400, 400), expected, atol=1e-7)


@pytest.mark.parametrize(("win_length", "before"), [(6, 1), (5, 1), (1, 3), (8, 0)])
def test_a_short_window_is_centered_in_the_frame(win_length: int, before: int) -> None:
    framed = analysis_window("boxcar", win_length, 8)
    assert np.flatnonzero(framed).tolist() == list(range(before, before + win_length))


@pytest.mark.parametrize("window", ["hanning", "", ("kaiser",), ("kaiser", "a"), ("hann", 1.0)])
def test_an_unknown_window_is_named_with_common_ones(window: str | tuple[str | float, ...]) -> None:
    with pytest.raises(ValueError, match="is not one that") as caught:
        analysis_window(window, 400, 512)
    assert str(caught.value).startswith(f"window {window!r} is not one that scipy.signal")
    assert "blackman, blackmanharris, boxcar, hamming, hann" in str(caught.value)


@pytest.mark.parametrize("win_length", [400, 401])
def test_a_window_that_lets_nothing_through_is_refused(win_length: int) -> None:
    message = r"^window \('gaussian', 0.0\) is not finite, or zero everywhere$"
    with pytest.raises(ValueError, match=message):
        analysis_window(("gaussian", 0.0), win_length, 512)
