"""What is said to the user: warnings at a line of theirs, lists of obstacles, notes, and what pip is to install.

A warning names the line of the user, not one of ours, nor one of a pipeline or a search that calls us.
"""

import sys
import warnings
from collections.abc import Iterable

_MOST_LINES, _LONGEST_LINE = 50, 500
_INSIDE = frozenset({"fastmlp", "sklearn", "joblib"})


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line outside of fastmlp, scikit-learn and joblib."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def listed(head: str, obstacles: Iterable[str]) -> str:
    """What stands in the way, each a line below the head, and named once; of very many, the first."""
    lines = [one if len(one) <= _LONGEST_LINE else f"{one[:_LONGEST_LINE]}..." for one in dict.fromkeys(obstacles)]
    more = len(lines) - _MOST_LINES
    return "\n- ".join([head, *lines[:_MOST_LINES], *([f"and {more:,} more"] if more > 0 else [])])


def note(text: str) -> None:
    """Say something aside, in the shell."""
    print(f"fastmlp: note: {one_line(text)}", file=sys.stderr)


def one_line(text: str) -> str:
    """A text without line ends and other characters that do more than stand there."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def not_installed(what: str, package: str, extra: str, missing: ModuleNotFoundError) -> ImportError:
    """The error that says which package to install: its row in that extra, which an installed fastmlp knows."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        rows = [line.partition(";") for line in requires("fastmlp") or []]
    except PackageNotFoundError:  # used from its sources
        rows = []
    row = next((row.strip() for row, _, of in rows if row.startswith(package) and extra in of), package)
    return ImportError(f"{what} needs {package} ({missing}): pip install '{row}'")
