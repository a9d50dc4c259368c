import os
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from pydantic import ValidationError

from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.components.fields import validate_component
from audioclf.plugin import Clip, DatasetError, DecodeError
from tests.builtin.loaders.files import archive, fill

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file names or links")


def ids(root: Path, label_pattern: str | None = None) -> list[str]:
    return [clip.id for clip in FolderDataset(path=root, label_pattern=label_pattern).load()]


def test_folders_are_classes_at_any_depth(tmp_path: Path) -> None:
    fill(tmp_path, "top/dog/1.wav", "top/dog/deep/2.flac", "top/cat/3.ogg")
    found = FolderDataset(path=tmp_path).load()
    assert {clip.id: clip.label for clip in found} == {
        "dog/1.wav": "dog",
        "dog/deep/2.flac": "dog",
        "cat/3.ogg": "cat",
    }


def test_a_label_pattern_reaches_the_file_names(tmp_path: Path) -> None:
    fill(tmp_path, "0_george.wav", "1_lucas.wav")
    found = FolderDataset(path=tmp_path, label_pattern=r"(?P<label>\d)_(?P<group>\w+)").load()
    assert [(clip.label, clip.group) for clip in found] == [("0", "george"), ("1", "lucas")]


def test_hidden_and_system_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "dog/1.wav", "cat/2.wav", ".git/x/3.wav", "dog/._1.wav", "__MACOSX/dog/1.wav")
    fill(tmp_path, ".DS_Store", "cat/Thumbs.db", "desktop.ini")
    found = FolderDataset(path=tmp_path).load()
    assert [clip.id for clip in found] == ["cat/2.wav", "dog/1.wav"]
    assert found.notes == ("ignored 6 hidden entries: .DS_Store, ._*, .git/, ...",)


def test_a_hidden_root_is_read(tmp_path: Path) -> None:
    assert ids(fill(tmp_path / ".cache" / "set", "a/1.wav", "b/2.wav")) == ["a/1.wav", "b/2.wav"]


@posix
def test_symlinked_files_are_read(tmp_path: Path) -> None:
    store = fill(tmp_path / "store", "x.wav")
    root = fill(tmp_path / "set", "dog/1.wav", "cat/2.wav")
    (root / "cat" / "3.wav").symlink_to(store / "x.wav")
    assert ids(root) == ["cat/2.wav", "cat/3.wav", "dog/1.wav"]


@posix
def test_symlinked_folders_are_noted_and_never_loop(tmp_path: Path) -> None:
    fill(tmp_path, "dog/1.wav", "cat/2.wav")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    found = FolderDataset(path=tmp_path).load()
    assert len(found) == 2
    (note,) = found.notes
    assert note.startswith("ignored 1 symlinked folder: cat/again; links to folders are not ")


@pytest.mark.parametrize("real", [(), ("cow",)])
def test_an_error_names_symlinked_class_folders(tmp_path: Path, real: tuple[str, ...]) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / "elsewhere", f"{name}/0.wav")
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere" / name)
    for name in real:
        fill(tmp_path / "data", f"{name}/0.wav")
    with pytest.raises(DatasetError, match="; ignored 2 symlinked folders: cat, dog; links to"):
        FolderDataset(path=tmp_path / "data").load()


@posix
def test_the_root_itself_may_be_a_symlink(tmp_path: Path) -> None:
    fill(tmp_path / "real", "a/1.wav", "b/2.wav")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert ids(tmp_path / "link") == ["a/1.wav", "b/2.wav"]


@posix
def test_fifos_and_broken_links_are_noted_and_never_block(tmp_path: Path) -> None:
    fill(tmp_path, "dog/1.wav", "cat/2.wav")
    os.mkfifo(tmp_path / "dog" / "pipe")
    (tmp_path / "cat" / "gone").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat" / "self")
    found = FolderDataset(path=tmp_path).load()
    assert len(found) == 2
    names = "cat/gone, cat/self, dog/pipe"
    assert found.notes == (f"ignored 3 entries that are neither file nor folder: {names}",)


@posix
def test_what_is_named_as_audio_and_cannot_be_read_fails_where_it_is_read(tmp_path: Path) -> None:
    fill(tmp_path, "dog/1.wav", "cat/2.wav")
    os.mkfifo(tmp_path / "dog" / "pipe.wav")
    (tmp_path / "cat" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    found = FolderDataset(path=tmp_path).load()
    assert found.notes == ()
    unreadable = {}
    for clip in found:
        try:
            clip.source.open().close()
        except DecodeError as exc:
            unreadable[clip.id] = exc.message.partition(": ")[2]
    assert unreadable == {
        "cat/gone.wav": "No such file or directory",
        "dog/pipe.wav": "not a regular file",
    }


@posix
def test_decomposed_file_names_are_found_and_opened(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "é")
    fill(tmp_path, f"{decomposed}/1.wav", "a/2.wav")
    first, second = FolderDataset(path=tmp_path).load()
    assert (first.id, second.id, second.label) == ("a/2.wav", "é/1.wav", "é")
    second.source.open().close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that keeps any bytes")
@pytest.mark.parametrize("name", [b"dog/caf\xe9.wav", b"caf\xe9/1.wav"])
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    with open(path, "wb"):  # noqa: PTH123
        pass
    with pytest.raises(DatasetError, match=r"1 file name is not valid UTF-8: b'.*caf\\xe9[./]"):
        FolderDataset(path=tmp_path).load()


def test_a_missing_folder_is_named_in_full(tmp_path: Path) -> None:
    missing = tmp_path / "configs" / ".." / "data"
    with pytest.raises(DatasetError, match=re.escape(f"no such folder: {tmp_path / 'data'}")):
        FolderDataset(path=missing).load()


def test_a_zip_gets_a_hint(tmp_path: Path) -> None:
    fill(tmp_path, "set.ZIP")
    with pytest.raises(DatasetError, match=r"set\.ZIP is a file, not a folder") as caught:
        FolderDataset(path=tmp_path / "set.ZIP").load()
    assert caught.value.hint == "Use `type: zip` for it."


def test_another_file_gets_no_hint(tmp_path: Path) -> None:
    fill(tmp_path, "a.wav")
    with pytest.raises(DatasetError, match="is a file, not a folder") as caught:
        FolderDataset(path=tmp_path / "a.wav").load()
    assert caught.value.hint is None


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "dog/1.wav", "cat/2.wav")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "cat":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    message = f"{tmp_path / 'cat'}: the folder cannot be read: Permission denied"
    with pytest.raises(DatasetError, match=re.escape(message)):
        FolderDataset(path=tmp_path).load()


REPO = Path(__file__).parents[3]
DATA = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))


def content(clip: Clip) -> bytes:
    with clip.source.open() as stream:
        return stream.read()


def recordings(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not there; AUDIOCLF_DATA names the folder of the recordings")
    return DATA / name


def test_the_order_in_the_archive_makes_no_difference(tmp_path: Path) -> None:
    names = ["dog/1.wav", "cat/2.wav", "cat/1.wav"]
    forward = ZipDataset(path=archive(tmp_path / "a.zip", *names)).load()
    backward = ZipDataset(path=archive(tmp_path / "b.zip", *reversed(names))).load()
    assert [clip.id for clip in forward] == [clip.id for clip in backward]


def test_a_folder_and_a_zip_of_it_hold_the_same_clips(tmp_path: Path) -> None:
    names = ["top/train/dog/1.wav", "top/train/cat/2.wav", "top/test/dog/3.wav"]
    junk = ["__MACOSX/top/._x.wav", "top/.DS_Store", "top/train/.hidden/4.wav", "top/Thumbs.db"]
    for name in names + junk:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text(name)
    zipped = ZipDataset(path=archive(tmp_path / "set.zip", *junk, *names)).load()
    unzipped = FolderDataset(path=tmp_path / "set").load()
    facts = [
        [(clip.id, clip.label, clip.fold, content(clip)) for clip in found] + list(found.notes)
        for found in (zipped, unzipped)
    ]
    assert facts[0] == facts[1]
    assert len(zipped) == 3
    assert (zipped.name, unzipped.name) == (str(tmp_path / "set.zip"), str(tmp_path / "set"))


def test_a_missing_archive_is_named_in_full(tmp_path: Path) -> None:
    missing = tmp_path / "configs" / ".." / "set.zip"
    message = f"no such zip archive: {tmp_path / 'set.zip'}"
    with pytest.raises(DatasetError, match=re.escape(message)):
        ZipDataset(path=missing).load()


def test_a_folder_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a folder, not a zip archive") as caught:
        ZipDataset(path=tmp_path).load()
    assert caught.value.hint == "Use `type: folder` for it."


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_text("<html>not found</html>")
    with pytest.raises(DatasetError, match=re.escape(str(tmp_path / "set.zip"))):
        ZipDataset(path=tmp_path / "set.zip").load()


def test_a_bad_label_pattern_is_an_error_of_that_field() -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(ZipDataset, {"path": "x.zip", "label_pattern": r"(\d)"})
    (error,) = caught.value.errors()
    assert error["loc"] == ("label_pattern",)
    assert "a group (?P<label>...) is needed; it has no named group" in error["msg"]


def test_spoken_digits_have_speakers_as_groups() -> None:
    pattern = r"^(?P<label>\d)_(?P<group>[a-z]+)_"
    found = ZipDataset(path=recordings("free_spoken_digits.zip"), label_pattern=pattern).load()
    assert found.class_counts == {str(digit): 300 for digit in range(10)}
    assert len({clip.group for clip in found}) == 6
