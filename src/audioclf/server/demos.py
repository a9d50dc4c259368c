"""Folders that classify sounds without audioclf: a script, or a page that needs no server."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.base.errors import ConfigError, ModelError
from audioclf.base.files import OutputFolder
from audioclf.server.page import page_of, text_of

if TYPE_CHECKING:
    from audioclf.models.model import Model

RUNTIME = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
"""Files of the npm package onnxruntime-web, by the element of the page that holds them."""

_NO_DEMO = "Export the graph alone, without --demo."
RUNTIME_HINT = (
    "Run `npm pack onnxruntime-web`, unpack the file, and give the folder `package/dist`."
)


def write_script(folder: Path, model: Model, graph: bytes) -> None:
    """Write the graph and a script that needs numpy, soundfile and onnxruntime."""
    channel = model.manifest.audio.channel
    if channel == "each":
        raise ModelError("the model predicts each channel of a file by itself", hint=_NO_DEMO)
    of_names = {"mix": "y.mean(axis=1)", "left": "y[:, 0]", "right": "y[:, 1]"}
    mono = of_names[channel] if isinstance(channel, str) else f"y[:, {channel - 1}]"
    output = OutputFolder(folder)
    output.write_bytes("model.onnx", graph)
    output.write_text("classify.py", text_of("classify.py.txt").replace("__MONO__", mono))


def write_page(folder: Path, model: Model, graph: bytes, runtime: Path) -> None:
    """Write a page that holds everything: ONNX Runtime for browsers, from a folder, and the graph.

    The graph must not trim sounds; the page does. ConfigError if the folder lacks the runtime.
    """
    if model.manifest.audio.channel != "mix":
        message = f"the model uses the {model.manifest.audio.channel_name} of recordings"
        raise ModelError(f"{message}, and a page mixes all channels", hint=_NO_DEMO)
    parts = {"graph": graph}
    for name, file in RUNTIME.items():
        path = next(filter(Path.is_file, (runtime / file, runtime / "dist" / file)), None)
        if path is None:
            raise ConfigError(f"{runtime}: holds no {file} of onnxruntime-web", hint=RUNTIME_HINT)
        parts[name] = path.read_bytes()
    elements = "\n".join(
        f'<script type="text/plain" id="{name}">{_packed(content)}</script>'
        for name, content in parts.items()
    )
    head, found, rest = page_of(model, "browser").partition("<script>")
    OutputFolder(folder).write_text("index.html", f"{head}{elements}\n{found}{rest}")


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
