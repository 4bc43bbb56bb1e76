r"""Spellings of one answer in another: what programs, calculators and other languages write, as the LaTeX that the reader knows.

Each rule keeps the value and applies only where nothing else can be meant; what no rule knows stays as it is and is read, or
refused, by answer_tokens.py."""

import re

from stages.verifiers.dressing import named

SYNONYMS = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\cfrac": r"\frac",
    r"\dbinom": r"\binom",
    r"\tbinom": r"\binom",
    r"\times": "*",
    r"\cdot": "*",
    r"\ast": "*",
    r"\div": "/",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\vert": "|",
    r"\mid": "|",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\lparen": "(",
    r"\rparen": ")",
    r"\varnothing": r"\emptyset",
    r"\ldots": r"\dots",
    r"\cdots": r"\dots",
    r"\dotsb": r"\dots",
    r"\dotsc": r"\dots",
    r"\bigcup": r"\cup",
    r"\smallsetminus": r"\setminus",
    r"\backslash": r"\setminus",
    r"\lor": r"\or",
    r"\vee": r"\or",
    r"\land": r"\and",
    r"\wedge": r"\and",
    r"\degree": r"\circ",
    r"\overrightarrow": r"\vec",
    r"\widehat": r"\hat",
    r"\colon": ":",
    r"\prime": "'",
    r"\pounds": r"\pound",
    r"\measuredangle": r"\angle",
}
"""Commands by another name or a sign."""
MONEY = (r"\dollar", r"\pound", r"\euro", r"\yen")
"""Signs of money, which stand before a number."""
UPRIGHT_FUNCTIONS = named("sin cos tan cot csc arcsin arccos arctan ln cis gcd lcm")
"""Functions that are no words in a text group."""
_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBER_WORDS = {word: number for number, word in enumerate(_ONES)}
NUMBER_WORDS |= {ten: 10 * number for number, ten in enumerate(_TENS, 2)}
NUMBER_WORDS |= {f"{ten}-{word}": NUMBER_WORDS[ten] + NUMBER_WORDS[word] for ten in _TENS for word in _ONES[1:10]}
"""English names of the numbers below one hundred."""
SHORT_NUMBERS = named("one two six ten")
"""Those that could be products of letters."""
ANNOUNCED_IN_CHINESE = re.compile(
    r"^\s*(?:因此|所以|综上|故|则|本题|正确|最终|最后|的|[，,\s【])*(?:答案|选项|选择|应选|应该选|选)+】?(?:是|为|应为|应选|选)?(?:选项)?[：:\s]*"
)
"""What stands before an answer in Chinese: 故选, 答案是, 【答案】."""
_FACE_OR_ROUND = r"(?:\\(?:text|mathrm|operatorname)\s*\{\s*)?"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"^\s*\\text\s*\{{{ANNOUNCED_IN_CHINESE.pattern[1:]}\}}", ""),
        (ANNOUNCED_IN_CHINESE.pattern, ""),
        (r":\s*=", "="),
        (r"^\s*(?:minus|negative)\s+(?=[0-9])", "-"),
        (r"\*\*(?=\s*[(0-9A-Za-z+-])", "^"),
        (r"(\\\\)\s*\[[0-9.]+\s*(?:pt|em|ex|mm|cm)\]", r"\1"),
        (r"(?<=[0-9])\s*[xX]\s*(?=10\s*\^)", r"\\times "),
        (
            r"(?<![0-9.,])(?<![0-9.,]\s)(?<![0-9.,]~)([1-9][0-9]{0,2})((?:(?:\\ |~|\s)[0-9]{3})+)(?![0-9])(?!\s*/)(?!\s[0-9])",
            "thousands",
        ),
        (
            r"\\frac\s*\{\s*\\(?:text|mathrm)\s*\{([a-zA-Z ]+)\}\s*\}\s*\{\s*\\(?:text|mathrm)\s*\{([a-zA-Z ]+)\}\s*\}",
            r"\\text{ \1/\2}",
        ),
        (rf"\^\s*\{{?\s*\\circ\s*\}}?\s*{_FACE_OR_ROUND}C\s*\}}?\s*$", r"\\text{ degrees Celsius}"),
        (rf"\^\s*\{{?\s*\\circ\s*\}}?\s*{_FACE_OR_ROUND}F\s*\}}?\s*$", r"\\text{ degrees Fahrenheit}"),
        (
            r"(?<=[0-9A-Z)])\s*_?\s*\{?\s*\(?\s*(?:\\text\s*\{)?\s*\(?\s*(?:in\s+)?base[\s~-]*\}?\s*([0-9]{1,2}|[a-z]{3,6})\s*[)}]*$",
            r"_{\1}",
        ),
        (r"(?<![0-9])0\.\(([0-9]+)\)", r"0.\\overline{\1}"),
    )
)
_CASES = re.compile(
    r"\s*(?:\\left\s*)?(?:\\\{)?\s*\\begin\s*\{(cases|aligned|array|align\*?|gathered)\}(?:\s*\{[lcr]+\})?(.*?=.*)\\end\s*\{\1\}\s*"
    r"(?:\\right\s*\.)?\s*",
    re.DOTALL,
)
_ROW = re.compile(r"[,;]?\s*(?:\\text\s*\{\s*(?:and)?\s*\})?\s*\\\\(?:\s*\[[^\]]*\])?\s*")


def respelled(text: str) -> str:
    """`text`, which is undressed, with each spelling that is known here as LaTeX."""
    if system := _CASES.fullmatch(text):
        text = _ROW.sub("; ", re.sub(r"&\s*=\s*&?", "=", system[2]))
    for pattern, replacement in _RULES:
        text = pattern.sub(_joined if replacement == "thousands" else replacement, text)
    return text


def _joined(found: re.Match[str]) -> str:
    """A number in groups of three digits without what stands between them."""
    return found[1] + "".join(letter for letter in found[2] if letter.isdigit())
