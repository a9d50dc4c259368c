"""Models of other versions and of plugins that are not here say what to install."""

from pathlib import Path
from typing import Any

import pytest
import sklearn

from audioclf.components.discovery import discover
from audioclf.components.registry import Origin, PluginRecord, Registry
from audioclf.models.bundle.reading import read_bundle
from tests.models.making import forged, made, registry
from tests.models.test_damage import refusal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "m.audioclf", "dummy")


def foreign(manifest: dict[str, Any]) -> None:
    manifest["classifier"] = {"type": "oracle"}
    manifest["components"]["classifier"].update(
        type="oracle", distribution="audioclf-oracle", version="2.1"
    )


def lost(manifest: dict[str, Any]) -> None:
    foreign(manifest)
    manifest["components"]["classifier"].update(distribution="audioclf")


@pytest.mark.parametrize(
    ("edit", "expected", "hint"),
    [
        (
            lambda m: m["versions"].update({"scikit-learn": "1.2.2"}),
            f"written with scikit-learn 1.2.2, and scikit-learn {sklearn.__version__} is installed",
            'Run `pip install "scikit-learn==1.2.*"`, or train the model again.',
        ),
        (lambda m: m["versions"].pop("scikit-learn"), "written with scikit-learn none", None),
        (
            foreign,
            "the classifier 'oracle' of audioclf-oracle 2.1, which is not installed",
            "If you trust that distribution, install audioclf-oracle 2.1.",
        ),
        (lost, "'oracle' of audioclf 2.1: no classifier is called 'oracle'", None),
        (
            lambda m: m["components"]["classifier"].update(distribution="audioclf-other"),
            "its classifier 'dummy' is that of audioclf-other, here it is audioclf ",
            "Install the one, and disable the other.",
        ),
        (
            lambda m: m["classifier"].update(surprise=1),
            "component check: the classifier 'dummy' does not take its fields",
            None,
        ),
        (
            lambda m: m["classifier"].update(type="svm"),
            "its classifier is 'svm' in one place, not in another",
            None,
        ),
        (
            lambda m: m["estimator"].update(format="onnx"),
            "its estimator is stored as 'onnx', and dummy reads 'skops'",
            None,
        ),
    ],
)
def test_a_model_of_other_versions_or_plugins_is_refused(
    edit: Any, expected: str, hint: str | None, path: Path
) -> None:
    said = refusal(forged(path, edit=edit))
    assert expected in said.message
    assert hint in (None, said.hint)


def test_another_patch_version_of_sklearn_is_taken(path: Path) -> None:
    minor = ".".join(sklearn.__version__.split(".")[:2])
    forged(path, edit=lambda m: m["versions"].update({"scikit-learn": f"{minor}.99"}))
    assert read_bundle(path, registry()).notes == ()


def test_a_broken_plugin_says_why(
    path: Path, make_dist: Any, on_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_dist(
        "audioclf-oracle", {"oracle": "audioclf_oracle"}, {"audioclf_oracle.py": "1/0"}
    )
    on_path(site)
    forged(path, edit=foreign)
    with pytest.raises(Exception, match="which is failed: ZeroDivisionError: division by zero"):
        read_bundle(path, discover())


def test_a_disabled_plugin_says_so(path: Path) -> None:
    origin = Origin("audioclf-oracle", "2.1", "oracle")
    disabled = PluginRecord(origin, "disabled", "named in AUDIOCLF_DISABLE_PLUGINS")
    forged(path, edit=foreign)
    with pytest.raises(Exception, match="which is disabled: named in AUDIOCLF_DISABLE"):
        read_bundle(path, Registry((*registry().plugins, disabled)))


def test_another_version_of_a_plugin_is_noted(path: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["components"]["featurizer"].update(version="0.0.1")

    (note,) = read_bundle(forged(path, edit=edit), registry()).notes
    assert note.startswith("featurizer mel was audioclf 0.0.1 when the model was made, and is ")
