"""`audioclf plugins check`, `doctor` and `new`."""

import json
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from audioclf.components import doctor
from audioclf.components.discovery import provided_by
from tests.conftest import REPO, run_cli

MakeDist = Callable[..., Path]
OnPath = Callable[[Path], None]

PLUGIN = """\
from typing import ClassVar, Literal
from audioclf.plugin import Classifier, hookimpl
{before}
class Guess(Classifier):
    '''Guesses the largest class.'''
    type: Literal["{type}"] = "{type}"
    {fields}
    def build(self, *, random_state):
        from sklearn.dummy import DummyClassifier
        {build}
        return DummyClassifier()
@hookimpl
def audioclf_classifiers():
    return [Guess]
"""


def plugin(
    type_name: str = "guess", *, before: str = "", fields: str = "", build: str = "pass"
) -> str:
    return PLUGIN.format(type=type_name, before=before, fields=fields, build=build)


@pytest.fixture
def install(make_dist: MakeDist, on_path: OnPath) -> Callable[[str, str], None]:
    def put(name: str, text: str) -> None:
        on_path(
            make_dist(f"audioclf-{name}", {name: f"audioclf_{name}"}, {f"audioclf_{name}.py": text})
        )

    return put


Install = Callable[[str, str], None]


# ---- check


@pytest.mark.slow
def test_check_prints_a_line_per_promise_and_exits_0() -> None:
    done = run_cli("plugins", "check", "knn", code=0)
    first, *lines, last = done.stdout.strip().split("\n")
    assert first.startswith("classifier:knn  from audioclf ")
    assert "  ok        same_seed_same_output" in lines
    assert "  skipped   takes_groups: uses_groups is false" in lines
    skipped = sum(line.startswith("  skipped ") for line in lines)
    assert skipped == 5
    assert last == f"{len(lines)} checks: {len(lines) - skipped} ok, {skipped} skipped"


def test_check_says_which_promise_is_broken_and_exits_3(install: Install) -> None:
    install("guess", plugin(build="print('building')"))
    done = run_cli("plugins", "check", "classifier:guess", code=3)
    assert "  FAILED    writes_nothing_to_stdout: it writes to stdout: 'building'" in done.stdout
    assert "  FAILED    learns_a_separable_toy: its accuracy on two classes far apart is 50%" in (
        done.stdout
    )
    assert done.stdout.strip().endswith("2 failed, 4 skipped")


def test_what_a_component_prints_is_not_among_the_results(install: Install) -> None:
    install("guess", plugin(build="print('building')"))
    done = run_cli("plugins", "check", "guess", "--json")
    (data,) = json.loads(done.stdout)
    assert data["component"] == "classifier:guess"
    assert data["from"] == "audioclf-guess 1.0 (guess)"
    assert data["ok"] is False
    failed = {check["name"]: check for check in data["checks"] if check["status"] == "failed"}
    assert set(failed) == {"writes_nothing_to_stdout", "learns_a_separable_toy"}
    assert failed["learns_a_separable_toy"]["promise"] == (
        "Two classes, or numbers, that lie far apart are learned."
    )


def test_an_announced_failure_is_expected(install: Install) -> None:
    announced = (
        "expected_failed_checks: ClassVar[dict[str, str]] = "
        "{'learns_a_separable_toy': 'it guesses on purpose'}"
    )
    install("guess", plugin(fields=announced))
    done = run_cli("plugins", "check", "guess", code=0)
    assert "  expected  learns_a_separable_toy: it guesses on purpose" in done.stdout
    assert "1 expected to fail" in done.stdout


def test_an_announcement_of_an_unknown_check_is_refused(install: Install) -> None:
    install("guess", plugin(fields="expected_failed_checks: ClassVar = {'pickle': 'no'}"))
    done = run_cli("plugins", "check", "guess", code=2)
    assert "no check of a classifier is called 'pickle'. Did you mean 'pickles'?" in done.stderr


def test_a_loader_is_checked_with_its_path(sounds: Path) -> None:
    done = run_cli("plugins", "check", "folder", "--set", f"path={sounds}", code=0)
    assert "  ok        every_clip_decodes" in done.stdout
    done = run_cli("plugins", "check", "folder", code=2)
    assert "the loader 'folder' has no default for `path`\n  Add --set path=VALUE." in done.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("n_neighbors=0", "the classifier 'knn' is not valid: `n_neighbors`: Input should be"),
        ("neighbors=3", "the classifier 'knn' is not valid: `neighbors`: Extra inputs"),
        ("n_neighbors", "--set n_neighbors: expected key=value, as in path=recordings"),
        ("p.q.r=1", "the classifier 'knn' is not valid: `p`: "),
    ],
)
def test_a_field_that_does_not_fit_is_named(override: str, message: str) -> None:
    done = run_cli("plugins", "check", "knn", "--set", override, code=2)
    assert message in done.stderr


@pytest.mark.slow
def test_components_inside_are_named_by_type() -> None:
    search = ["--set", "search={n_neighbors: [1, 3]}", "--set", "n_splits=2"]
    run_cli("plugins", "check", "tuned", "--set", "classifier.type=knn", *search, code=0)


@pytest.mark.parametrize("command", ["check", "show"])
def test_an_unknown_component_is_refused_with_a_suggestion(command: str) -> None:
    done = run_cli("plugins", command, "svmm", code=2)
    assert "no component is called 'svmm'" in done.stderr
    assert "Did you mean 'svm'?" in done.stderr


# ---- doctor


@pytest.fixture
def only_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDIOCLF_DISABLE_PLUGINS", raising=False)
    ours = {path.parent.name for path in (REPO / "plugins").glob("*/pyproject.toml")}
    monkeypatch.setattr(doctor, "WORKING", {"audioclf", *ours})


pytestmark = pytest.mark.usefixtures("only_what_is_installed")


def test_a_healthy_installation_exits_0() -> None:
    done = run_cli("plugins", "doctor", code=0)
    assert done.stdout.endswith("all work\n")
    assert json.loads(run_cli("plugins", "doctor", "--json").stdout) == []


@pytest.mark.parametrize(
    ("text", "state", "advice"),
    [
        (
            "import nothing_like.this",
            "broken",
            "Install the distribution with the module 'nothing_like'",
        ),
        ("import audioclf_gone", "broken", "install audioclf-bad again"),
        ("1 / 0", "broken", "traceback with `audioclf plugins --strict-plugins`"),
        ("AUDIOCLF_PLUGIN_API = 9", "outdated", "Install a newer version of audioclf;"),
        ("AUDIOCLF_PLUGIN_API = 0", "outdated", "Install a newer version of audioclf-bad;"),
    ],
)
def test_a_plugin_that_does_not_load_is_explained(
    install: Install, text: str, state: str, advice: str
) -> None:
    install("bad", plugin(before=text))
    done = run_cli("plugins", "doctor", code=2)
    assert f"{state:<9} audioclf-bad 1.0 (bad): " in done.stdout
    assert advice in done.stdout
    assert "or disable it: AUDIOCLF_DISABLE_PLUGINS=audioclf-bad:bad." in done.stdout
    assert done.stdout.endswith("1 to be fixed\n")


def test_a_module_that_is_missing_only_in_use_is_found(install: Install) -> None:
    install("lazy", plugin("lazy", build="import nothing_like.this"))
    done = run_cli("plugins", "doctor", code=2)
    assert "broken    audioclf-lazy 1.0 (lazy): classifier 'lazy' raised ModuleNot" in done.stdout
    assert "Install the distribution with the module 'nothing_like'; or disable it" in done.stdout


def test_a_clash_names_both_and_the_way_out(install: Install) -> None:
    install("one", plugin("same"))
    install("two", plugin("same"))
    done = run_cli("plugins", "doctor", code=2)
    assert "clashing  audioclf-one 1.0 (one) and audioclf-two 1.0 (two): " in done.stdout
    assert "both provide a classifier 'same', so neither can be used." in done.stdout
    assert "AUDIOCLF_DISABLE_PLUGINS=audioclf-two:two." in done.stdout


def test_a_disabled_plugin_is_explained_and_healthy(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("bad", plugin(before="1 / 0"))
    monkeypatch.setenv("AUDIOCLF_DISABLE_PLUGINS", "audioclf-bad:bad, misspelt")
    done = run_cli("plugins", "doctor", code=0)
    assert "disabled  audioclf-bad 1.0 (bad): it is named in AUDIOCLF_DISABLE" in done.stdout
    assert "unknown   misspelt: it is named in AUDIOCLF_DISABLE_PLUGINS, but not" in done.stdout
    (first, second) = json.loads(run_cli("plugins", "doctor", "--json").stdout)
    assert (first["state"], first["is_harmless"]) == ("disabled", True)
    assert (second["state"], second["plugin"]) == ("unknown", "misspelt")


# ---- new


def test_new_lists_its_files_and_the_next_step(tmp_path: Path) -> None:
    done = run_cli("plugins", "new", "featurizer", "spectral-flux", "--dir", tmp_path, code=0)
    target = tmp_path / "audioclf-spectral-flux"
    *files, _, last = done.stdout.strip().split("\n")
    assert set(files) == {str(path) for path in target.rglob("*") if path.is_file()}
    assert last == f"Next: cd {target} && pip install -e '.[test]' && pytest"


def test_new_suggests_a_kind(tmp_path: Path) -> None:
    done = run_cli("plugins", "new", "clasifier", "mine", "--dir", tmp_path, code=2)
    assert "no kind of component is called 'clasifier'. " in done.stderr.replace("\n ", "")
    assert "Did you mean 'classifier'?" in done.stderr


def test_a_second_component_is_added_to_a_plugin(tmp_path: Path, on_path: OnPath) -> None:
    run_cli("plugins", "new", "classifier", "first", "--dir", tmp_path, code=0)
    folder = tmp_path / "audioclf-first"
    done = run_cli("plugins", "new", "featurizer", "second", "--add", folder, code=0)
    assert done.stdout.splitlines()[0] == str(folder / "src" / "audioclf_first" / "second.py")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["audioclf"] == {
        "first": "audioclf_first",
        "second": "audioclf_first.second",
    }
    on_path(folder / "src")
    ((component,), _) = provided_by(import_module("audioclf_first.second"))
    assert component.type_name() == "second"
    test = (folder / "tests" / "test_second.py").read_text(encoding="utf-8")
    assert "from audioclf_first.second import SecondFeaturizer" in test
    again = run_cli("plugins", "new", "featurizer", "second", "--add", folder, code=2)
    assert "second.py exists already" in again.stderr
    wrong = run_cli("plugins", "new", "featurizer", "second", "--add", tmp_path, code=2)
    assert "is not a folder of a plugin" in wrong.stderr
