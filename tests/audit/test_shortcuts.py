"""Ways to the label that do not lead through the sound: found where they are, and only there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audioclf.audit.findings import Audit
from audioclf.audit.inputs import AuditInput, FileFormat
from audioclf.audit.shortcuts import MAX_FOLDS, NAMES, audit_shortcuts, few_folds, probe
from audioclf.audit.shortcuts.facts import COLUMN, file_formats
from audioclf.audit.shortcuts.formats import formats_by_class
from audioclf.audit.shortcuts.probe import Column, ShortcutProbe, row_of_class
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.splits import Fold, Holdout, Splits, StratifiedKFold
from tests.audit.make import (
    WAV,
    dataset_of,
    extracted,
    folds_of,
    named,
    names,
    ordinary_facts,
    result_of,
)
from tests.conftest import tone, write_wav

pytestmark = pytest.mark.usefixtures("small_forests")


def formats_of(dataset: Dataset, *odd: str, **changes: object) -> dict[str, FileFormat]:
    """Return one format for all clips but the odd ones, which differ in these facts."""
    other = replace(WAV, **changes)  # type: ignore[arg-type]
    return {clip.id: other if clip.id in odd else WAV for clip in dataset}


def audited(
    dataset: Dataset,
    formats: dict[str, FileFormat] | None = None,
    facts: np.ndarray | None = None,
    reached: float | None = None,
) -> Audit:
    splits = folds_of(dataset)
    facts = ordinary_facts(len(dataset)) if facts is None else facts
    results = [] if reached is None else [cell_of(dataset, splits, reached)]
    formats = formats_of(dataset) if formats is None else formats
    return audit_shortcuts(
        AuditInput(dataset, splits=splits, results=results, facts=facts, formats=formats)
    )


def cell_of(dataset: Dataset, splits: Splits, accuracy: float):  # type: ignore[no-untyped-def]
    """Return a pipeline that is right for this share of the clips of each class."""
    y = dataset.targets.codes
    said = y.copy()
    for code in range(len(dataset.classes)):
        own = np.flatnonzero(y == code)
        wrong = own[: round((1 - accuracy) * len(own))]
        said[wrong] = (code + 1) % len(dataset.classes)
    return result_of(splits, np.eye(len(dataset.classes))[said])


def first(dataset: Dataset, label: str, count: int) -> list[str]:
    return [clip.id for clip in dataset if clip.label == label][:count]


def test_clips_that_differ_in_nothing_give_no_finding() -> None:
    found = audited(dataset_of())
    assert names(found) == set()
    assert "format is the same for all" in found.summary


def test_a_format_of_one_class_alone_is_a_habit_with_counts() -> None:
    dataset = dataset_of(48, ("barbie", "puppy"))  # type: ignore[arg-type]
    formats = formats_of(dataset, *first(dataset, "puppy", 14), channels=2)
    for clip in first(dataset, "puppy", 12):
        formats[clip] = replace(formats[clip], subtype="PCM_24")
    found = named(audited(dataset, formats), "recording-habit")
    assert found.severity == "finding"
    assert found.text == "14 of 48 'puppy' clips and no other are stereo (14) or 24-bit (12)."
    assert [row["format"] for row in found.rows] == ["stereo", "24-bit"]


def test_formats_of_the_same_clips_are_one_habit() -> None:
    dataset = dataset_of()
    odd = first(dataset, "a", 8)
    (habit,) = formats_by_class(dataset, formats_of(dataset, *odd, sr=44100, subtype="FLOAT"))
    assert habit.text == "32-bit float and at 44100 Hz"
    assert sorted(habit.clips) == odd


def test_a_format_of_a_whole_class_speaks_of_both_classes() -> None:
    dataset = dataset_of(8)
    formats = formats_of(dataset, *first(dataset, "b", 8), container="FLAC", suffix=".flac")
    text = named(audited(dataset, formats), "recording-habit").text
    assert "all 8 'b' clips and no other are in a FLAC file and named '.flac'" in text
    assert "all 8 'a' clips and no other are in a WAV file" in text


def test_a_median_of_nearly_zero_has_no_sign_and_equal_ones_are_not_compared() -> None:
    dataset = dataset_of(3)
    column = Column("dc_offset", False, np.array([-3e-6, -2e-6, -1e-6, 0, 0, 0]))
    row = row_of_class(column, dataset.targets)
    assert not np.signbit([row["in_class"], row["elsewhere"]]).any()
    text = ShortcutProbe(dataset, folds_of(dataset, 3).folds, 0).best_facts([row])
    assert text.endswith(
        "the offset of the waveform differs in 'b' (ROC AUC 1.00), but not its median"
    )


def test_few_clips_are_no_habit() -> None:
    dataset = dataset_of()
    assert formats_by_class(dataset, formats_of(dataset, *first(dataset, "a", 4), channels=2)) == []


def test_a_format_that_two_classes_have_is_no_habit() -> None:
    dataset = dataset_of()
    odd = [*first(dataset, "a", 10), *first(dataset, "b", 1)]
    assert formats_by_class(dataset, formats_of(dataset, *odd, channels=2)) == []


def test_what_chance_would_put_into_a_large_class_is_no_habit() -> None:
    lopsided = dataset_of({"a": 200, "b": 6})
    odd = first(lopsided, "a", 20)
    assert formats_by_class(lopsided, formats_of(lopsided, *odd, channels=2)) == []


def test_many_classes_are_named_up_to_a_limit() -> None:
    dataset = dataset_of(6, "abcdefgh")
    formats = {clip.id: replace(WAV, sr=8000 + ord(clip.label)) for clip in dataset}
    text = named(audited(dataset, formats), "recording-habit").text
    assert text.endswith("; likewise 3 more classes.")


def test_a_format_that_goes_with_the_class_is_a_shortcut() -> None:
    dataset = dataset_of(40)
    odd = [*first(dataset, "b", 30), *first(dataset, "a", 6)]
    found = named(audited(dataset, formats_of(dataset, *odd, chunks="fmt LIST data")), "shortcut")
    assert found.severity == "finding"
    assert (
        "75 % of 'b' and 15 % of the others are files with the chunks 'fmt LIST data'" in found.text
    )
    assert "chance is 0.500" in found.text


def test_a_format_that_has_nothing_to_do_with_the_class_is_none() -> None:
    dataset = dataset_of(100)
    odd = np.random.default_rng(0).choice([clip.id for clip in dataset], 60, replace=False)
    found = audited(dataset, formats_of(dataset, *odd.tolist(), channels=2))
    assert names(found) == set()
    assert found.facts["format"] is not None  # it was tried


def test_the_level_alone_informs_as_long_as_the_pipelines_do_better() -> None:
    found = named(audited(dataset_of(40), facts=louder(1.5), reached=1.0), "shortcut-recording")
    assert found.severity == "info"
    assert "cell reaches 1.000" in found.text
    assert "the median level in dB is" in found.text


def test_the_level_alone_is_a_finding_where_it_tells_as_much_as_the_pipelines() -> None:
    found = named(audited(dataset_of(40), facts=louder(3.0), reached=0.8), "shortcut-recording")
    assert found.severity == "finding"


def louder(deviations: float) -> np.ndarray:
    """Return facts of 40 + 40 clips whose second class is louder by so many deviations of 2 dB."""
    facts = ordinary_facts(80)
    facts[40:, COLUMN["level_db"]] += 2.0 * deviations
    return facts


@pytest.mark.parametrize(("seconds", "severity"), [(0.12, "info"), (1.0, "finding")])
def test_length_is_a_finding_only_where_it_tells_nearly_everything(
    seconds: float, severity: str
) -> None:
    facts = ordinary_facts(80)
    facts[40:, COLUMN["duration_s"]] += seconds
    found = named(audited(dataset_of(40), facts=facts, reached=0.9), "shortcut-timing")
    assert found.severity == severity
    assert found.rows[0]["fact"] == "duration_s"


@pytest.mark.parametrize(
    ("fact", "values", "advice"),
    [
        ("bandwidth_hz", (3400, 7900), "`fmax: 3200` in `mel` or `mfcc`"),
        ("level_db", (-40, -10), "`augment: [{type: gain, db: [-12, 12]}]`"),
        ("clipped", (0.0, 0.2), "`augment: [{type: clipping}]`"),
        ("dc_offset", (0.0, 0.2), "`fmin: 50` in `mel` or `mfcc`"),
        ("decay_s", (0.2, 0.6), "`augment: [{type: reverb}]`"),
        ("zeros", (0.0, 0.2), "`augment: [{type: noise, snr: [30, 60]}]`"),
        ("duration_s", (1.0, 2.0), "`audio.duration: 0.95`, which cuts longer clips"),
    ],
)
def test_a_fact_that_tells_the_class_gets_a_config_key(
    fact: str, values: tuple[float, float], advice: str
) -> None:
    dataset = dataset_of(60)
    facts = ordinary_facts(120)
    facts[:, COLUMN[fact]] = np.where(dataset.targets.codes == 0, *values)
    name = "shortcut-timing" if fact == "duration_s" else "shortcut-recording"
    finding = named(audited(dataset, facts=facts, reached=1.0), name)
    assert advice in finding.advice


def test_a_class_without_a_measured_decay_is_no_drier() -> None:
    dataset = dataset_of(60)
    facts = ordinary_facts(120)
    decay = np.random.default_rng(0).uniform(0.2, 0.6, 120)
    facts[:, COLUMN["decay_s"]] = np.where(dataset.targets.codes == 0, 0.0, decay)
    facts[:, COLUMN["level_db"]] = np.where(dataset.targets.codes == 0, -40, -10)
    finding = named(audited(dataset, facts=facts, reached=1.0), "shortcut-recording")
    assert "reverb" not in finding.advice


def test_the_baseline_is_no_rival() -> None:
    dataset = dataset_of()
    splits = folds_of(dataset)
    perfect = np.eye(2)[dataset.targets.codes]
    results = [result_of(splits, perfect, baseline=True), cell_of(dataset, splits, 0.75)]
    found = audit_shortcuts(
        AuditInput(dataset, splits=splits, results=results, facts=ordinary_facts(40))
    )
    assert found.facts["best_cell"]["balanced_accuracy"] == 0.75


def test_every_finding_has_a_name_that_can_be_allowed() -> None:
    dataset = dataset_of(8)
    formats = formats_of(dataset, *first(dataset, "b", 8), container="FLAC")
    facts = ordinary_facts(16)
    facts[8:] += 100.0
    assert names(audited(dataset, formats, facts)) == set(NAMES)


def test_many_folds_are_put_together_and_still_keep_the_sides_apart() -> None:
    every = np.arange(40)
    singles = [Fold(0, str(i), np.delete(every, i), every[i : i + 1]) for i in every]
    folds, how = few_folds(Splits(tuple(singles), "leave one out"))
    assert how == f"40 folds of the run merged into {MAX_FOLDS}"
    assert sorted(np.concatenate([fold.test for fold in folds])) == every.tolist()
    assert all(len(np.intersect1d(fold.train, fold.test)) == 0 for fold in folds)
    assert all(len(fold.train) == 32 for fold in folds)


def test_a_side_that_no_fold_trains_on_is_not_trained_on() -> None:
    """Published folds may keep clips out of training; what is put together must too."""
    folds = [Fold(0, str(i), np.setdiff1d(np.arange(10), [i, 9]), np.array([i])) for i in range(8)]
    merged, _ = few_folds(Splits(tuple(folds), "made"))
    assert all(9 not in fold.train for fold in merged)


@pytest.mark.parametrize(
    ("split", "count", "how"),
    [
        (StratifiedKFold(n_splits=4), 4, "the folds of the run"),
        (StratifiedKFold(n_splits=4, repeats=3), 4, "4 of the 12 folds of the run"),
        (Holdout(repeats=9), 5, "5 of the 9 folds of the run"),
        (Holdout(), 1, "the folds of the run"),
    ],
)
def test_of_repeats_one_is_enough(split: Holdout | StratifiedKFold, count: int, how: str) -> None:
    dataset = dataset_of()
    folds, said = few_folds(split.folds(dataset, 0))
    assert (len(folds), said) == (count, how)


def test_groups_are_the_unit_of_the_interval() -> None:
    """Twenty clips of two devices are two facts and not twenty."""
    clips = [
        Clip(f"{label}/{i:02}.wav", label, FileSource(Path("x")), group=f"{label}{i // 20}")
        for label in "ab"
        for i in range(40)
    ]
    grouped = Dataset(clips, name="made")
    alone = Dataset([replace(clip, group=None) for clip in clips], name="made")
    odd = [clip.id for clip in clips if clip.group == "a0"]
    wide, narrow = (
        audited(dataset, formats_of(dataset, *odd, channels=2)).facts["format"]
        for dataset in (grouped, alone)
    )
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_real_files_of_two_formats_give_the_class_away(tmp_path: Path) -> None:
    for index in range(8):
        y = tone(400.0, 0.3, 8000, index)
        write_wav(tmp_path / "s" / "a" / f"{index}.wav", y)
        write_wav(tmp_path / "s" / "b" / f"{index}.wav", np.column_stack([y, y]), subtype="PCM_24")
    extraction = extracted(tmp_path / "s")
    dataset, formats = extraction.dataset, file_formats(extraction.ledger)
    found = audit_shortcuts(
        AuditInput(
            dataset, splits=folds_of(dataset, 4), facts=extraction.matrices[""], formats=formats
        )
    )
    text = named(found, "recording-habit").text
    assert "all 8 'b' clips and no other are 24-bit and stereo" in text
    assert named(found, "shortcut").severity == "finding"


def test_accuracy_is_shown_where_the_shortcut_points_to_another_class() -> None:
    dataset = dataset_of(30)
    odd = [*first(dataset, "a", 24), *first(dataset, "b", 6)]
    formats, splits = formats_of(dataset, *odd, sr=44_100), folds_of(dataset)
    followed = np.array([[clip.id in odd, clip.id not in odd] for clip in dataset], dtype=float)
    sound, fooled = cell_of(dataset, splits, 1.0), result_of(splits, followed, name="fooled")
    inputs = AuditInput(
        dataset,
        splits=splits,
        results=[sound, fooled],
        facts=ordinary_facts(len(dataset)),
        formats=formats,
    )
    audit = audit_shortcuts(inputs)
    cells = audit.facts["format"]["elsewhere"]["cells"]
    assert {name: cell["clips"] for name, cell in cells.items()} == {"cell": 12, "fooled": 12}
    assert (cells["cell"]["accuracy"], cells["cell"]["others"]) == (1.0, 1.0)
    assert (cells["fooled"]["accuracy"], cells["fooled"]["others"]) == (0.0, 1.0)
    assert "on the 12 clips" in named(audit, "shortcut").text


def test_nothing_is_said_of_too_few_clips() -> None:
    dataset = dataset_of(30)
    odd = [*first(dataset, "a", 29), *first(dataset, "b", 3)]
    audit = audited(dataset, formats_of(dataset, *odd, sr=44_100), reached=0.9)
    assert "shortcut" in names(audit)
    assert "elsewhere" not in audit.facts["format"]


def test_drawn_thresholds_find_a_fact_despite_outliers_and_nothing_in_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "MANY", 0)
    dataset = dataset_of(60)
    facts = ordinary_facts(len(dataset))
    assert names(audited(dataset, facts=facts)) == set()
    facts[:, COLUMN["level_db"]] += 6.0 * dataset.targets.codes
    facts[3, COLUMN["level_db"]] = 1e6
    finding = named(audited(dataset, facts=facts, reached=0.9), "shortcut-recording")
    assert finding.rows[0]["fact"] == "level_db"
