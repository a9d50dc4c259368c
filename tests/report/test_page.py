"""The page of a run: whole, small, safe, and honest about what it lacks."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import ResultError
from audioclf.report.run.outcomes import outcome_of
from audioclf.report.run.overview import pipelines_view
from audioclf.report.run.page import build_report, report_again
from audioclf.report.words import shown
from tests.conftest import imported_by
from tests.report.builders import HOSTILE, Tones, finish_run, make_run

PAIR = {
    "better": "knn",
    "worse": "svm",
    "difference": 0.1,
    "low": -0.05,
    "high": 0.25,
    "p_bootstrap": 0.2,
    "p_mcnemar": None,
    "p_corrected_t": 0.3,
    "p_holm": 0.3,
    "verdict": "undecided",
    "sentence": "knn and svm cannot be told apart",
    "detectable": 0.2,
}
COMPARISON = {
    "metric": "accuracy",
    "unit": {"name": "clip", "count": 20},
    "n_clips": 20,
    "alpha": 0.05,
    "verdict": "knn and svm are level",
    "pairs": [PAIR],
    "cells": ["knn", "svm"],
}


def finding(name: str, severity: str, text: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "severity": severity, "text": text, "advice": "", "rows": [], **more}


def audit(name: str, summary: str, *findings: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "title": name, "summary": summary, "facts": {}, "findings": findings}


COPIES = [{"first": "a.wav", "alike": 0.99871, "same": True}]
AUDIT = {
    "format": 1,
    "allowed": ["known"],
    "audits": [
        audit("Decoding", "All files were read.", finding("clip", "info", "4 are loud")),
        audit(
            "Leakage",
            "Compared.",
            finding("known", "finding", "known one"),
            finding("duplicate", "finding", "2 copies", advice="Drop one.", rows=COPIES),
        ),
    ],
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def finished(done: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run without its page."""
    folder = shutil.copytree(done, tmp_path / "out")
    (folder / "report.html").unlink(missing_ok=True)
    return folder


class Page(HTMLParser):
    """What a browser sees of a page: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.json: dict[str, Any] = {}
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in {"script", "style"} else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data
        elif self.elements[-1][1].get("type") == "application/json":
            self.json[str(self.elements[-1][1]["id"])] = json.loads(data)

    def data(self) -> Any:
        return self.json["data"]

    def media(self) -> Any:
        return self.json["media"]


def page_of(folder: Path, *, clips: Any = None, **options: Any) -> Page:
    return Page(build_report(make_run(folder, **options), clips=clips))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return a page with sound, of two pipelines and 20 clips, that lacks all optional parts."""
    return page_of(tmp_path_factory.mktemp("page"), clips=Tones())


@pytest.fixture(scope="module")
def tame(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return a page with the parts of a page with hostile names, but with other names."""
    return page_with_everywhere("x", tmp_path_factory.mktemp("tame"))


def page_with_everywhere(label: str, folder: Path) -> Page:
    """Return a page with a text as the name of everything that has one."""
    texts = finding("f", "finding", label, advice=label, rows=[{label: label}])
    files = {
        "comparison.json": {**COMPARISON, "verdict": label, "pairs": [{**PAIR, "better": label}]},
        "audit.json": {**AUDIT, "audits": [audit(label, label, texts)]},
    }
    return page_of(
        folder, clips=Tones(), classes=(label, "z"), pipelines=(label, "svm"), files=files
    )


def test_a_page_stands_alone_with_its_sound_and_pictures(page: Page, tmp_path: Path) -> None:
    loading = [
        value
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action", "poster"} and value
    ]
    assert loading
    assert [v for v in loading if not v.startswith(("data:", "#"))] == []
    assert "url(" not in build_report(make_run(tmp_path))
    assert len(page.media()) == 20
    assert [uri[:10] for uri in page.media()["0"]] == ["data:image", "data:audio"]
    assert "sound and spectrograms of all clips" in page.text


def test_the_page_runs_its_own_script_and_no_other(page: Page) -> None:
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", directives["script-src"])
    assert directives["img-src"] == directives["media-src"] == "data:"
    scripts = [a for t, a in page.elements if t == "script" and not a.get("type")]
    assert len(scripts) == 1


@pytest.mark.parametrize(
    "label", [f"{HOSTILE}\"onload=x '", "</script><b>{{ 7*7 }}<!--]]>", "\u2028x\u202ez\x1b[31m"]
)
def test_a_hostile_label_stays_text(label: str, tame: Page, tmp_path: Path) -> None:
    page = page_with_everywhere(label, tmp_path)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in tame.elements]
    assert page.data()["classes"][0] == shown(label)
    assert shown(label) in page.text


def test_verdict_and_pairs_are_those_of_the_comparison(page: Page, tmp_path: Path) -> None:
    text = page_of(tmp_path, files={"comparison.json": COMPARISON}).text
    assert "knn and svm are level" in text
    assert "knn and svm cannot be told apart" in text
    assert "+0.100" in text
    assert "[−0.050, 0.250]" in text  # noqa: RUF001  a true minus sign
    assert "knn has the best accuracy: 0." in page.text
    assert "Paired comparisons" not in page.text


def test_findings_come_before_notes_and_keep_their_evidence(page: Page, tmp_path: Path) -> None:
    text = page_of(tmp_path, files={"audit.json": AUDIT}).text
    assert text.index("2 copies") < text.index("known one") < text.index("4 are loud")
    assert "The audits have 1 finding:" in text
    assert "finding, allowed" in text
    assert "0.999" in text
    assert "Finding: the accuracy may be too good. 2 copies" in " ".join(text.split())
    assert "This run was made without audits." in page.text


def test_weights_are_shown_with_their_licence_and_a_warning(page: Page, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    item = {"name": "<e>.onnx", "size": 14, "license": "", "sha256": "ab" * 32}
    fits = {"total": 9, "resumed": 4}
    record = {**run.record, "weights": {"featurizers.e": [item]}, "fits": fits}
    text = " ".join(Page(build_report(replace(run, record=record))).text.split())
    for part in ("featurizers.e", "<e>.onnx", "unknown", "ab" * 32, "make its results too good"):
        assert part in text
    assert "Weights of pre-trained featurizers" not in page.text
    # In the same report, as it takes long to make one.
    assert "4 of 9 fits are from earlier runs; their times and memory were measured then." in text
    assert "fits are from earlier runs" not in page.text


def test_terms_of_use_are_shown(page: Page, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    parts = {"featurizers.e": {"type": "e", "terms_of_use": "not for <sale>"}}
    text = Page(build_report(replace(run, record={**run.record, "components": parts}))).text
    assert "featurizers.e: not for <sale>" in " ".join(text.split())
    assert "Terms of use" not in page.text


def test_clips_that_are_left_out_as_hard_are_counted(page: Page, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    metrics = {**run.metrics, "clips": {"hard": {"windows with two labels at once": 1204}}}
    text = Page(build_report(replace(run, metrics=metrics))).text
    assert "1,204 windows with two labels at once: the results do not hold for them" in text
    assert "left out as hard" not in page.text


def test_costs_and_classes_are_shown_where_they_were_measured(tmp_path: Path) -> None:
    estimate = {"value": 0.5, "low": 0.25, "high": None}
    extra = {
        "predict_seconds_per_clip": 0.0021,
        "model_bytes": 1_234_567,
        "peak_memory_bytes": None,
        "per_class": {
            "cat": {"precision": estimate, "recall": estimate, "f1": None, "support": 9.5}
        },
        "subgroups": {
            "group": [{"name": "site 1", "n_clips": 7, "value": 0.8, "low": 0.7, "high": 0.9}],
            "fold": [],
        },
        "chosen": [{"repeat": 0, "fold": "0", "values": {"C": 10.0}}, None],
    }
    text = page_of(tmp_path, extra=extra).text
    assert "2.1 ms" in text
    assert "1.2 MB" in text
    assert "peak memory" not in text
    assert "9.5" in text
    assert "site 1" in text
    assert "10.000" in text


@pytest.mark.parametrize(
    ("metric", "value"), [("brier_score", 1.5), ("log_loss", 3.0), ("matthews_corrcoef", -0.4)]
)
def test_the_axis_of_a_metric_covers_its_values(metric: str, value: float, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.config["metrics"] = [metric]
    for pipeline in run.metrics["cells"].values():
        pipeline["metrics"] = {metric: {"value": value, "low": value - 0.1, "high": value + 0.1}}
    axis = str(pipelines_view(run)["axis"])
    ticks = [
        (float(x), float(text.replace("\N{MINUS SIGN}", "-")))
        for x, text in re.findall(r'x="([\d.]+)"[^>]*>([^<]+)</text>', axis)
    ]
    assert len(ticks) >= 2
    assert ticks == sorted(ticks)
    values = [tick for _, tick in ticks]
    assert values == sorted(values)
    assert all(abs(tick - value) <= 0.2 for _, tick in ticks)


def test_three_pipelines_have_a_matrix_of_pairs_and_the_table_folded(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    pairs = [{**PAIR, "better": x, "worse": y} for x, y in ("ab", "ac", "bc")]
    comparison = {**COMPARISON, "cells": names, "pairs": [*pairs[:2], {**pairs[2], "low": None}]}
    html = build_report(make_run(tmp_path, pipelines=names, files={"comparison.json": comparison}))
    (matrix,) = re.findall('<table class="versus">.*?</table>', html, re.DOTALL)
    assert re.findall(r'class="num (less|more) undecided"[^>]*>([^<]+)<', matrix) == [
        ("more", "+0.100"),
        ("more", "+0.100"),
        ("less", "−0.100"),  # noqa: RUF001  a true minus sign
        ("more", "+0.100"),
        ("less", "−0.100"),  # noqa: RUF001
        ("less", "−0.100"),  # noqa: RUF001
    ]
    assert "<summary>All 3 pairs" in html


def test_each_curve_of_several_has_a_colour_and_a_name(tmp_path: Path) -> None:
    classes = [f"c{n:02d}" for n in range(14)]
    html = build_report(make_run(tmp_path, classes=classes, pipelines=("knn",), n_clips=140))
    figures = re.findall(r'<figure class="curves">.*?</figure>', html, re.DOTALL)
    assert len(figures) == 2
    for figure in figures:
        looks = re.findall(r'<polyline [^>]*class="curve (s\d(?: dashed)?)"', figure)
        assert len(set(looks)) == len(looks) == 12
        assert re.findall(r'<path [^>]*class="curve (s\d(?: dashed)?)"', figure) == looks


def test_many_classes_have_the_worst_in_the_table(tmp_path: Path) -> None:
    run = make_run(tmp_path, classes=[f"c{n:03d}" for n in range(80)], n_clips=160)
    for pipeline in run.metrics["cells"].values():
        pipeline["per_class"] = {
            name: {"f1": {"value": at / 80}, "support": 2} for at, name in enumerate(run.classes)
        }
    page = Page(build_report(run))
    assert "The 60 of 80 classes with the lowest F1" in page.text
    assert page.text.count("c059") > page.text.count("c060")


CURVES = (
    "ROC curve: true positive rate against false positive rate",
    "Precision-recall curve",
    "Calibration: reliability diagram",
)


def test_a_pipeline_without_scores_has_no_curves(page: Page, tmp_path: Path) -> None:
    assert [title for title in CURVES if title not in page.text] == []
    text = page_of(tmp_path, scored=False).text
    assert [title for title in CURVES if title in text] == []
    assert "Confusion matrix" in text
    assert not re.search("probability|confidence", page.text, re.IGNORECASE)


def test_the_browser_has_the_predictions_of_every_pipeline(tmp_path: Path) -> None:
    run = make_run(tmp_path, right=1.0)
    data = Page(build_report(run)).data()
    assert data["predicted"] == [data["labels"]] * 2
    assert data["tested"] == [2] * 20
    assert data["baselines"] == []
    assert data["scores"] == [[700] * 20] * 2
    assert sorted(data["order"]) == list(range(20))


def test_the_config_is_shown_without_credentials(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    text = "dataset: {type: zip, path: 'https://me:secret@example.org/a.zip'}\n"
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    page = Page(build_report(run))
    assert "example.org/a.zip" in page.text
    assert "secret" not in page.text


def test_numbers_that_are_missing_do_not_break_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.metrics["cells"]["knn"]["metrics"]["accuracy"] = None
    run.metrics["cells"]["svm"]["metrics"]["accuracy"]["low"] = None
    page = Page(build_report(run))
    assert "its accuracy is not available" in page.text
    assert "nan" not in page.text.lower()


@pytest.mark.parametrize("n_classes", [1, 3, 16])
def test_any_number_of_classes_has_a_page(n_classes: int, tmp_path: Path) -> None:
    names = [f"class {i:02d}" for i in range(n_classes)]
    page = page_of(tmp_path, classes=names, n_clips=max(20, 2 * n_classes))
    assert page.data()["classes"] == names
    assert (any(tag == "img" for tag, _ in page.elements)) == (n_classes > 15)


def test_past_the_budget_the_clips_with_most_errors_come_first(tmp_path: Path) -> None:
    run = make_run(tmp_path, n_clips=60)
    html = build_report(run, clips=Tones(), budget_mb=0.15)
    assert len(html.encode()) < 0.5e6
    page = Page(html)
    data, embedded = page.data(), {int(i) for i in page.media()}
    assert 0 < len(embedded) < 60
    assert embedded == set(data["order"][: len(embedded)])
    outcomes = [outcome_of(pipeline, run.targets) for pipeline in run.pipelines]
    wrong = np.sum([outcome.wrong for outcome in outcomes], axis=0)
    assert wrong[data["order"][0]] == wrong.max()
    assert f"sound and spectrograms of {len(embedded)} of 60 clips" in page.text


@pytest.mark.slow
@pytest.mark.parametrize(("n_classes", "n_clips"), [(300, 1200), (10, 10_000)])
def test_a_page_of_many_clips_stays_below_5_mb(
    n_classes: int, n_clips: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audioclf.report.run.page.MAX_LISTED", 5000)
    classes = [f"species {i:03d}" for i in range(n_classes)]
    run = make_run(tmp_path, classes=classes, n_clips=n_clips, pipelines="abcdefgh")
    page = Page(html := build_report(run, clips=Tones(sr=22050, seconds=2.0)))
    assert len(html.encode()) < 5e6
    data = page.data()
    assert len(data["ids"]) == min(5000, n_clips)
    assert sorted(data["order"]) == list(range(len(data["ids"])))
    assert (f"5000 of {n_clips} clips are listed" in page.text) == (n_clips > 5000)
    assert {int(at) for at in page.media()} <= set(data["order"][:400])


def test_clips_that_are_gone_are_counted(tmp_path: Path) -> None:
    page = page_of(tmp_path, clips=Tones(missing=["cat/0000.wav"]))
    assert len(page.media()) == 19
    assert "1 clip could not be read again: cat/0000.wav: gone" in page.text
    page = page_of(tmp_path, clips=Tones(missing=["all"]), n_clips=60)
    assert page.media() == {}
    assert "contains no sound and no spectrograms" in page.text


def test_importances_are_drawn_as_maps_and_as_bars_where_they_are_numbers(tmp_path: Path) -> None:
    run, rng = make_run(tmp_path, pipelines=("a", "b", "c", "d")), np.random.default_rng(0)
    known = {"a": rng.random((128, 200)), "b": rng.random(40)}
    unknown = {"c": np.zeros((4, 4)), "d": np.array([np.nan, 1.0])}
    page = Page(build_report(run, importances=known | unknown))
    assert page.text.count("Feature importance") == 1
    assert [a["alt"] for t, a in page.elements if t == "img"] == [
        "Feature importance by bin and time: a"
    ]
    assert "Feature importance" not in Page(build_report(run, importances=unknown)).text
    data = {"cells": {"b": [1.0, 0.5]}, "features": {"b": [["centroid <i>", 1.0], ["rms", 0.5]]}}
    (run.path / "importances.json").write_text(json.dumps(data) + "\n")
    text = Page(build_report(run)).text
    assert text.index("centroid <i>") < text.index("rms")


@pytest.mark.slow
def test_a_page_needs_no_pyplot_and_no_sound_library_without_sound(finished: Path) -> None:
    code = (
        f"from audioclf.report.run.page import report_again as r; from pathlib import Path\n"
        f"r(Path({str(finished)!r}), sound=False)"
    )
    heavy = ["matplotlib.pyplot", "soundfile", "librosa", "soxr"]
    assert imported_by(code, heavy) == set()


def test_a_finished_run_has_a_page_with_sound(finished: Path) -> None:
    path, remark = report_again(finished)
    page = Page(path.read_text(encoding="utf-8"))
    assert remark == ""
    assert path == finished / "report.html"
    assert len(page.media()) == len(page.data()["ids"]) == 16
    assert "high/high_0.wav" in page.data()["ids"]


def test_clips_that_changed_since_the_run_are_not_played(finished: Path) -> None:
    ledger = finished / "ledger.csv"
    text = ledger.read_text(encoding="utf-8").splitlines()
    text[1] = text[1][:-5] + "0000,"  # the digest stands before the recording
    ledger.write_text("\n".join(text) + "\n", encoding="utf-8")
    page = Page(report_again(finished)[0].read_text(encoding="utf-8"))
    assert len(page.media()) == 15
    assert "the file has changed since the run" in page.text


def test_a_run_that_was_cut_off_has_no_page(finished: Path) -> None:
    whole = (finished / "metrics.json").read_bytes()
    (finished / "metrics.json").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ResultError, match=r"metrics\.json"):
        report_again(finished, sound=False)
    assert not (finished / "report.html").exists()
