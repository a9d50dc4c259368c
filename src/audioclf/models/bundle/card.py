"""The model card: what a person should know before using a model, in Markdown.

After M. Mitchell et al., "Model cards for model reporting", FAT* 2019. Names come from folders and
files of strangers, so they are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from audioclf.models.bundle.manifest import Manifest
from audioclf.models.calibration.records import Abstention, Calibration, Interval

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&$:@]|(?<=www)\.)", re.IGNORECASE)
_MAX_CLASSES = 50

_SCORES = {
    "probability": "The scores are as the classifier gives them. They were not calibrated: 0.9 "
    "does not mean right in 9 of 10 cases.",
    "decision": "The scores are decision values, squashed so that they sum to 1. They order the "
    "classes of one clip and are no probabilities.",
    "none": "The classifier gives no scores, only the name of a class.",
}


def model_card(manifest: Manifest) -> str:
    """Return the card of a model."""
    return "\n".join(_lines(manifest))


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    >>> escaped("a*b [c](http://d)")
    'a\\*b \\[c\\]\\(http\\://d\\)'
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", line)


def _lines(manifest: Manifest) -> Iterator[str]:
    yield f"# {escaped(manifest.name)}: {escaped(manifest.cell)}"
    yield ""
    yield (
        f"A classifier of sounds into {len(manifest.classes)} classes, trained with audioclf "
        f"{escaped(manifest.audioclf)}."
    )
    yield from _trained_on(manifest)
    yield from _results(manifest)
    yield from _calibration(manifest.calibration)
    yield from _abstention(manifest)
    yield from _limits(manifest)
    yield from _usage(manifest)


def _trained_on(manifest: Manifest) -> Iterator[str]:
    training, audio = manifest.training, manifest.audio
    n_clips = sum(training.clips.values())
    groups = f", from {training.groups} groups" if training.groups else ""
    yield from ("", "## Trained on", "")
    yield f"{n_clips} clips of {escaped(training.dataset)}{groups}."
    yield from ("", "| class | clips |", "|---|---|")
    for name, count in list(training.clips.items())[:_MAX_CLASSES]:
        yield f"| {escaped(name)} | {count} |"
    if len(training.clips) > _MAX_CLASSES:
        yield f"| and {len(training.clips) - _MAX_CLASSES} more | |"
    length = "whole clips" if audio.duration is None else f"at most {audio.duration:g} s of a clip"
    featurizer = escaped(manifest.components["featurizer"].type)
    classifier = escaped(manifest.components["classifier"].type)
    yield ""
    yield f"Mono at {audio.sr} Hz, {length}. Features: {featurizer}. Classifier: {classifier}."
    yield f"SHA-256 of the dataset: `{training.fingerprint}`. Seed: {manifest.seed}."


def _results(manifest: Manifest) -> Iterator[str]:
    found = manifest.evaluation
    yield from ("", "## Results", "")
    if found is None:
        yield "This model was not evaluated."
        return
    level = f"{100 * found.confidence_level:g} %"
    yield (
        f"On clips that it was not trained on ({escaped(found.split)}), with {level} intervals "
        f"over {found.n_units} {escaped(found.unit)}s. They were measured on models trained on a "
        "part of the clips; this one is trained on all of them."
    )
    yield from ("", f"| metric | value | {level} interval |", "|---|---|---|")
    for name, interval in found.metrics.items():
        yield f"| {escaped(name)} | {_numbers(interval)} |"


def _numbers(interval: Interval | None) -> str:
    if interval is None:
        return "not defined | "
    return f"{interval.value:.3f} | {interval.low:.3f} to {interval.high:.3f}"


def _calibration(found: Calibration | None) -> Iterator[str]:
    if found is None:
        return
    yield from ("", "## Probabilities", "")
    yield (
        f"The scores are probabilities, calibrated ({found.method}) on the out-of-fold scores of "
        f"{found.clips} clips, {found.units} {escaped(found.unit)}s. The results above are of the "
        "scores as the classifier gives them."
    )
    if not found.effect:
        yield "There were too few units to measure what that does."
        return
    yield (
        "The table shows what that does to clips that had no part in it: those of some units, "
        f"calibrated by those of the others. Intervals are over {escaped(found.unit)}s."
    )
    yield from ("", "| | as given | calibrated | change, with its interval |", "|---|---|---|---|")
    for name, each in found.effect.items():
        change = f"{each.after - each.before:+.3f}, {each.low:+.3f} to {each.high:+.3f}"
        yield f"| {escaped(name)} | {each.before:.3f} | {each.after:.3f} | {change} |"


def _abstention(manifest: Manifest) -> Iterator[str]:
    if manifest.abstain_below is None:
        return
    name = "score" if manifest.calibration is None else "probability"
    yield from ("", "## No class", "")
    yield f"It names no class where its {name} is below {manifest.abstain_below:g}."
    found = manifest.abstention
    if found is None:
        yield "What that costs was not measured."
        return
    units = f"{found.units} {escaped(found.unit)}s"
    yield f"On {found.clips} clips that it was not trained on, {units}:"
    yield from ("", "| | share | interval |", "|---|---|---|")
    for what, share in abstention_rows(found):
        yield f"| {what} | {_numbers(share)} |"


def abstention_rows(found: Abstention) -> list[tuple[str, Interval | None]]:
    """Return what abstaining costs and brings, each with its name."""
    return [
        ("clips without a class", found.abstained),
        ("accuracy, if every clip gets a class", found.accuracy),
        ("accuracy on the clips that keep theirs", found.accuracy_of_rest),
        ("wrong classes that are withheld", found.errors_avoided),
    ]


def _limits(manifest: Manifest) -> Iterator[str]:
    yield from ("", "## Limits", "")
    if manifest.abstain_below is None:
        yield "- It knows its classes only: any other sound is given the name of one of them."
    else:
        yield (
            "- It knows its classes only: another sound may still get a high score, and the name "
            "of one of them."
        )
    yield (
        "- The results hold for sounds like those above. Another microphone, place or speaker can "
        "be harder; measure it on your own recordings."
    )
    if manifest.calibration is None:
        yield f"- {_SCORES[manifest.scores]}"
    else:
        yield (
            "- Its probabilities hold where sounds are like those above and classes as frequent as "
            "there. They were fitted on models trained on a part of the clips."
        )


def _usage(manifest: Manifest) -> Iterator[str]:
    yield from ("", "## Use", "", "```python", "import audioclf", "")
    yield 'model = audioclf.load("model.audioclf")'
    yield 'model.predict("sound.wav")'
    yield from ("```", "")
    versions = manifest.versions
    shown = [n for n in ("python", "scikit-learn", "numpy", "librosa") if n in versions]
    made = [f"{name} {escaped(versions[name])}" for name in shown]
    plugins = {
        f"{escaped(item.distribution)} {escaped(item.version)}"
        for item in manifest.components.values()
    }
    yield f"Made with {', '.join([*sorted(plugins), *made])}."
    yield ""
