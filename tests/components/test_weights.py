"""Weights are known by their digest, which is compared before anything is parsed."""

import hashlib
from pathlib import Path

import pytest

from audioclf.base.errors import ConfigError
from audioclf.components.weights import Weights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"numbers")
    return path


def test_a_file_has_a_digest_a_size_and_a_licence(path: Path) -> None:
    digest = hashlib.sha256(b"numbers").hexdigest()
    weights = Weights.of(path, sha256=digest.upper(), license="Apache-2.0", field="path")
    assert (weights.name, weights.sha256, weights.size) == ("model.onnx", digest, 7)
    assert weights.read() == b"numbers"


def test_other_bytes_are_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.onnx: the SHA-256 of the weights is .* and 00"):
        Weights.of(path, sha256="0" * 64)
    weights = Weights.of(path)
    path.write_bytes(b"other numbers")
    with pytest.raises(ConfigError, match=f"and {weights.sha256} was expected"):
        weights.read()
    assert Weights.of(path).sha256 != weights.sha256


def test_a_folder_has_the_digest_of_the_files_that_hold_a_model(tmp_path: Path) -> None:
    names = ("config.json", "model-00001-of-00002.safetensors", "preprocessor_config.json")
    for name in (*names, "README.md", "tokenizer_config.json", "pytorch_model.bin"):
        (tmp_path / name).write_text(name)
    printed = "".join(f"{hashlib.sha256(n.encode()).hexdigest()}  {n}\n" for n in names)
    digest = hashlib.sha256(printed.encode()).hexdigest()
    weights = Weights.of(tmp_path, sha256=digest)
    assert (weights.sha256, weights.size) == (digest, sum(map(len, names)))
    assert weights.read_folder() == {name: name.encode() for name in names}
    (tmp_path / names[0]).write_text("other")
    with pytest.raises(ConfigError, match=f"and {digest} was expected"):
        weights.read_folder()


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"it has no config\.json and no model\.safetensors"):
        Weights.of(tmp_path)


def test_a_missing_file_is_named(path: Path) -> None:
    weights = Weights.of(path)
    path.unlink()
    for use in (weights.read, lambda: Weights.of(path)):
        with pytest.raises(ConfigError, match=r"model\.onnx: the weights cannot be read: No such"):
            use()
