r"""Verification: verdicts a second of our one door, `verify_all` on two worker processes, against math-verify called in a loop.

Fair because both judge the same responses against the same gold answers, made here from templates whose truth is known: of the
mathematical ones a third repeats the gold answer as written (which ours sees without algebra), a third writes it otherwise, a
third is wrong; of the integers half is right. The loop is what a user of math-verify would
write: `verify(parse(gold), parse(response))` in the main thread, with its default time limits. Ours adds processes that can be
killed and a verdict with its reason. The notes say how many verdicts of each side agree with the truth. Workers are up before."""

from typing import Literal

from measure import Row, alternate, seconds

from stages.verifiers.verdict import verify_all

INTEGERS, ALGEBRA = 256, 500
Item = tuple[Literal["integer", "math"], str, str]
TEMPLATES: tuple[tuple[str, str, str], ...] = (
    ("\\frac{{{0}}}{{{1}}}", "\\dfrac{{{0}}}{{{1}}}", "\\frac{{{1}}}{{{0}}}"),
    ("{0}\\sqrt{{{1}}}", "\\sqrt{{{1}}} \\cdot {0}", "\\sqrt{{{0}}}"),
    ("\\left( {0}, {1} \\right)", "({0},{1})", "({1},{0})"),
    ("[{0}, \\infty)", "\\left[{0},\\infty\\right)", "({0}, \\infty)"),
    ("x^2 + {0}x + {1}", "{1} + {0} x + x^{{2}}", "x^2 - {0}x + {1}"),
    ("{0}.5", "{0}\\frac{{1}}{{2}}", "{0}.25"),
)
"""Gold answer, the same written otherwise, something else; {0} and {1} are different numbers."""


def run(repeats: int) -> list[Row]:
    """A row for integers and one for algebra."""
    return [compare("integer", integers(), repeats), compare("math", algebra(), repeats)]


def integers() -> list[tuple[Item, bool]]:
    """Half right, half wrong."""
    found: list[tuple[Item, bool]] = []
    for number in range(INTEGERS):
        given = number + number % 2
        found.append((("integer", str(number), f"7*{number};so it is {given}\n\\boxed{{{given}}}"), given == number))
    return found


def algebra() -> list[tuple[Item, bool]]:
    """As written, otherwise written, wrong, in turn."""
    found: list[tuple[Item, bool]] = []
    for number in range(ALGEBRA):
        template = TEMPLATES[number // 3 % len(TEMPLATES)]
        gold, answer = (text.format(2 + number % 7, 11 + number % 13) for text in (template[0], template[(0, 1, 2)[number % 3]]))
        found.append((("math", gold, f"Then the answer follows.\n\\boxed{{{answer}}}"), number % 3 != 2))
    return found


def compare(name: str, items: list[tuple[Item, bool]], repeats: int) -> Row:
    """Both sides over all items in each turn."""
    from math_verify import parse, verify

    agreeing: dict[str, int] = {}

    def ours(_: int) -> float:
        found: list[bool] = []
        taken = seconds(lambda: found.extend(v.outcome == "right" for v in verify_all([item for item, _ in items], workers=2)))
        agreeing["ours"] = sum(a == truth for a, (_, truth) in zip(found, items, strict=True))
        return len(items) / taken

    def other(_: int) -> float:
        found: list[bool] = []
        taken = seconds(
            lambda: found.extend(verify(parse(f"\\boxed{{{gold}}}"), parse(response)) for (_, gold, response), _ in items)
        )
        agreeing["math-verify"] = sum(a == truth for a, (_, truth) in zip(found, items, strict=True))
        return len(items) / taken

    a, b = alternate(ours, other, repeats)
    sizes = {"items": len(items), "workers": 2}
    return Row(f"verification ({name})", "verdicts/s", a, b, "math-verify in a loop", 1.0, sizes, notes={"as_truth": agreeing})
