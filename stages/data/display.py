"""What text from outside may reach a terminal, a page, a figure or a spreadsheet, and in which form."""

import re

_HIDDEN = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff"
_UNSEEN = re.compile(f"[{_HIDDEN}]")
_NO_LABEL = re.compile(f"[\t\n{_HIDDEN}]")
_FORMULA = re.compile(r"['\s]*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?%?", re.IGNORECASE)


def visible(text: str) -> str:
    """The text with U+FFFD for what is no character to read: control characters but tab and line end, marks that turn the
    direction of writing, halves of surrogate pairs. A terminal obeys some of them, and XML may not hold them."""
    return _UNSEEN.sub("\ufffd", text)


def no_label(text: str) -> str | None:
    """Why a text cannot be the name of a family, source or the like; None when it can: characters to read, in one line."""
    found = _NO_LABEL.search(text)
    return f"it holds the control character U+{ord(found[0]):04X}" if found else None


def label(text: str) -> str:
    """The text itself. ValueError where it is no name that can be shown."""
    if reason := no_label(text):
        raise ValueError(f"{text!r} cannot be shown: {reason}")
    return text


def cell(text: str) -> str:
    """The text as a cell of a CSV file. One that a spreadsheet would run as a formula (it begins with =, +, -, @ or tab, in
    the wide forms, too, and is no number) begins with an apostrophe more, which spreadsheets take for "this is text"."""
    shown = visible(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown
