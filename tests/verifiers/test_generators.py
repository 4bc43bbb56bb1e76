"""Generators of test inputs in the sandbox: seeded, printed or written, one failure is no other's."""

import importlib.util

import pytest

from stages.data.files import DataError
from stages.verifiers import generators
from stages.verifiers.generators import Generated, generate
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

HERE = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(HERE is not None, reason=str(HERE))
needs_cyaron = pytest.mark.skipif(importlib.util.find_spec("cyaron") is None, reason="pip install cyaron")


@needs_sandbox
def test_each_number_has_a_run_of_its_own() -> None:
    program = """
import random, sys
n = int(sys.argv[1])
if n == 1:
    print(random.random())
elif n == 2:
    raise ValueError("two")
elif n == 3:
    open("data3.in", "w").write("written")
elif n == 4:
    print("before"); sys.exit()
elif n == 6:
    while True: pass
"""
    found = generate(program, 6, 1, 1.0)
    assert found[1:] == [
        Generated(None, "status 1 (ValueError: two)"),
        Generated("written", ""),
        Generated("before\n", ""),
        Generated(None, "the generator printed nothing"),
        Generated(None, "the generator was stopped for time"),
    ]
    again, other = generate(program, 1, 1, 1.0), generate(program, 1, 2, 1.0)
    assert again == found[:1], "equal seeds, equal inputs"
    assert other != again


@needs_sandbox
@needs_cyaron
def test_cyaron_is_there_and_seeded() -> None:
    program = "from cyaron import *\nimport sys\nn = int(sys.argv[1])\nprint(n)\nprint(Graph.tree(n, weight_limit=(1, 9)))"
    found = generate(program, 4, 3, 2.0)
    assert [len((one.text or "").split()) for one in found] == [1, 4, 7, 10]
    assert generate(program, 4, 3, 2.0) == found


def test_a_missing_cyaron_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    generators.cyaron_files.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="pip install cyaron"):
        generators.cyaron_files()
