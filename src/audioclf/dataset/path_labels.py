"""Labels from the paths of files.

Paths are POSIX and NFC, relative to the folder or archive. A clip's id is its path below the
folders that wrap all audio files. The label is the first folder of the id, the second if the first
is a published split (`train/dog/a.wav`), or the match of a regular expression. In
`dog/train/a.wav` the second folder is the published split.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from audioclf.base.errors import DatasetError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.decoders import decoder_suffixes
from audioclf.dataset.signatures import INSTALL_AV
from audioclf.dataset.sources import Listing

AUDIO_SUFFIXES = frozenset(
    [
        *(".wav", ".wave", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".aif", ".aiff", ".aifc"),
    ]
)
"""Supported file name extensions; case does not matter."""

UNREADABLE_SUFFIXES = frozenset(
    [
        *(".m4a", ".mp4", ".aac", ".ac3", ".wma", ".webm", ".amr", ".ape", ".wv", ".au", ".caf"),
        *(".mov", ".mkv", ".mka", ".m4b", ".m4v", ".3gp", ".avi", ".flv"),
    ]
)
"""Extensions of formats that only a decoder of a plugin reads."""

_TRAIN_NAMES = ("train", "training", "dev", "development")
_TEST_NAMES = (
    *("test", "testing", "eval", "evaluation", "holdout", "heldout"),
    *("validation", "valid", "val"),
)
_SPLIT_NAME = re.compile(
    f"({'|'.join(sorted(_TRAIN_NAMES + _TEST_NAMES))})(?:[ _-]?(?:set|data|split|audio))?"
    "(?:[ _-]?[0-9]{1,2})?",
    re.IGNORECASE,
)
"""Names of folders that are a published split, not a class, such as `train` and `test_set`."""
_NUMBERED_FOLD = re.compile("(?:fold|split)[ _-]?[0-9]{1,3}", re.IGNORECASE)

_SHOWN = 3


def check_label_pattern(pattern: str) -> str:
    """Return the pattern if it is a regular expression with a group named `label` (ValueError)."""
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
        "`fold` are optional, and results are listed by others, such as `machine`. Null takes the "
        "class from the folder. "
        "Example: `^(?P<label>\\d)_(?P<group>[a-z]+)_`."
    ),
]
"""Field of a loader: a regular expression with the named group `label`, or null."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """Label, group, fold and subgroups in the id of a clip."""

    label: str
    group: str | None = None
    fold: str | None = None
    subgroups: tuple[tuple[str, str], ...] = ()


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
    try:
        return _labeled(listing, label_pattern)
    except DatasetError as exc:
        if not listing.links:
            raise
        raise DatasetError(f"{exc.message}; {listing.links}", hint=exc.hint) from exc


def _labeled(listing: Listing, label_pattern: str | None) -> Dataset:
    name = listing.name
    audio = [entry for entry in listing.entries if is_audio(entry[0])]
    others = sorted(path for path, _ in listing.entries if not is_audio(path))
    if not audio:
        raise _no_audio(name, others)
    paths = [path for path, _ in audio]
    wrapping = common_folders(paths)
    ids = ["/".join(path.split("/")[len(wrapping) :]) for path in paths]
    notes: list[str] = []
    if label_pattern is None:
        facts = _facts_by_folder(ids, name, wrapping)
        notes += _class_notes(ids, facts)
    else:
        facts = _facts_by_pattern(ids, name, label_pattern)
    clips = [
        Clip(clip_id, fact.label, source, fact.group, fact.fold, subgroups=fact.subgroups)
        for clip_id, fact, (_, source) in zip(ids, facts, audio, strict=True)
    ]
    return Dataset(clips, name=name, notes=[*listing.notes, *_ignored(others), *notes])


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

    >>> ignored_note(["a/.DS_Store", ".DS_Store", "__MACOSX/a/._0.wav"])
    ['ignored 3 hidden entries: .DS_Store, __MACOSX/']
    """
    if not hidden:
        return []
    kinds = sorted({_kind_of_hidden(name) for name in hidden})
    return [f"ignored {count(len(hidden), 'hidden entry', 'hidden entries')}: {shown(kinds)}"]


def ignored(names: Sequence[str], singular: str, plural: str) -> list[str]:
    """Return a note on ignored files, if there are any, with the fitting form of the words."""
    return [f"ignored {count(len(names), singular, plural)}: {shown(names)}"] if names else []


def _kind_of_hidden(name: str) -> str:
    parts = name.split("/")
    for part in parts[:-1]:
        if part.startswith(".") or part.lower() == "__macosx":
            return f"{part}/"
    return "._*" if parts[-1].startswith("._") else parts[-1]


def is_audio(path: str) -> bool:
    """Return whether the extension of a file is that of a supported audio format."""
    suffix = _suffix(path)
    return suffix in AUDIO_SUFFIXES or suffix in decoder_suffixes()


def common_folders(paths: Sequence[str]) -> list[str]:
    """Return the folders that wrap all files, from the outermost on."""
    folders = [path.split("/")[:-1] for path in paths]
    pairs = zip(min(folders), max(folders), strict=False)  # in between, all share the prefix
    return [first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]


def is_published_split(folders: Iterable[str]) -> bool:
    """Return whether folders are a published split and not classes.

    All have names such as `train` and `test`, or at least two of them have, as in `train`, `test`
    and `extra`.
    """
    named = {folder: _SPLIT_NAME.fullmatch(folder) is not None for folder in folders}
    return all(named.values()) or sum(named.values()) > 1


def fold_for_testing(folds: Iterable[str]) -> str | None:
    """Return the published fold that is meant for testing, or None if no name says so.

    >>> fold_for_testing(["extra", "test", "train", "val"]), fold_for_testing(["1", "2"])
    ('test', None)
    """
    kinds = {match[1].lower(): fold for fold in folds if (match := _SPLIT_NAME.fullmatch(fold))}
    if len(kinds) < 2:
        return None
    return next((kinds[name] for name in (*_TEST_NAMES, "dev") if name in kinds), None)


def full_path(path: Path) -> Path:
    """Return the absolute path without `..`, for messages."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a symlink loop, or a null byte
        return path.absolute()


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _no_audio(name: str, others: Sequence[str]) -> DatasetError:
    foreign = sorted({_suffix(path) for path in others} & UNREADABLE_SUFFIXES)
    if foreign:
        return DatasetError(
            f"{name}: no supported audio files, only {', '.join(foreign)}",
            hint=f"Convert them to FLAC or WAV, for example with ffmpeg, or {INSTALL_AV}.",
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
    split = is_published_split(first_level) and _may_be_split(folders)
    if split and not any(len(parts) > 1 for parts in folders):
        raise DatasetError(
            f"{name}: the folders {shown(first_level)} are named like splits; expected class "
            "folders in each of them",
            hint=_pattern_hint("^(?P<label>[^/]+)/", "if they are the classes"),
        )
    split = split or (all(map(_NUMBERED_FOLD.fullmatch, first_level)) and _shared(folders) != [])
    depth = 2 if split else 1
    beside = [clip_id for clip_id, parts in zip(ids, folders, strict=True) if len(parts) < depth]
    if beside:
        raise _beside(beside, name)
    if split:
        return [_Facts(label=parts[1], fold=parts[0]) for parts in folders]
    second_level = {parts[1] if len(parts) > 1 else "" for parts in folders}
    if len(second_level) > 1 and is_published_split(second_level) and "" not in second_level:
        return [_Facts(label=parts[0], fold=parts[1]) for parts in folders]
    return [_Facts(label=parts[0]) for parts in folders]


def _may_be_split(folders: Sequence[Sequence[str]]) -> bool:
    """Return whether folders without the name of a split hold classes of those with one."""
    classes: dict[bool, dict[str, set[str]]] = {True: {}, False: {}}
    for parts in filter(None, folders):
        named = _SPLIT_NAME.fullmatch(parts[0]) is not None
        classes[named].setdefault(parts[0], set()).update(parts[1:2])
    known = set().union(*classes[True].values())
    return all(labels & known for labels in classes[False].values())


def _shared(folders: Sequence[Sequence[str]]) -> list[str]:
    """Return the names that a folder has in each of the first folders, sorted."""
    inner: dict[str, set[str]] = {}
    for parts in filter(None, folders):
        inner.setdefault(parts[0], set()).update(parts[1:2])
    return sorted(set.intersection(*inner.values())) if len(inner) > 1 else []


def _class_notes(ids: Sequence[str], facts: Sequence[_Facts]) -> Iterator[str]:
    """Yield a note on folders that are the classes although they may be something else."""
    folders = [clip_id.split("/")[:-1] for clip_id in ids]
    if any(fact.fold is not None for fact in facts):
        return
    first_level = sorted({parts[0] for parts in folders})
    named = [folder for folder in first_level if _SPLIT_NAME.fullmatch(folder)]
    if len(named) > 1:
        yield (
            f"the folders {shown(first_level)} are the classes, although {shown(named)} are named "
            "like splits: " + _pattern_hint(_BELOW_A_SPLIT, "if they are splits")
        )
    elif shared := _shared(folders):
        yield (
            f"the folders {shown(first_level)} are the classes, although each has a folder "
            f"{shown(shared, most=1)}: "
            + _pattern_hint("^[^/]+/(?P<label>[^/]+)/", "if the inner folders are the classes")
        )


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


_BELOW_A_SPLIT = "^(?P<fold>[^/]+)/(?P<label>[^/_]+)"


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
        _Facts(
            groups.pop("label"),
            groups.pop("group", None) or None,
            groups.pop("fold", None) or None,
            tuple((name, value) for name, value in groups.items() if value),
        )
        for _, groups in matched
    ]


def _ignored(others: Sequence[str]) -> list[str]:
    """Return notes on the files that are not part of the dataset."""
    foreign = [path for path in others if _suffix(path) in UNREADABLE_SUFFIXES]
    rest = [path for path in others if _suffix(path) not in UNREADABLE_SUFFIXES]
    unsupported = "in an unsupported audio format"
    return [
        *ignored(foreign, f"file {unsupported}", f"files {unsupported}"),
        *ignored(rest, "file that is not audio", "files that are not audio"),
    ]
