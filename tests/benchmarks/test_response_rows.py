"""Rows of responses: extractions that are lists, for items whose answer is one and for others."""

from typing import Any

import pytest

from stages.benchmarks.benchmark import Item
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.response_rows import texts

VISTA = BENCHMARKS["mathvista"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"response": "a", "completion": "b"}, ["a"]),
        ({"response": None, "completion": "b"}, [""]),
        ({"generated_responses": ["a", "b"]}, ["a", "b"]),
        ({"completion": "a"}, ["a"]),
        ({"resp": "a", "completion_tail": "b"}, ["a"]),
        ({"completion_tail": "a"}, ["a"]),
    ],
)
def test_the_response_has_one_of_several_names(row: dict[str, Any], expected: list[str]) -> None:
    assert [one.text for one in texts(VISTA, Item("1", "q", None, "2", "t"), row)] == expected


def test_a_row_without_a_response_names_its_fields() -> None:
    (fault,) = texts(VISTA, Item("1", "q", None, "2", "t"), {"id": 1, "answer": "a"})
    assert (fault.kind, fault.text) == ("fault", "it has none of response, extraction; its fields are id, answer")


@pytest.mark.parametrize(
    ("kind", "row", "expected"),
    [
        ("integer", {"extraction": ["1", "2"], "response": ["a", "b"]}, ["1", "2"]),
        ("integer", {"extraction": ["1", "2"], "response": "a"}, ["1", "2"]),
        ("integer", {"extraction": 2}, ["2"]),
        ("list", {"extraction": [0, 8], "response": "a"}, ["[0, 8]"]),
        ("list", {"extraction": [0, 8]}, ["[0, 8]"]),
        ("list", {"extraction": ["[0, 8]", "[1]"], "response": ["a", "b"]}, ["[0, 8]", "[1]"]),
        ("integer", {"extraction": [1, 2]}, None),
        ("integer", {"extraction": []}, None),
        ("integer", {"extraction": ["1", ["2"]]}, None),
        ("list", {"extraction": [[0], [8]], "response": "a"}, None),
        ("integer", {"extraction": {"a": 1}}, None),
        ("integer", {"extraction": True}, None),
    ],
)
def test_a_list_is_samples_or_one_answer_or_a_fault(kind: str, row: dict[str, Any], expected: list[str] | None) -> None:
    found = texts(VISTA, Item("1", "q", None, "2", "t", (), {"answer_type": kind}), row)
    if expected is None:
        assert [one.kind for one in found] == ["fault"]
        assert found[0].text.startswith("extraction is ")
    else:
        assert [(one.kind, one.text) for one in found] == [("extraction", text) for text in expected]
