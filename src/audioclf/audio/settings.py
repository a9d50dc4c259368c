"""Settings of decoding."""

from __future__ import annotations

from pydantic import Field

from audioclf.base.settings import Settings


class AudioConfig(Settings):
    """Settings of decoding. Clips are always mixed down to mono."""

    sr: int = Field(default=22_050, ge=1_000, le=768_000)
    """Sample rate in Hz to which all clips are resampled."""

    duration: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Most seconds that are read of a clip; all of it if not given."""

    offset: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Seconds at the start of a clip that are passed over."""
