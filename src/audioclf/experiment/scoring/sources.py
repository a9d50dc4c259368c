"""Recordings to be scored, by the names that tables may use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.dataset.listing import list_files
from audioclf.dataset.path_labels import is_audio
from audioclf.dataset.sources import AudioSource
from audioclf.predict.inputs import collect


def recordings_of(
    arguments: Sequence[str], annotations: Path, *, needed: bool
) -> dict[str, AudioSource]:
    """Return the recordings that are named, else those beside the annotations, by their places."""
    if arguments:
        sources: dict[str, AudioSource] = {}
        for recording in collect(arguments).recordings:
            name = recording.place if recording.place not in sources else recording.name
            sources[name] = recording.source
        return sources
    if needed:
        raise ConfigError(
            "a model is scored on recordings", hint="Name them, or their folder, behind the model."
        )
    if not annotations.exists():
        raise DatasetError(f"no such file or folder: {annotations}")
    if annotations.is_file() and annotations.suffix.lower() != ".zip":
        return {}
    return {
        name: source for name, source in sorted(list_files(annotations).entries) if is_audio(name)
    }
