"""HTML pages with styles, script and data in one file.

The Content-Security-Policy of a page allows its own script by hash and no other, even if the name
of a file or class got into the markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ResultError
from audioclf.base.files import OutputFolder, unwritable
from audioclf.report import words

if TYPE_CHECKING:
    import jinja2

_SHARED_STYLE, _SHARED_SCRIPT = "report.css", "page.js"

_MARK = b'<meta name="generator" content="audioclf">'
_HEAD_BYTES = 4096


def check_replaceable(path: Path) -> None:
    """Raise a `ResultError` where there is a file that is no page of audioclf, or a folder."""
    try:
        with path.open("rb") as stream:
            is_page = _MARK in stream.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise unwritable(path, exc) from exc
    if not is_page:
        raise ResultError(
            f"{path}: holds no page of audioclf, and is not replaced",
            hint="Choose another file with --out, or move this one.",
        )


def write_page(path: Path, html: str) -> Path:
    """Write a page to a new file, or over an earlier page; errors are as `check_replaceable`."""
    check_replaceable(path)
    return OutputFolder(path.parent).write_text(path.name, html)


def rendered(name: str, view: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return a page as HTML.

    The template is `name.html.j2`; the script of all pages is followed by `name.js`, their style by
    `name.css` if there is one. Text in `view` is escaped; `data` becomes JSON by the id of its
    element.
    """
    from jinja2.utils import htmlsafe_json_dumps

    environment = _environment()
    script = _source(environment, _SHARED_SCRIPT) + _source(environment, f"{name}.js")
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    sheets = dict.fromkeys((_SHARED_STYLE, f"{name}.css"))
    texts = {
        key: htmlsafe_json_dumps(value, separators=(",", ":"), allow_nan=False)
        for key, value in data.items()
    }
    return environment.get_template(f"{name}.html.j2").render(
        view,
        style="".join(_source(environment, sheet) for sheet in sheets),
        script=script,
        script_hash=f"sha256-{base64.b64encode(digest).decode('ascii')}",
        **texts,
    )


@cache
def _environment() -> jinja2.Environment:
    """Return the environment of all pages, which keeps its compiled templates."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("audioclf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (words.shown, words.breakable, words.number, words.count):
        environment.filters[filter_.__name__] = filter_
    return environment


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
