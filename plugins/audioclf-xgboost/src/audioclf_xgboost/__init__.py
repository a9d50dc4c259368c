"""XGBoost as a classifier of audioclf: `type: xgboost`.

T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat

from audioclf.plugin import Classifier, EnvironmentMissingError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sklearn.base import ClassifierMixin

AUDIOCLF_PLUGIN_API = 1

MODEL_FILE = "model.json"


class XGBoost(Classifier):
    """Gradient boosting with regularized trees, on CPU or GPU.

    Names are those of `xgboost.XGBClassifier`, defaults those that XGBoost 3 applies where it is
    told nothing. `n_jobs` is 1: how parallel a run is belongs to the run.
    """

    type: Literal["xgboost"] = "xgboost"

    model_format: ClassVar[str] = "xgboost-json"

    n_estimators: int = Field(default=100, ge=1)
    """Number of boosting rounds; with k > 2 classes each round has k trees."""

    max_depth: int = Field(default=6, ge=0)
    """Depth of each tree; 0 for no limit."""

    max_leaves: int = Field(default=0, ge=0)
    """Leaves of each tree; 0 for no limit."""

    grow_policy: Literal["depthwise", "lossguide"] = "depthwise"
    """Which node is split next: the one nearest to the root, or the one that gains most."""

    learning_rate: FiniteFloat = Field(default=0.3, gt=0, le=1)
    """Factor on each tree's contribution, in (0, 1]; smaller values need more rounds."""

    subsample: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the training clips that each tree sees, in (0, 1]."""

    colsample_bytree: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the columns that each tree sees, in (0, 1]."""

    colsample_bylevel: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the tree's columns that each of its levels sees, in (0, 1]."""

    colsample_bynode: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the level's columns that each split considers, in (0, 1]."""

    min_child_weight: FiniteFloat = Field(default=1.0, ge=0)
    """Sum of the clips' second derivatives that each side of a split must keep, >= 0."""

    gamma: FiniteFloat = Field(default=0.0, ge=0)
    """Gain that a split must bring, >= 0."""

    reg_alpha: FiniteFloat = Field(default=0.0, ge=0)
    """L1 penalty on the values of the leaves, >= 0."""

    reg_lambda: FiniteFloat = Field(default=1.0, ge=0)
    """L2 penalty on the values of the leaves, >= 0."""

    max_delta_step: FiniteFloat = Field(default=0.0, ge=0)
    """Largest value of a leaf, which helps with very uneven classes; 0 for no limit."""

    tree_method: Literal["hist", "approx", "exact"] = "hist"
    """How splits are found; `exact` is slow, grows by depth only, and does not run on a GPU."""

    max_bin: int = Field(default=256, ge=2)
    """Bins per column for `hist` and `approx`, at least 2."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where trees are grown; `cuda` needs the wheel `xgboost` rather than `xgboost-cpu`."""

    def build(self, *, random_state: int) -> ClassifierMixin:
        """Return an unfitted `XGBClassifier`.

        Raises
        ------
        EnvironmentMissingError
            If XGBoost cannot be imported, or a GPU is asked of a build that knows none.
        """
        xgboost = _imported()
        if self.device == "cuda" and not xgboost.build_info().get("USE_CUDA"):
            raise EnvironmentMissingError(
                "xgboost has `device: cuda`, but the installed XGBoost is built for CPUs only",
                hint="Run `pip uninstall xgboost-cpu`, then `pip install xgboost`.",
            )
        fields = self.model_dump(exclude={"type"})
        estimator: ClassifierMixin = xgboost.XGBClassifier(
            **fields, n_jobs=1, random_state=random_state
        )
        return estimator

    def dump(self, estimator: Any) -> dict[str, bytes]:
        """Return a fitted `XGBClassifier` as XGBoost's own JSON, the same bytes for the same trees.

        Raises
        ------
        ValueError
            If it holds what `restore` would not take.
        """
        from audioclf_xgboost.model_file import checked_model

        return {MODEL_FILE: checked_model(bytes(estimator.get_booster().save_raw("json")))}

    def restore(self, files: Mapping[str, bytes]) -> ClassifierMixin:
        """Return the `XGBClassifier` that `dump` saved, after a check of every tree; on the CPU.

        Raises
        ------
        ValueError
            If the file is not sound.
        EnvironmentMissingError
            If XGBoost cannot be imported.
        """
        from audioclf_xgboost.model_file import checked_model

        if set(files) != {MODEL_FILE}:
            raise ValueError(f"it is not in {MODEL_FILE!r} alone")
        model = checked_model(files[MODEL_FILE])
        estimator: Any = self.model_copy(update={"device": "cpu"}).build(random_state=0)
        estimator.load_model(bytearray(model))
        restored: ClassifierMixin = estimator
        return restored


@hookimpl
def audioclf_classifiers() -> Iterable[type[Classifier]]:
    """Return the one classifier of this plugin."""
    return [XGBoost]


def _imported() -> Any:
    try:
        import xgboost
    except (ImportError, OSError, ValueError) as exc:  # the latter two: libxgboost does not load
        reason = str(exc).strip().split("\n")[0]
        raise EnvironmentMissingError(
            f"XGBoost cannot be imported: {reason}",
            hint="Run `pip install xgboost-cpu` for CPUs (a few MB, Linux and Windows) or "
            "`pip install xgboost` for GPUs and macOS.",
        ) from exc
    return xgboost
