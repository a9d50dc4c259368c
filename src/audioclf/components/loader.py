"""Base class of loaders: sources of clips and their labels."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from audioclf.components.component import Component, Kind
from audioclf.components.input_path import InputPath
from audioclf.components.metrics import TargetKind

if TYPE_CHECKING:
    from audioclf.dataset.dataset import Dataset


class Loader(Component):
    """Base class of loaders: sources of clips and their labels."""

    kind: ClassVar[Kind] = "loader"

    add: InputPath | tuple[InputPath, ...] = ()
    """Table of `audioclf review`, or several, whose windows become clips as well."""

    @model_serializer(mode="wrap")
    def _without_empty_add(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = write(self)
        add = data.pop("add", ())
        return {**data, "add": add} if add else data

    @abstractmethod
    def load(self) -> Dataset:
        """Return the clips with their labels, without decoding audio.

        Raises
        ------
        DatasetError
            If the source is missing, unreadable or holds no audio; the message names the path.
        """

    def gives_several(self) -> bool:
        """Whether a clip can have several labels: by default, if a field `labels` says so."""
        return getattr(self, "labels", None) not in (None, "single")

    def target_kind(self) -> TargetKind:
        """Kind of the targets: by default, what fields `labels` and `target` say."""
        target = getattr(self, "target", None)
        if self.gives_several():
            return "several"
        if target == "number":
            return "number"
        return "class" if target in (None, "class") else "ordered"
