"""The model card, in Markdown.

After M. Mitchell et al., "Model cards for model reporting", FAT* 2019. Names are untrusted text and
are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from audioclf.models.bundle.manifest import Manifest
from audioclf.models.calibration.records import Abstention, Interval

if TYPE_CHECKING:
    import jinja2

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&$:@]|(?<=www)\.)", re.IGNORECASE)
_MAX_CLASSES = 50
_LIMITS = re.compile(r"^## Limits$", re.MULTILINE)
_ROBUSTNESS = re.compile(r"^## Robustness(?: card)?\n.*?(?=^## Limits$)", re.MULTILINE | re.DOTALL)


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
    versions, plugins = manifest.versions, manifest.components.values()
    shown = [n for n in ("python", "scikit-learn", "numpy", "librosa") if n in versions]
    made_with = sorted({f"{item.distribution} {item.version}" for item in plugins})
    return _template().render(
        manifest=manifest,
        notes=notes,
        terms=terms or {},
        graph=graph,
        numbers=_numbers,
        most_classes=_MAX_CLASSES,
        abstention_rows=abstention_rows,
        made_with=[*made_with, *(f"{name} {versions[name]}" for name in shown)],
    )


@cache
def _template() -> jinja2.Template:
    """Return the template, compiled once: that takes longer than all else of a small model."""
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
    return environment.get_template("card.md.jinja")


def escaped(text: str) -> str:
    r"""Return text escaped for Markdown, on one line.

    >>> escaped("a*b [c](http://d)")
    'a\\*b \\[c\\]\\(http\\://d\\)'
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", line)


def with_robustness(card: str, stress: Mapping[str, Any]) -> str:
    """Return a card with the table of a stress test, in place of an earlier one.

    `stress` are the data of `Stress.to_data`.
    """
    sentence, sample, metric = (escaped(stress[key]) for key in ("sentence", "sample", "metric"))
    rows = [
        f"| {escaped(row['name'])} | {_text(row, '.3f')} | {_text(row['difference'], '+.3f')} |"
        for row in stress["changes"]
    ]
    about = (
        f"{sentence[:1].upper()}{sentence[1:]}. Changes of the sound of test clips, measured like "
        f"the results above, on {sample}; each interval is a 95 % interval by itself."
    )
    header = f"| change | {metric} | difference |\n|---|---|---|"
    lines = ["## Robustness card", "", about, "", header, *rows, "", "## Limits"]
    return _LIMITS.sub(lambda _: "\n".join(lines), _ROBUSTNESS.sub("", card), count=1)


def _text(numbers: Mapping[str, float | None], style: str) -> str:
    value, low, high = (numbers[name] for name in ("value", "low", "high"))
    text = "not defined" if value is None else f"{value:{style}}"
    return text if low is None or high is None else f"{text}, {low:{style}} to {high:{style}}"


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
