"""`audioclf export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioclf.base.errors import AudioclfError, ResultError
from audioclf.cli import options
from audioclf.cli.terminal import complain, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.components.registry import Registry
    from audioclf.models.bundle.reading import Bundle


def export(
    file: options.ModelArgument,
    to: Annotated[Literal["onnx"], typer.Option(help="Format.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; by default next to the model.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Config whose clips both are compared on; by default that of the model's run.",
            show_default=False,
        ),
    ] = None,
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Load the model first in a process that may crash.")
    ] = False,
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    quiet: options.QuietOption = False,
) -> None:
    """Export a model as ONNX, and check that its scores stay the same."""
    from audioclf.base.files import OutputFolder
    from audioclf.models.bundle.reading import model_file, read_bundle, try_bundle
    from audioclf.models.onnx.export import N_FRESH, TOLERANCE, check_tools, to_onnx

    file = model_file(file)
    target = _target(file, out, to)
    check_tools()
    registry = options.load_registry()
    if untrusted:
        try_bundle(file, weights=weights)
    bundle = read_bundle(file, registry, weights=weights)
    clips = _clips(bundle, config, registry, quiet=quiet)
    conversion = to_onnx(bundle, *clips)
    OutputFolder(target.parent).write_bytes(target.name, conversion.content)
    on = f"{len(clips[0])} clips and " if clips else ""
    stored = conversion.n_rows - sum(map(len, clips))
    say(
        f"{target}\n  input features [n, {bundle.manifest.features.width}], outputs label and "
        f"scores [n, {len(bundle.manifest.classes)}]\n  compared on {on}{stored} stored rows: "
        f"scores differ by at most {conversion.worst:.1e} (tolerance {TOLERANCE:g})\n"
        f"  classes are equal on these and on {N_FRESH} made rows, where scores differ by at most "
        f"{conversion.worst_fresh:.1e}"
    )


def _target(file: Path, out: Path | None, to: str) -> Path:
    target = file.with_suffix(f".{to}") if out is None else out
    if target.exists() or target.is_symlink():
        raise ResultError(
            f"{target}: is there already, and is not overwritten",
            hint="Choose another file with --out, or delete this one.",
        )
    return target


def _clips(
    bundle: Bundle, config: Path | None, registry: Registry, *, quiet: bool
) -> list[NDArray[np.float32]]:
    """Return the features of the run's clips, if its config is there."""
    from audioclf.runs.folder import CONFIG, RECORD

    folder = bundle.path.absolute().parent
    if config is not None:
        return [_rows(bundle, config, registry, quiet=quiet)]
    if not ((folder / CONFIG).is_file() and (folder / RECORD).is_file()):
        complain("note", "not in a run folder: compared on the stored rows alone; see --config")
        return []
    try:
        return [_rows(bundle, folder / CONFIG, registry, quiet=quiet)]
    except AudioclfError as exc:
        complain("note", f"compared on the stored rows alone: {exc.message}")
        return []


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
