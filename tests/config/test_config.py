"""From a YAML file to a RunConfig, or to every problem at once."""

from pathlib import Path
from typing import Any

import pytest

from audioclf.base.errors import ConfigError
from audioclf.builtin.classifiers.svm import Svm
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.loaders.class_folders import ZipDataset
from audioclf.components.discovery import discover
from audioclf.config.loading import load_config
from audioclf.config.run_config import RunConfig
from audioclf.config.schema import config_schema
from tests.conftest import skip_without_plugin

REPO = Path(__file__).resolve().parents[2]

MINIMAL = """\
dataset: {type: zip, path: sounds.zip}
featurizers:
  mel: {type: mel}
classifiers:
  svm: {type: svm}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text), overrides=overrides)
    return [line.strip().replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert config.model_dump()["dataset"]["path"] == tmp_path / "sounds.zip"


def test_the_name_is_that_of_the_file_by_default(tmp_path: Path) -> None:
    path = tmp_path / "my sounds (1).yaml"
    path.write_text(MINIMAL, encoding="utf-8")
    assert load_config(path).name == "my_sounds_1_"


def test_a_metric_has_one_name_under_each_of_its_aliases(tmp_path: Path) -> None:
    text = (
        MINIMAL + "  tuned: {type: tuned, classifier: {type: svm}, search: {C: [1]}, metric: uar}"
    )
    config = load_config(write(tmp_path, text + "\nmetrics: [uar, f1]\n"))
    assert config.metrics == ("balanced_accuracy", "f1")
    assert config.classifiers["tuned"].fit_metrics() == ("balanced_accuracy",)
    assert "uar" in config_schema(discover())["properties"]["metrics"]["items"]["enum"]


@pytest.mark.parametrize("path", sorted(REPO.glob("configs/*.yaml")), ids=lambda path: path.name)
def test_configs_that_come_along_are_valid(path: Path) -> None:
    skip_without_plugin(path.read_text(encoding="utf-8"))
    assert load_config(path).name == path.stem


def test_the_resolved_config_is_the_same_config(tmp_path: Path) -> None:
    config = load_config(REPO / "configs" / "barbie_puppy_compare.yaml")
    again = load_config(write(tmp_path, config.to_yaml()))
    assert again == config


def test_five_mistakes_are_five_lines_in_reading_order(tmp_path: Path) -> None:
    text = """\
dataset: {type: zip, path: a.zip, pth: 3}
audio: {sr: "22050"}
featurizers:
  mel: {type: mle}
  mfcc: {type: mfcc, pooling: {type: stats, segmnts: 2}}
split: {type: holdot}
classifiers:
  gb: {type: gradient_boosting, n_estimators: many}
metrics: [accuracy, f1_makro]
"""
    assert problems_of(tmp_path, text) == [
        "c.yaml: 7 problems:",
        "c.yaml:1:35: unknown key 'pth' in dataset. Did you mean 'path'?",
        'c.yaml:2:13: audio.sr: expected a valid integer, not "22050"',
        "c.yaml:4:8: featurizers.mel: no featurizer is called 'mle'. Did you mean 'mel'?",
        "c.yaml:5:45: unknown key 'segmnts' in featurizers.mfcc.pooling. Did you mean 'segments'?",
        "c.yaml:6:8: split: 'holdot' is not known. Did you mean 'holdout'?",
        'c.yaml:8:47: classifiers.gb.n_estimators: expected a valid integer, not "many"',
        "c.yaml:9:21: metrics.1: 'f1_makro' is not known. Did you mean 'f1_macro'?",
    ]


def test_problems_of_the_text_and_of_the_values_come_together(tmp_path: Path) -> None:
    text = MINIMAL + "seed: 1\nseed: 2\nname: 'a b'\n"
    lines = problems_of(tmp_path, text)
    assert lines[1] == "c.yaml:7:1: duplicate key 'seed': remove it here or in line 6"
    assert lines[2].startswith("c.yaml:8:7: name: expected")


def test_a_missing_key_points_to_where_it_belongs(tmp_path: Path) -> None:
    text = MINIMAL.replace("{type: zip, path: sounds.zip}", "{type: zip}")
    assert problems_of(tmp_path, text) == ["c.yaml:1:10: key 'path' is missing in dataset"]


def test_a_component_needs_a_type(tmp_path: Path) -> None:
    lines = problems_of(tmp_path, MINIMAL.replace("{type: svm}", "{C: 1.0}"))
    assert lines[0].startswith("c.yaml:5:8: classifiers.svm: needs a `type`: one of ")
    lines = problems_of(tmp_path, MINIMAL.replace("{type: svm}", "svm"))
    assert lines[0].startswith("c.yaml:5:8: classifiers.svm: expected a mapping such as {type: ")


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_no_config(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text) == ["c.yaml: expected a mapping with keys such as `dataset`"]


def test_a_problem_of_several_keys_is_located_at_the_one_to_change(tmp_path: Path) -> None:
    text = MINIMAL.replace("{type: mel}", "{type: mel, pooling: {type: flatten}}")
    flat = "c.yaml:3:29: featurizers.mel.pooling is `flatten`, which needs an audio.duration"
    assert problems_of(tmp_path, text)[0].startswith(flat)
    final = "c.yaml:6:8: final: no pipeline is named 'knn'; use best, none, or one of svm"
    assert problems_of(tmp_path, f"{MINIMAL}final: knn\n") == [final]
    assert problems_of(tmp_path, f"{MINIMAL}copies: 2\n")[0].startswith("c.yaml:6:9: copies: ")


@pytest.mark.parametrize("word", ["no", "1e3", "0x10", "null", "007"])
def test_where_a_string_is_wanted_words_keep_their_letters(tmp_path: Path, word: str) -> None:
    text = MINIMAL + f"split: {{type: predefined, test_folds: [{word}, b]}}\n"
    config: Any = load_config(write(tmp_path, text))
    assert config.split.test_folds == (word, "b")


def test_overrides_go_through_the_same_validation(tmp_path: Path) -> None:
    config: Any = load_config(
        write(tmp_path, MINIMAL),
        overrides=["classifiers.svm.C=10", "audio.sr=16000", "metrics=[f1, roc_auc]"],
    )
    assert config.classifiers["svm"].C == 10
    assert config.audio.sr == 16000
    assert config.metrics == ("f1", "roc_auc")


def test_a_path_that_is_typed_is_relative_to_where_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = load_config(write(tmp_path, MINIMAL), overrides=["dataset.path=mine.zip"])
    assert config.model_dump()["dataset"]["path"] == tmp_path / "here" / "mine.zip"
    swapped = load_config(
        write(tmp_path, MINIMAL), overrides=["dataset={type: folder, path: mine}"]
    )
    assert swapped.model_dump()["dataset"]["path"] == tmp_path / "here" / "mine"


@pytest.mark.parametrize(
    ("override", "types"),
    [
        ("classifiers.svm.type=knn", {"svm": "knn"}),
        ("classifiers.knn={type: knn}", {"svm": "svm", "knn": "knn"}),
    ],
)
def test_an_override_can_swap_a_classifier_or_add_one(
    tmp_path: Path, override: str, types: dict[str, str]
) -> None:
    config = load_config(write(tmp_path, MINIMAL), overrides=[override])
    assert {name: item.type_name() for name, item in config.classifiers.items()} == types


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("audio.sr=fast", '--set audio.sr=fast: audio.sr: expected a valid integer, not "fast"'),
        ("audio.rate=1", "--set audio.rate=1: unknown key 'rate' in audio. Known here: "),
        ("audit=no", '--set audit=no: audit: expected true or false, not "no"'),
        ("metrics=f1", '--set metrics=f1: metrics: expected a list, not "f1": write [f1]'),
        (
            "augment=[{type: gain, db: [1, 2, 3]}]",
            "--set augment=[{type: gain, db: [1, 2, 3]}]: augment.0.db: expected at most 2 items",
        ),
        (
            "augment=[{type: gain, db: [1]}]",
            "--set augment=[{type: gain, db: [1]}]: augment.0.db: expected at least 2 items, not [",
        ),
        ("split=kfold", '--set split=kfold: split: expected a mapping, not "kfold": write {type: '),
        ("svm.C=1", "--set svm.C=1: unknown key 'svm'. Did you mean 'classifiers.svm'?"),
        ("metrics.5=f1", "--set metrics.5=f1: there is no item 5; the list has 1, from 0"),
        ("nonsense", "--set nonsense: expected key=value, as in split.test_size=0.3"),
        ("seed.deep=1", "--set seed.deep=1: 'deep' cannot be set, because its parent is not a"),
        ("audio.sr=[", "--set audio.sr=[:1:2: not YAML"),
    ],
)
def test_a_bad_override_is_named(tmp_path: Path, override: str, line: str) -> None:
    text = MINIMAL + "seed: 1\nmetrics: [f1]\n"
    assert problems_of(tmp_path, text, override)[0].startswith(line)


def test_a_text_instead_of_a_mapping_of_plain_values_is_named(tmp_path: Path) -> None:
    members = "{type: vote, classifiers: {a: {type: svm}, b: {type: knn}}, features: mfcc}"
    (line,) = problems_of(tmp_path, MINIMAL, f"classifiers.v={members}")
    assert line.endswith('classifiers.v.features: expected a mapping, not "mfcc"')


@pytest.mark.parametrize(
    ("part", "new", "keys"),
    [("split", "leave_one_group_out", "n_splits, repeats"), ("classifiers.svm", "knn", "C")],
)
def test_keys_of_the_type_that_an_override_replaces_are_named_once(
    tmp_path: Path, part: str, new: str, keys: str
) -> None:
    text = MINIMAL.replace("{type: svm}", "{type: svm, C: 2}")
    text += "split: {type: kfold, n_splits: 3, repeats: 2}\n"
    (line,) = problems_of(tmp_path, text, f"{part}.type={new}")
    assert line == (
        f"--set {part}.type={new}: {part} still has {keys} of its former type. "
        f"Replace the whole part: --set '{part}={{type: {new}}}'"
    )
    load_config(write(tmp_path, text), overrides=[f"{part}={{type: {new}}}"])


def test_an_override_mends_the_line_that_it_replaces(tmp_path: Path) -> None:
    text = MINIMAL + "seed: .nan\n"
    assert load_config(write(tmp_path, text), overrides=["seed=3"]).seed == 3


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 10))
    lines = problems_of(tmp_path, "l0: &l0 [x]\n" + levels)
    assert any("aliases are not allowed" in line for line in lines)


def test_the_schema_has_the_installed_components() -> None:
    schema = config_schema(discover())
    names = {ref["$ref"] for ref in schema["$defs"]["any_classifier"]["oneOf"]}
    assert "#/$defs/classifier_svm" in names
    assert schema["properties"]["dataset"]["$ref"] == "#/$defs/any_loader"
    assert schema["properties"]["seed"]["description"].startswith("Seed of the splits")


def test_every_reference_of_the_schema_resolves() -> None:
    schema = config_schema(discover())

    def refs(node: Any) -> list[str]:
        if isinstance(node, dict):
            found = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return found + [ref for value in node.values() for ref in refs(value)]
        return [ref for item in node for ref in refs(item)] if isinstance(node, list) else []

    missing = {ref for ref in refs(schema) if ref.removeprefix("#/$defs/") not in schema["$defs"]}
    assert missing == set()


def test_a_config_made_by_hand_is_the_one_from_the_file(tmp_path: Path) -> None:
    made = RunConfig(
        name="c",
        dataset=ZipDataset(path=tmp_path / "sounds.zip"),
        featurizers={"mel": MelSpectrogram()},
        classifiers={"svm": Svm()},
    )
    assert made == load_config(write(tmp_path, MINIMAL))


def test_every_field_of_the_config_is_described() -> None:
    assert [name for name, field in RunConfig.model_fields.items() if not field.description] == []
