"""`audioclf weights fetch`: a pinned model comes into the folder of models; all else is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from audioclf.base.errors import EXIT_ENVIRONMENT, EXIT_USAGE
from audioclf.cli import app
from audioclf.plugin import ConfigError, EnvironmentMissingError
from audioclf_transformers import Transformers, hub

Saved = Callable[[str], Path]
COMMIT = "1a" * 20
NAME = f"facebook/tiny@{COMMIT}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIOCLF_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


class Service:
    """The hub, as far as it is used: one model at one commit."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.downloaded, self.digests = files, list[str](), dict[str, str]()

    def info(self, model: str, revision: str) -> Any:
        assert (model, revision) in {("facebook/tiny", COMMIT), ("facebook/tiny", "main")}
        files = [
            SimpleNamespace(
                rfilename=name,
                lfs=SimpleNamespace(sha256=self.digests.get(name, sha256(content)))
                if name.endswith("safetensors")
                else None,
            )
            for name, content in self.files.items()
        ]
        card = SimpleNamespace(license="apache-2.0")
        return SimpleNamespace(sha=COMMIT, siblings=files, card_data=card)

    def download(self, model: str, revision: str, file: str, folder: Path) -> None:
        assert (model, revision) == ("facebook/tiny", COMMIT)
        self.downloaded.append(file)
        (folder / file).write_bytes(self.files[file])


@pytest.fixture
def service(saved: Saved, models: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    files = {path.name: path.read_bytes() for path in saved("wav2vec2").iterdir()}
    service = Service(files | {"pytorch_model.bin": b"", "README.md": b"", "run.py": b""})
    monkeypatch.setattr(hub, "_info", service.info)
    monkeypatch.setattr(hub, "_download", service.download)
    return service


def test_what_a_featurizer_reads_is_downloaded_and_the_yaml_can_be_pasted(
    service: Service, models: Path
) -> None:
    text = Transformers.fetch_weights(NAME)
    assert text is not None
    facts, _, pasted = text.partition("\n\n")
    names = ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert service.downloaded == names
    assert [path.name for path in models.iterdir()] == [f"facebook--tiny@{COMMIT}"]
    for name in names:
        assert f"{sha256(service.files[name])}, " in facts
    fields = yaml.safe_load(pasted)["featurizers"]["embedding"]
    lines = "".join(f"{sha256(service.files[name])}  {name}\n" for name in names)
    assert fields == {
        "type": "transformers",
        "model": NAME,
        "sha256": sha256(lines.encode()),
        "license": "apache-2.0",
        "average": 10,
    }
    y = np.ones(16_000, np.float32)
    assert Transformers.model_validate(fields).extract(y, 16_000).shape == (16, 5)
    again = Transformers.fetch_weights(NAME)
    assert again is not None
    assert service.downloaded == names
    assert f"sha256: {fields['sha256']}" in again


@pytest.mark.parametrize("name", ["facebook/tiny", "facebook/tiny@main", "facebook/tiny@"])
def test_a_branch_is_refused_with_its_commit(name: str, service: Service, models: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Transformers.fetch_weights(name)
    assert caught.value.message == f"facebook/tiny@main may change; its commit is {COMMIT} now"
    assert caught.value.hint == f"Run `audioclf weights fetch {NAME}`."
    assert not models.exists()


def test_a_model_that_is_only_pickled_is_refused_before_anything_is_downloaded(
    service: Service, models: Path
) -> None:
    del service.files["model.safetensors"]
    with pytest.raises(ConfigError, match=r"its weights are only in pytorch_model\.bin, which is"):
        Transformers.fetch_weights(NAME)
    assert not models.exists()


def test_a_file_with_another_digest_than_the_service_says_is_refused(
    service: Service, models: Path
) -> None:
    service.digests["model.safetensors"] = "0" * 64
    with pytest.raises(
        ConfigError, match=r"model\.safetensors has SHA-256 .*, and the service say"
    ):
        Transformers.fetch_weights(NAME)
    assert not (models / f"facebook--tiny@{COMMIT}").exists()


def test_no_network_is_one_sentence(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise OSError("[Errno -3] Temporary failure\nin name resolution")

    monkeypatch.setattr(hub, "_info", unreachable)
    with pytest.raises(EnvironmentMissingError) as caught:
        Transformers.fetch_weights(NAME)
    assert caught.value.message == (
        f"{NAME} cannot be downloaded: [Errno -3] Temporary failure in name resolution"
    )


def test_the_command_says_which_plugin_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app(args=["weights", "fetch", "tiny"], prog_name="audioclf")
    assert caught.value.code == EXIT_USAGE
    assert "no installed featurizer downloads tiny" in capsys.readouterr().err


@pytest.fixture
def server(saved: Saved) -> Iterator[str]:
    """Yield the address of a server with the answers of the hub for one model."""
    files = {path.name: path.read_bytes() for path in saved("wav2vec2").iterdir()}

    class Handler(BaseHTTPRequestHandler):
        def answer(self, *, body: bool) -> None:
            path, status = self.path.partition("?")[0], 200
            kept: dict[str, str] = {"X-Repo-Commit": COMMIT}
            if path == f"/api/models/facebook/tiny/revision/{COMMIT}":
                siblings = [{"rfilename": name, "size": len(files[name])} for name in files]
                data: dict[str, Any] = {"id": "facebook/tiny", "sha": COMMIT, "siblings": siblings}
                content = json.dumps(data | {"cardData": {"license": "mit"}}).encode()
            elif path.startswith(f"/facebook/tiny/resolve/{COMMIT}/"):
                content = files[path.rpartition("/")[2]]
                kept["ETag"] = f'"{sha256(content)}"'
            else:
                content, status = b"{}", 404
                kept["X-Error-Code"] = "RepoNotFound"
            self.send_response(status)
            for name, value in (kept | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()
        thread.join()


@pytest.mark.slow
def test_the_client_of_the_library_is_used_as_it_expects(server: str, tmp_path: Path) -> None:
    """Real requests to a server on this computer, which has one model and no network behind it."""

    def fetch(name: str, address: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from audioclf.cli import main; sys.exit(main())"
        models = {"AUDIOCLF_MODELS_DIR": str(tmp_path / "models"), "HF_HOME": str(tmp_path / "hf")}
        env = os.environ | models | {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, "-c", code, "weights", "fetch", name]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    done = fetch(NAME, server)
    assert done.returncode == 0, done.stderr
    assert "licence                   mit" in done.stdout
    folder = tmp_path / "models" / f"facebook--tiny@{COMMIT}"
    assert len(list(folder.iterdir())) == 3
    unknown = fetch(f"facebook/none@{COMMIT}", server)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (EXIT_USAGE, 2), unknown.stderr
    assert f"facebook/none@{COMMIT}: Hugging Face has no such public model" in unknown.stderr
    closed = fetch(f"facebook/none@{COMMIT}", "http://127.0.0.1:9")
    assert (closed.returncode, closed.stderr.count("\n")) == (EXIT_ENVIRONMENT, 2), closed.stderr
    assert f"facebook/none@{COMMIT} cannot be downloaded: " in closed.stderr
