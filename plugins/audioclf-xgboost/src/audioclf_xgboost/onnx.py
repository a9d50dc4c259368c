"""Conversion of an `XGBClassifier` to ONNX, by the converter of onnxmltools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def converted(estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
    """Return a fitted `XGBClassifier` as `onnx.ModelProto`; see `Classifier.to_onnx`."""
    import skl2onnx
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    skl2onnx.update_registered_converter(
        type(estimator),
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    return skl2onnx.to_onnx(
        estimator,
        initial_types=[("features", FloatTensorType([None, n_columns]))],
        options={id(estimator): {"zipmap": False}},
        target_opset=dict(opsets),
    )
