"""Clips, and the dataset that they form.

The id of a clip is its path inside the dataset, POSIX, NFC, below the wrapping folders, so that a
folder and a zip of it have the same ids. Clips are sorted by id and classes by name, independent of
the order of a directory listing or of a zip's central directory. The source of a clip that is a
part of a recording reads that part alone.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import DatasetError
from audioclf.base.pickling import Columns, by_fields
from audioclf.base.text import html_table
from audioclf.dataset.label_cells import read_number
from audioclf.dataset.label_sets import class_names, in_order, split_labels
from audioclf.dataset.sources import AudioSource, ChannelSource, PartSource

if TYPE_CHECKING:
    from audioclf.dataset.targets import Targets


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording, or a part of one, with its label.

    Parameters
    ----------
    id : str
        Path inside the dataset, POSIX, NFC; unique.
    label : str
        Name of the class, NFC. In a dataset of several labels per clip, the sorted names of its
        classes joined by `;`, with `?` before a class that is not labelled; "" for no class. In a
        dataset of numbers, the number as text.
    source : AudioSource
        Source of the audio; a `PartSource` for a part of a recording, a `ChannelSource` for one of
        its channels.
    group : str, optional
        Clips of one group must not be separated by a split: speaker, recording, site.
    fold : str, optional
        Fold published by the authors of the dataset.
    weight : float
        How much the clip counts in fits and metrics, 0 or more.
    only_trains : bool, optional
        Whether the clip is left out of all test sides, as one that was chosen by its score.
    subgroups : tuple of (str, str), optional
        Pairs of a name and a value, such as `("machine", "fan")`, by which results are listed.
    """

    id: str
    label: str
    source: AudioSource
    group: str | None = None
    fold: str | None = None
    weight: float = 1.0
    only_trains: bool = False
    subgroups: tuple[tuple[str, str], ...] = ()

    __reduce__ = by_fields

    def _repr_html_(self) -> str:
        facts = {key: getattr(self, key) for key in ("label", "group", "fold", "start", "end")}
        known = {key: value for key, value in facts.items() if value is not None}
        return html_table(self.id, known, [known.values()])

    @property
    def start(self) -> float | None:
        """Start of the part in s; None if the clip is the whole file."""
        return None if self.source.span is None else self.source.span.start

    @property
    def end(self) -> float | None:
        """End of the part in s, not in it; None if the clip reaches to the end of the file."""
        return None if self.source.span is None else self.source.span.end

    @property
    def recording(self) -> str:
        """Id of the recording that the clip is a part or a channel of; else its own id."""
        source = self.source
        if isinstance(source, ChannelSource):
            whole = replace(self, id=self.id.removesuffix(source.suffix), source=source.recording)
            return whole.recording
        if not isinstance(source, PartSource):
            return self.id
        suffix = f"@{source.part}"
        if self.id.endswith(suffix):
            return self.id.removesuffix(suffix)
        return source.recording.name


_SHOWN = 20
"""Classes in the table of a dataset in a notebook at most."""


class Dataset:
    """Clips sorted by id, and the classes that they have.

    Parameters
    ----------
    clips : iterable of Clip
        In any order.
    name : str
        Name in messages: usually the path.
    notes : iterable of str
        Notes of the loader, such as the number of ignored files. Notes on classes whose names
        differ only by case or spaces, and on clips without a group among others with groups, are
        added.
    several : bool, optional
        Whether a clip can have several labels, or none.
    classes : iterable of str, optional
        Classes that `classes` has even if no clip has them.
    hard : mapping of str to int, optional
        Numbers of clips that the loader left out since they are hard to label, by their kind in
        words, such as "windows with two labels at once". Results do not hold for such clips.
    target : {"class", "number"} or sequence of str, optional
        Meaning of a single label: the name of a class, a number, or one of ordered classes, of
        which it holds the names, the lowest first.
    normal : str, optional
        Class from which alone detectors of anomalies learn. If clips have it, it is the first of
        the classes, so that metrics of one of two classes are of the anomalies.

    Raises
    ------
    DatasetError
        If there is no clip, two clips have one id, or a label is no number or ordered class.
    """

    def __init__(
        self,
        clips: Iterable[Clip],
        *,
        name: str,
        notes: Iterable[str] = (),
        several: bool = False,
        classes: Iterable[str] = (),
        hard: Mapping[str, int] | None = None,
        target: str | Sequence[str] = "class",
        normal: str | None = None,
    ) -> None:
        self.clips = tuple(sorted(map(_normalised, clips), key=lambda clip: clip.id))
        self.name = name
        self.is_several = several
        self._more_classes = frozenset(classes)
        self.hard = {kind: count for kind, count in (hard or {}).items() if count}
        self.target = target if isinstance(target, str) else tuple(target)
        self.normal = normal if any(clip.label == normal for clip in self.clips) else None
        self.notes = tuple(dict.fromkeys([*notes, *self._own_notes()]))
        if not self.clips:
            raise DatasetError(f"{name}: no audio files found")
        twice = [name for name, count in Counter(c.id for c in self.clips).items() if count > 1]
        if twice:
            raise DatasetError(f"{name}: two clips have the id {twice[0]!r}; ids must be unique")
        self._check_labels()

    def _check_labels(self) -> None:
        for clip in self.clips if self.target != "class" else ():
            if self.is_numbers and read_number(clip.label) is None:
                raise DatasetError(f"{self.name}: the label of {clip.id!r} is no number")
            if self.is_ordered and clip.label not in self.target:
                raise DatasetError(f"{self.name}: the class of {clip.id!r} is not in the order")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "clips": Columns(self.clips)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, clips=tuple(state["clips"].values))

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __repr__(self) -> str:
        labels = "numbers" if self.is_numbers else f"{len(self.classes)} classes"
        return f"Dataset({self.name!r}, {len(self)} clips, {labels})"

    def _repr_html_(self) -> str:
        if self.is_numbers:
            caption = f"{self.name}: {len(self)} clips with numbers"
            return html_table(caption, ("number", "clips"), self.in_ranges().class_counts.items())
        counts = sorted(self.class_counts.items(), key=lambda item: -item[1])
        rows = [
            *counts[:_SHOWN],
            *([(f"{len(counts) - _SHOWN} more", "")] * (len(counts) > _SHOWN)),
        ]
        caption = f"{self.name}: {len(self)} clips, {len(counts)} classes"
        if self.is_several:
            n_none = sum(not self.labels_of(clip) for clip in self.clips)
            caption += f"; several labels per clip, {n_none} clips of no class"
        return html_table(caption, ("class", "clips"), rows)

    @property
    def is_numbers(self) -> bool:
        """Whether the label of a clip is a number."""
        return self.target == "number"

    @property
    def is_ordered(self) -> bool:
        """Whether the classes have an order."""
        return isinstance(self.target, tuple)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted by code point or in their order; none for numbers."""
        if self.is_numbers:
            return ()
        labels = {clip.label for clip in self.clips}
        if self.is_ordered:
            present = self._more_classes.union(labels)
            return tuple(name for name in self.target if name in present)
        names = class_names(labels) if self.is_several else labels
        return in_order(self._more_classes.union(names), self.normal)

    @cached_property
    def class_counts(self) -> dict[str, int]:
        """Number of clips that have each class, in the order of `classes`."""
        counts = Counter(name for clip in self.clips for name in self.labels_of(clip))
        return {name: counts[name] for name in self.classes}

    def labels_of(self, clip: Clip) -> tuple[str, ...]:
        """Return the names of the classes that a clip has."""
        if self.is_several:
            return split_labels(clip.label)[0]
        return () if self.is_numbers else (clip.label,)

    @property
    def has_groups(self) -> bool:
        """Whether clips have groups; a clip without one then counts as a group of its own."""
        return any(clip.group is not None for clip in self.clips)

    @cached_property
    def targets(self) -> Targets:
        """The labels, groups and resampling units of the clips as arrays."""
        from audioclf.dataset.targets import Targets

        return Targets.of(
            [clip.label for clip in self.clips],
            [clip.group for clip in self.clips],
            [clip.recording for clip in self.clips],
            several=self.is_several,
            weights=[clip.weight for clip in self.clips],
            classes=self._more_classes,
            target=self.target,
            normal=self.normal,
        )

    def in_ranges(self) -> Dataset:
        """Return a dataset of numbers as one of ordered classes, which are ranges of them."""
        from audioclf.dataset.targets import ranges_of

        names, codes = ranges_of(self.targets.truth)
        clips = [
            replace(c, label=names[at]) for c, at in zip(self.clips, codes.tolist(), strict=True)
        ]
        note = "numbers are shown in ranges with about as many clips each"
        return Dataset(clips, name=self.name, notes=[*self.notes, note], target=names)

    def encoded_labels(self) -> list[int]:
        """Return the label of each clip as its position in `classes`, `0..k-1`."""
        return [int(code) for code in self.targets.codes]

    def subset(self, ids: Iterable[str]) -> Dataset:
        """Return the dataset of the clips with these ids."""
        wanted = set(ids)
        kept = [clip for clip in self.clips if clip.id in wanted]
        own = set(self._own_notes())
        notes = [note for note in self.notes if note not in own]
        return self.with_clips(kept, notes=notes)

    def readable(self, ids: Iterable[str]) -> Dataset:
        """Return the dataset of the clips that can be read, with a note on each lost class."""
        subset = self.subset(ids)
        lost = [
            f"class {name!r} is missing from all numbers: none of its {count} "
            f"clip{'s' * (count != 1)} could be read"
            for name, count in self.class_counts.items()
            if count and not subset.class_counts.get(name)
        ]
        return self.with_clips(subset.clips, notes=[*lost, *subset.notes])

    def with_clips(
        self,
        clips: Iterable[Clip],
        *,
        notes: Iterable[str] | None = None,
        classes: Iterable[str] | None = None,
        normal: str | None = None,
    ) -> Dataset:
        """Return a dataset of other clips, which has all else from this one unless it is given."""
        return Dataset(
            clips,
            name=self.name,
            notes=self.notes if notes is None else notes,
            several=self.is_several,
            classes=self._more_classes if classes is None else classes,
            hard=self.hard,
            target=self.target,
            normal=self.normal if normal is None else normal,
        )

    def _own_notes(self) -> Iterator[str]:
        yield from _alike(self.classes)
        order = self.target if self.is_ordered else ()
        if absent := [name for name in order if name not in self.classes]:
            yield f"no clip is of {', '.join(map(repr, absent))}, which the ranks leave out"
        yield from _without_group(self.clips)

    def fingerprint(self, digests: Mapping[str, str]) -> str:
        """Return the SHA-256 over ids, labels, groups, folds, spans, weights and content of clips.

        `digests` gives for each clip id the digest of its samples or bytes.
        """
        sha = hashlib.sha256()
        for clip in self.clips:
            fields = (clip.id, clip.label, clip.group, clip.fold, digests[clip.id])
            # Whole files have no span here, and the last field is no longer used: digests of
            # datasets that were written before stay the same.
            span = () if clip.source.span is None else (clip.start, clip.end, None)
            weight = () if clip.weight == 1.0 else ("weight", clip.weight)
            sha.update(repr((*fields, *span, *weight)).encode("utf-8"))
        return sha.hexdigest()


def _without_group(clips: Sequence[Clip]) -> Iterator[str]:
    """Yield a note on the clips without a group, if others have groups."""
    bare = [clip for clip in clips if clip.group is None]
    if not 0 < len(bare) < len(clips):
        return
    have = "has" if len(bare) == 1 else "have"
    parts = len({clip.recording for clip in bare}) < len(bare)
    unit = "each of their recordings" if parts else "each"
    yield (
        f"{len(bare)} of {len(clips)} clips {have} no group, the first is {bare[0].id!r}; {unit} "
        "counts as a group of its own"
    )


def _alike(labels: Iterable[str]) -> Iterator[str]:
    """Yield a note for each pair of classes whose names differ only by case or spaces."""
    seen: dict[str, str] = {}
    for label in sorted(set(labels)):
        other = seen.setdefault(" ".join(label.split()).casefold(), label)
        if other != label:
            yield f"classes {other!r} and {label!r} differ only by case or spaces: are they one?"


def _normalised(clip: Clip) -> Clip:
    names = unicodedata.normalize("NFC", clip.id), unicodedata.normalize("NFC", clip.label)
    return clip if names == (clip.id, clip.label) else replace(clip, id=names[0], label=names[1])
