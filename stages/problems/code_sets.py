"""Code problems with tests as published: MBPP (github.com/google-research/google-research, CC BY 4.0) and the LeetCode contests of
DeepSeek-Coder's evaluation (github.com/deepseek-ai/DeepSeek-Coder, tests MIT; the statements are LeetCode's).

An assertion that compares a call with a plain value becomes a test whose answer never enters the sandbox; any other stays one."""

import ast
import json
from collections.abc import Sequence
from typing import Any

from stages.problems.drafts import Draft, Row, RowError, optional_text, text_of

TASK = "You are an expert Python programmer, and here is your task: {} Your code should pass these tests:\n\n{}"
"""MBPP's own prompt (arXiv 2108.07732, section 3.2)."""
SHOWN = 1
"""Tests that the prompt shows; MBPP's shows all three, and a table written from them passes them. Ours: one, which says what the
function is called and what it gets."""
GRADES = {"Easy": 2, "Medium": 3, "Hard": 5}


def read_mbpp(row: Row, family: str) -> Draft:  # noqa: ARG001 - every adapter is called alike
    """One row of mbpp.jsonl {"text", "code", "task_id", "test_list", "test_setup_code"}, of the hub's sanitized subset ("prompt",
    "test_imports") or of DeepSeek-Coder's extract ("prompt", "test"). The solution is the published code.
    The question shows the first test, the answer holds all."""
    question = text_of(row, "text" if "text" in row else "prompt")
    asserts = _texts(row, "test_list" if "test_list" in row else "test")
    setup = "\n".join([*_texts(row, "test_imports", empty=True), optional_text(row, "test_setup_code") or ""]).strip()
    code = optional_text(row, "code")
    return Draft(
        id=text_of(row, "task_id"),
        source="mbpp",
        licence="CC-BY-4.0",
        domain="coding",
        discipline=None,
        question=TASK.format(question, "\n".join(asserts[:SHOWN])),
        image=None,
        answer=_gold([_test(statement, setup) for statement in asserts]),
        verifier="code",
        grade=0,
        solution_short=_block(code.replace("\r\n", "\n")) if code else None,
        solution_long=None,
    )


def read_leetcode(row: Row, family: str) -> Draft:  # noqa: ARG001 - every adapter is called alike
    """One row {"task_id", "prompt_sft", "test", "meta": {"difficulty"}}; it brings no solution."""
    meta = row.get("meta")
    return Draft(
        id=text_of(row, "task_id"),
        source="leetcode",
        licence="LeetCode (statements), MIT (tests)",
        domain="coding",
        discipline=None,
        question=text_of(row, "prompt_sft"),
        image=None,
        answer=_gold(_contest_tests(text_of(row, "test"))),
        verifier="code",
        grade=GRADES.get(str(meta.get("difficulty")), 0) if isinstance(meta, dict) else 0,
        solution_short=None,
        solution_long=None,
    )


def _contest_tests(text: str) -> list[dict[str, str]]:
    """The tests of a program of assertions on `my_solution.name(**test_input)`; a program with other statements is one test."""
    tests: list[dict[str, str]] = []
    given: ast.expr | None = None
    for statement in _parsed(text):
        match statement:
            case ast.Assign(targets=[ast.Name(id="my_solution")]):
                continue
            case ast.Assign(targets=[ast.Name(id="test_input")], value=value):
                given = value
            case ast.Assert(test=ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[expected])) if given:
                found = _call_test(call, [*given.values] if isinstance(given, ast.Dict) else [], expected)
                if found is None:
                    return [{"statements": text}]
                tests.append(found)
            case _:
                return [{"statements": text}]
    return tests


def _test(statement: str, setup: str) -> dict[str, str]:
    """One assertion of MBPP."""
    match _parsed(statement):
        case [ast.Assert(test=ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[expected]))] if not setup:
            found = None if call.keywords else _call_test(call, call.args, expected)
        case _:
            found = None
    return found or {"statements": f"{setup}\n{statement}".strip()}


def _call_test(call: ast.Call, arguments: Sequence[ast.expr], expected: ast.expr) -> dict[str, str] | None:
    """A call with plain arguments and a plain value, as JSON; None where that would change a value (a tuple, a set)."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="my_solution"), attr=name):
            pass
        case _:
            return None
    values = [_json(argument) for argument in arguments]
    result = _json(expected)
    if not values or result is None or None in values:
        return None
    return {"function": name, "arguments": "\n".join(map(str, values)), "result": result}


def _json(value: ast.expr) -> str | None:
    try:
        plain = ast.literal_eval(value)
        text = json.dumps(plain)
        return text if _same(json.loads(text), plain) and "NaN" not in text and "Infinity" not in text else None
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None


def _same(one: Any, other: Any) -> bool:
    """Equal in value and type all through: JSON has no tuples, and 1 is not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and (not isinstance(one, dict) or all(_same(one[key], other[key]) for key in one))


def _parsed(program: str) -> list[ast.stmt]:
    try:
        return ast.parse(program).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise RowError("unparseable answer", f"the tests are no Python: {error}") from None


def _texts(row: Row, field: str, empty: bool = False) -> list[str]:
    value = row.get(field)
    if empty and not value:
        return []
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text.strip() for text in value):
        raise RowError("empty answer", f"the field {field!r} is {str(value)[:80]!r}, expected a list of assertions")
    return [text.replace("\r\n", "\n").strip() for text in value]


def _gold(tests: list[dict[str, str]]) -> str:
    if not tests:
        raise RowError("empty answer", "the row has no tests")
    return json.dumps({"language": "python", "tests": tests}, ensure_ascii=False)


def _block(code: str) -> str:
    return f"```python\n{code}\n```"
