"""Settings of decoding."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Interval
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
)

from audioclf.base.settings import Settings


def _in_one_sentence(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        expected = "mix, left, right, each, or a number from 1 to 64"
        raise ValueError(f"expected {expected}, not {value!r}") from None


Channel = Annotated[
    Literal["mix", "left", "right", "each"] | Annotated[int, Interval(ge=1, le=64)],
    WrapValidator(_in_one_sentence),
]


class AudioConfig(Settings):
    """Settings of decoding. Clips are always mono."""

    sr: int = Field(default=22_050, ge=1_000, le=768_000)
    """Sample rate in Hz to which all clips are resampled."""

    duration: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Most seconds that are read of a clip; all of it if not given."""

    offset: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Seconds at the start of a clip that are passed over."""

    channel: Channel = "mix"
    """`mix` for the average of all channels, or one of them: `left`, `right`, its number from 1.

    With `each`, every channel of a file is a clip of its own.
    """

    @property
    def channel_name(self) -> str:
        """The channel in words, such as `left channel`; `mono` for the average of all."""
        if isinstance(self.channel, int):
            return f"channel {self.channel}"
        return "mono" if self.channel == "mix" else f"{self.channel} channel"

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the default channel out: keys of caches and files of older versions stay equal."""
        data: dict[str, Any] = handler(self)
        if self.channel == "mix":
            data.pop("channel", None)
        return data
