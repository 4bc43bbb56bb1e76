"""Tests written as assertions, taken apart: what the program must compute, and what is asserted of it.

The program's process is given calls, never what is expected of them; it tells results as typed literals. Whether the
assertions hold
on those results is found out in another sandbox, where the program is not. Of `assert close(f(2), 3)` the first part is f(2)."""

import ast
import builtins
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_MODULES = ("cmath", "collections", "datetime", "decimal", "fractions", "functools", "itertools", "json", "math", "re", "string")
"""Modules that assertions may name without importing them, because programs import them all the time."""
_KNOWN = frozenset((*dir(builtins), *_MODULES))
_WRITTEN: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "complex": complex,
    "bool": lambda text: text == "True",
    "NoneType": lambda _: None,
}
_HOLDERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "iterator": iter,
}


@dataclass(frozen=True)
class Parts:
    """One set of statements, taken apart."""

    requests: tuple[tuple[str, str], ...]
    """In order: ("run", statements) that come between, ("value", expression) whose value the program's process tells."""
    checks: str
    """The statements with the results as `results_[number]` in their places."""
    expected: tuple[str, ...] | None
    """The literals that the results must equal, where every assertion is such a comparison."""


def parted(statements: str) -> Parts:
    """The parts. ValueError where the assertions cannot be taken apart, so that what they expect would stand beside the program."""
    try:
        body = _inlined(ast.parse(statements).body)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f"the statements are no Python: {error}") from None
    known = set(_KNOWN)
    requests: list[tuple[str, str]] = []
    checks: list[ast.stmt] = []
    expected: list[str | None] = []
    for statement in body:
        if isinstance(statement, ast.Assert):
            splitter = _Splitter(known, len([kind for kind, _ in requests if kind == "value"]))
            checked = ast.fix_missing_locations(splitter.visit(statement))
            requests += [("value", ast.unparse(found)) for found in splitter.found]
            checks.append(checked)
            expected.append(_literal(statement, splitter.found))
        elif any(isinstance(inner, ast.Assert) for inner in ast.walk(statement)):
            raise ValueError("assertions inside other statements cannot be judged without showing the program what they expect")
        else:
            requests.append(("run", ast.unparse(statement)))
            if not _uses_unknown(statement, known):
                known |= set(_bound(statement))
                checks.append(statement)
    if not any(kind == "value" for kind, _ in requests):
        raise ValueError("no assertion asks for anything that the program computes")
    sources = tuple(one for one in expected if one is not None)
    written = "\n".join(map(ast.unparse, checks))
    return Parts(tuple(requests), written, sources if len(sources) == len(expected) else None)


def value_of(told: Any) -> Any:
    """A typed literal as a value of Python. ValueError where it is none."""
    if not isinstance(told, list) or len(told) != 2:
        raise ValueError("no value that can be compared")
    kind, content = told
    if kind in _WRITTEN:
        return _WRITTEN[kind](content)
    if kind == "str":
        return str(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "dict":
        return {value_of(name): value_of(one) for name, one in content}
    items = [value_of(one) for one in content]
    return _HOLDERS[kind](items)


def holds(parts: Parts, told: str) -> bool | None:
    """Whether the results that the program's process told are those expected; None where only running the checks can tell."""
    try:
        values = json.loads(told)
        if parts.expected is None or len(values) != len(parts.expected):
            return None
        return all(bool(value_of(one) == ast.literal_eval(text)) for one, text in zip(values, parts.expected, strict=True))
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def check_program(parts: Parts, told: str, word: str) -> str | None:
    """The program that runs the checks on the results and then prints `word`; None where a result is no value."""
    try:
        results = [_source(one) for one in json.loads(told)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return f"import {', '.join(_MODULES)}\nresults_ = [{', '.join(results)}]\n{parts.checks}\nprint({word!r})\n"


def _source(told: Any) -> str:
    """A typed literal as an expression of Python."""
    kind, content = told
    match kind:
        case "int" | "bool" | "NoneType" | "float" | "complex":
            return f"{kind}({content!r})" if kind in ("float", "complex") else repr(value_of(told))
        case "str":
            return repr(str(content))
        case "bytes":
            return repr(bytes.fromhex(content))
        case "dict":
            return "{%s}" % ", ".join(f"{_source(name)}: {_source(one)}" for name, one in content)  # noqa: UP031
        case "list" | "tuple" | "set" | "frozenset" | "iterator":
            return f"{'iter' if kind == 'iterator' else kind}([{', '.join(map(_source, content))}])"
    raise ValueError("no value that can be compared")


def _inlined(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """`def check(candidate): ...` and its call `check(name)`, as HumanEval has them, as the statements of the function."""
    functions = {
        one.name: one
        for one in body
        if isinstance(one, ast.FunctionDef) and len(one.args.args) == 1 and any(isinstance(inner, ast.Assert) for inner in one.body)
    }
    found: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) if name in functions:
                continue
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[ast.Name() as given])) if name in functions:
                parameter = functions[name].args.args[0].arg
                found += [_Renamed(parameter, given.id).visit(inner) for inner in functions[name].body]
            case _:
                found.append(statement)
    return found


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.new, node.ctx) if node.id == self.old else node


class _Splitter(ast.NodeTransformer):
    """Puts `results_[number]` where an assertion uses a name that the program defines: its call, or the name itself."""

    def __init__(self, known: set[str], first: int) -> None:
        self.known, self.first = known, first
        self.found: list[ast.expr] = []

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Name) and self._rooted(node):
            self.found.append(node)
            return ast.parse(f"results_[{self.first + len(self.found) - 1}]", mode="eval").body
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) and _uses_unknown(
            node, self.known
        ):
            raise ValueError("an assertion that calls the program inside a loop cannot be taken apart")
        return self.generic_visit(node)

    def _rooted(self, node: ast.AST) -> bool:
        """Whether a chain of calls, attributes and indices begins with a name of the program."""
        while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and node.id not in self.known


def _uses_unknown(node: ast.AST, known: set[str]) -> bool:
    own = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)}
    own |= {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)} | set(_bound(node))
    used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)}
    return not used <= known | own


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that a statement defines."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.FunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.alias):
            yield (inner.asname or inner.name).partition(".")[0]


def _literal(statement: ast.Assert, calls: Sequence[ast.expr]) -> str | None:
    """The literal that one call must equal, where the assertion says only that."""
    match statement.test:
        case ast.Compare(left=ast.Subscript(value=ast.Name(id="results_")), ops=[ast.Eq()], comparators=[expected]) if (
            len(calls) == 1
        ):
            try:
                ast.literal_eval(expected)
            except (ValueError, TypeError, SyntaxError, RecursionError):
                return None
            return ast.unparse(expected)
    return None
