"""Paired comparisons of classifiers on the same folds."""
