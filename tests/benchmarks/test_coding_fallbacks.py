"""Fallback extraction of HumanEval-Mul: which form of a response gives which program, and when the official extraction stands."""

import pytest

from stages.benchmarks.coding_fallbacks import fallback

HEAD = "import os\n\ndef twice(n):\n"
BODY = "    return 2 * n"
WHOLE = HEAD + BODY
LONE, OTHER, OPEN = "before a lone closing fence", "another fence", "an unclosed fence"


@pytest.mark.parametrize(
    ("response", "name"),
    [
        (f"```python\n{WHOLE}\n```", None),
        (WHOLE, None),
        (BODY, None),
        ("I do not know.", None),
        (f"{WHOLE}\n```\nIt doubles.", LONE),
        (f"{WHOLE}\n```\nSo:\n```python\nprint(twice(2))\n```", LONE),
        (f"Here:\n```\n{WHOLE}\n```", OTHER),
        (f"```py\n{WHOLE}\n```", OTHER),
        (f"```python\nprint(1)\n```\n```python\n{WHOLE}\n```", OTHER),
        (f"Here:\n```python\n{WHOLE}", OPEN),
        (f"Here:\n```\n{WHOLE}", OPEN),
        (f"```python\n{BODY}\n```", f"body, {OTHER}"),
        (f"{BODY}\n```\nIt doubles.", f"body, {LONE}"),
        (BODY.strip(), "body"),
    ],
)
def test_each_form_has_its_name_and_its_program_runs(response: str, name: str | None) -> None:
    found = fallback("python", HEAD, response)
    assert (found and found.name) == name
    if found is not None:
        space: dict[str, object] = {}
        exec(found.code, space)  # the test's own text
        assert space["twice"](4) == 8  # type: ignore[operator]


def test_braces_as_the_tests_expect_them() -> None:
    """Java's tests begin with the function's last brace, JavaScript's do not."""
    java = fallback("java", "class P {\n    static long f(long n) {\n", "```\n        return n;\n    }\n```")
    script = fallback("js", "function f(n){\n", "```js\nfunction f(n){\n  return n;\n}\n```")
    assert java is not None
    assert java.code.count("}") == 0
    assert script is not None
    assert script.code.count("}") == 1
