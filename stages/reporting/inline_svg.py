"""Figures inside the page: each panel an SVG of its own, so that a phone stacks them, coloured by the page's theme."""

import re
from xml.etree import ElementTree

from stages.reporting.drawing import PALETTE, Drawn, cell_box
from stages.reporting.markup import Html, tag

_LINK = re.compile(r"url\(#([^)]+)\)")
_HEX = re.compile("|".join(PALETTE.values()), re.IGNORECASE)
_NAMES = {value: name for name, value in PALETTE.items()}


def panels(drawn: Drawn) -> list[Html]:
    """The panels of a figure, in order: inline SVG without namespaces, ids made unique, colours as CSS variables."""
    root = ElementTree.fromstring(drawn.svg)
    for element in root.iter():
        _plain(element, f"{drawn.figure.name}-")
    groups = {element.get("id", ""): element for element in root.iter("g")}
    clips = {element.get("id", ""): element for element in root.iter("clipPath")}
    return [_panel(drawn, place, groups, clips) for place in range(len(drawn.figure.panels))]


def key(drawn: Drawn) -> Html:
    """The figure's key as HTML; empty when it has none."""
    if not drawn.figure.keys:
        return Html("")
    entries = [
        tag("li", tag("span", class_=f"swatch {_SWATCH[entry.style]}", style=f"--c: var(--{entry.colour})"), entry.label)
        for entry in drawn.figure.keys
    ]
    return tag("ul", *entries, class_="key", aria_hidden="true")


_SWATCH = {"-": "solid", "--": "dashed", "band": "area", "bar": "area full"}


def _panel(drawn: Drawn, place: int, groups: dict[str, ElementTree.Element], clips: dict[str, ElementTree.Element]) -> Html:
    own = re.compile(rf"{re.escape(drawn.figure.name)}-panel{place}-\d+")
    parts = "".join(_text(group) for name, group in groups.items() if own.fullmatch(name))
    used = sorted(set(_LINK.findall(parts)) & set(clips))
    clip = f"<defs>{''.join(_text(clips[name]) for name in used)}</defs>"
    x, y, width, height = cell_box(drawn.figure, place)
    return tag(
        "svg",
        Html(clip + parts),
        viewBox=f"{x:g} {y:g} {width:g} {height:g}",
        role="img",
        aria_label=drawn.figure.panels[place].alt,
    )


def _plain(element: ElementTree.Element, prefix: str) -> None:
    """Drop namespaces, prefix ids and the references to them, turn palette colours into CSS variables."""
    element.tag = element.tag.rpartition("}")[2]
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        plain = name.rpartition("}")[2]
        if plain == "id" or (plain == "href" and value.startswith("#")):
            value = f"#{prefix}{value[1:]}" if plain == "href" else prefix + value
        value = _LINK.sub(rf"url(#{prefix}\1)", value)
        element.set(plain, _HEX.sub(lambda match: f"var(--{_NAMES[match[0].lower()]})", value))


def _text(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode", method="html")


def figure_block(drawn: Drawn) -> Html:
    """The figure as a part of a page: title, key, panels, caption."""
    figure = drawn.figure
    wide = " wide" if figure.width > 4 else ""
    return tag(
        "figure",
        tag("h3", figure.title),
        key(drawn),
        tag("div", *panels(drawn), class_=f"panels{wide}"),
        tag("figcaption", figure.caption),
        aria_label=figure.title,
    )
