"""Fields of classifiers that consist of decision trees.

An integer is a number of clips or columns, a float a share of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, FiniteFloat

Count = Annotated[int, Ge(1)]
Share = Annotated[FiniteFloat, Gt(0), Le(1)]
ProperShare = Annotated[FiniteFloat, Gt(0), Lt(1)]

MaxDepth = Annotated[
    Count | None, Field(description="Largest depth of a tree, at least 1; null for no limit.")
]
MinSamplesSplit = Annotated[
    Annotated[int, Ge(2)] | ProperShare,  # without 1.0, which would be read as the number 1
    Field(description="Clips that a node needs to be split: a number >= 2, or a share in (0, 1)."),
]
MinSamplesLeaf = Annotated[
    Count | ProperShare,
    Field(description="Smallest number of clips in a leaf: a number >= 1, or a share in (0, 1)."),
]
MinWeightFractionLeaf = Annotated[
    FiniteFloat,
    Ge(0),
    Le(0.5),
    Field(description="Smallest share of the total sample weight in a leaf, in [0, 0.5]."),
]
MaxFeatures = Annotated[
    Literal["sqrt", "log2"] | Count | Share | None,
    Field(
        description="Columns considered for each split: `sqrt`, `log2`, a number, a share in "
        "(0, 1], or null for all."
    ),
]
MaxLeafNodes = Annotated[
    Annotated[int, Ge(2)] | None,
    Field(description="Largest number of leaves of a tree, at least 2; null for no limit."),
]
MinImpurityDecrease = Annotated[
    FiniteFloat,
    Ge(0),
    Field(description="Decrease of the impurity that a split needs at least, >= 0."),
]
CcpAlpha = Annotated[
    FiniteFloat,
    Ge(0),
    Field(description="Complexity parameter of cost-complexity pruning, >= 0; 0 for no pruning."),
]
