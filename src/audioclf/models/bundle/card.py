"""The model card, in Markdown.

After M. Mitchell et al., "Model cards for model reporting", FAT* 2019. Names are untrusted text and
are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from audioclf.models.bundle.manifest import Manifest
from audioclf.models.calibration.records import Abstention, Calibration, Interval

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&$:@]|(?<=www)\.)", re.IGNORECASE)
_MAX_CLASSES = 50

_SCORES = {
    "probability": "The scores are the classifier's own. They were not calibrated: 0.9 does not "
    "mean correct in 9 of 10 cases.",
    "decision": "The scores are the softmax of decision values. They order the classes of one clip "
    "and are no probabilities.",
    "none": "The classifier gives no scores, only the name of a class.",
}


def model_card(manifest: Manifest, notes: Sequence[str] = ()) -> str:
    """Return the card of a model.

    Parameters
    ----------
    manifest : Manifest
    notes : sequence of str
        Findings of the audits and notes of the run, which limit the results.
    """
    return "\n".join(_lines(manifest, notes))


def escaped(text: str) -> str:
    r"""Return text escaped for Markdown, on one line.

    >>> escaped("a*b [c](http://d)")
    'a\\*b \\[c\\]\\(http\\://d\\)'
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", line)


def _lines(manifest: Manifest, notes: Sequence[str]) -> Iterator[str]:
    yield f"# {escaped(manifest.name)}: {escaped(manifest.cell)}"
    yield ""
    yield (
        f"A classifier of sounds into {len(manifest.classes)} classes, trained with audioclf "
        f"{escaped(manifest.audioclf)}."
    )
    yield from _trained_on(manifest)
    yield from _results(manifest)
    yield from _notes(notes)
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
    results = manifest.evaluation
    yield from ("", "## Results", "")
    if results is None:
        yield "This model was not evaluated."
        return
    level = f"{100 * results.confidence_level:g} %"
    yield (
        f"Measured by cross-validation ({escaped(results.split)}), with {level} intervals over "
        f"{results.n_units} {escaped(results.unit)}s: by models that were trained on a part of the "
        "clips; this one is trained on all of them."
    )
    yield from ("", f"| metric | value | {level} interval |", "|---|---|---|")
    for name, interval in results.metrics.items():
        yield f"| {escaped(name)} | {_numbers(interval)} |"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield from ("", "The audits and the run noted:", "")
        yield from (f"- {escaped(note)}" for note in notes)


def _numbers(interval: Interval | None) -> str:
    if interval is None:
        return "not defined | "
    return f"{interval.value:.3f} | {interval.low:.3f} to {interval.high:.3f}"


def _calibration(calibration: Calibration | None) -> Iterator[str]:
    if calibration is None:
        return
    yield from ("", "## Probabilities", "")
    unit = f"{escaped(calibration.unit)}s"
    yield (
        f"The scores are probabilities, calibrated ({calibration.method}) on the out-of-fold "
        f"scores of {calibration.clips} clips, {calibration.units} {unit}. The results above are "
        "those of the uncalibrated scores."
    )
    if not calibration.effect:
        yield "There were too few units to measure the effect of calibration."
        return
    yield (
        "The table shows the effect on clips that were not used to fit the calibration: each part "
        f"of the {unit} is calibrated by a fit on the other parts. Intervals are over {unit}."
    )
    yield from ("", "| | uncalibrated | calibrated | change, with interval |", "|---|---|---|---|")
    for name, effect in calibration.effect.items():
        change = f"{effect.after - effect.before:+.3f}, {effect.low:+.3f} to {effect.high:+.3f}"
        yield f"| {escaped(name)} | {effect.before:.3f} | {effect.after:.3f} | {change} |"


def _abstention(manifest: Manifest) -> Iterator[str]:
    if manifest.abstain_below is None:
        return
    name = "score" if manifest.calibration is None else "probability"
    yield from ("", "## No class", "")
    yield (
        f"The model gives no class if the {name} is below {manifest.abstain_below:g}, or two "
        f"classes share the highest {name}."
    )
    measured = manifest.abstention
    if measured is None:
        yield "The effects of this were not measured."
        return
    units = f"{measured.units} {escaped(measured.unit)}s"
    yield f"On {measured.clips} clips that it was not trained on, {units}:"
    yield from ("", "| | share | interval |", "|---|---|---|")
    for name, share in abstention_rows(measured):
        yield f"| {name} | {_numbers(share)} |"


def abstention_rows(abstention: Abstention) -> list[tuple[str, Interval | None]]:
    """Return the effects of abstaining, each with its name."""
    return [
        ("clips without a class", abstention.abstained),
        ("accuracy, if every clip gets a class", abstention.accuracy),
        ("accuracy on the clips that keep theirs", abstention.accuracy_of_rest),
        ("wrong classes that are withheld", abstention.errors_avoided),
    ]


def _limits(manifest: Manifest) -> Iterator[str]:
    yield from ("", "## Limits", "")
    if manifest.abstain_below is None:
        yield "- Any other sound is given the name of one of these classes."
    else:
        yield (
            "- A sound of another class may still get a high score, and the name of one of these "
            "classes."
        )
    yield (
        "- The results hold for sounds like those above. Another microphone, place or speaker can "
        "be harder: measure the model on your own recordings."
    )
    if manifest.calibration is None:
        yield f"- {_SCORES[manifest.scores]}"
    else:
        yield (
            "- The probabilities hold for similar sounds and equally frequent classes. They were "
            "fitted on models trained on a part of the clips."
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
