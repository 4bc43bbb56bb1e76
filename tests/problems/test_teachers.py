"""Teachers of the warm-up set: asked once for each try, their answers in a journal; behaviours in balance; repetition counted."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, asked, completion, served
from hypothesis import given, settings
from hypothesis import strategies as st
from test_warm_up import warm_up
from tiny import problem

from stages.data.files import DataError, read_records, write_records
from stages.data.records import CuratedProblem, Demonstration
from stages.problems.demonstration_set import GRAM, balanced, overlap_summary, overlaps, shares
from stages.problems.teachers import ask, from_file
from stages.rollout.asking import responder_of
from stages.rollout.responder import EngineResponder
from stages.rollout.scripted import ScriptedEngine
from stages.run.optional import Teacher

LONG = "First, a plan: add them. Check: {n} + 0 = {n}. But wait, is it? Alternatively, count.\n\\boxed{{{n}}}"


def teacher(**changed: Any) -> Teacher:
    fields = {"file": None, "endpoint": None, "model": "m", "temperature": 0.8, "max_tokens": 400, "per_prompt": 2}
    return Teacher(**{**fields, **changed})


def row(identity: str, problem_id: str, response: str = "x", **behaviours: int) -> Demonstration:
    fields: dict[str, Any] = {"question": "q", "image": None, "response_ids": None, "verifier": "integer", "form": "long"}
    fields["family"] = "f"
    return Demonstration(id=identity, problem_id=problem_id, response=response, behaviours=behaviours, **fields)


def taught(problems: Sequence[CuratedProblem], journal: Path, calls: list[str], tries: int = 2) -> tuple[list[str], dict[str, int]]:
    """Asked of a scripted engine that counts its calls, two prompts at a time."""

    def answers(prompt: Any, _: int) -> str:
        calls.append(prompt.question)
        return "y" * 1000 if "7" in prompt.question else LONG.format(n=prompt.question.split()[2])

    responder = EngineResponder(lambda: ScriptedEngine(answers, 10_000), 2, {})
    rows, counts = ask(problems, teacher(), responder, tries, 0, journal, lambda *_: None)
    assert all(row.form == "long" and row.behaviours["planning"] for row in rows)
    return [row.id for row in rows], counts


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    calls: list[str] = []
    journal = tmp_path / "taught.jsonl"
    problems = [problem(number) for number in (3, 7, 5)]
    ids, counts = taught(problems, journal, calls)
    assert ids == ["p3-long-0", "p3-long-1", "p5-long-0", "p5-long-1"], "the answer to p7 is cut at its limit"
    assert counts == {"asked": 6, "from_the_journal": 0, "without_response": 2}
    assert len(calls) == 6

    with journal.open("a", encoding="utf-8") as file:
        file.write('{"prompt": "torn')
    assert taught([*problems, problem(9)], journal, calls)[1] == {"asked": 2, "from_the_journal": 6, "without_response": 2}
    assert calls[6:] == ["What is 9 + 0?"] * 2, "only the new problem"
    assert taught(problems, journal, calls) == (ids, {"asked": 0, "from_the_journal": 6, "without_response": 2})
    assert len(calls) == 8


def test_a_teacher_that_fails_is_asked_again(tmp_path: Path) -> None:
    def script(_: int, body: dict[str, Any]) -> Reply:
        return Reply(400, {"error": {"message": "no"}}) if "What is 5" in asked(body) else completion("\\boxed{3}", reasoning="Hm.")

    problems, journal = [problem(3), problem(5)], tmp_path / "taught.jsonl"
    with served(script) as seen:
        rows, counts = ask(problems, teacher(), responder_of("m", seen.address, 8), 1, 0, journal, lambda *_: None)
        assert [row.response for row in rows] == ["Hm.\n\n\\boxed{3}"]
        assert counts == {"asked": 2, "from_the_journal": 0, "without_response": 1}
    with served(lambda *_: completion("\\boxed{5}")) as seen:
        rows, _ = ask(problems, teacher(), responder_of("m", seen.address, 8), 1, 0, journal, lambda *_: None)
        assert [row.response for row in rows] == ["Hm.\n\n\\boxed{3}", "\\boxed{5}"]
        assert len(seen.bodies) == 1, "the one that failed"


def test_no_answer_at_all_is_an_error(tmp_path: Path) -> None:
    with served(lambda *_: Reply(400, {"error": {"message": "no"}})) as seen, pytest.raises(DataError, match="none of 1 prompts"):
        ask([problem(3)], teacher(), responder_of("m", seen.address, 8), 1, 0, tmp_path / "j", lambda *_: None)


def test_a_file_of_demonstrations(tmp_path: Path) -> None:
    rows = [{"problem_id": "p3", "response": "a"}, {"problem_id": "p4", "response": "b"}, {"problem_id": "p3", "response": "c"}]
    path = tmp_path / "given.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    found = from_file(path, [problem(3)])
    assert [(one.id, one.response) for one in found] == [("p3-long-0", "a"), ("p3-long-1", "c")]
    with pytest.raises(DataError, match="none of its 2 problem ids"):
        from_file(path, [problem(5)])


def test_a_teacher_is_a_file_or_a_model() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        teacher(file="f")
    with pytest.raises(ValueError, match="exactly one"):
        teacher(model=None)


def test_the_rare_behaviour_is_taken_first() -> None:
    """p has two candidates of equal behaviours and one that explores; then q's exploring one is no longer rare."""
    rows = [
        row("p0", "p", planning=1),
        row("p1", "p", planning=3),
        row("p2", "p", planning=1, exploration=1),
        row("q0", "q", planning=1),
        row("q1", "q", evaluation=1),
    ]
    assert [one.id for one in balanced(rows, 1)] == ["p2", "q1"]
    assert [one.id for one in balanced(rows, 2)] == ["p0", "p2", "q0", "q1"]
    assert shares(balanced(rows, 1)) == {"planning": 0.5, "evaluation": 0.5, "reflection": 0.0, "exploration": 0.5, "all": 0.0}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=12), st.integers(1, 4))
def test_balance_keeps_what_it_may(drawn: list[tuple[str, bool, bool]], most: int) -> None:
    rows = [row(str(place), name, planning=int(one), reflection=int(two)) for place, (name, one, two) in enumerate(drawn)]
    kept = balanced(rows, most)
    assert [int(one.id) for one in kept] == sorted(int(one.id) for one in kept)
    for name in "abc":
        have = sum(one.problem_id == name for one in rows)
        assert sum(one.problem_id == name for one in kept) == min(have, most)


def test_overlap_counts_passages_of_other_problems_only() -> None:
    words = [f"w{place}" for place in range(2 * GRAM)]
    rows = [
        row("a0", "a", " ".join(words)),
        row("a1", "a", " ".join(words)),
        row("b0", "b", " ".join([*words[:GRAM], "other", "end"])),
        row("c0", "c", "short"),
    ]
    assert overlaps(rows[:2]) == [0.0, 0.0], "of one problem they may be alike"
    assert overlaps(rows) == pytest.approx([1 / 9, 1 / 9, 1 / 3, 0.0])
    assert overlap_summary(rows)["most"][0] == {"id": "b0", "share": 0.3333}
    assert overlap_summary([])["max"] == 0.0


def test_the_stage_with_a_teacher_keeps_what_is_right(tmp_path: Path) -> None:
    problems = [problem(number) for number in range(12)]
    write_records(tmp_path / "problems.jsonl", problems)

    def script(number: int, body: dict[str, Any]) -> Reply:
        told = asked(body).split()[2]
        return completion(LONG.format(n="99" if told == "5" else told) + " " * (number % 3))

    with served(script) as seen:
        chosen = teacher(endpoint=seen.address, per_prompt=1).model_dump()
        done = warm_up(tmp_path, tmp_path, min_rows=5, tries=3, teacher=chosen)
        assert done.returncode == 0, done.stderr
        first = len(seen.bodies)
        again = warm_up(tmp_path, tmp_path, min_rows=5, tries=3, teacher=chosen)
        assert again.returncode == 0, again.stderr
        assert (first, len(seen.bodies)) == (36, 36), "the second run asks nobody"
    kept = read_records(tmp_path / "out/demonstrations.jsonl", Demonstration)
    assert [one.problem_id for one in kept] == [f"p{number}" for number in range(12) if number != 5]
    funnel = json.loads((tmp_path / "report/funnel.json").read_text(encoding="utf-8"))
    assert [step["rule"] for step in funnel["steps"]] == ["repeated response", "not right", "behaviours in balance"]
    assert funnel["teacher"] == {"asked": 0, "from_the_journal": 36, "without_response": 0}
    assert funnel["behaviour_shares"]["kept"]["all"] == 1.0
    assert funnel["overlap"]["words"] == GRAM
