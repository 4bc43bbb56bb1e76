"""The story of curate on planted problems with a scripted model, and its gate."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest
from made import made

from stages import curate
from stages.curation.funnel import Funnel
from stages.curation.measure import Measure
from stages.curation.rules import readable
from stages.data.files import DataError
from stages.models.about import About
from stages.rollout.chunks import Chunks
from stages.rollout.scripted import ScriptedEngine
from stages.run.params import Curate

RULES = Curate(
    samples=10,
    temperature=1.0,
    max_tokens=None,
    trivial_pass_rate=0.9,
    keep_trivial=0.0,
    guesses=8,
    guess_probe=1.0,
    weights={},
    min_rows=2,
    max_dropped_share=0.9,
    limits={},
)


def problem(identity, question, answer="7", **changed):
    return made(0, **{"id": identity, "question": question, "answer": answer, "solution_short": None, **changed})


COLLECTED = [
    problem("forbidden", "From a scored set", source="MathVista"),
    problem("choices", "Which?\nChoices: 7; 8"),
    problem("proof", "Prove that 7 is prime."),
    problem("unreadable", "How many?", answer="many"),
    problem("held", "Held  out question"),
    problem("copied", "An item of a benchmark"),
    problem("long", "long " * 100),
    problem("guessed", "guess me"),
    problem("trivial", "trivial one"),
    problem("hard", "hard one"),
    problem("middle", "middle one"),
]
HELD_OUT = [problem("h", "held out question?", split="heldout")]


def answers(prompt, n):
    """Right whenever it guesses "guess me" or answers "trivial one"; five of ten for "middle one"; else wrong."""
    if prompt.instruction is not None:
        return "{7}" if prompt.question == "guess me" else "{1}"
    right = prompt.question == "trivial one" or (prompt.question == "middle one" and n < 5)
    return "\\boxed{7}" if right else "\\boxed{1}"


MEASURE = Measure(ScriptedEngine(answers), 0, 1.0, 320, 1, Chunks(Path("nowhere")))


def curated(tmp_path, collected=COLLECTED, rules=RULES):
    (tmp_path / "math500").mkdir(exist_ok=True)
    (tmp_path / "math500" / "test.jsonl").write_text('{"problem": "an item of a benchmark."}\n')
    measure = replace(MEASURE, chunks=Chunks(Path(mkdtemp(dir=tmp_path))))
    return curate.curate(collected, HELD_OUT, tmp_path, lambda rows: [len(row.question) for row in rows], measure, rules, Funnel())


def test_every_rule_removes_what_it_should(tmp_path):
    problems, funnel = curated(tmp_path)
    assert {finding.rule: finding.id for finding in funnel.findings if finding.rule != "hard exclusions"} == {
        "licence forbids training": "forbidden",
        "unverifiable answer": "unreadable",
        "in our held-out sets": "held",
        "in a benchmark": "copied",
        "too long": "long",
        "guessed without reasoning": "guessed",
        "trivial": "trivial",
    }
    assert {f.id for f in funnel.findings if f.rule == "hard exclusions"} == {"choices", "proof"}
    assert {row.id: row.pass_rate for row in problems} == {"hard": 0.0, "middle": 0.5}
    assert funnel.steps[0]["before"] == len(COLLECTED)
    assert all(step["after"] == follow["before"] for step, follow in zip(funnel.steps, funnel.steps[1:], strict=False))
    content = json.loads(json.dumps(funnel.content()))
    assert content["decontamination"]["benchmarks"] == ["math500"]
    assert content["guessing"]["sums"]["hit"] == 1
    assert 0 < content["guessing"]["sums"]["chance_of_hit"] <= 1
    assert content["mix"]["modality"] == {"text": {"before": 11, "after": 2}}


def test_hits_are_listed_and_weights_balance_what_is_left(tmp_path):
    extra = [problem(f"law{n}", f"hard law {n}", domain="law") for n in range(3)]
    rules = RULES.model_copy(update={"weights": {"mathematics": 1.0, "law": 1.0}})
    problems, funnel = curated(tmp_path, [*COLLECTED, *extra], rules)
    assert sorted(row.domain for row in problems) == ["law", "law", "mathematics", "mathematics"]
    assert funnel.steps[-1]["rule"] == "over its domain's weight"
    assert funnel.steps[-1]["examples"][0]["reason"] == "law has 3 problems, 2 by its weight of 1"
    hits = funnel.detail["decontamination"]["hits"]
    assert hits == [{"id": "copied", "reason": "the same question as math500/test.jsonl:1"}]
    assert curated(tmp_path)[1].steps[-1]["rule"] == "trivial", "without weights there is no such step"


def test_a_sound_set_is_handed_over_and_a_small_one_is_not(tmp_path):
    problems, funnel = curated(tmp_path)
    curate.hand_over(problems, funnel, len(COLLECTED), RULES, MEASURE, tmp_path, tmp_path / "docs")
    assert json.loads((tmp_path / "validation.json").read_text())["success"] is True
    strict = RULES.model_copy(update={"min_rows": 3, "max_dropped_share": 0.5})
    with pytest.raises(DataError, match=r"(?s)fails 2 of .*ExpectColumnMaxToBeBetween.*ExpectTableRowCount"):
        curate.hand_over(problems, funnel, len(COLLECTED), strict, MEASURE, tmp_path, tmp_path / "docs")
    with pytest.raises(DataError, match="nothing is left of 11 problems:\nlicence forbids training: 1 of 11"):
        curate.hand_over([], funnel, len(COLLECTED), RULES, MEASURE, tmp_path, tmp_path / "docs")


def test_a_damaged_row_is_not_handed_over(tmp_path):
    problems, funnel = curated(tmp_path)
    damaged = [problems[0], problems[1].model_copy(update={"image": "absent.png", "modality": "image"})]
    with pytest.raises(DataError, match=r"(?s)image_fault.*the picture does not exist; rows: middle"):
        curate.hand_over(damaged, funnel, len(COLLECTED), RULES, MEASURE, tmp_path, tmp_path / "docs")


def test_rows_without_a_domain_are_tagged_before_they_are_counted(tmp_path):
    """Their domain is their family's name; the mix of the funnel shows the tag in its place."""
    row = problem("bare", "What is the sum of the digits of this integer?", domain="mine", family="mine")
    kept, funnel = curated(tmp_path, [*COLLECTED, row])
    assert funnel.content()["tagging"] == {"without tags": 1, "by words": 1, "left as they are": 0}
    assert "mine" not in funnel.content()["mix"]["domain"]
    assert {one.domain for one in kept} == {"mathematics"}
    assert "tagging" not in curated(tmp_path)[1].content()


@pytest.mark.parametrize("pictures", [True, False])
def test_a_text_only_model_gets_no_problem_with_a_picture(pictures, tmp_path, monkeypatch):
    """They are listed, and neither shares nor modalities of the set count them."""
    monkeypatch.setattr("stages.curation.rules.about", lambda _: About("a model", pictures))
    shown = [made(90, id="seen", image="x.png", modality="image"), made(91, id="also", image="y.png", modality="image")]
    funnel, kept = readable([*COLLECTED, *shown], tmp_path)
    if pictures:
        assert kept == [*COLLECTED, *shown]
        assert funnel.steps == []
        return
    assert kept == COLLECTED
    (step,) = funnel.steps
    assert (step["rule"], step["removed"], step["after"]) == ("text-only model", 2, len(COLLECTED))
    assert [(one.id, one.rule) for one in funnel.findings] == [("seen", "text-only model"), ("also", "text-only model")]
    measure = replace(MEASURE, chunks=Chunks(Path(mkdtemp(dir=tmp_path))))
    problems, funnel = curate.curate(kept, HELD_OUT, tmp_path, lambda rows: [9 for _ in rows], measure, RULES, funnel)
    assert list(funnel.detail["mix"]["modality"]) == ["text"]
    curate.hand_over(problems, funnel, len(kept), RULES, MEASURE, tmp_path, tmp_path / "docs")
