"""Units of measure: the words behind a number, their plural and short forms, and what they measure (BIPM, The International
System of Units, 9th edition; NIST Special Publication 811 for the others)."""

import re
from collections.abc import Sequence
from fractions import Fraction

from stages.verifiers.answer_tokens import Token, UnreadableError
from stages.verifiers.dressing import named

MAX_WORDS = 5
_NO_UNIT = named(
    "not no less more than least most except wrong or and minus plus half about approximately around is are "
    "was if when where otherwise undefined impossible over under above below between but none only maybe up add "
    "answer option choice negative"
)
"""Words that say something about the number that a unit does not say."""
_TABLE: dict[str, tuple[str, str]] = {
    "s": ("time", "s=1 sec=1 second=1 min=60 minute=60 h=3600 hr=3600 hour=3600 day=86400 week=604800"),
    "m": (
        "length",
        "m=1 meter=1 metre=1 cm=1/100 centimeter=1/100 centimetre=1/100 mm=1/1000 millimeter=1/1000 millimetre=1/1000 km=1000 "
        "kilometer=1000 kilometre=1000 dm=1/10 in=127/5000 inch=127/5000 ft=381/1250 foot=381/1250 feet=381/1250 yd=1143/1250 "
        "yard=1143/1250 mi=201168/125 mile=201168/125",
    ),
    "g": (
        "mass",
        "g=1 gram=1 kg=1000 kilogram=1000 mg=1/1000 milligram=1/1000 lb=45359237/100000 pound=45359237/100000 "
        "oz=45359237/1600000 ounce=45359237/1600000",
    ),
    "l": ("volume", "l=1 liter=1 litre=1 ml=1/1000 milliliter=1/1000 millilitre=1/1000"),
    "$": ("money", "dollar=1 usd=1 cent=1/100"),
    "mo": ("month", "month=1 year=12 decade=120 century=1200"),
}
UNITS = {
    name: (dimension, Fraction(size))
    for dimension, table in _TABLE.values()
    for name, size in (entry.split("=") for entry in table.split())
}
LETTERS = frozenset("msghLNJWVAKΩ")
"""Single letters that are units behind a number."""
_IRREGULAR = {
    "mph": "mile/hour",
    "kph": "km/hour",
    "kmh": "km/hour",
    "feet": "foot",
    "inches": "inch",
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
}


def unit_of(tokens: Sequence[Token]) -> str:
    """The unit that the tokens behind a number name: "cm^2", "km/hour", "apple". Raises UnreadableError."""
    tokens = [token for token in tokens if token.text not in ("{", "}", "(", ")", ".", ",", "'", "?")]
    if not tokens or len(tokens) > 4 * MAX_WORDS:
        raise UnreadableError("no unit")
    names: list[str] = []
    places = iter(range(len(tokens)))
    power, joint = "", ""
    for place in places:
        token = tokens[place]
        if token.text == "^":
            found = tokens[place + 1].text if place + 1 < len(tokens) else ""
            below = found == "-"
            if below:
                next(places)
                found = tokens[place + 2].text if place + 2 < len(tokens) else ""
            if not names or found not in (("1", "2", "3") if below else ("2", "3")) or (below and names[-1][0] == "/"):
                raise UnreadableError("a power that no unit has")
            names[-1] = ("/" if below else "") + names[-1] + (f"^{found}" if found != "1" else "")
            next(places)
        elif token.text in ("/", "per", "*", "-"):
            joint = {"*": "", "-": ""}.get(token.text, "/")
        elif token.text in ("of", "a", "the", "each") and names:
            continue
        elif token.kind == "word" and token.text.lower() in ("square", "sq", "cubic"):
            power = "^3" if token.text.lower() == "cubic" else "^2"
        elif token.kind in ("word", "letter") and token.text.lower() not in _NO_UNIT:
            names.append(joint + _singular(token.text) + power)
            power = joint = ""
        else:
            raise UnreadableError(f"{token.text!r} behind a number is no unit")
    if not 0 < len(names) <= MAX_WORDS or joint:
        raise UnreadableError("no unit")
    return " ".join(names).replace(" /", "/")


def measure(unit: str) -> tuple[str, Fraction] | None:
    """(what a known unit measures, its size in the unit of that kind), else None."""
    found: list[tuple[str, Fraction]] = []
    for sign, name, power in re.findall(r"(/?)\s*([^\s/^]+)(?:\^([23]))?", unit):
        if name not in UNITS:
            return None
        dimension, size = UNITS[name]
        exponent = int(power or 1) * (-1 if sign else 1)
        found.append((f"{dimension}^{exponent}", size**exponent))
    size = Fraction(1)
    for _, one in found:
        size *= one
    return " ".join(sorted(dimension for dimension, _ in found)), size


def _singular(word: str) -> str:
    """The word in the singular, lower case but for symbols of one letter that are units so."""
    if len(word) == 1:
        return word.lower() if word in "LlHh" else word
    lower = word.lower()
    if lower in _IRREGULAR or lower in UNITS:
        return _IRREGULAR.get(lower, lower)
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("s", "")):
        if lower.endswith(ending) and len(lower) > len(ending) + 1 and not lower.endswith("ss" if ending == "s" else "\0"):
            return lower[: -len(ending)] + instead
    return lower
