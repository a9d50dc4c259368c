"""Models of other versions and of plugins that are not here say what to install."""

from __future__ import annotations

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


def test_another_minor_version_of_sklearn_names_what_to_install(path: Path) -> None:
    forged(path, edit=lambda m: m["versions"].update({"scikit-learn": "1.2.2"}))
    said = refusal(path)
    assert said.message.endswith(
        "refused by the version check: it was written with scikit-learn 1.2.2, and scikit-learn "
        f"{sklearn.__version__} is installed"
    )
    assert said.hint == 'Run `pip install "scikit-learn==1.2.*"`, or train the model again.'


def test_another_patch_version_of_sklearn_is_taken(path: Path) -> None:
    minor = ".".join(sklearn.__version__.split(".")[:2])
    forged(path, edit=lambda m: m["versions"].update({"scikit-learn": f"{minor}.99"}))
    assert read_bundle(path, registry()).notes == ()


def test_a_bundle_that_does_not_name_sklearn_is_refused(path: Path) -> None:
    forged(path, edit=lambda m: m["versions"].pop("scikit-learn"))
    assert "written with scikit-learn none" in refusal(path).message


def foreign(manifest: dict[str, Any]) -> None:
    manifest["classifier"] = {"type": "oracle"}
    manifest["components"]["classifier"].update(
        type="oracle", distribution="audioclf-oracle", version="2.1"
    )


def test_a_missing_plugin_is_named_with_its_version(path: Path) -> None:
    said = refusal(forged(path, edit=foreign))
    assert (
        "refused by the component check: it needs the classifier 'oracle' of audioclf-oracle 2.1, "
        "which is not installed"
    ) in said.message
    assert said.hint == ("If you trust that distribution, run `pip install audioclf-oracle==2.1`.")


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


def test_a_plugin_that_lost_the_component_is_named(path: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        foreign(manifest)
        manifest["components"]["classifier"].update(distribution="audioclf")

    said = refusal(forged(path, edit=edit)).message
    assert "'oracle' of audioclf 2.1: no classifier is called 'oracle'" in said


def test_a_component_of_the_same_name_from_elsewhere_is_refused(path: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["components"]["classifier"].update(distribution="audioclf-other")

    said = refusal(forged(path, edit=edit))
    assert "its classifier 'dummy' is that of audioclf-other, here it is audioclf " in said.message
    assert said.hint == "Install the one, and disable the other."


def test_another_version_of_a_plugin_is_noted(path: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["components"]["featurizer"].update(version="0.0.1")

    (note,) = read_bundle(forged(path, edit=edit), registry()).notes
    assert note.startswith("featurizer mel was audioclf 0.0.1 when the model was made, and is ")


def test_fields_that_a_component_does_not_know_are_refused(path: Path) -> None:
    said = refusal(forged(path, edit=lambda m: m["classifier"].update(surprise=1))).message
    assert "component check: the classifier 'dummy' does not take its fields" in said


def test_a_type_that_differs_from_its_origin_is_refused(path: Path) -> None:
    said = refusal(forged(path, edit=lambda m: m["classifier"].update(type="svm"))).message
    assert "its classifier is 'svm' in one place, not in another" in said


def test_a_format_that_the_classifier_does_not_read_is_refused(path: Path) -> None:
    said = refusal(forged(path, edit=lambda m: m["estimator"].update(format="onnx"))).message
    assert "its estimator is stored as 'onnx', and dummy reads 'skops'" in said
