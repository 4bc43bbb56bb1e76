"""HTML built from escaped parts: text given as `str` is always escaped, only `Html` passes as it is."""

from html import escape
from typing import Self

from stages.data.display import visible

_VOID = frozenset({"meta", "img", "br", "hr", "input"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()

    def __add__(self, other: str) -> Self:
        return type(self)(str(self) + str(_safe(other)))


def tag(name: str, /, *children: str, **attributes: str | int | None) -> Html:
    """<name attributes>children</name>. `class_` gives class, `data_x` gives data-x; an attribute of None is left out.

    Children that are not Html, and all attribute values, are escaped."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*parts: str) -> Html:
    """The parts one after the other, those that are not Html escaped."""
    return Html("".join(_safe(part) for part in parts))


def _safe(part: str) -> str:
    return str(part) if isinstance(part, Html) else _shown(part)


def _shown(text: str) -> str:
    return escape(visible(text))
