"""Fits of earlier runs are used by later ones, unless something that decides about them changed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.components import code_digest
from audioclf.engines.local import SerialEngine
from audioclf.experiment.prepared import prepare
from audioclf.features.cache import FeatureCache
from audioclf.runs.folder import earlier_fits
from audioclf.runs.results import RunResult
from audioclf.runs.working_folder import FIT_CACHE
from tests.conftest import write_config, write_sounds, zip_folder
from tests.experiment.test_stopped_runs import timeless

N_FITS = 2 * 4
"""A classifier and the baseline, in four folds."""


VOTE = "{type: vote, features: {a: mel, b: other}, classifiers: {a: {type: knn}, b: {type: knn}}}"


def go(config: Path, out: Path, *overrides: str, **options: Any) -> RunResult:
    options = {"jobs": 1, "cache_dir": config.with_name("cache"), **options}
    return audioclf.run(config, out=out, overrides=overrides, **options)


def new_fits(result: RunResult) -> int:
    fits = json.loads((result.folder / "record.json").read_text(encoding="utf-8"))["fits"]
    assert result.remarks == ((earlier_fits(fits),) if fits["resumed"] else ())
    return int(fits["total"] - fits["resumed"])


def tables(folder: Path) -> dict[str, Any]:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    files = [(folder / name).read_bytes() for name in ("predictions.csv", "folds.csv")]
    return {"files": files, "metrics": timeless(metrics)}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a config whose fits are all in the cache beside it."""
    root = tmp_path_factory.mktemp("kept")
    path = write_config(zip_folder(write_sounds(root / "sounds"), root / "sounds.zip"))
    assert new_fits(go(path, root / "first")) == N_FITS
    return path


def test_a_second_run_fits_nothing_and_has_the_same_files(config: Path, tmp_path: Path) -> None:
    first, again = config.with_name("first"), go(config, tmp_path / "run")
    assert new_fits(again) == 0
    for name in ("predictions.csv", "folds.csv", "metrics.json"):
        assert (again.folder / name).read_bytes() == (first / name).read_bytes()
    alone = go(config, tmp_path / "alone", cache=False)
    assert new_fits(alone) == N_FITS
    assert tables(alone.folder) == tables(first)


def test_report_and_names_cost_no_fit(config: Path, tmp_path: Path) -> None:
    overrides = [
        "name=other",
        "classifiers={other: {type: logistic_regression}}",
        "metrics=[f1_macro, log_loss]",
        "final=other",
        "calibrate=sigmoid",
        "equivalence_margin=0.1",
        "report.media_mb=3",
    ]
    result = go(config, tmp_path / "run", *overrides, jobs=2, fit_seconds=100.0)
    assert new_fits(result) == 0


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("classifiers.knn={type: knn}", 4),
        ("classifiers.logreg.C=2.0", 4),
        ("seed=2", N_FITS),
        ("split.n_splits=3", 2 * 3),
        ("audio.duration=0.4", N_FITS),
        ("augment=[{type: gain}]", N_FITS),
        ("featurizers.small={type: mel, n_fft: 512, hop_length: 256, n_mels: 8}", 4),
    ],
)
def test_only_changed_fits_are_done(
    config: Path, tmp_path: Path, override: str, expected: int
) -> None:
    assert new_fits(go(config, tmp_path / "run", override)) == expected


def test_a_member_of_an_ensemble_with_other_rows_is_another_fit(
    config: Path, tmp_path: Path
) -> None:
    counts = []
    for number, n_mels in enumerate((9, 9, 10)):
        overrides = [
            f"featurizers.other={{type: mel, n_fft: 512, hop_length: 256, n_mels: {n_mels}}}",
            f"classifiers={{mean: {VOTE}}}",
        ]
        counts.append(new_fits(go(config, tmp_path / str(number), *overrides)))
    assert counts[1] == 0
    assert counts[2] >= 4


def test_members_of_an_ensemble_with_rows_of_another_shape_are_another_fit(
    config: Path, tmp_path: Path
) -> None:
    other = "featurizers.other={type: mel, n_fft: 512, hop_length: 256, n_mels: 8}"
    prepared = prepare(config, [other, f"classifiers={{mean: {VOTE}}}"])
    extraction = prepared.extract(
        prepared.featurizers, SerialEngine(), None, progress=lambda *step: None
    )
    plan = extraction.plans["mel"]
    plan = replace(plan, n_bins=plan.n_bins // 2, max_frames=plan.max_frames * 2)
    changed = replace(extraction, plans={**extraction.plans, "mel": plan})
    pipeline, fold = prepared.pipelines[0], prepared.splits().folds[0]
    keys = {
        prepared.open_fit_cache(FeatureCache(tmp_path), each).key(
            pipeline.name, pipeline.featurizer, fold, (), ()
        )
        for each in (extraction, changed)
    }
    assert len(keys - {None}) == 2


def test_code_that_is_edited_while_features_are_computed_is_not_that_of_the_fits(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(stage: str, done: int, total: int) -> None:
        if stage == "reading":
            monkeypatch.setattr(code_digest, "_own_digest", lambda place: "edited")

    assert new_fits(go(config, tmp_path / "run", progress=edit)) == 0


def test_a_cache_that_takes_no_files_leaves_the_fits_in_the_folder(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeatureCache, "can_write", lambda cache: False)

    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("fitting", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(config, tmp_path / "run", progress=stop)
    assert (tmp_path / "run" / FIT_CACHE).is_dir()
    assert new_fits(go(config, tmp_path / "run")) == N_FITS - 3
    assert not (tmp_path / "run" / FIT_CACHE).exists()
