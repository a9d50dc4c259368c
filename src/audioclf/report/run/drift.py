"""Results of finished models beside those of their own cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audioclf.components.metrics import METRICS, of_class
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.report import words
from audioclf.report.run.overview import metric_name
from audioclf.runs.finished import drift_sentence

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedRun

View = dict[str, Any]


def drift_view(run: SavedRun) -> View | None:
    """Return a row for each model and metric; None for a run, which fits its own models."""
    models = {
        name: pipeline for name, pipeline in run.pipeline_metrics.items() if pipeline.get("model")
    }
    if not models:
        return None
    rows, sentences = [], []
    for name, pipeline in models.items():
        model, here = pipeline["model"], pipeline["metrics"]
        before = model["cross_validation"]["metrics"]
        for metric in dict.fromkeys((*here, *before)):
            change = model["difference"].get(metric)
            if metric == run.main_metric and change and metric in METRICS:
                values = here[metric]["value"], before[metric]["value"]
                sentences.append(drift_sentence(name, metric, *values, Estimate(**change)))
            rows.append(
                {
                    "name": name,
                    "metric": f"{metric_name(metric)}{of_class(metric, run.classes)}",
                    "here": words.estimate(here.get(metric)),
                    "before": words.estimate(before.get(metric)),
                    "change": words.signed((change or {}).get("value")),
                    "span": words.span(change),
                    "value": words.sort_key((change or {}).get("value")),
                }
            )
    return {
        "rows": rows,
        "sentences": sentences,
        "origins": [
            {
                "name": name,
                "run": str(item["model"]["run"]),
                "pipeline": str(item["model"]["cell"]),
                "split": str(item["model"]["cross_validation"]["split"]),
                "sha256": str(item["model"]["sha256"]),
            }
            for name, item in models.items()
        ],
    }
