"""Labels from the paths of files.

Paths are POSIX and NFC, relative to the folder or archive. A clip's id is its path below the
folders that wrap all audio files. The label is the first folder of the id, the second if the first
is a published split (`train/dog/a.wav`), or the match of a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

from audioclf.base.errors import DatasetError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import Listing

AUDIO_SUFFIXES = frozenset(
    [".wav", ".wave", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"]
)
"""Supported file name extensions; case does not matter."""

UNREADABLE_SUFFIXES = frozenset(
    [".m4a", ".mp4", ".aac", ".ac3", ".wma", ".webm", ".amr", ".ape", ".wv", ".au", ".caf", ".w64"]
)
"""Extensions of audio formats that are not supported and must be converted."""

SPLIT_NAMES = frozenset(
    ["train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"]
)
"""Names of folders that are a published split, not a class; case does not matter."""

_SHOWN = 3


def check_label_pattern(pattern: str) -> str:
    """Return the pattern if it is a regular expression with a group named `label`.

    Raises
    ------
    ValueError
        If it does not compile, or has no such group.
    """
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"not a Python regular expression: {exc}") from exc
    if "label" not in groups:
        named = f"its named groups are {', '.join(groups)}" if groups else "it has no named group"
        raise ValueError(f"a group (?P<label>...) is needed; {named}")
    return pattern


LabelPattern = Annotated[
    Annotated[str, AfterValidator(check_label_pattern)] | None,
    Field(
        description="Regular expression searched for in the id of each clip, its path below the "
        "folders that wrap all audio files. The named group `label` is the class; `group` and "
        "`fold` are optional. Null takes the class from the folder. "
        "Example: `^(?P<label>\\d)_(?P<group>[a-z]+)_`."
    ),
]
"""Field of a loader: a regular expression with the named group `label`, or null."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """Label, group and fold in the id of a clip."""

    label: str
    group: str | None = None
    fold: str | None = None


def label_clips(listing: Listing, label_pattern: str | None = None) -> Dataset:
    """Return the audio files of a listing as a dataset.

    Parameters
    ----------
    listing : Listing
        All files, audio or not.
    label_pattern : str, optional
        Regular expression searched for in each id; without it, folders are classes.

    Raises
    ------
    DatasetError
        If there is no audio, or if a file has no label.
    """
    name = listing.name
    audio = [entry for entry in listing.entries if is_audio(entry[0])]
    others = sorted(path for path, _ in listing.entries if not is_audio(path))
    if not audio:
        raise _no_audio(name, others)
    paths = [path for path, _ in audio]
    wrapping = common_folders(paths)
    ids = ["/".join(path.split("/")[len(wrapping) :]) for path in paths]
    if label_pattern is None:
        facts = _facts_by_folder(ids, name, wrapping)
    else:
        facts = _facts_by_pattern(ids, name, label_pattern)
    clips = [
        Clip(clip_id, fact.label, source, group=fact.group, fold=fact.fold)
        for clip_id, fact, (_, source) in zip(ids, facts, audio, strict=True)
    ]
    return Dataset(clips, name=name, notes=[*listing.notes, *_ignored(others)])


def count(number: int, singular: str, plural: str) -> str:
    """Return the number with the fitting form of the words, as in `2 files are`."""
    return f"{number:,} {singular if number == 1 else plural}"


def shown(names: Sequence[str], most: int = _SHOWN) -> str:
    """Return the first few names for a message, with unprintable characters escaped."""
    first = [name if name.isprintable() else ascii(name) for name in names[:most]]
    return ", ".join(first) + (", ..." if len(names) > most else "")


def ignored_note(hidden: Sequence[str]) -> list[str]:
    """Return a note on hidden and system files, if there are any.

    Folders stand for their files, and a name for all files of that name.

    Examples
    --------
    >>> ignored_note(["a/.DS_Store", ".DS_Store", "__MACOSX/a/._0.wav"])
    ['ignored 3 hidden entries: .DS_Store, __MACOSX/']
    """
    if not hidden:
        return []
    kinds = sorted({_kind_of_hidden(name) for name in hidden})
    return [f"ignored {count(len(hidden), 'hidden entry', 'hidden entries')}: {shown(kinds)}"]


def _kind_of_hidden(name: str) -> str:
    parts = name.split("/")
    for part in parts[:-1]:
        if part.startswith(".") or part.lower() == "__macosx":
            return f"{part}/"
    return "._*" if parts[-1].startswith("._") else parts[-1]


def is_audio(path: str) -> bool:
    """Return whether the extension of a file is that of a supported audio format."""
    return _suffix(path) in AUDIO_SUFFIXES


def common_folders(paths: Sequence[str]) -> list[str]:
    """Return the folders that wrap all files, from the outermost on."""
    folders = [path.split("/")[:-1] for path in paths]
    pairs = zip(min(folders), max(folders), strict=False)  # in between, all share the prefix
    return [first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]


def is_published_split(folders: Iterable[str]) -> bool:
    """Return whether all folders have names of a published split, such as `train` and `test`."""
    return all(folder.lower() in SPLIT_NAMES for folder in folders)


def full_path(path: Path) -> Path:
    """Return the absolute path without `..`, for messages."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a symlink loop, or a null byte
        return path.absolute()


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _no_audio(name: str, others: Sequence[str]) -> DatasetError:
    foreign = sorted({_suffix(path) for path in others} & UNREADABLE_SUFFIXES)
    if foreign:
        return DatasetError(
            f"{name}: no supported audio files, only {', '.join(foreign)}",
            hint="Convert them to FLAC or WAV, for example with ffmpeg.",
        )
    only = f", only {shown(others)}" if others else ""
    return DatasetError(
        f"{name}: no audio files found{only}",
        hint="Add files that end in .wav, .flac, .ogg, .opus, .mp3 or .aiff.",
    )


def _facts_by_folder(ids: Sequence[str], name: str, wrapping: Sequence[str]) -> list[_Facts]:
    folders = [clip_id.split("/")[:-1] for clip_id in ids]
    if not any(folders):
        raise _one_folder(len(ids), name, wrapping)
    first_level = sorted({parts[0] for parts in folders if parts})
    split = is_published_split(first_level)
    if split and not any(len(parts) > 1 for parts in folders):
        raise DatasetError(
            f"{name}: the folders {shown(first_level)} are named like splits; expected class "
            "folders in each of them",
            hint=_pattern_hint("^(?P<label>[^/]+)/", "if they are the classes"),
        )
    depth = 2 if split else 1
    beside = [clip_id for clip_id, parts in zip(ids, folders, strict=True) if len(parts) < depth]
    if beside:
        raise _beside(beside, name)
    if split:
        return [_Facts(label=parts[1], fold=parts[0]) for parts in folders]
    return [_Facts(label=parts[0]) for parts in folders]


def _one_folder(n_files: int, name: str, wrapping: Sequence[str]) -> DatasetError:
    files = "its only audio file lies" if n_files == 1 else f"all {n_files:,} audio files lie"
    folder = f"in one folder {wrapping[-1]!r}" if wrapping else "at the top, outside any folder"
    return DatasetError(
        f"{name}: {files} {folder}: at least two class folders are needed",
        hint=_pattern_hint("^(?P<label>[^_]+)_", "if the label is in the file name"),
    )


def _beside(beside: Sequence[str], name: str) -> DatasetError:
    files = count(len(beside), "audio file lies", "audio files lie")
    return DatasetError(
        f"{name}: {files} beside the class folders, not in one: {shown(sorted(beside))}",
        hint=_pattern_hint("^(?P<label>[^/_]+)", "or move them into class folders"),
    )


def _pattern_hint(pattern: str, when: str) -> str:
    return f"Give a label_pattern such as '{pattern}', {when}."


def _facts_by_pattern(ids: Sequence[str], name: str, pattern: str) -> list[_Facts]:
    matches = [(clip_id, re.search(pattern, clip_id)) for clip_id in ids]
    unmatched = sorted(clip_id for clip_id, match in matches if match is None)
    if unmatched:
        files = count(len(unmatched), "file does", "files do")
        raise DatasetError(
            f"{name}: {files} not match label_pattern, of {len(ids):,}: {shown(unmatched)}",
            hint="Correct the pattern: it is searched for in these ids, which start below the "
            "folders that wrap all audio files.",
        )
    matched = [(clip_id, match.groupdict()) for clip_id, match in matches if match is not None]
    blank = sorted(clip_id for clip_id, groups in matched if not (groups["label"] or "").strip())
    if blank:
        raise DatasetError(f"{name}: label_pattern gives an empty label for {shown(blank)}")
    return [
        _Facts(groups["label"], groups.get("group") or None, groups.get("fold") or None)
        for _, groups in matched
    ]


def _ignored(others: Sequence[str]) -> list[str]:
    """Return notes on the files that are not part of the dataset."""
    foreign = [path for path in others if _suffix(path) in UNREADABLE_SUFFIXES]
    rest = [path for path in others if _suffix(path) not in UNREADABLE_SUFFIXES]
    notes = []
    if foreign:
        files = count(len(foreign), "file", "files")
        notes.append(f"ignored {files} in an unsupported audio format: {shown(foreign)}")
    if rest:
        files = count(len(rest), "file that is", "files that are")
        notes.append(f"ignored {files} not audio: {shown(rest)}")
    return notes
