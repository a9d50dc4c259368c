"""Reviewed windows as clips of a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from audioclf.base.errors import DatasetError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.label_sets import SEPARATOR, join_labels, split_labels
from audioclf.dataset.path_labels import count, shown
from audioclf.dataset.review_list import (
    RANDOM,
    UNSURE,
    Answer,
    agreed,
    latest,
    read_answers,
    source_named,
    unfinished,
)
from audioclf.dataset.sources import (
    AudioSource,
    FileSource,
    PartSource,
    Span,
    ZipSource,
    recording_of,
)
from audioclf.dataset.table_rows import clip_id


def with_reviewed(dataset: Dataset, tables: Sequence[Path | str]) -> Dataset:
    """Return the dataset with the windows of tables of `audioclf review` as clips.

    The windows of a recording have its group, or form one with its clips. Those that were not drawn
    at random only train. Windows that are not labelled, or are clips of the dataset, are left out.
    """
    adding = _Adding(dataset.clips, dataset.classes, several=dataset.is_several)
    adding.read_all(tables)
    notes = (*dataset.notes, *adding.notes())
    return dataset.with_clips((*adding.before(), *adding.clips), notes=notes)


def reviewed_windows(
    table: Path | str, *, several: bool = False, weighted: bool = False
) -> Dataset:
    """Return the windows of a table of `audioclf review` as a dataset; see `with_reviewed`.

    With `weighted`, the weights of windows that were drawn at random are their inverse
    probabilities, on average 1.
    """
    adding = _Adding((), (), several=several)
    adding.read_all([table])
    if not adding.clips:
        raise DatasetError(f"{table}: no window has a label; {'; '.join(adding.notes())}")
    notes, clips = list(adding.notes()), adding.clips
    if len(set(adding.inverse.values())) > 1:
        if weighted:
            mean = sum(adding.inverse.values()) / len(adding.inverse)
            weights = {name: inverse / mean for name, inverse in adding.inverse.items()}
            clips = [replace(clip, weight=weights.get(clip.id, 1.0)) for clip in clips]
        else:
            notes.append(
                "the windows drawn at random had unequal probabilities; set "
                "`dataset.weighted: true` for metrics that hold for all windows"
            )
    return Dataset(clips, name=str(table), notes=notes, several=several)


class _Adding:
    """Clips of reviewed windows, and counts of what is left out."""

    def __init__(self, clips: Sequence[Clip], classes: Sequence[str], *, several: bool) -> None:
        self.classes, self.several = classes, several
        self.clips: list[Clip] = []
        self.left_out: Counter[str] = Counter()
        self.missing: list[str] = []
        self.ids = {clip.id for clip in clips}
        self.recordings = {clip.recording for clip in clips}
        self.known: dict[object, Clip] = {}
        self.earlier = [(_key(clip.source), clip) for clip in clips]
        for key, clip in self.earlier:
            self.known.setdefault(key, clip)
        self.groups: dict[object, str] = {}
        self.inverse: dict[str, float] = {}
        self.cut: list[str] = []

    def before(self) -> Iterator[Clip]:
        """Yield the clips that were there, with the group of the windows of their recording."""
        for key, clip in self.earlier:
            group = self.groups.get(key) if clip.group is None else clip.group
            yield clip if group == clip.group else replace(clip, group=group)

    def read_all(self, tables: Sequence[Path | str]) -> None:
        for table in tables:
            if not isinstance(table, Path):
                raise DatasetError(f"{table}: reviewed windows are read from files on this machine")
            self.read(table)
        if self.missing:
            files = count(len(self.missing), "recording is", "recordings are")
            raise DatasetError(f"{table}: {files} missing: {shown(self.missing)}")

    def read(self, table: Path) -> None:
        answers, _ = read_answers(table)
        self.cut += unfinished(table)
        for mine in latest(answers).values():
            answer = agreed(mine.values())
            reason = "skipped" if answer is None else self._add(table, answer)
            self.left_out[reason] += bool(reason)

    def _add(self, table: Path, answer: Answer) -> str:
        """Add the clip of a window, or return why it is left out."""
        if answer.state == UNSURE:
            return "unsure"
        if split_labels(answer.label)[1] and not self.several:
            return "reviewers differ on the class, or one is unsure of it"
        label = self._label(answer)
        if label is None:
            return "of no class, or of several, where a clip has one"
        window = answer.window
        source = source_named(table.parent, window.path)
        if isinstance(source, FileSource) and not source.path.is_file():
            self.missing += [] if window.path in self.missing else [window.path]
            return ""
        span = Span(window.start, window.end)
        key = _key(source)
        owner = self.known.get(key)
        own_name = source.name if window.path in self.recordings else window.path
        recording = own_name if owner is None else owner.recording
        name = clip_id(recording, span)
        if name in self.ids:
            return "clips already"
        self.ids.add(name)
        group = recording if owner is None or owner.group is None else owner.group
        self.groups[key] = group
        part = PartSource(source, span)
        only_trains = window.chosen_by != RANDOM
        self.clips.append(Clip(name, label, part, group=group, only_trains=only_trains))
        if not only_trains and window.probability is not None:
            self.inverse[name] = 1 / window.probability
        self.known.setdefault(_key(source), self.clips[-1])
        self.recordings.add(recording)
        return ""

    def _label(self, answer: Answer) -> str | None:
        """Return the label of a clip; None if it cannot be one of this dataset."""
        if not self.several:
            single = answer.label and SEPARATOR not in answer.label
            return answer.label if single else None
        present, unlabelled = split_labels(answer.label)
        unasked = set(self.classes) - {*answer.asked, *present}
        return join_labels(present, {*unlabelled, *unasked})

    def notes(self) -> Iterator[str]:
        yield from self.cut
        trains = sum(clip.only_trains for clip in self.clips)
        windows = count(len(self.clips), "reviewed window is a clip", "reviewed windows are clips")
        yield (
            f"{windows}: {trains} of them were chosen by their score and only train, "
            f"{len(self.clips) - trains} were drawn at random and may be tested"
        )
        for reason, number in self.left_out.items():
            if reason:
                yield f"{count(number, 'reviewed window', 'reviewed windows')} left out: {reason}"


def _key(source: AudioSource) -> object:
    """Return a key that is equal for two names of one recording."""
    file = recording_of(source)
    if isinstance(file, FileSource):
        return file.path.resolve()
    if isinstance(file, ZipSource) and isinstance(file.member.archive, Path):
        return file.member.archive.resolve(), file.member.name
    return file
