"""`audioclf model`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.cli.options import ExpectOption, JsonOption, ModelArgument, new_app
from audioclf.cli.terminal import format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.models.bundle.manifest import Manifest
    from audioclf.models.bundle.reading import Contents
    from audioclf.models.calibration.records import Calibration, Interval

app = new_app()

_SHOWN_CLASSES = 20


@app.callback()
def model() -> None:
    """Show the content of a model file, without running it."""


@app.command()
def show(
    file: ModelArgument,
    as_json: JsonOption = False,
    card: Annotated[
        bool, typer.Option("--card", help="Print its model card, in Markdown.")
    ] = False,
    expect_sha256: ExpectOption = None,
) -> None:
    """Show the content of a model file and check its digests; nothing of it is built or run."""
    from audioclf.models.bundle.reading import open_bundle

    contents = open_bundle(file, expect_sha256=expect_sha256)
    if as_json:
        data = contents.manifest.model_dump(mode="json")
        say(json_text({**data, "card": contents.card} if card else data))
    elif card:
        say(contents.card)
    else:
        say(_text(contents))


def _text(contents: Contents) -> str:
    manifest = contents.manifest
    members = [(name, str(item.size), item.sha256) for name, item in manifest.members.items()]
    return "\n\n".join(
        [
            format_table(("model", f"{manifest.name}: {manifest.cell}"), _facts(contents)),
            *_metrics(manifest),
            *_calibration(manifest.calibration),
            *_abstention(manifest),
            *_unknown(manifest),
            *_weights(manifest),
            format_table(("made with", "version"), list(manifest.versions.items())),
            format_table(("file", "bytes", "sha256"), members),
        ]
    )


def _facts(contents: Contents) -> list[tuple[str, str]]:
    manifest = contents.manifest
    audio, training = manifest.audio, manifest.training
    n_clips = sum(training.clips.values())
    length = "whole clips" if audio.duration is None else f"at most {audio.duration:g} s"
    return [
        _labels(manifest),
        ("audio", f"{audio.channel_name}, {audio.sr} Hz, {length}"),
        *(
            (kind, f"{maker.type} of {maker.distribution} {maker.version}")
            for kind, maker in manifest.components.items()
        ),
        ("features", f"{manifest.features.width} columns"),
        ("scores", _scores(manifest)),
        ("trained on", f"{n_clips} clips of {training.dataset}"),
        ("evaluated", manifest.evaluation.split if manifest.evaluation else "no"),
        ("estimator", f"as {manifest.estimator.format}"),
        ("platform", manifest.platform),
        ("digests", "match, which shows no damage; they do not show who wrote the file"),
    ]


def _labels(manifest: Manifest) -> tuple[str, str]:
    if (numbers := manifest.number) is not None:
        return "numbers", f"{numbers.low:.6g} to {numbers.high:.6g} in training"
    names = ", ".join(manifest.classes[:_SHOWN_CLASSES])
    names += ", ..." if len(manifest.classes) > _SHOWN_CLASSES else ""
    return "ordered classes" if manifest.ordered else "classes", f"{len(manifest.classes)}: {names}"


def _scores(manifest: Manifest) -> str:
    if manifest.number is not None:
        return "none, only a number"
    found = manifest.calibration
    if found is not None:
        on = f"{found.clips} clips, {found.units} {found.unit}s"
        return f"probabilities, calibrated: {found.method}, on {on}"
    given = {
        "probability": "as the classifier gives them",
        "decision": "softmax of decision values",
    }
    what = given.get(manifest.scores)
    return "none, only the name of a class" if what is None else f"{what}, not calibrated"


def _weights(manifest: Manifest) -> Iterator[str]:
    if manifest.weights:
        rows = [
            (
                *(w.name, "yes" if w.member in manifest.members else "no"),
                *(str(w.size), w.license or "unknown", w.sha256),
            )
            for w in manifest.weights
        ]
        yield format_table(("weights", "in the file", "bytes", "licence", "sha256"), rows)


def _metrics(manifest: Manifest) -> Iterator[str]:
    found = manifest.evaluation
    if found is not None:
        level = f"{100 * found.confidence_level:g} % interval"
        rows = [(name, *_numbers(interval)) for name, interval in found.metrics.items()]
        yield format_table(("metric", "value", level), rows)


def _calibration(calibration: Calibration | None) -> Iterator[str]:
    if calibration is not None and calibration.effect:
        rows = [
            (name, f"{c.before:.3f}", f"{c.after:.3f}", f"{c.low:+.3f} to {c.high:+.3f}")
            for name, c in calibration.effect.items()
        ]
        yield format_table(("on other clips", "as given", "calibrated", "change"), rows)


def _abstention(manifest: Manifest) -> Iterator[str]:
    from audioclf.models.bundle.card import abstention_rows

    if manifest.abstain_below is None:
        return
    head = f"no class below {manifest.abstain_below:g}"
    if manifest.abstention is None:
        yield format_table((head, "share"), [("not measured", "")])
        return
    rows = [(what, *_numbers(share)) for what, share in abstention_rows(manifest.abstention)]
    yield format_table((head, "share", "interval"), rows)


def _unknown(manifest: Manifest) -> Iterator[str]:
    if (found := manifest.unknown) is None:
        return
    rows = [
        (f"known clips lost, of {100 * found.lost:g} % allowed", *_numbers(found.measured_lost)),
        ("clips refused of a class left out", *_numbers(found.refused)),
        *((f"of {name}", *_numbers(share)) for name, share in found.by_class.items()),
    ]
    yield format_table((f"unknown by {found.method}", "share", "interval"), rows)


def _numbers(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return "not defined", ""
    return f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"
