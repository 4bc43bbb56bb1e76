r"""What dresses an answer without changing it: type faces, colours, spacing, Markdown, Unicode forms of LaTeX commands.

One table for all readers: `undressed` for mathematics (stages/verifiers/answer_tokens.py), `plain` for texts and options."""

import re
import unicodedata


def named(text: str) -> frozenset[str]:
    """The words of a text: how the tables of the readers are written."""
    return frozenset(text.split())


TEXT = named("text textbf textit textrm texttt textsf textnormal mbox hbox mathrm mathsf operatorname emph")
"""Commands whose argument is upright text."""
FACES = named(
    "boldsymbol bm mathbf mathit mathtt pmb underline Large large LARGE huge Huge small displaystyle textstyle "
    "scriptstyle rm bf it sf tt left right bigl bigr Bigl Bigr biggl biggr Biggl Biggr big Big bigg Bigg limits "
    "nolimits boxed fbox ensuremath bold mathnormal mathcal mathscr mathfrak middle"
)
"""Commands that say how something looks; their argument, if any, is what counts."""
DRAWN = named("color textcolor hspace vspace phantom hphantom hskip colorbox")
"""Commands whose first argument says how, and is no part of the answer."""
CLOSING = frozenset(["checkmark", "square", "blacksquare", "Box", "qed", "therefore", "because"])
"""Signs that close a proof or open a sentence."""
SPACES = r"\\[,;:> ]|~|\\q?quad(?![a-zA-Z])|\\(?:thin|med|thick|en|hs)space(?![a-zA-Z])|\\enskip(?![a-zA-Z])|\\newline(?![a-zA-Z])"
_SPACE = re.compile(SPACES)
_NEGATIVE_SPACE = re.compile(r"\\!|\\negthinspace(?![a-zA-Z])|\\kern-?[\d.]+(?:em|pt|mu|ex)")
_DRAWN = re.compile(r"\\(?:%s)\s*\{[^{}]*\}" % "|".join(sorted(DRAWN)))  # noqa: UP031
_FACE = re.compile(r"\\(?:%s)(?![a-zA-Z])" % "|".join(sorted(FACES | TEXT)))  # noqa: UP031
_CLOSING = re.compile(r"\\(?:%s)(?![a-zA-Z])" % "|".join(sorted(CLOSING)))  # noqa: UP031
_DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]|\$")
_ESCAPED = re.compile(r"\\([&%#_{}])")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile("[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒]")
_SIGNS: dict[str, str] = {
    "−": "-",
    "–": "-",
    "×": r"\times ",
    "·": r"\cdot ",
    "⋅": r"\cdot ",
    "÷": r"\div ",
    "√": r"\sqrt ",
    "∛": r"\sqrt[3]",
    "€": r"\euro ",
    "£": r"\pound ",
    "¥": r"\yen ",
    "¢": r"\text{ cents}",
    "∞": r"\infty ",
    "π": r"\pi ",
    "≤": r"\le ",
    "⩽": r"\le ",
    "≥": r"\ge ",
    "⩾": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "≡": r"\equiv ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∅": r"\emptyset ",
    "°": r"^\circ ",
    "±": r"\pm ",
    "∓": r"\mp ",
    "θ": r"\theta ",
    "α": r"\alpha ",
    "β": r"\beta ",
    "γ": r"\gamma ",
    "δ": r"\delta ",
    "λ": r"\lambda ",
    "μ": r"\mu ",
    "φ": r"\phi ",
    "ω": r"\omega ",
    "σ": r"\sigma ",
    "ρ": r"\rho ",
    "τ": r"\tau ",
    "ε": r"\epsilon ",
    "∠": r"\angle ",
    "△": r"\triangle ",
    "…": r"\ldots ",
    "⋯": r"\cdots ",
    "′": "'",
    "’": "'",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "⌊": r"\lfloor ",
    "⌋": r"\rfloor ",
    "⌈": r"\lceil ",
    "⌉": r"\rceil ",
    "。": ".",
    "✓": "",
    "✔": "",
    "■": "",
    "□": "",
    "∶": ":",
    "₀": "_0",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}",
    "∖": r"\setminus ",
    "，": ",",
    "、": ",",
}
_OUTER = (re.compile(r"\*\*(.+)\*\*", re.DOTALL), re.compile(r"__(.+)__", re.DOTALL), re.compile(r"`+([^`]+)`+", re.DOTALL))


def undressed(answer: str) -> str:
    """A mathematical answer in LaTeX and ASCII: Unicode signs as commands, without Markdown and math delimiters around it."""
    text = _unmarked(answer)
    text = _VULGAR.sub(lambda found: "\\frac{%s}{%s}" % tuple(unicodedata.normalize("NFKC", found[0]).split("⁄")), text)  # noqa: UP031
    text = _RAISED.sub(lambda found: "^{%s}" % found[0].translate(_SUPERSCRIPTS), text)  # noqa: UP031
    text = _LOWERED.sub(lambda found: "_{%s}" % unicodedata.normalize("NFKC", found[0]), text)  # noqa: UP031
    text = "".join(_SIGNS.get(letter, letter) for letter in text)
    text = "".join(_SIGNS.get(letter, letter) for letter in unicodedata.normalize("NFKC", text))
    return _unmarked(_DELIMITERS.sub(" ", text.replace("\\$", "\\dollar ")))


def plain(answer: str) -> str:
    r"""A text or an option as it reads: no commands of type face and their braces, LaTeX spaces as spaces, escaped signs as
    signs."""
    text = _CLOSING.sub(" ", _FACE.sub(" ", _DRAWN.sub(" ", _unmarked(answer))))
    text = _SPACE.sub(" ", _NEGATIVE_SPACE.sub("", _DELIMITERS.sub("", text.replace("\\$", ""))))
    bare = text.replace("\\{", "\0").replace("\\}", "\1").replace("{", "").replace("}", "") if _grouped(text) else text
    return _unmarked(_ESCAPED.sub(r"\1", bare.replace("\0", "\\{").replace("\1", "\\}")))


def _grouped(text: str) -> bool:
    """Whether each brace of `text` that is not escaped has its partner."""
    depth = 0
    for token in re.findall(r"\\.|[{}]", text, re.DOTALL):
        depth += (token == "{") - (token == "}")
        if depth < 0:
            return False
    return depth == 0


def _unmarked(text: str) -> str:
    """`text` without Markdown's marks of emphasis or code around all of it."""
    text = text.strip()
    while found := next((found for mark in _OUTER if (found := mark.fullmatch(text))), None):
        text = found[1].strip()
    return text
