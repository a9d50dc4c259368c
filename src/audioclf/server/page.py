"""The page that classifies a file or the microphone, by the server or in the browser."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from audioclf.models.model import Model


def page_of(model: Model, predicts: Literal["server", "browser"]) -> str:
    """Return the page; that of a browser needs the elements `runtime`, `wasm` and `graph`."""
    audio = model.manifest.audio
    facts = {
        "name": model.manifest.name,
        "pipeline": model.manifest.cell,
        "classes": list(model.classes),
        "score": model.score_name,
        "several": model.is_several,
        "sr": model.sr,
        "offset": audio.offset,
        "duration": audio.duration,
        "abstain_below": model.manifest.abstain_below,
    }
    text = json.dumps(facts).replace("<", "\\u003c")
    page = text_of("page.html").replace("__PREDICT__", text_of(f"predict_{predicts}.js"))
    return page.replace("__FACTS__", text)


def text_of(name: str) -> str:
    """Return the text of a file of this package."""
    return files("audioclf.server").joinpath(name).read_text(encoding="utf-8")
