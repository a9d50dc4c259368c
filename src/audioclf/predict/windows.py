"""Windows over a recording: half-open, from whole samples at the rate of the model.

Window `i` holds the samples `i * hop` up to `i * hop + size`, which is not in it. Where samples
remain behind the last whole window, one shorter window follows: it is kept if it has at least half
of a window, and it is not padded, just as a short clip is not when a model is trained.

Each window is featurized as a clip of its own. Frames are not shared between windows that overlap:
the first and last frames of a clip see the padding around it, and levels in dB are relative to the
loudest frame of the clip, so shared frames would not be those that the model was trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import batched, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
