r"""The answer of a response and its normal form as the evaluation harness of Qwen2.5-Math has them, re-implemented.

Facts from github.com/QwenLM/Qwen2.5-Math, evaluation/parser.py (commit 005449c)."""

import re
from collections.abc import Iterable

_PHRASES = ("he answer is", "final answer is")
_NUMBER = re.compile(r"-?\d*\.?\d+")
_UNITS = re.findall(
    r"\S+",
    """
    a ab acre am apple are bc by c cc cm coin cube cubic d day decrease deg degree dm east excess feet ft g gain gal
    gallon gm h hectare hour hr inch inches increase kg km kmh kmph l lb less liter litre loss lt m man mark men meter
    metre mile min minute minw mm monkey month more mp mph mt mtr noon number o ohm per percent pie pm prime profit pure
    ratio rd rise rounds rs rupee s sec second soldier sq square st Surface t th tile toy unit way west woman women yard
    year yr
    """,
)
_UNIT = [re.compile(rf"(^|\W){unit}{end}($|\W)") for end in ("", "s") for unit in _UNITS]
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_SMALL.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), 2)
}
_SCALES = {"thousand": 1000, "million": 10**6, "billion": 10**9}
_FIRST = (
    ("\n", ""), ("\\!", ""), ("bmatrix", "pmatrix"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\neq", "\\ne"), ("\\leq", "\\le"),
    ("\\geq", "\\ge"), ("\\left", ""), ("\\right", ""), ("\\{", "{"), ("\\}", "}"),
)  # fmt: skip
_SIGNS = ("^{\\circ}", "^\\circ", "\\$", "$", "\\(", "\\)")
_HEADS = [f"{name}{sign}" for sign in ("=", "\\in", "\\to") for name in "xyz"]
_LAST = (
    ("\\emptyset", "{}"), ("(-\\infty,\\infty)", "\\mathbb{R}"), ("\\%", ""), ("%", ""), (" .", " 0."), ("{.", "{0."),
    ("infinity", "\\infty"),
)  # fmt: skip


def stated_answer(response: str) -> str | None:
    """The answer of a whole response as the harness takes it: the last box, what follows "the answer is", else the last number."""
    if "final answer is $" in response and "$. I hope" in response:
        found = response.split("final answer is $", 1)[1].split("$. I hope", 1)[0].strip()
    elif "boxed" in response:
        found = _box(response.rpartition("boxed")[2])
    elif phrase := next((phrase for phrase in _PHRASES if phrase in response), None):
        found = response.rpartition(phrase)[2].strip()
    elif "答案是" in response:
        found = response.split("答案是")[1].strip().split("\n\n")[0].strip()
    else:
        found = next(reversed(_NUMBER.findall(response.replace(",", ""))), "")
    found = re.sub(r"\n\s*", "", found).removeprefix(":").removesuffix(".").removesuffix("/")
    return found or None


def normal_form(answer: str, units: bool = False) -> str:
    """The harness's normal form: no degrees, currency, percent signs, spaces or short left sides; plain fractions; no units but
    where they are kept, as for Minerva's questions."""
    text = answer.strip().replace("\n", "").rstrip(".")
    text = re.sub(r"\\begin\{array\}\{.*?\}", r"\\begin{pmatrix}", text).replace("\\end{array}", "\\end{pmatrix}")
    text = _replaced(text, _FIRST)
    text = re.sub(r"\\text{.*?}$", "", text).strip() or text
    text = text if units else _without_units(text)
    text = _in_digits(_replaced(text, [(sign, "") for sign in _SIGNS]))
    text = _replaced(re.sub(r"\\text\{(.*?)\}", r"\1", text), [(head, "") for head in _HEADS])
    text = _replaced(text, _LAST)
    text = text if "\\infty" in text else text.replace("inf", "\\infty")
    text = re.sub(r"\\mbox{.*?}", "", text.replace("and", "").replace("\\mathbf", ""))
    text = text.replace("j", "i") if "i" not in text else text
    text = re.sub(r"(\d+)\.0*([^\d])", r"\1\2", text)
    text = re.sub(r"(\d+)\.0*$", r"\1", text)
    text = f"0{text}" if text.startswith(".") else text
    left, equals, right = text.partition("=")
    text = right if equals and "=" not in right and len(left) <= 2 else text
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac([^{])([^{])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac([^{])\{", r"\\frac{\1}{", text)
    return re.sub(r"^(-?\d+|[^/]*sqrt[^/]*)/(-?\d+|[^/]*sqrt[^/]*)$", r"\\frac{\1}{\2}", text)


def _box(rest: str) -> str:
    """What the braces after "boxed" hold, to the end where they are not closed; without braces all before a dollar sign."""
    if not rest.startswith("{"):
        return rest.split("$")[0].strip()
    depth = 0
    for place, letter in enumerate(rest):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return rest[1:place]
    return rest[1:]


def _replaced(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _without_units(text: str) -> str:
    for _ in range(2):
        for unit in _UNIT:
            text = unit.sub(r"\1\2", text) or text
    return text


def _in_digits(text: str) -> str:
    """The number that a text says in words, unknown words ignored; the text itself where it says none."""
    if text.isdecimal():
        return str(int(text))
    words = [word for word in text.lower().replace("-", " ").split() if word in _WORDS or word in _SCALES or word == "hundred"]
    total = part = 0
    for word in words:
        if word in _SCALES:
            total, part = total + max(part, 1) * _SCALES[word], 0
        else:
            part = max(part, 1) * 100 if word == "hundred" else part + _WORDS[word]
    return str(total + part) if words else text
