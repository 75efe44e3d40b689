"""What the pictures share: the Axes to draw on, colours, numbers as text, and a legend that covers nothing.

This is the one place that says that matplotlib is missing. The other files import it inside their functions, after
`axes` has found it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.mlp import MLP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# The palette of Okabe and Ito 2008, which people tell apart whatever their colour vision.
BLUE, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#AA3377", "#56B4E9"
CLASSES = (BLUE, "#E69F00", "#CC79A7", SKY, ORANGE, "#F0E442", "#009E73", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, GREY = "#222222", "#888888"
# Of curves: numbers without a common divisor, so that 42 pairs of a colour and a style are different.
CURVES = (BLUE, "#E69F00", PURPLE, INK, ORANGE, SKY, "#009E73")
LINES = ("-", "--", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))

SMALL = 9  # points, for what is no title and no label of an axis


def axes(ax: Axes | None, width: float = 8.3, height: float = 4.8) -> Axes:
    """`ax`, or the Axes of a new figure of pyplot, so many inches wide and high.

    A README shows pictures 830 pixels wide, so that 8.3 inches keep their size there.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError
        If ax is no Axes with two straight axes.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.axes import Axes
    except ImportError as missing:
        raise ImportError(
            f"fastmlp.plot needs matplotlib ({missing}): pip install 'matplotlib>=3.9', or pip install fastmlp[plot]"
        ) from missing
    if ax is None:
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(ax, Axes) or ax.name != "rectilinear":
        raise TypeError(f"ax is {ax!r}; expected None, or the Axes of a plane as matplotlib.pyplot.subplots makes")
    return ax


def mlp(net: object) -> MLP:
    """`net`, if it is an MLP."""
    if not isinstance(net, MLP):
        raise TypeError(f"net is a {type(net).__name__}; expected a fastmlp.MLP")
    return net


def text_of(value: float) -> str:
    """Three digits, with a true minus sign, and none for zero."""
    return f"{value + 0.0:.3g}".replace("-", "\N{MINUS SIGN}")


def halo(width: float = 3) -> list[Any]:
    """Path effects that keep a text readable upon lines."""
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=width, foreground="white")]


def signs(depth: float = 1.0) -> Colormap:
    """Orange below the middle, white in it, blue above, to a part of their depth; light grey where is no number."""
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    colours = ["#7F3000", ORANGE, "#F7C39B", "white", "#9CCBE6", BLUE, "#00395C"]
    full = LinearSegmentedColormap.from_list("signs", colours)
    shades = full(np.linspace(0.5 - depth / 2, 0.5 + depth / 2, 257))
    return ListedColormap(shades).with_extremes(bad="#DDDDDD")


def classes(n: int) -> list[Any]:
    """A colour for each of n classes; those of the signs for two."""
    from matplotlib import colormaps

    if n == 2:
        return [ORANGE, BLUE]
    return list(CLASSES[:n]) if n <= len(CLASSES) else list(colormaps["viridis"].resampled(n).colors)


def legend_below(ax: Axes, handles: list[Any], columns: int = 4, gap: float = 40) -> None:
    """A legend `gap` points below the Axes: below the name of its x-axis, if it has one, and upon no data."""
    from matplotlib.transforms import ScaledTranslation

    below = ax.transAxes + ScaledTranslation(0, -gap / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, frameon=False,
        ncols=min(columns, len(handles)), fontsize=SMALL, borderaxespad=0, handletextpad=0.5, columnspacing=1.5,
    )  # fmt: skip


def quiet(ax: Axes) -> None:
    """Leave out of a chart what is not read."""
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
