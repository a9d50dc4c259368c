"""How recordings are cut, and the scores of each window."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioclf.base.errors import ConfigError, FeatureError
from audioclf.models.windows import Cutting, pieces
from tests.predict.making import model, noise, recording, written_in_blocks


def spans(n_samples: int, cutting: Cutting, block: int = 7) -> list[tuple[int, int]]:
    y = np.arange(n_samples, dtype=np.float32)
    blocks = [y[start : start + block] for start in range(0, n_samples, block)]
    found = list(pieces(blocks, cutting))
    for start, end, samples in found:
        assert samples.tolist() == y[start:end].tolist()
    return [(start, end) for start, end, _ in found]


@pytest.mark.parametrize(
    ("n_samples", "cutting", "expected"),
    [
        (12, Cutting.of(0.4, None, 10), [(0, 4), (4, 8), (8, 12)]),
        (10, Cutting(4, 3), [(0, 4), (3, 7), (6, 10)]),
        (12, Cutting(4, 8), [(0, 4), (8, 12)]),
        (9, Cutting(4, 4), [(0, 4), (4, 8)]),
        (10, Cutting(4, 4), [(0, 4), (4, 8), (8, 10)]),
        (10, Cutting(4, 4, "drop"), [(0, 4), (4, 8)]),
        (8, Cutting(4, 2), [(0, 4), (2, 6), (4, 8)]),
        (3, Cutting(4, 4), [(0, 3)]),
        (1, Cutting(4, 4), []),
    ],
)
def test_windows_start_each_hop_and_the_last_one_needs_half_of_the_length(
    n_samples: int, cutting: Cutting, expected: list[tuple[int, int]]
) -> None:
    assert spans(n_samples, cutting) == expected


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 20), st.integers(1, 25))
def test_windows_do_not_depend_on_the_blocks(n: int, size: int, hop: int, block: int) -> None:
    assert spans(n, Cutting(size, hop), block) == spans(n, Cutting(size, hop), max(1, n))


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_whole_windows_start_at_multiples_of_the_hop(n: int, size: int, hop: int) -> None:
    whole = [(start, start + size) for start in range(0, n - size + 1, hop)]
    assert spans(n, Cutting(size, hop, "drop")) == whole


def test_lengths_are_rounded_to_samples() -> None:
    assert Cutting.of(0.5, 0.1, 22_050) == Cutting(11_025, 2205)


@pytest.mark.parametrize(
    ("window", "hop"),
    [
        (0.0, None),
        (-1.0, None),
        (1.0, 0.0),
        (1e-5, None),
        (float("nan"), None),
        (1.0, float("inf")),
        (1e308, None),
    ],
)
def test_a_length_below_a_sample_or_without_end_is_refused(window: float, hop: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"s is (less than a sample at 8000 Hz|longer than any recording)"
    ):
        Cutting.of(window, hop, 8000)


def test_a_window_scores_as_the_same_clip_alone(tmp_path: Path) -> None:
    found = model(tmp_path)
    path = recording(tmp_path / "long.wav", 20.2)
    import soundfile

    y, sr = soundfile.read(path, dtype="float32")
    windows = list(found.windows(path, window=0.5, hop=0.25))
    assert len(windows) == 80  # the last one is 0.45 s
    for start, end, scores in windows[::11] + windows[-1:]:
        clip = y[round(start * sr) : round(end * sr)]
        np.testing.assert_allclose(scores, found.scores(clip, sr=sr), atol=1e-12)


def test_windows_of_a_resampled_recording_are_those_of_the_whole(tmp_path: Path) -> None:
    from audioclf.audio.decode import decode
    from audioclf.audio.settings import AudioConfig
    from audioclf.dataset.sources import FileSource

    found = model(tmp_path)
    path = recording(tmp_path / "long.wav", 20, sr=11_025)
    y = decode(FileSource(path), AudioConfig(sr=8000)).y
    for start, end, scores in found.windows(path, window=0.5):
        clip = y[round(start * 8000) : round(end * 8000)]
        np.testing.assert_allclose(scores, found.scores(clip, sr=8000), atol=1e-5)


def test_reading_stops_where_the_caller_stops(tmp_path: Path) -> None:
    found = model(tmp_path)
    path = recording(tmp_path / "long.wav", 60)
    first = next(iter(found.windows(path, window=0.5)))
    assert first[:2] == (0.0, 0.5)


def test_the_rows_of_a_batch_are_those_of_each(tmp_path: Path) -> None:
    found = model(tmp_path)
    ys = [noise(0.1 * (1 + index), seed=index) for index in range(4)]
    for row, y in zip(found.rows_of(ys), ys, strict=True):
        np.testing.assert_array_equal(np.asarray(row), found.features_of(y, 8000))


@pytest.mark.parametrize(("hop", "own"), [(0.064, 512), (0.1, 3200), (0.125, 4000)])
def test_windows_that_share_frames_have_the_rows_of_clips(
    tmp_path: Path, hop: float, own: int
) -> None:
    found = model(tmp_path)
    cutting = Cutting.of(0.5, hop, 8000)
    assert cutting.own_samples(found.shared_step) == own
    ys = [noise(2.23, seed=seed) for seed in range(2)]
    batch = [piece for y in ys for piece in pieces([y], cutting)]
    assert len(batch[-1].y) < cutting.size
    for row, piece in zip(found.rows_of_pieces(batch, cutting), batch, strict=True):
        np.testing.assert_array_equal(np.asarray(row), found.features_of(piece.y, 8000))


def test_a_stretch_ends_with_its_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = model(tmp_path)
    cutting = Cutting(4000, 1024)
    lengths: list[int] = []
    featurizer = type(found.featurizer)
    original = featurizer.extract_windows

    def counting(self: Any, y: Any, sr: int, starts: Any, n_samples: int) -> Any:
        lengths.append(len(y))
        return original(self, y, sr, starts, n_samples)

    monkeypatch.setattr(featurizer, "extract_windows", counting)
    batch = [piece for n in (8096, 4000) for piece in pieces([noise(1.1)[:n]], cutting)]
    assert len(found.rows_of_pieces(batch, cutting)) == 6
    assert lengths == [4000 + 4 * 1024, 4000]


def test_a_window_that_the_featurizer_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = model(tmp_path)
    featurizer = type(found.featurizer)
    original = featurizer.extract_many

    def refusing(self: Any, ys: Any, sr: int) -> Any:
        if any(y.max() > 0.99 for y in ys):
            raise FeatureError("too loud")
        return original(self, ys, sr)

    monkeypatch.setattr(featurizer, "extract_many", refusing)
    y: Any = noise(1.0)
    y = y / 2
    y[-1] = 1.0
    written = written_in_blocks(tmp_path / "loud.wav", y, 8000)
    cutting = Cutting(4000, 1024)
    rows = found.rows_of_pieces(list(pieces([y], cutting)), cutting)
    assert [isinstance(row, FeatureError) for row in rows] == [False] * 4 + [True]
    with pytest.raises(FeatureError, match=r"from 0\.512 s on.*too loud"):
        list(found.windows(written, window=0.488, hop=0.128))
