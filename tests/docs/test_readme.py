"""The commands of the README, from an installed wheel and outside the checkout."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import REPO
from tests.starters.venv import Environment, make_environment

README = (REPO / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].rstrip()
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("audioclf")
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell"),
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None, reason="hatchling builds the wheel"
    ),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    made = make_environment(tmp_path_factory.mktemp("fresh") / "venv")
    made.run(f"pip install --ignore-installed {wheel}", wheel.parent)
    return made


@pytest.fixture(scope="module")
def folder(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working folder with the recordings that the README assumes, and two runs."""
    folder = tmp_path_factory.mktemp("work")
    environment.run(
        "audioclf sample-data clean && find clean/sounds -name '*[5-9].wav' -delete\n"
        "zip -qr sounds.zip clean/sounds && audioclf sample-data groups --out other\n"
        "quick='audioclf run other/config.yaml --set audit=false'\n"
        "quick=$quick' --set report.html=false --set report.plots=false --out'\n"
        "$quick runs/A && $quick runs/B --set featurizers.mfcc.n_mfcc=13",
        folder,
    )
    shutil.move(folder / "clean" / "sounds", folder / "my_sounds")
    (folder / "new_sounds").mkdir()
    for path in sorted((folder / "my_sounds").rglob("*.wav"))[::7]:
        shutil.copy(path, folder / "new_sounds")
    shutil.copy(path, folder / "new.wav")
    night = np.random.default_rng(1).normal(0, 0.05, 8000 * 9)
    soundfile.write(folder / "night.wav", night, 8000)
    return folder


@pytest.fixture(scope="module")
def printed(environment: Environment, folder: Path) -> dict[str, str]:
    """Return the output of each command of the README, run in their order."""
    return {command: environment.run(command, folder) for command in COMMANDS}


def test_the_commands_of_the_readme_work_after_pip(
    printed: dict[str, str], environment: Environment, folder: Path
) -> None:
    where = environment.run("python -c 'import audioclf; print(audioclf.__file__)'", folder)
    assert Path(where.strip()).is_relative_to(environment.folder)
    assert len(printed) > 20
    for name in ("my_sounds.yaml", "predictions.csv", "night.txt", "strangers.csv"):
        assert (folder / name).is_file()


def test_the_first_table_and_finding_are_those_of_the_command(printed: dict[str, str]) -> None:
    table = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[0]
    measured = r"(?m)^(\S+( +[\d.]+ \[[^]]+\])+) .*$"  # times and sizes differ between machines
    output = printed["audioclf run groups/config.yaml"]
    real, shown = (" ".join(re.sub(measured, r"\1", text).split()) for text in (output, table))
    assert shown in real
    (command,) = (command for command in printed if "leave_one_group_out" in command)
    assert " 0.352 [" in printed[command]


def test_the_python_of_the_readme_works_after_pip(environment: Environment, folder: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (folder / "my_sounds.yaml").write_text(
        "dataset: {type: folder, path: my_sounds}\naudio: {sr: 8000}\n"
        "featurizers:\n  mfcc: {type: mfcc}\nclassifiers:\n  svm: {type: svm}\n"
    )
    script = "\n    ".join(["if __name__ == '__main__':", *block.splitlines()])
    (folder / "script.py").write_text(script + "\n    print(model.predict('new.wav'))\n")
    assert environment.run("python script.py", folder).strip() in {"chirp", "noise", "tone"}


def test_the_source_distribution_builds_the_wheel_and_leaves_the_tests_out(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    assert archive.stat().st_size < 1_500_000
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert not {"tests", "benchmarks", "data"} & {path.name for path in source.iterdir()}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    assert next(tmp_path.glob("*.whl")).stat().st_size > 400_000
