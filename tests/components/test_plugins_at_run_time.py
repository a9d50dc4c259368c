"""What a plugin does wrong in a run is caught and named, where that is possible."""

import json
import os
import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from audioclf.base.process_state import restored_process_state
from tests.conftest import Done, run_cli, run_process

PLUGIN = """
import os
from typing import Literal
from audioclf.plugin import Classifier, Featurizer, hookimpl
from sklearn.dummy import DummyClassifier  # here, as an import within a fit may change the state

class Rude(Classifier):
    '''Does what the field says.'''
    type: Literal["rude"] = "rude"
    deed: str = ""
    '''Python that its estimator runs at every fit.'''
    later: str = ""
    '''Python that its estimator runs at every prediction; `X` are the rows.'''

    def build(self, *, random_state):
        deed, later = self.deed, self.later

        class Rudely(DummyClassifier):
            def fit(self, X, y):
                exec(deed, {"X": X, "y": y})
                return super().fit(X, y)

            def predict(self, X):
                exec(later, {"X": X})
                return super().predict(X)

        return Rudely()

class Coarse(Featurizer):
    '''Does what the field says.'''
    type: Literal["coarse"] = "coarse"
    deed: str = ""
    '''Python that runs for every clip; `y` is the waveform, `F` the features.'''

    def extract(self, y, sr):
        import numpy as np
        scope = {"y": y, "F": np.zeros((2, 3), np.float32), "np": np}
        exec(self.deed, scope)
        return scope["F"]

@hookimpl
def audioclf_classifiers():
    return [Rude]

@hookimpl
def audioclf_featurizers():
    return [Coarse]
"""
CLASSIFIER = "classifier 'rude' (rude, audioclf-rude 3.2)"
FEATURIZER = "featurizer 'coarse' (coarse, audioclf-rude 3.2)"


@pytest.fixture
def site(make_dist: Any, on_path: Any) -> Path:
    files = {"audioclf_rude.py": PLUGIN}
    found: Path = make_dist("audioclf-rude", {"rude": "audioclf_rude"}, files, "3.2")
    on_path(found)
    return found


@pytest.fixture
def rude(site: Path, toy_config: Path, tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs the classifier with its deeds; `elsewhere` in a process."""

    def run(*options: str, elsewhere: bool = False, **deeds: str) -> Done:
        fields = json.dumps({"type": "rude", **deeds})
        number = len(list(tmp_path.glob("run*")))
        arguments: tuple[str | Path, ...] = (
            *("run", toy_config, "--out", tmp_path / f"run{number}"),
            *("--set", f"classifiers={{rude: {fields}}}", *options),
        )
        if not elsewhere:
            return run_cli(*arguments)
        return run_process(*arguments, env={"PYTHONPATH": f"{site}{os.pathsep}{Path.cwd()}"})

    return run


@pytest.fixture
def coarse(site: Path, toy_config: Path, tmp_path: Path) -> Callable[..., Done]:
    def run(deed: str, *options: str) -> Done:
        fields = json.dumps({"type": "coarse", "deed": deed})
        number = len(list(tmp_path.glob("run*")))
        out = tmp_path / f"run{number}"
        chosen = f"featurizers={{coarse: {fields}}}"
        return run_cli("run", toy_config, "--out", out, "--set", chosen, *options)

    return run


def said(done: Done) -> str:
    (line, *_) = [each for each in done.stderr.splitlines() if "audioclf: error: " in each]
    return line.removeprefix("audioclf: error: ")


def test_a_classifier_that_writes_into_its_rows_is_named(rude: Any) -> None:
    for deeds in ({"deed": "X += 1"}, {"deed": "y[0] = 1"}, {"later": "X[0] = 0"}):
        done = rude(**deeds)
        assert done.returncode == 3
        assert said(done).startswith(f"{CLASSIFIER}, fold '0' raised ValueError: ")
        assert "It writes into the rows or labels that it is given" in done.stderr


@pytest.mark.slow
def test_what_a_classifier_changes_of_the_process_is_named_and_put_back(rude: Any) -> None:
    here, variable = Path.cwd(), os.environ.get("RUDE")
    deed = "import os, numpy; os.chdir('/'); os.environ['RUDE'] = '1'; numpy.random.seed(0)"
    done = rude(deed=deed)
    assert done.returncode == 0
    assert (
        "audioclf: note: rude: warning in 4 fits: it changes the working directory, the "
        "environment variables and np.random for the whole process, which was put back"
        in done.stderr
    )
    assert (Path.cwd(), os.environ.get("RUDE")) == (here, variable)


@pytest.mark.slow
def test_what_a_featurizer_changes_of_the_process_is_named_and_put_back(coarse: Any) -> None:
    here = Path.cwd()
    done = coarse("import os; np.seterr(all='ignore'); os.chdir('/')")
    assert done.returncode == 0
    assert (
        f"audioclf: note: {FEATURIZER}: it changes the working directory and numpy's error state "
        "for the whole process, which was put back" in done.stderr
    )
    os.chdir(here)


@pytest.mark.slow
def test_a_fit_that_hangs_or_ends_the_interpreter_is_named(rude: Any) -> None:
    done = rude("--isolate", deed="import os; os._exit(5)")
    assert (done.returncode, said(done)) == (
        3,
        f"{CLASSIFIER}, fold '0' ends its worker process: exit code 5",
    )
    done = rude("--fit-seconds", "5", deed="import time; time.sleep(90)")
    assert (done.returncode, said(done)) == (
        3,
        f"{CLASSIFIER}, fold '0' was ended: no answer within 5 s",
    )


@pytest.mark.slow
def test_a_clip_on_which_a_featurizer_hangs_is_left_out_and_named(coarse: Any) -> None:
    # Of all clips and the noise that is tried first, only the shortest is this short.
    hang = "import time; len(y) < 2600 and time.sleep(90)"
    done = coarse(hang, "--clip-seconds", "10", "--set", "on_error=skip", "--no-cache")
    assert done.returncode == 4, done.stderr
    assert "2 of 16 clips could not be read and were left out" in done.stderr


@pytest.mark.slow
def test_a_featurizer_that_always_hangs_or_ends_the_interpreter_is_named(coarse: Any) -> None:
    done = coarse("import time; time.sleep(90)", "--clip-seconds", "4")
    assert done.returncode == 3
    assert said(done).startswith(f"{FEATURIZER} was ended: no answer within 4 s, on noise that")
    done = coarse("import os; os._exit(0)", "--isolate")
    assert done.returncode == 3
    assert said(done).startswith(f"{FEATURIZER} ends its worker process: exit code 0, on noise")


@pytest.mark.slow
def test_what_a_plugin_prints_is_not_among_the_results(rude: Any) -> None:
    shout = "import os; print('above'); os.write(1, b'below' + bytes([10]))"
    done = rude("--json", deed=shout, elsewhere=True)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["cells"]) == {"rude", "baseline"}
    assert "above" in done.stderr
    assert "below" in done.stderr


def test_limits_of_time_need_processes_of_this_machine(rude: Any) -> None:
    for limit in ("--fit-seconds", "--clip-seconds"):
        done = rude(limit, "5", "--engine", "dask", "--scheduler", "tls://localhost:1")
        assert done.returncode == 2
        assert "time limits need worker processes" in said(done)


def test_random_draws_of_an_import_are_not_attributed_to_the_importer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drawing.py").write_text("import random\nrandom.getrandbits(24)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = random.getstate()
    with restored_process_state() as changed:
        import_module("drawing")
    assert changed == []
    assert random.getstate() == before
    with restored_process_state() as changed:
        random.random()
    assert changed == ["random"]
    assert random.getstate() == before
