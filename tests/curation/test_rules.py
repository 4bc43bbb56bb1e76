"""The rules that need no model: coverage, hard exclusions, verifiability, funnel, lengths."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from made import made

from stages.curation import coverage, evaluability, lengths
from stages.curation.funnel import Funnel
from stages.data.files import DataError

CASES = [json.loads(line) for line in Path("tests/cases/hard_exclusions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_hard_exclusions(case):
    problem = made(0, question=case["question"], answer=case["answer"], verifier="text")
    assert evaluability.kind_of_exclusion(problem) == case["kind"]
    assert bool(evaluability.exclusions([problem])) is (case["kind"] is not None)


def test_a_choice_verifier_is_multiple_choice_whatever_the_words():
    assert evaluability.kind_of_exclusion(made(0, verifier="choice", answer="C")) == "multiple choice"


def test_unverifiable_answers_are_named():
    problems = [made(0), made(1, answer="two"), made(2, verifier="math", answer="\\frac{1}{2}")]
    reasons = evaluability.unverifiable(problems, workers=1)
    assert list(reasons) == ["p1"]
    assert "'two' is not an integer" in reasons["p1"]


def test_what_no_verifier_here_can_judge_is_named():
    problems = [
        made(0, verifier="code", answer="6"),
        made(1, verifier="instructions", answer='[{"instruction": "no:comma"}]'),
        made(2, verifier="instructions", answer='[{"instruction": "punctuation:no_comma"}]'),
        made(3, verifier="judge", answer="because of x"),
    ]
    reasons = evaluability.unverifiable(problems, workers=1)
    assert list(reasons) == ["p0", "p1", "p3"]
    assert "a list of tests" in reasons["p0"]
    assert "unknown instruction 'no:comma'" in reasons["p1"]
    assert "no judge is configured" in reasons["p3"]
    assert "p3" not in evaluability.unverifiable(problems, workers=1, judged=True)


def test_forbidden_sets_are_refused_again():
    problems = [made(0), made(1, source="MathVista"), made(2, licence="evaluation only")]
    assert set(evaluability.forbidden_sets(problems)) == {"p1", "p2"}


def test_funnel_counts_what_it_lists():
    funnel = Funnel()
    kept = funnel.remove("odd", [made(number) for number in range(20)], {f"p{n}": "is odd" for n in range(1, 20, 2)})
    kept = funnel.remove("none", kept, {})
    assert [problem.id for problem in kept] == [f"p{n}" for n in range(0, 20, 2)]
    assert [(step["before"], step["removed"], step["after"]) for step in funnel.steps] == [(20, 10, 10), (10, 0, 10)]
    assert funnel.steps[0]["examples"] == [{"id": f"p{n}", "reason": "is odd"} for n in (1, 3, 5, 7, 9)]
    assert len(funnel.findings) == 10
    assert (funnel.share("odd"), funnel.share("none")) == (0.5, 0.0)
    assert funnel.text() == "odd: 10 of 20 removed\nnone: 0 of 10 removed"
    assert set(funnel.content()) == {"steps"}


def test_coverage_by_tag():
    before = [made(0), made(1, domain="logic"), made(2, domain="logic", grade=3)]
    mix = coverage.mix(before, before[1:])
    assert mix["domain"] == {"logic": {"before": 2, "after": 2}, "mathematics": {"before": 1, "after": 0}}
    assert coverage.mix([made(0, discipline=None)], [])["discipline"] == {"not stated": {"before": 1, "after": 0}}
    assert mix["grade"] == {"1": {"before": 2, "after": 1}, "3": {"before": 1, "after": 1}}
    assert coverage.balance([made(0), made(1, domain="logic")], "domain") == pytest.approx(1.0)
    # shares 1/4 and 3/4: entropy 0.5623 nat of ln 2
    uneven = [made(0), *(made(n, domain="logic") for n in range(1, 4))]
    assert coverage.balance(uneven, "domain") == pytest.approx(0.5623351 / math.log(2), abs=1e-6)
    assert coverage.balance([made(0)], "domain") == 1.0


def test_domains_stand_in_the_proportion_of_their_weights():
    domains = ["logic"] * 30 + ["mathematics"] * 50 + ["law"] * 7
    problems = [made(n, domain=domain) for n, domain in enumerate(domains)]
    dropped = coverage.over_weight(problems, {"logic": 1, "mathematics": 2}, seed=0)
    # 25 logic and 50 mathematics are the most that stand 1 : 2; law has no weight
    left = Counter(problem.domain for problem in problems if problem.id not in dropped)
    assert left == {"logic": 25, "mathematics": 50, "law": 7}
    assert set(dropped.values()) == {"logic has 30 problems, 25 by its weight of 1"}
    assert dropped == coverage.over_weight(problems, {"logic": 1, "mathematics": 2}, seed=0)
    assert dropped != coverage.over_weight(problems, {"logic": 1, "mathematics": 2}, seed=1)
    assert coverage.over_weight(problems, {"logic": 3, "mathematics": 5}, seed=0) == {}, "as they are"
    gone = coverage.over_weight(problems, {"law": 0, "logic": 2.5}, seed=0)
    assert len(gone) == 7, "weight 0 takes all"
    with pytest.raises(
        DataError, match=r"no problem is left of 'history'; there are: law, law/algebra, logic, logic/algebra, mathematics, "
    ):
        coverage.over_weight(problems, {"history": 1}, seed=0)


def test_a_discipline_may_have_a_weight_of_its_own():
    disciplines = ["geometry"] * 10 + ["algebra"] * 10 + ["calculus"] * 20
    problems = [made(n, domain="mathematics", discipline=name) for n, name in enumerate(disciplines)]
    dropped = coverage.over_weight(problems, {"mathematics/geometry": 1, "mathematics": 2}, seed=0)
    left = Counter(problem.discipline for problem in problems if problem.id not in dropped)
    assert left["geometry"] == 10
    assert left["algebra"] + left["calculus"] == 20, "the rest of the domain"
    with pytest.raises(DataError, match=r"no problem is left of 'mathematics/topology'; .*mathematics/geometry"):
        coverage.over_weight(problems, {"mathematics/topology": 1}, seed=0)


def test_prompts_over_half_the_context_go():
    problems = [made(0), made(1)]
    assert lengths.too_long(problems, lambda rows: [50 + n for n in range(len(rows))], context=100) == {
        "p1": "a prompt of 51 tokens, over 50 (half of model.context)"
    }
