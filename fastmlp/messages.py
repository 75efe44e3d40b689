"""Warnings that name the line of the user, not one of ours, nor one of a pipeline or a search that calls us."""

import sys
import warnings

_INSIDE = frozenset({"fastmlp", "sklearn", "joblib"})


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line outside of fastmlp, scikit-learn and joblib."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
