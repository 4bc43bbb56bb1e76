"""The classic reward model as a verifier, and the rows that reward models learn from."""

import json
from pathlib import Path

import pytest
from tiny import problem

from stages.data.files import DataError, write_records
from stages.data.records import Sample, SampleGroup
from stages.verifiers.judge import read_reply
from stages.verifiers.reward_rows import RewardRow, agreement, judge_demonstrations, judgement, read_reward_rows, split
from stages.verifiers.verdict import Claim, answerable, verify, verify_all


def row(question: str, response: str, label: bool) -> RewardRow:
    return RewardRow(question=question, reference="4", response=response, label=label)


def test_one_half_is_right_and_anything_else_is_an_error() -> None:
    seen: list[str] = []

    def judge(texts: list[str]) -> list[str | DataError]:
        seen.extend(texts)
        return ["0.5", "0.49", "2", "{}", DataError("no memory"), "nan"]

    claims = [Claim("reward_model", "4", f"<think>5?</think>It is {place}.", "two and two?") for place in range(6)]
    verdicts = verify_all(claims, judge=judge)
    assert [verdict.outcome for verdict in verdicts] == ["right", "wrong", "error", "error", "error", "error"]
    assert verdicts[0].details == {"probability": 0.5}
    assert "no memory" in verdicts[4].reason
    assert seen[0] == "Question: two and two?\nReference: 4\nResponse: It is 0."


def test_without_a_model_there_is_no_verdict() -> None:
    assert verify("reward_model", "4", "It is 4.", "two and two?").outcome == "error"
    assert answerable("reward_model", " ") == "the reference answer is empty"


def test_rows_of_samples_are_text_responses_with_a_verdict_each_once(tmp_path: Path) -> None:
    def sample(text: str, outcome: str) -> Sample:
        return Sample(problem_id="p4", text=text, token_ids=[1], logprobs=[0.0], finish="stop", outcome=outcome, reason="")

    samples = [sample("\\boxed{4}", "right"), sample("\\boxed{5}", "wrong"), sample("\\boxed{4}", "right"), sample("?", "error")]
    picture = problem(4, modality="image", image="x.png")
    write_records(tmp_path / "groups.jsonl", [SampleGroup(problem=one, samples=samples) for one in (problem(4), picture)])
    found = read_reward_rows(tmp_path / "groups.jsonl")
    assert [(one.question, one.reference, one.response, one.label) for one in found] == [
        *(("What is 4 + 0?", "4", "\\boxed{4}", True), ("What is 4 + 0?", "4", "\\boxed{5}", False)),
    ]
    write_records(tmp_path / "rows.jsonl", found)
    assert read_reward_rows(tmp_path / "rows.jsonl") == found


def test_no_question_is_in_both_parts() -> None:
    rows = [row(f"q{place}", text, text == "4") for place in range(10) for text in ("4", "5")]
    training, check = split(rows, 0.2, 0)
    assert (len(training), len(check)) == (16, 4)
    assert not {one.question for one in training} & {one.question for one in check}
    assert split(rows, 0.2, 0) == (training, check)
    with pytest.raises(DataError, match="right and wrong"):
        split([one for one in rows if one.label], 0.2, 0)


@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("response", ["So \\boxed{\\frac{1}{2}}.", "It is {4}.", "", '{"correct": true}'])
def test_what_the_judge_learns_is_what_the_verifier_reads(response: str, label: bool) -> None:
    text = judgement(row("q", response, label))
    if response.startswith("{"):
        assert json.loads(text.splitlines()[-1])["correct"] is label
    else:
        assert read_reply(text)[0] is label
    (demonstration,) = judge_demonstrations([row("q", response, label)])
    assert "<response" in demonstration.question
    assert demonstration.response == text


def test_agreement_by_hand() -> None:
    """Nine of ten; Wilson's interval from the formula: (0.9 + 1.92/10 -+ ...) / (1 + 3.84/10)."""
    found = agreement(["right"] * 5 + ["wrong"] * 4 + ["error"], [True] * 5 + [False] * 5)
    assert found["accuracy"] == 0.9
    assert found["ci95"] == pytest.approx([0.5958, 0.9821], abs=1e-4)
    assert found["verdicts"] == {"right": 5, "wrong": 4, "error": 1}
