"""Methods of a classifier that combines others, as an ensemble does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from audioclf.components.component import Component, Kind
from audioclf.components.onnx_graph import NotInOnnxError

if TYPE_CHECKING:
    from audioclf.components.featurizer import Featurizer
    from audioclf.components.onnx_graph import OnnxGraph


class Combination(Component):
    """Base of classifiers, with the methods of those that have members."""

    kind: ClassVar[Kind] = "classifier"

    def members(self, n_columns: int, n_classes: int) -> dict[str, tuple[Any, int]]:
        """Return the classifiers whose fitted estimators this one combines, as an ensemble does.

        With `model_format = "members"`, each is saved in its own format.

        Parameters
        ----------
        n_columns : int
            Columns of the rows.
        n_classes : int

        Returns
        -------
        members : dict of str to tuple
            The classifier and the number of columns of its rows, by name.
        """
        return {}

    def own_features(self) -> Mapping[str, str]:
        """Return the featurizer of each of `members`, by their names in a config, if it has them.

        Then a run has one pipeline of the classifier, on the rows of these featurizers one after
        the other, instead of one with each featurizer of the config.
        """
        return {}

    def joined(self, featurizers: Mapping[str, Featurizer]) -> Featurizer:
        """Return one featurizer that joins the rows of several, by name, in their order.

        Raises
        ------
        NotImplementedError
            Unless a subclass with `own_features` overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no features of its own")

    def for_rows(self, rows: Mapping[str, tuple[int, tuple[int, int] | None]]) -> Self:
        """Return the classifier for joined rows, of which each member takes its part.

        Parameters
        ----------
        rows : mapping of str to tuple
            By the names in `own_features`, in the order of their columns: number of columns, and
            the shape (n_bins, n_frames) of the matrix in them, None where there is none.

        Raises
        ------
        NotImplementedError
            Unless a subclass with `own_features` overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no features of its own")

    def members_to_onnx(
        self, graph: OnnxGraph, rows: str, n_classes: int, scored: Callable[[str, str], str]
    ) -> str:
        """Add the nodes that combine the members, and return the scores of the classes.

        Parameters
        ----------
        graph : OnnxGraph
        rows : str
            Value of the rows [shape=(n_rows, n_columns)], float32.
        n_classes : int
        scored : callable
            `scored(name, rows)` adds a member for these rows, and returns the value of its
            probabilities, else decision values [shape=(n_rows, n_classes)].

        Raises
        ------
        NotInOnnxError
            Unless a subclass with `members` overrides it.
        """
        raise NotInOnnxError(f"{self.type_name()} does not combine its members in ONNX")

    def take_apart(self, estimator: Any) -> dict[str, Any]:
        """Return the fitted estimators of `members`, by name."""
        return {}

    def put_together(self, estimators: Mapping[str, Any]) -> Any:
        """Return the estimator that `take_apart` took apart.

        Raises
        ------
        NotImplementedError
            Unless a subclass with `members` overrides it.
        """
        raise NotImplementedError(f"{self.type_name()} has no members")
