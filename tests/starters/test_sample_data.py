"""Sample datasets: small, reproducible, each with the faults that an audit should find."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.audit.findings import Audit
from audioclf.audit.inputs import AuditInput, Rescoring
from audioclf.audit.leakage import audit_leakage
from audioclf.audit.leakage.fingerprint import Fingerprint
from audioclf.base.errors import ConfigError, ResultError
from audioclf.base.machine import single_threaded
from audioclf.components.discovery import discover
from audioclf.config.loading import load_config
from audioclf.experiment.grid import pipelines_of
from audioclf.features.extraction import extract
from audioclf.starters.sample_data.registry import SAMPLES, sample_named, write_sample
from tests.conftest import run_cli

NAMES = [
    "clean",
    "duplicates",
    "groups",
    "shortcut",
    "bad-files",
    "mislabeled",
    "mixtures",
    "numbers",
    "machine",
    "soundscape",
]
LIMIT = 2_000_000


class Folders(dict[str, Path]):
    """The folder of each dataset, which is written when it is asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def __missing__(self, name: str) -> Path:
        self[name] = write_sample(SAMPLES[name], self.root / name).folder
        return self[name]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return Folders(tmp_path_factory.mktemp("samples"))


def all_but(fast: set[str]) -> list[Any]:
    """Return all names, as slow ones except for these."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in fast)) for name in NAMES]


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answers(folder: Path) -> list[dict[str, str]]:
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def leakage_of(folder: Path) -> Audit:
    registry = discover()
    config = load_config(folder / "config.yaml", registry=registry)
    features = {**config.featurizers, "-print-": Fingerprint()}
    found = extract(config.dataset.load(), config.audio, features)
    splits = config.split.folds(found.dataset, config.seed)
    pipeline = pipelines_of(config, registry)[0]
    with single_threaded():
        return audit_leakage(
            AuditInput(
                found.dataset,
                found.ledger,
                config.audio,
                splits,
                prints=found.matrices["-print-"],
                rescoring=Rescoring(pipeline, found.matrices, config.split, config.seed),
            )
        )


def other_audits(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what `audioclf audit` finds, by name."""
    done = run_cli("audit", folder / "config.yaml", "--json", "--no-cache")
    audits = json.loads(done.stdout)["audits"]
    return {finding["name"]: finding for audit in audits for finding in audit["findings"]}


def doubtful(findings: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, finding in findings.items() if finding["severity"] == "finding"}


def test_the_table_holds_what_is_promised() -> None:
    assert list(SAMPLES) == NAMES
    assert all(name == sample.name and sample.line for name, sample in SAMPLES.items())


@pytest.mark.parametrize("name", all_but({"soundscape"}))
def test_the_same_seed_makes_the_same_small_files(
    name: str, folders: Folders, tmp_path: Path
) -> None:
    again = write_sample(SAMPLES[name], tmp_path / "elsewhere").folder
    assert files_below(again) == files_below(folders[name])
    assert sum(map(len, files_below(again).values())) < LIMIT


def test_another_seed_makes_other_sounds() -> None:
    one, other = (SAMPLES["clean"].build(np.random.default_rng(seed)) for seed in (0, 1))
    assert [file.path for file in one] == [file.path for file in other]
    assert all(a.content != b.content for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", all_but({"duplicates", "groups", "mixtures", "numbers"}))
def test_a_config_loads_every_sound(name: str, folders: Folders) -> None:
    config = load_config(folders[name] / "config.yaml")
    dataset = config.dataset.load()
    sounds = {path for path in (folders[name] / "sounds").rglob("*.*") if path.suffix != ".csv"}
    assert config.name == name
    assert len(dataset.classes) in ({0} if name == "numbers" else {2, 3, 4})
    if name != "soundscape":  # whose clips are windows
        assert len(dataset) == len(sounds)
        assert dataset.notes == ()


def test_a_soundscape_has_overlapping_events_and_an_empty_recording(folders: Folders) -> None:
    dataset = load_config(folders["soundscape"] / "config.yaml").dataset.load()
    assert set(dataset.classes) == {"background", "chirp", "tone"}
    assert any("two labels at once" in note for note in dataset.notes)
    empty = {clip.label for clip in dataset if clip.group == "recording_11.wav"}
    assert empty == {"background"}


def test_mixtures_hold_any_number_of_labels_and_unsure_ones(folders: Folders) -> None:
    dataset = load_config(folders["mixtures"] / "config.yaml").dataset.load()
    states = dataset.targets.states
    assert states is not None
    assert set(np.count_nonzero(states == 1, axis=1).tolist()) >= {0, 1, 2, 3}
    assert (states == -1).any(axis=0).all()
    assert len({clip.group for clip in dataset}) == 8


def test_numbers_differ_between_clips_and_not_between_places(folders: Folders) -> None:
    dataset = load_config(folders["numbers"] / "config.yaml").dataset.load()
    values = dataset.targets.truth
    means = [values[dataset.targets.unit_codes == place].mean() for place in range(8)]
    assert np.std(means) < 0.5 * values.std()


@pytest.mark.slow
def test_a_config_runs(folders: Folders, tmp_path: Path) -> None:
    args = ("--out", tmp_path / "run", "--no-cache")
    done = run_cli("run", folders["clean"] / "config.yaml", *args, code=0)
    assert "logistic_regression" in done.stdout


@pytest.mark.slow
def test_the_clean_dataset_has_no_findings(folders: Folders) -> None:
    assert leakage_of(folders["clean"]).findings == []
    assert doubtful(other_audits(folders["clean"])) == set()


def test_every_planted_copy_is_found(folders: Folders) -> None:
    audit = leakage_of(folders["duplicates"])
    found = {finding.name: finding for finding in audit.findings}
    wanted = {"duplicate-files", "duplicate-audio", "near-duplicates", "duplicate-labels"}
    assert set(found) == wanted
    assert {finding.severity for finding in found.values()} == {"finding"}
    listed = {row["clip"] for finding in found.values() for row in finding.rows}
    assert {row["path"] for row in answers(folders["duplicates"])} <= listed
    assert audit.facts["copies"] == 41
    price = audit.facts["duplicates_price"]  # copies make the task look easy
    assert price["shared"]["low"] > price["apart"]["high"]


def test_the_voices_make_the_task_look_easy(folders: Folders) -> None:
    audit = leakage_of(folders["groups"])
    assert [finding.name for finding in audit.findings] == ["group-overlap"]
    price = audit.facts["groups_price"]
    assert price["shared"]["low"] > price["apart"]["high"]


def test_the_voices_are_guessed_where_they_are_not_declared(
    folders: Folders, tmp_path: Path
) -> None:
    config = (folders["groups"] / "config.yaml").read_text(encoding="utf-8")
    bare = config.replace("_(?P<group>[^_]+)_", "_").replace(
        "path: sounds", f"path: {folders['groups'] / 'sounds'}"
    )
    (tmp_path / "config.yaml").write_text(bare, encoding="utf-8")
    (finding,) = leakage_of(tmp_path).findings
    assert finding.name == "possible-groups"
    assert r"^(?P<label>[^\W_]+)_(?P<group>[^\W_]+)_" in finding.advice


@pytest.mark.slow
def test_the_equipment_is_found(folders: Folders) -> None:
    assert {"shortcut", "recording-habit"} <= doubtful(other_audits(folders["shortcut"]))


@pytest.mark.slow
def test_bad_files_are_found(folders: Folders) -> None:
    found = other_audits(folders["bad-files"])
    assert {"unreadable", "silent", "constant"} <= doubtful(found)
    assert {"clipped", "dc-offset"} <= set(found)


@pytest.mark.slow
def test_wrong_labels_are_found(folders: Folders) -> None:
    suspected = {row["path"] for row in other_audits(folders["mislabeled"])["label-doubt"]["rows"]}
    planted = {row["path"] for row in answers(folders["mislabeled"])}
    assert len(planted) == 6
    assert len(planted & suspected) >= 5


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ResultError, match=r"holds files already, such as 'mine.txt'") as caught:
        write_sample(SAMPLES["clean"], tmp_path)
    assert "--out" in (caught.value.hint or "")
    assert files_below(tmp_path) == {"mine.txt": b"mine"}
    with pytest.raises(ResultError, match=r"mine.txt: cannot be written"):
        write_sample(SAMPLES["clean"], tmp_path / "mine.txt")


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no sample data is called 'duplicate'") as caught:
        sample_named("duplicate")
    assert (caught.value.hint or "").startswith("Did you mean 'duplicates'? There are clean,")
