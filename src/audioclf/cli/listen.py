"""`audioclf listen MODEL [-]`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioclf.base.errors import EXIT_OK, ConfigError
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each, write_result

if TYPE_CHECKING:
    from audioclf.audio.live import Incoming

_PATIENCE = 5.0
_QUIETEST = -60.0


def listen(
    bundle: options.ModelArgument,
    source: Annotated[
        Literal["-"] | None,
        typer.Argument(
            metavar="-",
            help="- for samples or a WAV file on standard input; else a microphone.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        float, typer.Option(metavar="S", help="Seconds of sound that are classified together.")
    ] = 1.0,
    hop: options.HopOption = None,
    rate: Annotated[
        int | None,
        typer.Option(metavar="HZ", min=1000, max=768_000, help="Sample rate; 16000 if not given."),
    ] = None,
    channels: Annotated[
        int, typer.Option(min=1, max=64, help="Interleaved channels of raw samples.")
    ] = 1,
    encoding: Annotated[
        Literal["s16", "s24", "s32", "f32"],
        typer.Option(help="Raw samples: little-endian integers, or floats, of so many bits."),
    ] = "s16",
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Microphone by its number, or a part of its name.")
    ] = "",
    events: Annotated[
        bool, typer.Option("--events", help="Write each event when it has ended.")
    ] = False,
    threshold: options.ThresholdOption = [],  # noqa: B006  typer copies it
    threshold_off: options.ThresholdOffOption = None,
    merge_gap: options.MergeGapOption = None,
    min_duration: options.MinDurationOption = None,
    only: options.OnlyOption = [],  # noqa: B006  typer copies it
    skip: options.SkipOption = [],  # noqa: B006  typer copies it
    keep_clips: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the sound of each event as a WAV file."),
    ] = None,
    form: Annotated[
        Literal["csv", "jsonl"], typer.Option("--format", help="Format of the lines.")
    ] = "jsonl",
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    expect_sha256: options.ExpectOption = None,
    strict: options.StrictModelOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Classify sound while it is recorded: a microphone, or samples on a pipe."""
    from audioclf.models.windows import Cutting
    from audioclf.predict.formats import FORMATS, Place, line_columns
    from audioclf.predict.live import Listening
    from audioclf.predict.live import listen as lines_of
    from audioclf.predict.settings import Settings, check_settings, event_rule, gives_p_values

    numbers = {"threshold_off": threshold_off, "merge_gap": merge_gap, "min_duration": min_duration}
    rule = options.event_fields(only, skip, **numbers)
    about_events = {**rule, "keep_clips": keep_clips}
    given = [name for name, value in about_events.items() if value is not None]
    model, notes = options.open_model_of("listen", bundle, weights, expect_sha256, strict=strict)
    if threshold and not model.is_several:
        given.insert(0, "threshold")
    if given and not events:
        raise options.about_events(given[0])
    found_rule, thresholds = event_rule(model, threshold, **rule)
    settings = Settings(
        Cutting.of(window, hop, model.sr, "drop"),
        found_rule if events else None,
        output=FORMATS[form],
        thresholds=thresholds,
    )
    complain_each("note", [*notes, *check_settings(model, settings)])
    meter = _Meter(shown=not quiet and sys.stderr.isatty())
    how = Listening(model, settings, keep_clips, meter.note, meter.show)
    scores = () if model.score_kind == "none" else model.classes
    kind: Literal["several", "class"] = "several" if model.is_several else "class"
    columns = line_columns(
        scores,
        events=events,
        kind=kind,
        with_p_value=gives_p_values(model, settings),
        with_time=True,
    )
    writer = FORMATS[form](columns, model.sr)
    try:
        with _opened(source, device, rate, encoding, channels) as incoming:
            if not quiet:
                complain("note", f"listening to {incoming.name} at {incoming.sr} Hz")
            write_result(writer.header())
            for line in lines_of(incoming, how):
                meter.clear()
                write_result("".join(writer.text(iter([line]), Place())))
    except BrokenPipeError:
        sys.exit(EXIT_OK)
    finally:
        meter.clear()
    sys.exit(EXIT_OK)


@contextmanager
def _opened(
    source: str | None, device: str, rate: int | None, encoding: str, channels: int
) -> Iterator[Incoming]:
    from audioclf.audio.live import open_microphone, open_pipe

    if source is None:
        with open_microphone(device, rate or 16_000, _PATIENCE) as incoming:
            yield incoming
        return
    if device:
        raise ConfigError("--device is a microphone, and - is standard input: choose one")
    if sys.stdin.isatty():
        raise ConfigError(
            "standard input is a terminal, not sound",
            hint="Send samples, as `arecord -t raw -f S16_LE -r 16000` does.",
        )
    incoming = open_pipe(sys.stdin.buffer, encoding, rate or 16_000, channels, _PATIENCE)
    if rate is not None and incoming.sr != rate:
        complain("note", f"the header on standard input says {incoming.sr} Hz, not {rate}")
    yield incoming


class _Meter:
    """A line on the terminal that shows how loud the sound is."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown

    def show(self, level: float) -> None:
        """Show a level in dB relative to full scale."""
        if self._shown:
            width = max(10, min(40, shutil.get_terminal_size().columns - 12))
            filled = round(width * (1 - max(level, _QUIETEST) / _QUIETEST))
            bar = "#" * filled + "." * (width - filled)
            sys.stderr.write(f"\r{level:6.1f} dB {bar}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def note(self, sentence: str) -> None:
        """Write a sentence above the line."""
        self.clear()
        complain("note", sentence)
