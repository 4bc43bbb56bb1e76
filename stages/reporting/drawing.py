"""How figures look and become files: panels on a fixed grid, equal bytes for equal data. Only door to matplotlib."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from stages.data.display import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PALETTE: Mapping[str, str] = {
    "ink": "#1f2328",
    "soft": "#6a737d",
    "line": "#d8dee4",
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#00875f",
    "purple": "#b3589a",
    "sky": "#3f9fd8",
    "amber": "#b87f00",
}
"""Okabe and Ito's colours, which colour-blind readers tell apart (https://jfly.uni-koeln.de/color/), the light ones
darkened for contrast on white; the page replaces each by a variable of the same name so that they follow its theme."""

STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.color": PALETTE["ink"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "axes.edgecolor": PALETTE["soft"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": PALETTE["line"],
    "grid.linewidth": 0.6,
    "xtick.color": PALETTE["soft"],
    "ytick.color": PALETTE["soft"],
    "xtick.labelcolor": PALETTE["ink"],
    "ytick.labelcolor": PALETTE["ink"],
    "lines.linewidth": 1.6,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
}

AREA: Mapping[str, float] = {"band": 0.16, "bar": 0.75}
"""Opacity of areas."""

_POINTS = 72.0
_HEADER, _KEYS = 0.34, 0.28
"""Inches above the panels for the title, and for the key below it."""


Style = Literal["-", "--", "band", "bar"]


@dataclass(frozen=True)
class Key:
    """One entry of a figure's key."""

    label: str
    colour: str
    """Name in PALETTE."""
    style: Style = "-"
    """"band" and "bar" are areas, thin and full."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    name: str
    alt: str
    """What it shows, in words and numbers, for readers who do not see it."""
    draw: Callable[["Axes"], None]


@dataclass(frozen=True)
class Figure:
    """A figure of equal cells; each panel stays within its own, so that the page can lay the cells out anew."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 3
    keys: tuple[Key, ...] = ()
    width: float = 3.5
    height: float = 2.6
    """Size of a cell in inches."""
    margins: tuple[float, float, float, float] = (0.62, 0.62, 0.46, 0.42)
    """Inches left, right, below and above the axes within a cell."""


@dataclass(frozen=True)
class Drawn:
    """A figure as files."""

    figure: Figure
    svg: str
    png: bytes


def cell_box(figure: Figure, place: int) -> tuple[float, float, float, float]:
    """x, y, width, height of panel `place` in the units of the SVG (points, y downwards)."""
    row, column = divmod(place, _columns(figure))
    x, y = column * figure.width, _header(figure) + row * figure.height
    return x * _POINTS, y * _POINTS, figure.width * _POINTS, figure.height * _POINTS


def draw(figures: Sequence[Figure]) -> list[Drawn]:
    """Every figure as SVG and PNG. The bytes depend on the data and the installed matplotlib only."""
    import matplotlib

    with _style():
        drawn = []
        for figure in figures:
            canvas = compose(figure)
            with matplotlib.rc_context({"svg.hashsalt": figure.name}):
                svg = _saved(canvas, "svg", {"Date": None, "Creator": None, "Format": None, "Type": None})
            drawn.append(Drawn(figure, svg.decode(), _saved(canvas, "png", {"Software": None})))
        return drawn


def compose(figure: Figure) -> "Canvas":
    """The panels on their grid under title and key; the axes of panel i have the gids panel<i>-0, panel<i>-1 ..."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    with _style():
        rows = -(-len(figure.panels) // _columns(figure))
        size = (_columns(figure) * figure.width, _header(figure) + rows * figure.height)
        canvas = Canvas(figsize=size)
        FigureCanvasAgg(canvas)
        for place, panel in enumerate(figure.panels):
            axes = canvas.add_axes(_axes_box(figure, place, size))
            known = len(canvas.axes) - 1
            axes.set_title(panel.name, pad=8)
            panel.draw(axes)
            for number, drawn in enumerate(canvas.axes[known:]):
                drawn.set_gid(f"panel{place}-{number}")
        canvas.text(0.12 / size[0], 1 - 0.12 / size[1], figure.title, va="top", size=11, weight="bold")
        _draw_keys(canvas, figure.keys, size)
        _clean(canvas)
    return canvas


def _clean(canvas: "Canvas") -> None:
    """Names out of data hold characters that can be drawn, whatever they held."""
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    for text in canvas.findobj(Text):
        text.set_text(visible(text.get_text()))
    for axis in (axis for axes in canvas.axes for axis in (axes.xaxis, axes.yaxis)):
        names = axis.get_major_formatter()
        if isinstance(names, FuncFormatter):  # of ticks with names
            names.func = _cleaned(names.func)


def _cleaned(named: Callable[..., str]) -> Callable[..., str]:
    return lambda *given: visible(named(*given))


def _style() -> AbstractContextManager[None]:
    import matplotlib
    from matplotlib import style

    matplotlib.use("Agg")
    return style.context(["default", {**STYLE}])


def _header(figure: Figure) -> float:
    return _HEADER + (_KEYS if figure.keys else 0)


def _columns(figure: Figure) -> int:
    return min(figure.columns, len(figure.panels))


def _axes_box(figure: Figure, place: int, size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Left, bottom, width, height of the axes as fractions of the figure."""
    left, right, below, above = figure.margins
    x, y, width, height = (value / _POINTS for value in cell_box(figure, place))
    bottom = size[1] - y - height + below
    return (x + left) / size[0], bottom / size[1], (width - left - right) / size[0], (height - below - above) / size[1]


def _draw_keys(canvas: "Canvas", keys: Sequence[Key], size: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if not keys:
        return
    handles = [
        Line2D([], [], color=PALETTE[key.colour], linestyle=key.style)
        if key.style in ("-", "--")
        else Patch(facecolor=PALETTE[key.colour], alpha=AREA[key.style])
        for key in keys
    ]
    anchor = (0.06 / size[0], 1 - 0.30 / size[1])
    canvas.legend(
        handles,
        [key.label for key in keys],
        loc="upper left",
        bbox_to_anchor=anchor,
        ncols=len(keys),
        columnspacing=1.4,
        handlelength=1.6,
    )


def _saved(canvas: "Canvas", kind: str, metadata: Mapping[str, None]) -> bytes:
    file = BytesIO()
    canvas.savefig(file, format=kind, dpi=144, facecolor="white", metadata=metadata)
    return file.getvalue()
