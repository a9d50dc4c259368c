"""Files that are damaged, cut, stuffed or something else are refused by name, never believed."""

import errno
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from audioclf.base.errors import EXIT_MODEL, ConfigError, ModelError
from audioclf.base.limits import Limits
from audioclf.models.bundle.container import MODEL_LIMITS, zipped
from audioclf.models.bundle.manifest import MANIFEST
from audioclf.models.bundle.reading import load, open_bundle, read_bundle
from audioclf.models.refusal import Stage
from tests.models.making import (
    classifier,
    fitted,
    forged,
    made,
    packed,
    registry,
    unpacked,
    written,
)

MEMBERS = (
    "MODEL_CARD.md",
    "check/codes.npy",
    "check/probe.npy",
    "check/rows.npy",
    "check/scores.npy",
    "estimator/model.skops",
    "training/digests.npy",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("good") / "m.audioclf", "dummy").read_bytes()


@pytest.fixture
def path(good: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "m.audioclf"
    path.write_bytes(good)
    return path


def read(path: Path, **kwargs: Any) -> object:
    return read_bundle(path, registry(), **kwargs)


def refusal(path: Path, reader: Callable[..., object] = read, **kwargs: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        reader(path, **kwargs)
    assert caught.value.exit_code == EXIT_MODEL
    assert caught.value.message.startswith(f"{path}: refused by the ")
    assert "\n" not in caught.value.message
    check = caught.value.message.removeprefix(f"{path}: refused by the ").split(" check: ")[0]
    assert check in get_args(Stage)
    return caught.value


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", MEMBERS)
def test_a_damaged_member_is_named(name: str, path: Path) -> None:
    files = unpacked(path)
    size = len(files[name])
    for content, expected in (
        (flipped(files[name]), f"{name!r} is damaged"),
        (files[name][:-1], f"{name!r} has {size - 1} bytes, the manifest says {size}"),
        (None, f"{name!r} is missing"),
    ):
        others = {each: files[each] for each in files if each != name}
        packed(path, others if content is None else {**others, name: content})
        said = refusal(path)
        assert f"refused by the digest check: {expected}" in said.message
        assert said.hint == "Copy the file again, or write the model again with `audioclf run`."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((n, f"digest check: {n!r} is not in the manifest") for n in ("model.pkl", "setup.py")),
        *((n, "it holds hidden files or folders") for n in (".hidden", "__MACOSX/x", "folder/")),
    ],
)
def test_an_added_member_does_not_belong(name: str, expected: str, path: Path) -> None:
    packed(path, {**unpacked(path), name: b""})
    assert expected in refusal(path).message


def test_every_flipped_byte_is_found_or_changes_nothing(good: bytes, path: Path) -> None:
    expected = unpacked(path)
    positions = np.random.default_rng(0).choice(len(good), 250, replace=False)
    refused = 0
    for position in [*positions, *range(len(good) - 150, len(good))]:
        content = bytearray(good)
        content[position] ^= 1 << (position % 8)
        path.write_bytes(content)
        try:
            contents = open_bundle(path)
        except ModelError:
            refused += 1
        else:
            assert contents.files == {n: c for n, c in expected.items() if n != MANIFEST}
    assert refused > 200


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(share: float, good: bytes, path: Path) -> None:
    path.write_bytes(good[: int(share * len(good))])
    assert "archive check: not a readable zip archive" in refusal(path).message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hello, I am a model", "not a readable zip archive (looks like text)"),
        (zipped({"cat/1.wav": b"RIFF"}), "it holds no manifest.json, so it is no model"),
        (zipped({"../evil.npy": b"x"}), "archive check: "),
    ],
    ids=["text", "sounds", "elsewhere"],
)
def test_another_file_is_refused(content: bytes, expected: str, path: Path) -> None:
    path.write_bytes(content)
    said = refusal(path)
    assert expected in said.message
    assert said.hint is not None
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_model_may_be_named_by_the_folder_of_its_run(path: Path) -> None:
    for wrong, expected in ((path.parent, "the folder holds no model"), (path / "x", "no such")):
        with pytest.raises(ModelError, match=f"^{wrong}: .*{expected}"):
            load(wrong)
    path.rename(path.parent / "model.audioclf")
    assert load(path.parent).classes == load(path.parent / "model.audioclf").classes


def test_limits_hold(path: Path) -> None:
    tight = Limits(max_entry_bytes=1000)
    assert "bytes unpacked (limit 1000)" in refusal(path, open_bundle, limits=tight).message
    few = Limits(max_entries=3)
    assert "8 entries (limit 3)" in refusal(path, open_bundle, limits=few).message
    assert MODEL_LIMITS.max_total_bytes == 2 << 30
    packed(path, {"model.skops": bytes(2 << 20), MANIFEST: b"{}"})
    bomb = Limits(ratio_floor_bytes=1 << 20)
    assert (
        "would unpack to 2097152 (limit 250:1)" in refusal(path, open_bundle, limits=bomb).message
    )


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'{"a":1'])
def test_a_manifest_of_something_else_is_refused(raw: bytes, path: Path) -> None:
    packed(path, {**unpacked(path), MANIFEST: raw})
    assert "refused by the manifest check: manifest.json is not" in refusal(path).message


def test_a_huge_manifest_is_not_read(path: Path) -> None:
    packed(path, {**unpacked(path), MANIFEST: b" " * ((4 << 20) + 1)})
    assert "manifest.json has 4194305 bytes (limit 4194304)" in refusal(path).message


@pytest.mark.parametrize("number", [7, 10**30, 0, -1, None, "1", True, 1.5])
def test_another_format_is_refused(number: Any, path: Path) -> None:
    said = refusal(forged(path, edit=lambda manifest: manifest.update(format=number)))
    if number in (7, 10**30):
        newer = f"its format is number {str(number)[:20]}, and this audioclf reads up to 6"
        assert newer in said.message
        assert said.hint == "Install a newer version of audioclf."
    else:
        assert "manifest check: manifest.json is not that of a model" in said.message


def set_low_to_nan(manifest: dict[str, Any]) -> None:
    manifest["evaluation"]["metrics"]["accuracy"]["low"] = float("nan")


@pytest.mark.parametrize(
    ("place", "edit"),
    [
        ("surprise", lambda m: m.update(surprise=1)),
        ("as a whole", lambda m: m.update(classes=["one"])),
        ("classes.0", lambda m: m.update(classes=[1, 2])),
        ("as a whole", lambda m: m.update(classes=["a", "a"])),
        ("audio.sr", lambda m: m["audio"].update(sr="8000")),
        ("audio.sr", lambda m: m["audio"].update(sr=1 << 40)),
        ("features.width", lambda m: m["features"].update(width=-1)),
        ("calibration.mapping", lambda m: m.update(calibration={"method": "sigmoid"})),
        ("abstain_below", lambda m: m.update(abstain_below=1.0)),
        ("as a whole", lambda m: m.update(abstain_below=0.5, format=1)),
        ("scores", lambda m: m.update(scores="truth")),
        ("members.check/rows.npy.size", lambda m: m["members"]["check/rows.npy"].update(size=-1)),
        ("members.check/rows.npy.size", lambda m: m["members"]["check/rows.npy"].update(size="9")),
        (
            "components.classifier.distribution",
            lambda m: m["components"]["classifier"].update(distribution="x; rm -rf"),
        ),
        ("as a whole", lambda m: m["components"].pop("classifier")),
        ("as a whole", lambda m: m["estimator"].update(files=["elsewhere"])),
        ("evaluation.metrics.accuracy.low", set_low_to_nan),
    ],
)
def test_a_manifest_that_breaks_its_schema_is_refused(place: str, edit: Any, path: Path) -> None:
    message = refusal(forged(path, edit=edit)).message
    assert f"refused by the manifest check: manifest.json is not valid at {place!r}: " in message
    assert "pydantic" not in message


def test_texts_of_the_manifest_do_not_flood_the_message(path: Path) -> None:
    said = refusal(forged(path, edit=lambda m: m.update({"x" * 100_000: 1})))
    assert len(said.message) < 1000


def test_a_card_is_shown_whatever_its_bytes_are(path: Path) -> None:
    forged(path, {"MODEL_CARD.md": b"\xff\x00card"})
    assert open_bundle(path).card == "�\x00card"
    assert json.loads(unpacked(path)[MANIFEST])["format"] == 2


def test_a_manifest_that_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    many = fitted(classifier("dummy"), n_classes=4500, per_class=1)
    names = [f"{code:05} {'x' * 1000}" for code in range(4500)]
    with pytest.raises(ModelError, match=r"its manifest has \d+ bytes \(limit 4194304\)") as caught:
        written(tmp_path / "m.audioclf", many, classes=names)
    assert caught.value.hint == "Use fewer or shorter names of classes."
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    said = refusal(path, expect_sha256="0" * 64)
    assert "refused by the archive check: it cannot be read: Input/output error" in said.message


def test_the_expected_digest_is_that_of_the_whole_file(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for expected in (digest, digest.upper()):
        assert load(path, expect_sha256=expected).classes == ("barbie", "ken")
    said = refusal(path, expect_sha256="AB" * 32)
    assert "refused by the digest check" in said.message
    assert said.message.endswith(f"its SHA-256 is {digest}, and {'ab' * 32} was expected")
    assert said.hint == "It is another or a changed file: ask the person who gave you the digest."
    with pytest.raises(ModelError, match=f"and {'0' * 64} was expected"):
        load(path, expect_sha256="0" * 64)
    for digest in ("", "0" * 63, "0" * 65, "g" * 64):
        with pytest.raises(ConfigError, match=f"^'{digest}' is no SHA-256, which has 64") as wrong:
            read_bundle(path, registry(), expect_sha256=digest)
        assert wrong.value.hint == "`sha256sum FILE` prints that of a file."
