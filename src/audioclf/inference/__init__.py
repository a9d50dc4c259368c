"""Trained models: the bundle that holds one, and what predicts with it."""

from audioclf.inference.bundle import Bundle, Contents, load, open_bundle, read_bundle
from audioclf.inference.bundle_manifest import Evaluated, Manifest, Training
from audioclf.inference.bundle_writing import write_bundle
from audioclf.inference.bundle_zip import MODEL_LIMITS
from audioclf.inference.manifest_scores import Abstention, Calibration, Change, Interval
from audioclf.inference.model import Model
from audioclf.inference.score_effects import ScoreEffects, effects_of
from audioclf.inference.training import FinalFit, evaluated_of, fit_final, training_of

__all__ = [
    "MODEL_LIMITS",
    "Abstention",
    "Bundle",
    "Calibration",
    "Change",
    "Contents",
    "Evaluated",
    "FinalFit",
    "Interval",
    "Manifest",
    "Model",
    "ScoreEffects",
    "Training",
    "effects_of",
    "evaluated_of",
    "fit_final",
    "load",
    "open_bundle",
    "read_bundle",
    "training_of",
    "write_bundle",
]
