"""The model card, in Markdown.

After M. Mitchell et al., "Model cards for model reporting", FAT* 2019. Names are untrusted text and
are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from audioclf.models.bundle.manifest import Manifest
from audioclf.models.calibration.records import Abstention, Interval

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&$:@]|(?<=www)\.)", re.IGNORECASE)
_MAX_CLASSES = 50


def model_card(
    manifest: Manifest,
    notes: Sequence[str] = (),
    terms: Mapping[str, str] | None = None,
    graph: str = "none",
) -> str:
    """Return the card of a model.

    Notes are findings of the audits, which limit the results; `terms` are terms of use by
    component, and `graph` describes the ONNX graph in the bundle.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701  `finalize` escapes every value for Markdown
        loader=jinja2.PackageLoader("audioclf.models.bundle", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: escaped(value) if isinstance(value, str) else value,
    )
    versions, plugins = manifest.versions, manifest.components.values()
    shown = [n for n in ("python", "scikit-learn", "numpy", "librosa") if n in versions]
    made_with = sorted({f"{item.distribution} {item.version}" for item in plugins})
    return environment.get_template("card.md.jinja").render(
        manifest=manifest,
        notes=notes,
        terms=terms or {},
        graph=graph,
        numbers=_numbers,
        most_classes=_MAX_CLASSES,
        abstention_rows=abstention_rows,
        made_with=[*made_with, *(f"{name} {versions[name]}" for name in shown)],
    )


def escaped(text: str) -> str:
    r"""Return text escaped for Markdown, on one line.

    >>> escaped("a*b [c](http://d)")
    'a\\*b \\[c\\]\\(http\\://d\\)'
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", line)


def _numbers(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return "not defined", ""
    return f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"


def abstention_rows(abstention: Abstention) -> list[tuple[str, Interval | None]]:
    """Return the effects of abstaining, each with its name."""
    return [
        ("clips without a class", abstention.abstained),
        ("accuracy, if every clip gets a class", abstention.accuracy),
        ("accuracy on the clips that keep theirs", abstention.accuracy_of_rest),
        ("wrong classes that are withheld", abstention.errors_avoided),
    ]
