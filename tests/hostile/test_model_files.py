"""Model files from strangers, through the command line: a sentence and exit code 5 for each."""

import pickle
import tracemalloc
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from audioclf.base.errors import EXIT_MODEL
from audioclf.models.bundle.manifest import MANIFEST
from tests.conftest import run_cli, tone, write_wav
from tests.hostile.files import Entry, zip_of
from tests.models import making
from tests.models.test_forged import Evil

GIB = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return making.made(tmp_path / "m.audioclf", "dummy")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "sound.wav", tone(440.0, 0.5, 8000, 0))


def refused(path: Path, sound: Path) -> str:
    """Return the sentence with which `audioclf predict` refuses a model."""
    done = run_cli("predict", path, sound)
    assert (done.returncode, done.stdout) == (EXIT_MODEL, "")
    first, *hint = done.stderr.splitlines()
    assert first.startswith(f"audioclf: error: {path}: refused by the ")
    assert len(hint) <= 1
    assert "Traceback" not in done.stderr
    return first


def test_a_pickle_that_is_called_a_model(tmp_path: Path, sound: Path) -> None:
    path, marker = tmp_path / "m.audioclf", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Evil(marker)))
    assert "archive check: not a readable zip archive" in refused(path, sound)
    assert not marker.exists()


def test_the_binary_format_of_xgboost_is_not_read(tmp_path: Path, sound: Path) -> None:
    if "xgboost" not in making.registry().types("classifier"):
        pytest.skip("audioclf-xgboost is not installed")
    path = making.made(tmp_path / "m.audioclf", "xgboost", n_estimators=2)
    booster = making.fitted(making.classifier("xgboost", n_estimators=2)).estimator.get_booster()
    making.forged(path, {"estimator/model.json": bytes(booster.save_raw("ubj"))})
    message = refused(path, sound)
    assert "structure check: the estimator of xgboost-json cannot be rebuilt: " in message


def zeros(gigabytes: int) -> bytes:
    """Return a raw deflate stream of so many GiB of zeros, without making them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (1024 * gigabytes - 1) + packer.flush()


@dataclass(frozen=True)
class Packed(Entry):
    """An entry whose data are deflated already."""

    @property
    def packed(self) -> bytes:
        return self.data


@pytest.mark.parametrize("told", [3 * GIB, 10_000])
def test_three_megabytes_that_unpack_to_three_gigabytes(
    told: int, tmp_path: Path, sound: Path
) -> None:
    """Both where the directory admits the size and where it hides it."""
    path = tmp_path / "m.audioclf"
    body = zeros(3)
    assert 2_000_000 < len(body) < 4_000_000
    manifest = Entry(
        MANIFEST.encode(), making.unpacked(making.made(tmp_path / "good.audioclf"))[MANIFEST]
    )
    path.write_bytes(zip_of(manifest, Packed(making.ESTIMATOR.encode(), body, method=8, size=told)))
    del body
    tracemalloc.start()
    try:
        said = refused(path, sound)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "archive check: " in said or "digest check: " in said
    assert peak < 100 << 20
