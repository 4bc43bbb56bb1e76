"""What the prompt set is made of (§2.1, coverage): shares of domains, disciplines, forms, grades and sources, before and after."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.reporting.drawing import AREA, PALETTE, Figure, Key, Panel
from stages.reporting.inputs import Change
from stages.reporting.rl_figures import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TAGS = ("domain", "discipline", "modality", "grade", "source")
SHOWN = 10
"""Values of a tag that have bars of their own; the others are one."""


def mix_figure(mix: Mapping[str, Mapping[str, Change]]) -> Figure:
    """One panel a tag of `mix` (tag -> value -> problems before and after); without any it has no panels."""
    tags = {tag: _largest(mix[tag]) for tag in TAGS if mix.get(tag)}
    longest = max((len(values) for values in tags.values()), default=1)
    return Figure(
        "mix",
        "The mix of problems before and after curation",
        "Shares in percent of the collected training problems and of the prompt set. Grades are the sources' own, 0 is none.",
        tuple(_panel(tag, values, longest) for tag, values in tags.items()),
        columns=2,
        keys=(Key("collected", "sky", "bar"), Key("prompt set", "blue", "bar")),
        width=5.6,
        height=max(1.6, 1.0 + longest / 2.6),
        margins=(1.9, 0.75, 0.46, 0.42),
    )


def percent(mix: Mapping[str, Change], value: str) -> tuple[float, float]:
    """Shares of a value in percent before and after."""
    before, after = (sum(getattr(change, name) for change in mix.values()) for name in ("before", "after"))
    return 100 * mix[value].before / max(1, before), 100 * mix[value].after / max(1, after)


def _largest(values: Mapping[str, Change]) -> dict[str, Change]:
    """The SHOWN most frequent values, and one of all others together."""
    ordered = sorted(values, key=lambda value: (-values[value].before, value))
    if len(ordered) <= SHOWN:
        return {value: values[value] for value in ordered}
    rest = [values[value] for value in ordered[SHOWN - 1 :]]
    others = Change(before=sum(one.before for one in rest), after=sum(one.after for one in rest))
    return {**{value: values[value] for value in ordered[: SHOWN - 1]}, f"{len(rest)} others": others}


def _panel(tag: str, values: Mapping[str, Change], slots: int) -> Panel:
    shares = {value: percent(values, value) for value in values}
    alt = f"{tag}: " + "; ".join(f"{value}: {before:.1f}% before, {after:.1f}% after" for value, (before, after) in shares.items())

    def paint(axes: "Axes") -> None:
        top = max(max(pair) for pair in shares.values()) or 1.0
        for place, (before, after) in enumerate(shares.values()):
            for share, shift, colour in ((before, -0.19, "sky"), (after, 0.19, "blue")):
                axes.barh(place + shift, share, color=PALETTE[colour], alpha=AREA["bar"], height=0.36)
                axes.text(share + 0.015 * top, place + shift, f"{share:.1f}", va="center", size=6.5)
        axes.set_yticks(range(len(shares)), [_short(value) for value in shares])
        axes.set_ylim(slots - 0.4, -0.6)
        axes.set_xlim(0, 1.08 * top)
        axes.grid(False, axis="y")
        axes.set_xlabel("% of problems")
        ticks(axes, x=5)

    return Panel(tag, alt, paint)


def _short(value: str, limit: int = 26) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"
