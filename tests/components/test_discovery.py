"""Plugins from on-disk distributions: each loads or fails alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from audioclf.base.errors import PluginError
from audioclf.components.component import KINDS, Kind
from audioclf.components.discovery import discover
from audioclf.components.registry import PluginRecord, Registry

GOOD = """\
from typing import Literal
from audioclf.plugin import Classifier, hookimpl
{before}
class {cls}(Classifier):
    '''A classifier for tests.'''
    type: Literal["{type}"] = "{type}"
    depth: int = 3
    '''How deep.'''
    def build(self, *, random_state):
        from sklearn.dummy import DummyClassifier
        return DummyClassifier(random_state=random_state)
@hookimpl
def {hook}():
    return {returned}
"""

MakeDist = Callable[..., Path]
OnPath = Callable[[Path], None]


def source(
    type_name: str = "good",
    *,
    cls: str = "Good",
    hook: str = "audioclf_classifiers",
    returned: str = "[Good]",
    before: str = "",
) -> str:
    return GOOD.format(type=type_name, cls=cls, hook=hook, returned=returned, before=before)


def record_of(registry: Registry, distribution: str) -> PluginRecord:
    return next(r for r in registry.plugins if r.origin.distribution == distribution)


def test_built_ins_are_an_ordinary_plugin() -> None:
    record = record_of(discover(), "audioclf")
    assert record.status == "ok"
    assert record.origin.identity == "audioclf:builtin"
    kinds: set[Kind] = {cls.kind for cls in record.components}
    assert kinds == set(KINDS)


def test_a_plugin_is_found_through_its_entry_point(make_dist: MakeDist, on_path: OnPath) -> None:
    files = {"audioclf_good.py": source()}
    on_path(make_dist("audioclf-good", {"good": "audioclf_good"}, files, "2.5"))
    registry = discover()
    cls = registry.resolve("classifier", "good")
    assert cls.__name__ == "Good"
    origin = registry.origin_of(cls())
    assert origin is not None
    assert (origin.distribution, origin.version, origin.entry_point) == (
        "audioclf-good",
        "2.5",
        "good",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_this", "ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
        ("x = 1", "it implements no hook; known are audioclf_loaders"),
        (
            source(hook="audioclf_clasifiers"),
            "unknown hook 'audioclf_clasifiers'. Did you mean 'audioclf_classifiers'?",
        ),
        (source(returned="Good"), "audioclf_classifiers must return a list of classes"),
        (source(returned="[3]"), "returned 3, which is not a subclass of Classifier"),
        (source(returned="[int]"), "which is not a subclass of Classifier"),
        (source(hook="audioclf_featurizers"), "which is not a subclass of Featurizer"),
        (source(returned="[Classifier]"), "returned Classifier, which does not implement build"),
        (source(returned="[Good, Good]"), "two components called classifier:good"),
        (source("Good-1"), "Good.type is 'Good-1'; lower-case letters, digits and _ are allowed"),
        (source(before="AUDIOCLF_PLUGIN_API = 9"), "written for plugin API 9, this audioclf has 1"),
        (source(returned="1 / 0"), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_plugin_is_recorded_and_the_others_load(
    make_dist: MakeDist, on_path: OnPath, text: str, reason: str
) -> None:
    files = {"audioclf_bad.py": text, "audioclf_good.py": source()}
    on_path(make_dist("audioclf-good", {"good": "audioclf_good"}, files))
    on_path(make_dist("audioclf-bad", {"bad": "audioclf_bad"}, files))
    registry = discover()
    record = record_of(registry, "audioclf-bad")
    assert record.status == "failed"
    assert reason in record.reason
    assert "\n" not in record.reason
    assert registry.resolve("classifier", "good")
    assert registry.resolve("classifier", "svm")


def test_strict_discovery_raises_the_plugins_own_error(
    make_dist: MakeDist, on_path: OnPath
) -> None:
    on_path(make_dist("audioclf-bad", {"bad": "audioclf_bad"}, {"audioclf_bad.py": "1 / 0"}))
    with pytest.raises(ZeroDivisionError):
        discover(strict=True)


def test_equal_entry_point_names_coexist(make_dist: MakeDist, on_path: OnPath) -> None:
    files = {"audioclf_a.py": source("one"), "audioclf_b.py": source("two")}
    on_path(make_dist("audioclf-a", {"same": "audioclf_a"}, files))
    on_path(make_dist("audioclf-b", {"same": "audioclf_b"}, files))
    registry = discover()
    assert {"one", "two"} <= set(registry.types("classifier"))


def clash(make_dist: MakeDist, on_path: OnPath) -> None:
    files = {"audioclf_a.py": source("twice"), "audioclf_b.py": source("twice")}
    on_path(make_dist("audioclf-a", {"a": "audioclf_a"}, files))
    on_path(make_dist("audioclf-b", {"b": "audioclf_b"}, files, "3.1"))


def test_a_clash_has_no_winner(make_dist: MakeDist, on_path: OnPath) -> None:
    clash(make_dist, on_path)
    registry = discover()
    with pytest.raises(PluginError) as caught:
        registry.resolve("classifier", "twice")
    assert caught.value.message == (
        "classifier 'twice' is provided by audioclf-a 1.0 (a) and audioclf-b 3.1 (b)."
    )
    assert caught.value.hint == ("Disable one of them: AUDIOCLF_DISABLE_PLUGINS=audioclf-b:b")
    assert registry.resolve("classifier", "svm")


@pytest.mark.parametrize("name", ["audioclf-b:b", "audioclf-b", "b", "x, audioclf-b:b"])
def test_disabling_one_ends_a_clash(
    make_dist: MakeDist, on_path: OnPath, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    clash(make_dist, on_path)
    monkeypatch.setenv("AUDIOCLF_DISABLE_PLUGINS", name)
    registry = discover()
    assert record_of(registry, "audioclf-b").status == "disabled"
    assert registry.resolve("classifier", "twice").__module__ == "audioclf_a"


def test_an_unknown_name_gets_the_nearest_and_the_broken_plugins(
    make_dist: MakeDist, on_path: OnPath
) -> None:
    files = {"audioclf_bad.py": "import nothing_like_this"}
    on_path(make_dist("audioclf-bad", {"bad": "audioclf_bad"}, files))
    with pytest.raises(PluginError) as caught:
        discover().resolve("classifier", "random_forrest")
    assert "no classifier is called 'random_forrest'" in caught.value.message
    assert "the plugin audioclf-bad 1.0 (bad) is failed: ModuleNotFound" in caught.value.message
    assert caught.value.hint == "Did you mean 'random_forest'?"


@pytest.mark.parametrize("name", ["cnn", "xgboost"])
def test_what_a_bundled_plugin_would_bring_says_what_to_install(name: str) -> None:
    with pytest.raises(PluginError, match=f"no classifier is called '{name}'") as caught:
        Registry(()).resolve("classifier", name)
    assert "/plugins/audioclf-" in (caught.value.hint or "")


def test_a_name_of_another_kind_is_mentioned(make_dist: MakeDist) -> None:
    with pytest.raises(PluginError, match="there is a featurizer of that name"):
        discover().resolve("classifier", "mel")
