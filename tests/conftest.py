"""Fixtures that many tests use: small datasets, fake distributions, the command line."""

import contextlib
import gc
import io
import os
import re
import signal
import subprocess
import sys
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Each worker of pytest-xdist has a core. Threads of BLAS and OpenMP beside it would wait for each
# other, which takes up to nine times the CPU time; this must come before the import of NumPy.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import none

from audioclf.components.discovery import discover

REPO = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))

# The same examples in each run, however slow the machine; `make fuzz` looks for new ones.
settings.register_profile(
    "audioclf", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("audioclf")

os.environ["AUDIOCLF_QUIET"] = "1"  # only the tests of progress show it

# Processes that compile the same code of librosa at one moment into one cache can crash.
os.environ["NUMBA_CACHE_DIR"] = str(
    REPO / ".pytest_cache" / "numba" / os.environ.get("PYTEST_XDIST_WORKER", "main")
)

# A test run in the background of a shell ignores Ctrl-C; the programs that it starts must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


WITH_LIBROSA = (
    "tests/builtin/featurizers/",
    "tests/testing/test_builtins.py",
    "tests/dsp/",
    "tests/audio/test_decode.py",
    "tests/components/test_pooling.py",
    "tests/dataset/test_clip_parts.py",
    "tests/experiment/test_tutorial.py",
)
"""Files that use librosa: one worker takes them all, since its first import takes 19 s of CPU.

Such a file uses librosa inside of tests alone, for all workers import all files.
"""

LONG_FILES = (
    "tests/builtin/featurizers/test_cqt.py",
    "tests/docs/test_readme.py",
    "plugins/audioclf-onnx/tests/test_runs.py",
    "tests/evaluation/test_guesses.py",
    "tests/starters/test_installed.py",
    "tests/components/test_plugins_at_run_time.py",
    "tests/models/test_weights.py",
    "tests/experiment/test_stopped_runs.py",
    "tests/experiment/test_same_numbers.py",
    "tests/experiment/test_runs_elsewhere.py",
    "plugins/audioclf-mlflow/tests/test_mlflow.py",
    "plugins/audioclf-torch/tests/test_cnn.py",
    "tests/testing/test_checks.py",
    "tests/base/test_system.py",
    "tests/hostile/test_full_disk.py",
    "tests/predict/test_isolation.py",
)
"""Files whose tests take longest. They run first, so that no worker is left with one at the end."""


def pytest_configure(config: pytest.Config) -> None:
    """Give files to workers in the order above, and not those with most tests first."""
    config.option.loadscopereorder = False
    gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to workers, and those with librosa to one."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "librosa" if file.startswith(WITH_LIBROSA) else file

    return Scheduling(config, log)


def pytest_collection_finish() -> None:
    """Keep what collection has made out of all garbage collections to come: it stays to the end.

    Hypothesis must have found the generator of NumPy before: it asks who refers to it.
    """
    given(none())(lambda _: None)()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of long files first in a worker, then those of files with many tests."""
    if hasattr(config, "workerinput"):
        places = {REPO / name: place for place, name in enumerate(LONG_FILES)}
        n_tests = Counter(item.path for item in items)
        items.sort(key=lambda item: (places.get(item.path, len(places)), -n_tests[item.path]))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's feature cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOCLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Return the path of real recordings, or skip the test where they are missing."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.is_file():
            pytest.skip(f"real recordings {name} are not in {DATA}; set AUDIOCLF_DATA")
        return path

    return find


@pytest.fixture
def no_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do as if no decoder of a plugin were installed."""
    monkeypatch.setattr("audioclf.dataset.decoders.installed_decoders", tuple)


@pytest.fixture
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let audits fit forests of few trees."""
    monkeypatch.setattr("audioclf.audit.shortcuts.probe.TREES", 4)


def tone(frequency: float, seconds: float, sr: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * sr)) / sr
    y = 0.4 * np.sin(2 * np.pi * frequency * times + rng.uniform(0, 6)) + rng.normal(
        0, 0.05, len(times)
    )
    return y.astype(np.float32)


def write_wav(path: Path, y: np.ndarray, sr: int = 8000, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, y, sr, subtype=subtype)
    return path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Return a folder of two classes, low and high, with 8 clips of 0.3-0.6 s each."""
    return write_sounds(tmp_path / "sounds")


def write_sounds(root: Path) -> Path:
    for label, frequency in (("low", 300.0), ("high", 1800.0)):
        for index in range(8):
            y = tone(frequency * (1 + 0.02 * index), 0.3 + 0.04 * index, 8000, index)
            write_wav(root / label / f"{label}_{index}.wav", y)
    return root


@pytest.fixture
def sounds_zip(sounds: Path, tmp_path: Path) -> Path:
    return zip_folder(sounds, tmp_path / "sounds.zip")


def zip_folder(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent).as_posix())
    return target


WHOLE = ("audit=true", "final=best", "report.html=true", "report.plots=true")
"""Overrides with which the config of `toy_config` does all that a run does by default."""

CONFIG = """\
name: toy
seed: 1
dataset: {type: zip, path: sounds.zip}
audio: {sr: 8000, duration: 0.5}
featurizers:
  mel: {type: mel, n_fft: 512, hop_length: 256, n_mels: 16}
split: {type: stratified_kfold, n_splits: 4}
classifiers:
  logreg: {type: logistic_regression}
metrics: [accuracy, f1]
audit: false
final: none
report: {html: false, plots: false}
"""


@pytest.fixture
def toy_config(sounds_zip: Path) -> Path:
    """Return a config that runs in a second, without audits, model, plots and page; see `WHOLE`."""
    return write_config(sounds_zip)


def write_config(archive: Path) -> Path:
    path = archive.with_name("toy.yaml")
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def shared_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return such a config that all tests share; its recordings must not be changed."""
    root = tmp_path_factory.mktemp("toy")
    return write_config(zip_folder(write_sounds(root / "sounds"), root / "sounds.zip"))


@pytest.fixture(scope="session")
def plain_run(shared_config: Path) -> Path:
    """Return the folder of a run of `shared_config` with one job; it must not be changed."""
    from audioclf.experiment.run import run

    return run(shared_config, out=shared_config.with_name("plain"), jobs=1).folder


@pytest.fixture
def make_dist(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that puts a distribution with plugins on disk; its folder goes on the path.

    `make_dist("audioclf-x", {"x": "audioclf_x"}, {"audioclf_x.py": "..."})`
    """

    def make(
        name: str, entry_points: Mapping[str, str], files: Mapping[str, str], version: str = "1.0"
    ) -> Path:
        site = tmp_path / "site"
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
        (info / "entry_points.txt").write_text(f"[audioclf]\n{lines}")
        for file, text in files.items():
            (site / file).write_text(text)
        return site

    return make


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Return a function that makes a folder importable in this process, for this test."""
    before = set(sys.modules)

    def put(site: Path) -> None:
        monkeypatch.syspath_prepend(str(site))

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("audioclf_"):
            del sys.modules[name]


def skip_without_plugin(config: str) -> None:
    """Skip a test of a config that uses a plugin of the repository that is not installed."""
    types = discover().types("featurizer")
    plugins = {"speech_embedding": "audioclf-onnx", "transformers": "audioclf-transformers"}
    for name, plugin in plugins.items():
        if f"type: {name}" in config and name not in types:
            pytest.skip(f"the plugin {plugin} is not installed")


@dataclass(frozen=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def run_cli(*args: str | Path, code: int | None = None) -> Done:
    """Run the command line in this process, which saves the imports, and check its exit code."""
    from audioclf.cli import app

    out, err = io.StringIO(), io.StringIO()
    returncode = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(args=list(map(str, args)), prog_name="audioclf")
        except SystemExit as exc:
            returncode = int(exc.code or 0)
        except Exception:  # noqa: BLE001  a bug of ours, as the interpreter shows it
            traceback.print_exc()
            returncode = 1
    done = Done(returncode, out.getvalue(), err.getvalue())
    assert code in (None, returncode), done
    return done


def run_process(
    *args: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Done:
    """Run the command line as a user does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "audioclf", *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def imported_by(code: str, names: Iterable[str]) -> set[str]:
    """Return which of these modules a fresh process has imported after running the code."""
    script = f"{code}\nimport sys\nprint(*(n for n in {list(names)!r} if n in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split("\n")[-2].split())


def damage_entries(cache: Path, n_rows: int, count: int) -> int:
    """Flip a bit of that many cached features with so many rows; return how many there are."""
    seen = 0
    for path in sorted(cache.rglob("*.pack")):
        content = bytearray(path.read_bytes())
        for found in re.finditer(rb'"shape":\[%d,' % n_rows, content):
            seen += 1
            if seen <= count:
                content[found.end() + 20] ^= 1
        path.write_bytes(content)
    return seen
