"""XGBoost as a classifier of audioclf: `type: xgboost`.

T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import Classifier, ClassifierError, EnvironmentMissingError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sklearn.base import ClassifierMixin

    from audioclf.plugin import Batches

AUDIOCLF_PLUGIN_API = 1

MODEL_FILE = "model.json"


class XGBoost(Classifier):
    """Gradient boosting with regularized trees, on CPU or GPU.

    Names are those of `xgboost.XGBClassifier`, defaults those of XGBoost 3. `n_jobs` is 1,
    because the run decides on parallel work.
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
    """Node to split next: the one nearest to the root, or the one with the largest gain."""

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
    """Minimum gain of a split, >= 0."""

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
    """Device of the training; `cuda` needs the wheel `xgboost` instead of `xgboost-cpu`."""

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
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

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        # Copies, bins and histograms, as measured with XGBoost 3.2 on 20,000 rows of 480 columns
        # and on 1,500 rows of 16,640 columns.
        return 14 * n_rows * n_columns + self._histogram_bytes(n_columns)

    @override
    def batch_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        width = 1 if self.max_bin <= 256 else 2
        return round(1.5 * width * n_rows * n_columns) + self._histogram_bytes(n_columns)

    def _histogram_bytes(self, n_columns: int) -> int:
        nodes = self.max_leaves or 2 ** min(self.max_depth or 10, 10)
        return 16 * n_columns * self.max_bin * nodes

    @override
    def fit_batches(self, batches: Batches, *, random_state: int) -> ClassifierMixin:
        """Fit on a `QuantileDMatrix`, which holds bins and is filled block by block.

        Its quantiles differ slightly from those of a fit on all rows, and so may the trees.
        ClassifierError if `tree_method` is not `hist`.
        """
        xgboost = _imported()
        if self.tree_method != "hist":
            raise ClassifierError(
                f"tree_method: {self.tree_method} needs all rows in memory",
                hint="Set tree_method: hist.",
            )
        from audioclf_xgboost.blocks import Blocks

        estimator: Any = self.build(random_state=random_state)
        many = batches.n_classes > 2
        objective = {"objective": "multi:softprob", "num_class": batches.n_classes}
        parameters = {
            **estimator.get_xgb_params(),
            **(objective if many else {"objective": "binary:logistic"}),
        }
        bins = xgboost.QuantileDMatrix(Blocks(batches), max_bin=self.max_bin, nthread=1)
        booster = xgboost.train(parameters, bins, num_boost_round=self.n_estimators)
        estimator.load_model(bytearray(booster.save_raw("json")))
        fitted: ClassifierMixin = estimator
        return fitted

    @override
    def dump(self, estimator: Any) -> dict[str, bytes]:
        from audioclf_xgboost.model_file import checked_model

        return {MODEL_FILE: checked_model(bytes(estimator.get_booster().save_raw("json")))}

    @override
    def restore(self, files: Mapping[str, bytes]) -> ClassifierMixin:
        from audioclf_xgboost.model_file import checked_model

        if set(files) != {MODEL_FILE}:
            raise ValueError(f"it is not in {MODEL_FILE!r} alone")
        model = checked_model(files[MODEL_FILE])
        estimator: Any = self.model_copy(update={"device": "cpu"}).build(random_state=0)
        estimator.load_model(bytearray(model))
        restored: ClassifierMixin = estimator
        return restored

    @override
    def to_onnx(self, estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
        from audioclf_xgboost.onnx import converted

        return converted(estimator, n_columns, opsets)


@hookimpl
def audioclf_classifiers() -> list[type[XGBoost]]:
    """Return the one classifier of this plugin."""
    return [XGBoost]


def _imported() -> Any:
    try:
        import xgboost
    except (ImportError, OSError, ValueError) as exc:  # the latter two: libxgboost cannot be loaded
        reason = str(exc).strip().split("\n")[0]
        raise EnvironmentMissingError(
            f"XGBoost cannot be imported: {reason}",
            hint="Run `pip install xgboost-cpu` for CPUs (a few MB, Linux and Windows) or "
            "`pip install xgboost` for GPUs and macOS.",
        ) from exc
    return xgboost
