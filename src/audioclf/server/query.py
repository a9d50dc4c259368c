"""Parameters of `POST /predict`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Query(BaseModel):
    """Parameters of a prediction."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    window: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Length of a window in s; without it, the sound is one clip."""
    hop: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds from window to window; by default their length."""
    events: bool = False
    """Whether windows are joined to events as well."""
    threshold: tuple[str, ...] = ()
    """Score that an event reaches, or each of several labels, by default 0.5, or that of the model;
    as `0.4`, or `robin=0.4` for one class of several labels; may be repeated."""
    merge_gap: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Events of one class with a gap of at most so many s become one."""
    min_duration: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Events shorter than this, in s, are dropped."""
    encoding: Literal["s16", "s24", "s32", "f32"] | None = None
    """Raw samples, little-endian, instead of a sound file."""
    rate: int | None = Field(default=None, ge=1000, le=768_000)
    """Sample rate of raw samples in Hz."""
    channels: int = Field(default=1, ge=1, le=64)
    """Interleaved channels of raw samples."""
