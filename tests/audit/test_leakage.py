"""The audit of leakage: each finding where it was planted, and none where nothing was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from audioclf.audio.settings import AudioConfig
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput, Rescoring
from audioclf.audit.leakage import audit_leakage
from audioclf.audit.leakage.agreement import SAME, agreement
from audioclf.audit.leakage.copies import EXACT_LIMIT, Copies, codes_of, find_copies, likely_pairs
from audioclf.audit.leakage.cost import cost_of_leakage
from audioclf.audit.leakage.fingerprint import Fingerprint
from audioclf.audit.leakage.groups import guess_groups
from audioclf.audit.remembered import remembered_in
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource, PartSource, Span
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import (
    Fold,
    GroupKFold,
    Holdout,
    LeaveOneGroupOut,
    Predefined,
    Split,
    Splits,
    StratifiedKFold,
)
from audioclf.features.extraction import extract
from audioclf.features.waveform import decoded
from audioclf.starters.sample_data.sounds import SR, chirp, murmur, noise, tone
from tests.conftest import write_wav

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

AUDIO = AudioConfig(sr=SR, duration=2.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of two classes with 6 different clips each."""
    rng = np.random.default_rng(3)
    for label, make in (("chirp", chirp), ("noise", noise)):
        for index in range(6):
            write_wav(tmp_path / label / f"{label}{index}.wav", make(rng), SR)
    return tmp_path


def dataset_in(root: Path, label_pattern: str | None = None) -> Dataset:
    return FolderDataset(path=root, label_pattern=label_pattern).load()


def audited(dataset: Dataset, splits: Splits, rescoring: Rescoring | None = None) -> Audit:
    found = extract(dataset, AUDIO, {"print": Fingerprint()})
    assert len(found.dataset) == len(dataset)
    prints = found.matrices["print"]
    return audit_leakage(
        AuditInput(dataset, found.ledger, AUDIO, splits, prints=prints, rescoring=rescoring)
    )


def named(audit: Audit) -> dict[str, Finding]:
    return {finding.name: finding for finding in audit.findings}


def split_off(dataset: Dataset, test: Sequence[str]) -> Splits:
    """Return one fold that tests the clips with these ids."""
    tested = np.array([clip.id in test for clip in dataset])
    assert tested.sum() == len(test)
    return Splits((Fold(0, "0", np.flatnonzero(~tested), np.flatnonzero(tested)),), "by hand")


def wav_of(path: Path) -> Waveform:
    import soundfile

    y: Waveform = soundfile.read(path, dtype="float32")[0]
    return y


def test_clips_that_differ_give_no_finding(root: Path) -> None:
    dataset = dataset_in(root)
    audit = audited(dataset, StratifiedKFold(n_splits=3).folds(dataset, 0))
    assert audit.findings == []
    assert audit.facts["copies"] == 0
    assert "12 clips were compared" in audit.summary


def test_a_copied_file_on_both_sides_is_a_finding(root: Path) -> None:
    (root / "chirp" / "again.wav").write_bytes((root / "chirp" / "chirp0.wav").read_bytes())
    dataset = dataset_in(root)
    found = named(audited(dataset, split_off(dataset, ["chirp/again.wav", "noise/noise0.wav"])))
    assert list(found) == ["duplicate-files"]
    finding = found["duplicate-files"]
    assert finding.severity == "finding"
    assert finding.text == (
        "2 of 13 clips have the same bytes as another clip (1 set); 1 set with one clip in "
        "training and another on test: 50.0 % of the test clips have a copy in training."
    )
    assert [row["clip"] for row in finding.rows] == ["chirp/again.wav", "chirp/chirp0.wav"]
    assert {row["on_both_sides"] for row in finding.rows} == {"yes"}


def test_copies_on_one_side_are_only_reported(root: Path) -> None:
    (root / "chirp" / "again.wav").write_bytes((root / "chirp" / "chirp0.wav").read_bytes())
    dataset = dataset_in(root)
    audit = audited(dataset, split_off(dataset, ["chirp/again.wav", "chirp/chirp0.wav"]))
    assert named(audit)["duplicate-files"].severity == "info"
    assert named(audit)["duplicate-files"].text.endswith("no set is in training and test at once.")


def test_the_same_samples_in_another_format_are_found(root: Path) -> None:
    write_wav(root / "chirp" / "again.flac", wav_of(root / "chirp" / "chirp0.wav"), SR)
    dataset = dataset_in(root)
    found = named(audited(dataset, split_off(dataset, ["chirp/again.flac"])))
    assert list(found) == ["duplicate-audio"]
    assert found["duplicate-audio"].severity == "finding"


@pytest.mark.parametrize(
    "change",
    [
        lambda y: 0.3 * y,
        lambda y: np.pad(y, (400, 0)),
        lambda y: y[200:-300],
        lambda y: y + 0.001 * np.random.default_rng(0).standard_normal(len(y)),
        lambda y: -y,
    ],
    ids=["quieter", "later", "cut", "noisy", "inverted"],
)
def test_a_changed_copy_is_a_near_duplicate(
    root: Path, change: Callable[[Waveform], Waveform]
) -> None:
    write_wav(root / "chirp" / "again.wav", change(wav_of(root / "chirp" / "chirp0.wav")), SR)
    dataset = dataset_in(root)
    found = named(audited(dataset, split_off(dataset, ["chirp/again.wav"])))
    assert list(found) == ["near-duplicates"]
    assert [row["clip"] for row in found["near-duplicates"].rows] == [
        "chirp/again.wav",
        "chirp/chirp0.wav",
    ]


def test_long_recordings_are_compared_by_their_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of which one is cut at the end are found, and no more than the limit is decoded."""
    monkeypatch.setattr("audioclf.audit.leakage.fingerprint.LONGEST_SECONDS", 4.0)
    monkeypatch.setattr("audioclf.audit.leakage.copies.LONGEST_SECONDS", 4.0)
    rng = np.random.default_rng(6)
    sounds = [np.concatenate([chirp(rng) for _ in range(12)]) for _ in range(4)]
    for at, y in enumerate([*sounds, 0.5 * sounds[0][: 5 * SR]]):
        write_wav(tmp_path / "ab"[at % 2] / f"{at}.wav", y, SR)
    dataset, asked = dataset_in(tmp_path), []

    def decoder(clip: Clip, audio: AudioConfig) -> Waveform:
        asked.append(audio.duration)
        return decoded(clip, audio)

    audio = AudioConfig(sr=SR)
    found = extract(dataset, audio, {"print": Fingerprint()})
    digests = [row.digest for row in found.ledger]
    result = find_copies(dataset, digests, found.matrices["print"], audio, decoder)
    codes = dict(zip([clip.id for clip in dataset], result.sounds.tolist(), strict=True))
    assert codes["a/0.wav"] == codes["a/4.wav"]
    assert len(set(codes.values())) == 4
    assert set(asked) == {4.0}


def test_copies_with_different_labels_contradict_on_any_side(root: Path) -> None:
    write_wav(root / "noise" / "again.wav", 0.5 * wav_of(root / "chirp" / "chirp0.wav"), SR)
    dataset = dataset_in(root)
    splits = split_off(dataset, ["noise/again.wav", "chirp/chirp0.wav"])
    found = named(audited(dataset, splits))
    assert found["near-duplicates"].severity == "info"
    assert found["duplicate-labels"].severity == "finding"
    assert found["duplicate-labels"].text == "1 set of copies with different labels."
    assert {row["label"] for row in found["duplicate-labels"].rows} == {"chirp", "noise"}


def test_silent_clips_of_different_lengths_are_no_copies(root: Path) -> None:
    for index in range(3):
        write_wav(root / "chirp" / f"s{index}.wav", np.zeros(3000 + index, np.float32), SR)
    dataset = dataset_in(root)
    assert audited(dataset, split_off(dataset, ["chirp/s0.wav"])).findings == []


def test_a_group_on_both_sides_is_a_finding(root: Path) -> None:
    dataset = dataset_in(root, r"(?P<label>[a-z]+)(?P<group>\d)\.wav")
    finding = named(audited(dataset, split_off(dataset, ["chirp/chirp0.wav"])))["group-overlap"]
    assert finding.severity == "finding"
    assert finding.text == (
        "1 of 6 groups are on both sides of the split: 100.0 % of the test clips are of a group "
        "that is also in training."
    )
    assert "stratified_group_kfold" in finding.advice
    assert finding.rows[0] == {"group": "0", "clips": 2, "on_both_sides": "yes"}
    assert finding.rows[1] == {"group": "1", "clips": 2, "on_both_sides": "no"}


def test_a_split_by_groups_gives_no_finding(root: Path) -> None:
    dataset = dataset_in(root, r"(?P<label>[a-z]+)(?P<group>\d)\.wav")
    assert audited(dataset, LeaveOneGroupOut().folds(dataset, 0)).findings == []


def test_parts_of_one_recording_on_both_sides_are_a_finding(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    clips = []
    for name, make in (("a", tone), ("b", noise)):
        path = write_wav(
            tmp_path / f"{name}.wav", np.concatenate([make(rng) for _ in range(8)]), SR
        )
        parts = [PartSource(FileSource(path), Span(start, start + 1.0)) for start in range(4)]
        clips += [Clip(f"{name}@{i}", name, part) for i, part in enumerate(parts)]
    dataset = Dataset(clips, name="parts")
    finding = named(audited(dataset, split_off(dataset, ["a@0", "a@1"])))["group-overlap"]
    assert finding.text.startswith("1 of 2 recordings are on both sides of the split: 100.0 %")
    assert finding.rows[0]["recording"].endswith("a.wav")


def named_clips(*ids: str) -> Dataset:
    clips = [Clip(i, i.split("/")[0].split("_")[0], FileSource(Path(i))) for i in ids]
    return Dataset(clips, name="names")


def test_a_speaker_in_file_names_is_guessed() -> None:
    ids = [f"{d}_{who}_{take}.wav" for d in "012" for who in ("ann", "bo") for take in range(4)]
    guess = guess_groups(named_clips(*ids))
    assert guess is not None
    assert guess.values == ("ann", "bo")
    assert guess.label_pattern == r"^(?P<label>[^\W_]+)_(?P<group>[^\W_]+)_"


def test_a_folder_below_the_classes_is_guessed() -> None:
    ids = [f"{c}/{site}/{take}.wav" for c in "ab" for site in ("hill", "lake") for take in "123456"]
    guess = guess_groups(named_clips(*ids))
    assert guess is not None
    assert guess.label_pattern == "^(?P<label>[^/]+)/(?P<group>[^/]+)/"


def test_the_suggested_pattern_loads_the_groups(tmp_path: Path) -> None:
    for label in ("dog", "cat"):
        for who in ("a-1", "b-1"):
            for take in range(4):
                (tmp_path / label).mkdir(exist_ok=True)
                (tmp_path / label / f"{who}-{take}.wav").write_bytes(b"")
    guess = guess_groups(dataset_in(tmp_path))
    assert guess is not None
    loaded = dataset_in(tmp_path, guess.label_pattern)
    assert {clip.group for clip in loaded} == {"a", "b"}
    assert loaded.classes == ("cat", "dog")


@pytest.mark.parametrize(
    "ids",
    [
        [f"{c}/{c}_{take}.wav" for c in ("dog", "cat") for take in range(8)],
        [f"{c}/rec_{take % 4}.wav_{take}.wav" for c in ("dog",) for take in range(8)],
        [f"{c}/{take}.wav" for c in ("dog", "cat") for take in range(8)],
        [f"{c}_{c}{take % 2}_{take}.wav" for c in ("dog", "cat") for take in range(8)],
        ["a/x.wav", "b/y_1.wav"],
    ],
    ids=["running numbers", "one class", "only numbers", "one class each", "nothing in common"],
)
def test_names_without_groups_suggest_none(ids: list[str]) -> None:
    assert guess_groups(named_clips(*ids)) is None


def test_a_guess_is_only_told_and_can_be_pasted(root: Path) -> None:
    for path in list(root.rglob("*.wav")):
        number = int(path.stem[-1])
        path.rename(path.with_name(f"{'ab'[number % 2]}_{number}.wav"))
    dataset = dataset_in(root)
    finding = named(audited(dataset, StratifiedKFold(n_splits=2).folds(dataset, 0)))[
        "possible-groups"
    ]
    assert finding.severity == "info"
    assert r"label_pattern: '^(?P<label>[^/]+)/(?P<group>[^\W_]+)_'" in finding.advice
    assert finding.rows == ({"group": "a", "clips": 6}, {"group": "b", "clips": 6})


def test_other_takes_of_one_word_do_not_agree() -> None:
    rng = np.random.default_rng(1)
    one, other = (murmur(rng, 0.0) for _ in range(2))
    assert agreement(one, one, SR) == pytest.approx(1.0, abs=1e-5)
    assert agreement(one, other, SR) < 0.5


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_and_constants_agree_with_nothing(level: float) -> None:
    y = np.full(4000, level, np.float32)
    assert agreement(y, y, SR) == 0.0


@pytest.mark.parametrize("sr", [8000, 16_000])
def test_tones_above_the_compared_band_are_no_copies(sr: int) -> None:
    rng = np.random.default_rng(0)
    times = np.arange(round(0.4 * sr)) / sr
    tones = [
        np.sin(2 * np.pi * rng.uniform(3450, 0.48 * sr) * times + rng.uniform(0, 6)) / 3
        for _ in range(24)
    ]
    low = [soxr.resample(y.astype(np.float32), sr, 8000) for y in tones]
    assert max(agreement(a, b, 8000) for a, b in combinations(low, 2)) < SAME


def planted(n: int, copies: int) -> NDArray[np.complex64]:
    """Return n prints at random, of which the first ones have a copy with some noise behind."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((2, n, 80, 2)) @ np.array([1.0, 1.0j])
    prints = noise[0]
    prints[n - copies :] = prints[:copies] + 0.1 * noise[1, :copies]
    return np.asarray(prints, dtype=np.complex64)


def test_the_search_compares_every_pair() -> None:
    pairs, complete = likely_pairs(planted(1500, 30))
    assert complete
    assert sorted(map(tuple, pairs.tolist()))[:30] == [(i, 1470 + i) for i in range(30)]


def test_the_search_among_many_says_that_it_may_miss_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf.audit.leakage.copies.EXACT_LIMIT", 1000)
    assert EXACT_LIMIT > 1000
    pairs, _ = likely_pairs(planted(1500, 30))
    found = {(low, high) for low, high in pairs.tolist() if high == low + 1470}
    assert len(found) >= 27
    monkeypatch.setattr("audioclf.audit.leakage.copies.EXACT_LIMIT", 30)
    assert not copies_of([chirp(np.random.default_rng(seed)) for seed in range(40)]).complete


def copies_of(ys: Sequence[Waveform]) -> Copies:
    """Search among sounds that are in no file."""
    clips = [Clip(f"{at:03}", "one", FileSource(Path("none"))) for at in range(len(ys))]
    prints = np.concatenate(Fingerprint().extract_many(ys, SR))
    names = [clip.id for clip in clips]
    dataset = Dataset(clips, name="made")
    return find_copies(dataset, names, prints, AUDIO, lambda clip, audio: ys[int(clip.id)])


def test_many_copies_of_few_sounds_are_one_set_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of one sound alone would take up all the room for candidates."""
    monkeypatch.setattr("audioclf.audit.leakage.copies.ROOM", 0)
    sounds = [chirp(np.random.default_rng(seed)) for seed in range(3)]
    copies = copies_of([np.float32(gain) * y for gain in np.linspace(0.3, 1, 20) for y in sounds])
    assert copies.sounds.tolist() == [0, 1, 2] * 20
    assert copies.complete


def test_the_search_is_bounded_where_all_sounds_are_alike() -> None:
    rng = np.random.default_rng(2)
    two = np.repeat(planted(2, 0), 300, axis=0)
    noise = rng.standard_normal((*two.shape, 2)) @ np.array([1.0, 1.0j])
    pairs, complete = likely_pairs((two + 0.01 * noise).astype(np.complex64))
    assert len(pairs) == 4600
    assert not complete


def test_the_most_likely_pairs_are_compared_and_the_rest_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wav(root / "chirp" / "again.wav", 0.5 * wav_of(root / "chirp" / "chirp0.wav"), SR)
    monkeypatch.setattr("audioclf.audit.leakage.copies.FEW", 2)
    monkeypatch.setattr("audioclf.audit.leakage.copies.ALIKE", -1.0)
    monkeypatch.setattr("audioclf.audit.leakage.copies.CORRELATED", 0.0)
    monkeypatch.setattr("audioclf.audit.leakage.copies.most_different", lambda n: 2)
    monkeypatch.setattr("audioclf.audit.leakage.copies.AT_ONCE", 3)
    dataset = dataset_in(root)
    audit = audited(dataset, StratifiedKFold(n_splits=2).folds(dataset, 0))
    assert audit.facts["copies"] == 1
    assert audit.facts["pairs_compared"] == 3
    assert "the 3 most similar" in audit.summary


def test_a_clip_that_is_gone_is_no_copy_until_it_is_back(root: Path, tmp_path: Path) -> None:
    copy, away = root / "chirp" / "again.wav", tmp_path / "away.wav"
    write_wav(copy, 0.5 * wav_of(root / "chirp" / "chirp0.wav"), SR)
    dataset = dataset_in(root)
    found = extract(dataset, AUDIO, {"print": Fingerprint()})
    digests = [row.digest for row in found.ledger]
    n_sounds = []
    for before, after in ((copy, away), (away, copy)):
        before.rename(after)
        with remembered_in(tmp_path / "cache", AUDIO) as remember:
            result = find_copies(
                dataset, digests, found.matrices["print"], AUDIO, remember=remember
            )
        n_sounds.append(len(np.unique(result.sounds)))
    assert n_sounds == [len(dataset), len(dataset) - 1]


def leaky(n_groups: int = 6) -> tuple[Dataset, NDArray[np.float32]]:
    """Return rows that tell the group, and nothing of the class beside that."""
    rng = np.random.default_rng(1)
    clips, rows = [], []
    for group in range(n_groups):
        for label in ("a", "b"):
            center = rng.normal(0.0, 5.0, 8)
            for take in range(6):
                source = FileSource(Path("nowhere.wav"))
                clips.append(Clip(f"{label}_{group:02d}_{take}", label, source, group=str(group)))
                rows.append(center + rng.normal(0.0, 0.3, 8))
    dataset = Dataset(clips, name="leaky")
    order = sorted(range(len(clips)), key=lambda at: clips[at].id)
    return dataset, np.asarray(rows, dtype=np.float32)[order]


def rescoring_of(rows: NDArray[np.float32], split: Split) -> Rescoring:
    pipeline = Pipeline("near", "rows", "near", Knn(n_neighbors=1), "knn, a test")
    return Rescoring(pipeline, {"rows": rows}, split, seed=0)


WHAT = ("with groups on both sides", "on groups that are not in training", "group")


def test_the_price_is_high_where_only_the_group_is_heard() -> None:
    dataset, rows = leaky()
    units = codes_of([clip.group for clip in dataset])
    price = cost_of_leakage(rescoring_of(rows, StratifiedKFold(repeats=9)), dataset, units, WHAT)
    assert price["shared"]["value"] > 0.95
    assert price["apart"]["value"] < 0.75
    assert price["apart"]["split"] == "leave one group out, 6 groups"
    assert price["shared"]["split"] == "5 stratified folds"
    assert price["shared"]["low"] <= price["shared"]["value"] <= price["shared"]["high"]
    assert price["sentence"].startswith("Pipeline near: accuracy 1.000 [0.476, 1.000] with groups")
    assert price["sentence"].endswith(" on groups that are not in training")


def test_a_held_out_part_is_answered_by_folds_of_that_size() -> None:
    dataset, rows = leaky(n_groups=20)
    units = codes_of([clip.group for clip in dataset])
    price = cost_of_leakage(rescoring_of(rows, Holdout(test_size=0.25)), dataset, units, WHAT)
    assert price["apart"]["split"] == "4 stratified group folds"


def test_a_price_on_one_group_has_no_interval_and_says_why() -> None:
    dataset, rows = leaky(n_groups=2)
    clips = [
        replace(clip, fold="test" if clip.group == "0" and clip.id[-1] in "45" else None)
        for clip in dataset
    ]
    dataset = Dataset(clips, name="leaky")
    units = codes_of([clip.group for clip in dataset])
    price = cost_of_leakage(rescoring_of(rows, Predefined()), dataset, units, WHAT)
    assert price["shared"]["units"] == 1
    assert "1.000 (no interval: all test clips are of one group) with" in price["sentence"]
    assert "nan" not in price["sentence"]


def test_a_price_that_cannot_be_had_says_why() -> None:
    dataset, rows = leaky(n_groups=2)
    per_class = codes_of([clip.label for clip in dataset])
    price = cost_of_leakage(rescoring_of(rows, StratifiedKFold()), dataset, per_class, WHAT)
    assert price["apart"] is None
    assert "cannot be measured" in price["sentence"]
    assert "a classifier needs at least 2 classes" in price["sentence"]


def test_clips_that_are_all_linked_have_no_price() -> None:
    dataset, rows = leaky(n_groups=2)
    units = np.zeros(len(dataset), dtype=np.intp)
    price = cost_of_leakage(rescoring_of(rows, StratifiedKFold()), dataset, units, WHAT)
    assert price["sentence"] == (
        "The cost of this leak cannot be measured: copies, groups and recordings link all clips, "
        "so no split keeps them apart"
    )


def test_only_what_leaks_has_a_price(root: Path) -> None:
    dataset = dataset_in(root, r"(?P<label>[a-z]+)(?P<group>\d)\.wav")
    rows = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    shared, apart = StratifiedKFold(n_splits=3), GroupKFold(n_splits=3)
    for split, priced in ((shared, True), (apart, False)):
        audit = audited(dataset, split.folds(dataset, 0), rescoring_of(rows, split))
        assert ("groups_price" in audit.facts) == priced
        assert "duplicates_price" not in audit.facts
        if priced:
            sentence = audit.facts["groups_price"]["sentence"]
            assert named(audit)["group-overlap"].text.endswith(f" {sentence}.")


def test_the_price_of_copies_keeps_them_on_one_side(root: Path) -> None:
    for path in list(root.rglob("*.wav")):
        path.with_name(f"copy_{path.name}").write_bytes(path.read_bytes())
    dataset = dataset_in(root)
    rng = np.random.default_rng(0)
    distinct = {clip.id.replace("copy_", ""): rng.standard_normal(4) for clip in dataset}
    rows = np.array([distinct[clip.id.replace("copy_", "")] for clip in dataset], dtype=np.float32)
    split = StratifiedKFold(n_splits=4)
    audit = audited(dataset, split.folds(dataset, 0), rescoring_of(rows, split))
    price = audit.facts["duplicates_price"]
    assert price["shared"]["value"] > price["apart"]["value"]
    assert price["sentence"].endswith("with copies kept on one side")


@pytest.mark.slow
def test_real_words_by_one_speaker_are_no_copies(real_data: Callable[[str], Path]) -> None:
    pattern = r"(?P<label>\d)_(?P<group>[a-z]+)_(?P<fold>\d+)\.wav$"
    path = real_data("free_spoken_digits.zip")
    whole = ZipDataset(path=path, label_pattern=pattern).load()
    dataset = whole.subset(clip.id for clip in whole if clip.group == "george")
    bare = Dataset([replace(clip, group=None) for clip in dataset], name="george")
    audit = audited(bare, StratifiedKFold().folds(bare, 0))
    assert audit.facts["pairs_compared"] > 100
    assert audit.facts["copies"] == 0


def test_real_recordings_are_found_again_when_encoded_anew(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = ZipDataset(path=real_data("barbie_vs_puppy.zip")).load()
    first = whole.subset(clip.id for clip in whole.clips[::2])
    copies = []
    for clip in first.clips[:12]:
        with clip.source.open() as stream:
            import soundfile

            y, sr = soundfile.read(stream, dtype="float32", always_2d=True)
        path = write_wav(tmp_path / clip.id.replace("/", "_"), 0.5 * y, sr, "PCM_U8")
        copies.append(Clip(f"copies/{clip.id}", clip.label, FileSource(path)))
    audio = AudioConfig(sr=22050, duration=3.0)
    dataset = Dataset([*first, *copies], name="both")
    found = extract(dataset, audio, {"print": Fingerprint()})
    digests = [row.digest for row in found.ledger]
    result = find_copies(dataset, digests, found.matrices["print"], audio)
    code = dict(zip([clip.id for clip in dataset], result.sounds.tolist(), strict=True))
    assert [c.id for c in copies if code[c.id] != code[c.id.removeprefix("copies/")]] == []
    assert len(dataset) - len(np.unique(result.sounds)) == len(copies)
    assert SAME < 1.0
