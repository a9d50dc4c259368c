"""From a model to a list, from a list to answers, and from answers to numbers of a collection."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.cli.options import check_new_list
from audioclf.dataset.review_list import Answer, ReviewList, Window, columns_of, csv_row, read_list
from audioclf.evaluation.sampling.estimates import Stratum, at_threshold, joined, total_of
from audioclf.experiment.review.choosing import Choice, Chosen, choose
from audioclf.experiment.review.estimating import estimates_of
from audioclf.experiment.review.searching import similarities
from audioclf.experiment.review.suggesting import write_list
from audioclf.models.windows import pieces
from tests.conftest import run_cli, write_wav
from tests.models.making import made
from tests.predict.making import noise

N = 1200


def collection(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    recordings = np.repeat(np.arange(12), N // 12)
    events = rng.uniform(size=N) < 0.1
    scores = np.where(events, rng.beta(4, 2, N), rng.beta(1, 6, N))
    return scores.round(3), events, recordings


def test_a_random_list_has_the_wanted_length_and_one_probability() -> None:
    hits = np.zeros(N)
    for seed in range(60):
        chosen = chosen_by("random", n=100, seed=seed)
        assert len(chosen.positions) == 100
        hits[chosen.positions] += 1
    scores, _, _ = collection()
    high = scores >= 0.5  # as often as low scores
    assert abs(hits[high].mean() - hits[~high].mean()) < 4 * (5 * (1 / high.sum())) ** 0.5


def chosen_by(by: str, n: int = 60, seed: int = 0, most: int | None = None) -> Chosen:
    scores, _, recordings = collection()
    rng = np.random.default_rng(seed)
    return choose(Choice(by, n, most), scores, np.abs(scores - 0.5), recordings, rng)


@pytest.mark.parametrize("by", ["mixed", "scores", "random"])
def test_every_window_can_be_chosen_and_the_list_knows_the_collection(by: str) -> None:
    chosen = chosen_by(by)
    assert len(set(chosen.positions)) == len(chosen.keys) == 60
    assert sum(chosen.sizes.values()) == N
    assert set(chosen.keys) == set(chosen.sizes)
    assert (chosen.probabilities > 0).all()
    totals: dict[object, float] = {}
    for key, share in zip(chosen.keys, chosen.probabilities, strict=True):
        totals[key] = totals.get(key, 0) + 1 / share
    if by != "random":  # the numbers drawn from each band are fixed
        assert totals == pytest.approx(chosen.sizes)
    else:
        assert chosen.probabilities == pytest.approx(60 / N)


@pytest.mark.parametrize("by", ["mixed", "scores", "random", "uncertain"])
@pytest.mark.parametrize("most", [1, 3])
def test_a_recording_gives_no_more_windows_than_it_may(by: str, most: int) -> None:
    chosen = chosen_by(by, most=most)
    _, _, recordings = collection()
    assert np.bincount(recordings[chosen.positions]).max() <= most
    assert 12 * most - 2 <= len(chosen.positions) <= 12 * most
    if by == "uncertain":
        assert sum(chosen.sizes.values()) == len(chosen.positions)


@pytest.mark.parametrize("by", ["scores", "random"])
def test_a_limit_takes_no_window_because_it_is_uncertain(by: str) -> None:
    chosen = chosen_by(by, n=10, most=2)
    assert {key[0] for key in chosen.keys} == {by}
    assert len(chosen.positions) == 10
    assert chosen.probabilities.max() < 1


def strata_of(chosen: Chosen) -> list[Stratum]:
    """Return the strata with all chosen windows as reviewed ones."""
    found = []
    for key, size in chosen.sizes.items():
        rows = np.flatnonzero([own == key for own in chosen.keys])
        weights = 1 / chosen.probabilities[rows]
        found.append(Stratum(chosen.name_of(key), chosen.lows[key], size, rows, weights))
    return found


def test_estimates_are_right_on_average() -> None:
    _, events, _ = collection()
    found = []
    for seed in range(40):
        chosen = chosen_by("mixed", seed=seed)
        found.append(total_of(joined(strata_of(chosen)), events[chosen.positions]))
    values = np.array([item.value for item in found])
    assert abs(values.mean() - events.sum()) < 3 * values.std() / 40**0.5
    assert sum(item.low <= events.sum() <= item.high for item in found) >= 34


@pytest.mark.parametrize("by", ["scores", "mixed"])
def test_windows_chosen_by_score_flatter_a_model_and_estimates_do_not(by: str) -> None:
    scores, events, recordings = collection()
    rng = np.random.default_rng(9)
    scores = np.where(events & (rng.uniform(size=N) < 0.6), 0.01 * scores, scores)  # missed
    naive, covered = [], 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        chosen = choose(Choice(by, 100), scores, np.abs(scores - 0.5), recordings, rng)
        strata, seen = joined(strata_of(chosen)), events[chosen.positions]
        edge = min((item.low for item in strata), key=lambda low: abs(low - 0.4))
        above = scores >= edge
        truth, recall = above[events].mean(), at_threshold(strata, seen, edge).recall
        naive.append(above[chosen.positions][seen].mean() - truth)
        covered += recall.low <= truth <= recall.high
    assert min(naive) > 0.2
    assert covered >= 7


def reviewed(
    folder: Path, by: str = "mixed", n: int = 60, who: str = "", answered: int = 999
) -> Path:
    """Write answers without an error to a list, by reviewers who were asked for the wren."""
    scores, events, _ = collection()
    chosen = chosen_by(by, n, seed=1)
    lines = [columns_of(["wren"], answers=True)]
    for at, position in enumerate(chosen.positions[:answered]):
        key = chosen.keys[at]
        start, share = float(position), float(chosen.probabilities[at])
        window = Window(
            *("a.wav", start, start + 1, key[0], share, chosen.name_of(key), chosen.lows[key]),
            *(chosen.sizes[key], N, "m", "wren", float(scores[position])),
        )
        label = "wren" if events[position] else ""
        lines.append(Answer(window, label, "labelled", who, asked=("wren",)).cells(["wren"]))
    path = folder / f"reviewed{who}.csv"
    path.write_text("".join(map(csv_row, lines)), encoding="utf-8")
    return path


def test_numbers_of_the_collection(tmp_path: Path) -> None:
    scores, events, _ = collection()
    found = estimates_of([reviewed(tmp_path, n=200)], precision=0.6)
    assert found.any_event == found.events["wren"]
    assert found.any_event.low <= events.sum() <= found.any_event.high
    assert sum(band.n_windows for band in found.bands) == N
    inside = 0
    for point in found.thresholds:
        above = scores >= point.score
        assert point.n_windows == above.sum()
        inside += point.precision.low <= events[above].mean() <= point.precision.high
        inside += point.recall.low - 1e-9 <= above[events].mean() <= point.recall.high + 1e-9
    assert inside >= 0.8 * 2 * len(found.thresholds)
    assert found.wanted is not None
    assert found.wanted.precision.low >= 0.6
    assert found.more > 100
    done = run_cli("estimate", tmp_path / "reviewed.csv", "--precision", "0.6", code=0)
    assert "windows reviewed; 95 % intervals of the draw" in done.stdout
    data = json.loads(run_cli("estimate", tmp_path / "reviewed.csv", "--json", code=0).stdout)
    assert data["any_event"]["value"] == pytest.approx(found.any_event.value)


def test_two_reviewers_are_compared_and_their_differences_left_out(tmp_path: Path) -> None:
    both = [reviewed(tmp_path, who="anna"), reviewed(tmp_path, who="ben")]
    text = both[1].read_text(encoding="utf-8").splitlines(keepends=True)
    at = [number for number, line in enumerate(text) if ",wren,labelled," in line]
    text[at[0]] = text[at[0]].replace(",wren,labelled,", ",,labelled,")
    text[at[1]] = text[at[1]].replace(",labelled,", ",unsure,")
    both[1].write_text("".join(text), encoding="utf-8")
    found = estimates_of(both)
    (agreement,) = found.agreements
    assert (agreement.reviewers, agreement.n_windows) == (("anna", "ben"), 60)
    assert 0.7 < agreement.kappa.low < agreement.kappa.value < agreement.kappa.high < 1
    assert found.n_reviewed == 59
    unsure, disputed = found.notes
    assert unsure == "1 window is unsure, and taken for a random part of the list"
    assert disputed.startswith("1 window has a class that is unsure or on which reviewers differ")


def test_answers_that_say_nothing_of_the_collection_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nothing is known of them"):
        estimates_of([reviewed(tmp_path, "uncertain")])
    with pytest.raises(DatasetError, match="no window is labelled of"):
        estimates_of([reviewed(tmp_path, "scores", answered=20)])
    first, second = reviewed(tmp_path), reviewed(tmp_path, who="x")
    second.write_text(second.read_text().replace(f",{N},m,", f",{N + 1},m,"))
    with pytest.raises(DatasetError, match="windows of several lists"):
        estimates_of([first, second])
    plain = tmp_path / "plain.csv"
    rows = [("path", "start", "end", "label", "state"), ("a.wav", "0", "1", "wren", "labelled")]
    plain.write_text("".join(map(csv_row, rows)), encoding="utf-8")
    with pytest.raises(DatasetError, match="with which probability"):
        estimates_of([plain])
    odd = reviewed(tmp_path, who="y", n=12)
    text = odd.read_text()
    size = text.splitlines()[1].split(",")[7]
    for number, match in (
        ("0", "with which probability"),
        ("1e300", "numbers of windows"),
        ("1", "its strata contradict each other"),
    ):
        odd.write_text(text.replace(f",{size},{N},", f",{number},{N},"))
        with pytest.raises(DatasetError, match=match):
            estimates_of([odd])


@pytest.mark.slow
def test_suggest_writes_a_list_that_knows_its_design(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(tmp_path / "m.audioclf")
    for number in range(4):
        write_wav(tmp_path / f"nights/{number}.wav", noise(5.0, seed=number), 8000)
    monkeypatch.chdir(tmp_path)
    options = ("--window", "0.5", "--n", "12", "--class", "ken")
    done = run_cli("suggest", bundle, "nights", *options, "--per-recording", "4", code=0)
    assert "suggested.csv: 12 of 40 windows" in done.stdout
    assert re.search(r"scores +[\d.]+ or higher ", done.stdout)
    listed = read_list(Path("suggested.csv"))
    assert len(listed.windows) == 12
    assert {w.collection_windows for w in listed.windows} == {40}
    assert {w.target for w in listed.windows} == {"ken"}
    assert all(w.score == pytest.approx(w.scores["ken"], abs=1e-6) for w in listed.windows)
    assert listed.source(listed.windows[0]).name.startswith("nights/0.wav@")
    lines = run_cli("predict", bundle, "nights", *options[:2], "--format", "jsonl").stdout
    predicted = {(row["path"], row["start"]): row for row in map(json.loads, lines.splitlines())}
    for item in listed.windows:
        assert item.score == pytest.approx(predicted[item.key[:2]]["score_ken"], abs=2e-6)
    more = ("--reviewed", "suggested.csv", "--out", "lists/next.csv", "--by", "random")
    done = run_cli("suggest", bundle, "nights", *options, *more, code=0)
    assert "12 windows overlap reviewed ones, left out" in done.stderr
    following: ReviewList = read_list(Path("lists/next.csv"))
    assert following.windows[0].path.startswith("../nights/")
    firsts = {(w.path, w.start) for w in listed.windows}
    assert not firsts & {(w.path.removeprefix("../"), w.start) for w in following.windows}
    assert "exists" in run_cli("suggest", bundle, "nights", *options, code=2).stderr
    far = ("--reviewed", "suggested.csv", "--out", "far.csv", "--by", "diverse")
    run_cli("suggest", bundle, "nights", *options, *far, code=0)
    windows = read_list(Path("far.csv")).windows
    assert {(w.chosen_by, w.probability, w.collection_windows) for w in windows} == {
        ("diverse", 1.0, 28)
    }
    assert not firsts & {(w.path, w.start) for w in windows}
    wrong = run_cli("suggest", bundle, "nights", "--window", "1", "--class", "kan", "--force")
    assert "the model has no class 'kan'" in wrong.stderr


def test_a_new_list_replaces_lists_only(tmp_path: Path) -> None:
    out, answers, sound = (tmp_path / name for name in ("l.csv", "r.csv", "a.wav"))
    write_list(out, [Window("a.wav", 0.0, 1.0)], ["a"])
    check_new_list(out, force=True)
    with pytest.raises(ConfigError, match="exists"):
        check_new_list(out, force=False)
    reviewed(tmp_path).rename(answers)
    write_wav(sound, noise(0.1, seed=0), 8000)
    for path in (answers, sound, tmp_path):
        with pytest.raises(ConfigError, match="it is not replaced"):
            check_new_list(path, force=True)


def test_a_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    write_list(tmp_path / "l.csv", [Window("caf\udce9.wav", 0.0, 1.0)], ())
    (window,) = read_list(tmp_path / "l.csv").windows
    assert window.path == "caf\\udce9.wav"


def test_the_nearest_rows_are_those_of_the_standardized_cosine() -> None:
    rng = np.random.default_rng(4)
    rows = (rng.standard_normal((20_000, 5)) * [1, 100, 1, 1e-3, 1] + 7).astype(np.float32)
    rows[:, 4] = 3.0  # says nothing
    examples = rows[[17, 19_000]]
    found = similarities(rows, examples)
    plain = rows[:, :4].astype(np.float64)
    z = (plain - plain.mean(axis=0)) / plain.std(axis=0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    assert np.abs(found - (z @ z[[17, 19_000]].T).max(axis=1)).max() < 3e-3
    assert set(np.argsort(-found)[:2]) == {17, 19_000}


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a config beside three noisy recordings, the last with two chirps, and a chirp."""
    rng = np.random.default_rng(0)
    times = np.arange(4000) / 8000
    chirp = 0.3 * np.sin(2 * np.pi * (800 + 2400 * times) * times)
    for number in range(3):
        y = 0.02 * rng.standard_normal(8000 * 6)
        for start in (16_000, 32_000) if number == 2 else ():
            y[start : start + 4000] += chirp
        write_wav(tmp_path / f"nights/{number}.wav", y.astype(np.float32), 8000)
    write_wav(tmp_path / "call.wav", chirp.astype(np.float32), 8000)
    write_wav(tmp_path / "sounds/a/a.wav", chirp.astype(np.float32), 8000)
    config = tmp_path / "c.yaml"
    config.write_text(
        "dataset: {type: folder, path: sounds}\naudio: {sr: 8000, duration: 1.0}\n"
        "featurizers: {mfcc: {type: mfcc, n_fft: 256, hop_length: 128, n_mels: 20, n_mfcc: 10}}\n"
        "classifiers: {knn: {type: knn}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    return config


@pytest.mark.slow
def test_search_finds_calls_and_reads_recordings_once(
    nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (nights, "nights", "--like", "call.wav", "--n", "2")
    cache = ("--cache-dir", "cache")
    first = run_cli("search", *options, *cache, code=0)
    listed = read_list(Path("suggested.csv"))
    assert {(w.path, w.start) for w in listed.windows} == {("nights/2.wav", 2), ("nights/2.wav", 4)}
    assert "2 of 69 windows of 0.5 s" in first.stdout

    def no_stream(*args: object, **kwargs: object) -> None:
        raise AssertionError("a recording was read again")

    again = "audioclf.experiment.feature_windows.pieces"
    before = pieces
    monkeypatch.setattr(again, lambda b, c: before(b, c) if c.hop == 4000 else no_stream())
    second = run_cli("search", *options, *cache, "--force", code=0)
    assert second.stdout == first.stdout
    lists = ("--reviewed", "suggested.csv", "--out", "more.csv", "--per-recording", "1")
    run_cli("search", *options, *cache, *lists, "--n", "3", code=0)
    assert len({w.path for w in read_list(Path("more.csv")).windows}) == 3
    unknown = run_cli("search", *options, "--featurizer", "mel", "--force", code=2)
    assert "no featurizer of the config is called 'mel'" in unknown.stderr
    for length, why in {
        ("--window", "0"): "a window of 0 s is less than a sample",
        ("--hop", "0"): "a hop of 0 s is less than a sample",
        ("--window", "1e6"): "a window of 1e+06 s is longer than the limit max_seconds, 1800 s",
    }.items():
        assert why in run_cli("search", *options, *length, "--force", code=2).stderr
