"""The commands of the page that puts a model to work."""

import hashlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from audioclf.models.bundle.reading import load
from audioclf.server.demos import RUNTIME
from audioclf.server.openapi import Query
from tests.conftest import REPO, run_cli, write_wav
from tests.models.making import made

PAGE = (REPO / "docs" / "guides" / "deploy.md").read_text(encoding="utf-8")


def commands(name: str) -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).splitlines()
    return [shlex.split(line) for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "model.audioclf")
    (tmp_path / "incoming").mkdir()
    (tmp_path / "package" / "dist").mkdir(parents=True)
    sound = np.random.default_rng(0).normal(0, 0.1, 8000)
    for name in ("sound.wav", "incoming/a.wav"):
        write_wav(tmp_path / name, sound, 8000)
    for file in RUNTIME.values():
        (tmp_path / "package" / "dist" / file).touch()
    return tmp_path


@pytest.mark.slow
def test_the_commands_run(folder: Path) -> None:
    pytest.importorskip("skl2onnx")
    digest = hashlib.sha256((folder / "model.audioclf").read_bytes()).hexdigest()
    ran = set()
    for command, *args in commands("audioclf"):
        if args[0] in ("listen", "serve"):  # in tests/cli and tests/server
            continue
        demo = {"python": "classify.py", "html": "index.html"}.get(args[-3], "")
        args[-1] = f"{demo}-demo" if demo else args[-1].replace("DIGEST", digest)
        run_cli(*args, code=0)
        ran.add((command, args[0]))
    assert {name for _, name in ran} == {"predict", "model", "export"}
    script = [sys.executable, "-I", "classify.py-demo/classify.py", "sound.wav"]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert printed.startswith(f"sound.wav {load(folder / 'model.audioclf').predict('sound.wav')} ")
    assert (folder / "predictions.csv").is_file()


def test_the_script_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "deploy.md", "exec", dont_inherit=True), names)
    first, *windows = capsys.readouterr().out.splitlines()
    assert (first.split()[0] in names["model"].classes, len(windows)) == (True, 3)


def test_the_requests_have_valid_parameters() -> None:
    urls = [urlsplit(args[-1]) for args in commands("curl")]
    assert {url.path for url in urls} == {"/predict"}
    assert {name for url in urls for name, _ in parse_qsl(url.query)} <= set(Query.model_fields)
