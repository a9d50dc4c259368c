"""`audioclf export`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from audioclf.base.errors import AudioclfError, ConfigError, ResultError
from audioclf.cli import options
from audioclf.cli.terminal import complain, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.components.registry import Registry
    from audioclf.models.bundle.reading import Bundle, GraphUse

T = TypeVar("T")
Demo = Literal["python", "html"]


def export(
    file: options.ModelArgument,
    to: Annotated[Literal["onnx"], typer.Option(help="Format.")] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write, or folder of a demo; by default next to the model.",
            show_default=False,
        ),
    ] = None,
    demo: Annotated[
        Demo | None,
        typer.Option(
            help="Write a folder that runs without audioclf: a script, or a page for browsers.",
            show_default=False,
        ),
    ] = None,
    onnxruntime_web: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the npm package onnxruntime-web, for --demo html.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Config whose clips model and graph are compared on; by default that of the run.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        Literal["sound", "features"],
        typer.Option("--from", help="Input of the graph: a waveform, or rows of features."),
    ] = "sound",
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Load the model first in a process that may crash.")
    ] = False,
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    quiet: options.QuietOption = False,
) -> None:
    """Export a model as ONNX, and check that its scores stay the same."""
    from audioclf.base.files import OutputFolder
    from audioclf.models.bundle.reading import model_file, read_bundle
    from audioclf.models.onnx.export import N_FRESH, TOLERANCE, check_tools, to_onnx
    from audioclf.server.demos import RUNTIME_HINT

    file = model_file(file)
    target = _target(file, out, to if demo is None else demo)
    if demo is not None and source == "features":
        raise ConfigError("--demo begins with sound", hint="Leave --from features out.")
    if (demo == "html") != (onnxruntime_web is not None):
        raise ConfigError("--demo html and --onnxruntime-web need each other", hint=RUNTIME_HINT)
    check_tools()
    registry = options.load_registry()
    graph: GraphUse = "if_needed" if source == "sound" else "never"
    bundle = read_bundle(file, registry, weights=weights, graph=graph, untrusted=untrusted)
    if bundle.manifest.unknown is not None:
        complain("note", "every sound gets a class: the rule for unknown sounds is not exported")
    if source == "sound":
        _export_sound(bundle, target, config, registry, demo, onnxruntime_web)
        return
    clips = _clips(bundle, config, lambda path: _rows(bundle, path, registry, quiet=quiet))
    conversion = to_onnx(bundle, *([] if clips is None else [clips]))
    OutputFolder(target.parent).write_bytes(target.name, conversion.content)
    n_clips = 0 if clips is None else len(clips)
    label, equal = _names(bundle)
    on = f"{n_clips} clips and " if n_clips else ""
    say(
        f"{target}\n  input features [n, {bundle.manifest.features.width}], outputs {label} and "
        f"scores [n, {len(bundle.manifest.classes)}]\n  compared on {on}"
        f"{conversion.n_rows - n_clips} stored rows: "
        f"scores differ by at most {conversion.worst:.1e} (tolerance {TOLERANCE:g})\n"
        f"  {equal} are equal on these and on {N_FRESH} made rows, where scores differ by at most "
        f"{conversion.worst_fresh:.1e}"
    )


def _export_sound(
    bundle: Bundle,
    target: Path,
    config: Path | None,
    registry: Registry,
    demo: Demo | None,
    runtime: Path | None,
) -> None:
    from audioclf.base.files import OutputFolder
    from audioclf.models.onnx.sound import SOUND_TOLERANCE, stored_graph, to_onnx_from_sound
    from audioclf.server.demos import write_page, write_script

    trims = demo != "html"
    if bundle.graph is not None:
        content = stored_graph(bundle, trims=trims)
        compared = "not compared, as it is the graph in the file"
        complain("note", bundle.notes[0])
    else:
        sounds = _clips(bundle, config, lambda path: _sounds(bundle, path, registry)) or []
        conversion = to_onnx_from_sound(bundle, sounds, trims=trims)
        content, on = conversion.content, f"{len(sounds)} clips and " if sounds else ""
        compared = (
            f"compared on {on}{conversion.n_sounds - len(sounds)} made sounds: {_names(bundle)[1]} "
            f"are equal, and scores differ by at most {conversion.worst:.1e} (tolerance "
            f"{SOUND_TOLERANCE:g})"
        )
    if demo == "python":
        write_script(target, bundle.model, content)
    elif runtime is not None:
        write_page(target, bundle.model, content, runtime)
    else:
        OutputFolder(target.parent).write_bytes(target.name, content)
    for weights in bundle.manifest.weights:
        terms = weights.license or "unknown"
        complain("note", f"the graph holds the weights {weights.name}, licence: {terms}")
    say(
        f"{target}\n  input waveform [n_samples], mono, {bundle.model.sr} Hz; outputs "
        f"{_names(bundle)[0]} and scores [{len(bundle.manifest.classes)}]\n  {compared}"
    )


def _names(bundle: Bundle) -> tuple[str, str]:
    """Return the name of the first output, and the word for its values."""
    return ("labels", "labels") if bundle.model.is_several else ("label", "classes")


def _target(file: Path, out: Path | None, to: str) -> Path:
    target = file.with_suffix(f".{to}") if out is None else out
    if target.exists() or target.is_symlink():
        raise ResultError(
            f"{target}: is there already, and is not overwritten",
            hint="Choose another file with --out, or delete this one.",
        )
    return target


def _clips(bundle: Bundle, config: Path | None, read: Callable[[Path], T]) -> T | None:
    """Return what is read of the run's clips, if its config is there."""
    from audioclf.runs.folder import CONFIG, RECORD

    folder = bundle.path.absolute().parent
    if config is not None:
        return read(config)
    if not ((folder / CONFIG).is_file() and (folder / RECORD).is_file()):
        complain("note", "not in a run folder: its clips are not compared; see --config")
        return None
    try:
        return read(folder / CONFIG)
    except AudioclfError as exc:
        complain("note", f"the clips of the run are not compared: {exc.message}")
        return None


def _sounds(bundle: Bundle, config: Path, registry: Registry) -> list[NDArray[np.float32]]:
    """Return the waveforms of the clips of a config, whole, without those that cannot be read."""
    from audioclf.audio.decode import decode
    from audioclf.audio.settings import AudioConfig
    from audioclf.base.errors import DecodeError
    from audioclf.experiment.prepared import prepare

    dataset = prepare(config, registry=registry, check=False).dataset
    audio = AudioConfig(sr=bundle.model.sr, channel=bundle.manifest.audio.channel)
    sounds = []
    for clip in dataset.clips:
        with suppress(DecodeError):
            sounds.append(decode(clip.source, audio).y)
    return sounds


def _rows(bundle: Bundle, config: Path, registry: Registry, *, quiet: bool) -> NDArray[np.float32]:
    from audioclf.experiment.prepared import prepare
    from audioclf.features.cache import default_folder
    from audioclf.models.onnx.export import rows_of_clips

    dataset = prepare(config, registry=registry, check=False).dataset
    with options.progress_on_stderr(quiet=quiet) as progress:
        return rows_of_clips(
            bundle,
            dataset,
            registry,
            cache_folder=default_folder(),
            progress=lambda done, total: progress("reading", done, total),
        )
