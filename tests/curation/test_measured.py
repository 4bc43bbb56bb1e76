"""The rules that ask a model: guessing (N = 8) and difficulty (10 samples), with a scripted engine."""

import pytest
from made import made

from stages.curation import difficulty, guessing
from stages.curation.measure import CHUNK, Measure
from stages.data.files import DataError
from stages.rollout.chunks import Chunks
from stages.rollout.scripted import ScriptedEngine


def measure(answers, folder, said=None, judge=None):
    said = [] if said is None else said
    chunks = Chunks(folder, lambda done, total, unit: said.append((done, total, unit)))
    return Measure(ScriptedEngine(answers), 0, 1.0, 320, 1, chunks, judge)


def answer_of(prompt):
    return int(prompt.question.split()[2]) + 1


def test_one_right_guess_of_eight_removes_a_prompt(tmp_path):
    asked = []

    def answers(prompt, n):
        asked.append((prompt.instruction, n))
        return f"\\boxed{{{answer_of(prompt) if prompt.question == 'What is 1 + 1?' and n == 7 else 99}}}"

    problems = [made(0), made(1), made(2)]
    right = guessing.right_guesses(measure(answers, tmp_path), problems, 8)
    assert right == {"p0": 0, "p1": 1, "p2": 0}
    assert guessing.exclusions(right, 8) == {"p1": "1 of 8 guesses without reasoning right"}
    assert {instruction for instruction, _ in asked} == {guessing.BARE_ANSWER}
    assert len(asked) == 24
    table = guessing.by_family([*problems, made(3)], right, 8)["sums"]
    assert table["probed"] == 3
    assert table["hit"] == 1
    assert table["different_answers"] == 4


def test_chance_of_a_hit():
    # ten equally frequent answers: 1 - 0.9^8; a single answer: always; eight guesses of two: 1 - 0.5^8
    assert guessing.chance_of_hit([str(n) for n in range(10)], 8) == pytest.approx(1 - 0.9**8)
    assert guessing.chance_of_hit(["a"], 8) == 1.0
    assert guessing.chance_of_hit(["a", "b"], 8) == pytest.approx(1 - 0.5**8)
    assert guessing.chance_of_hit(["a", "b"], 0) == 0.0


def test_probed_share_is_drawn_by_seed():
    problems = [made(n) for n in range(100)]
    chosen = guessing.probed(problems, 0.25, seed=1)
    assert len(chosen) == 25
    assert chosen == guessing.probed(problems, 0.25, seed=1)
    assert chosen != guessing.probed(problems, 0.25, seed=2)
    assert guessing.probed(problems, 0.0, seed=1) == []


def test_pass_rates_of_ten_samples_and_chunks_with_progress(tmp_path):
    said = []
    problems = [made(n) for n in range(CHUNK + 4)]
    instructions = set()

    def answers(prompt, n):
        instructions.add(prompt.instruction)
        right = answer_of(prompt)
        return f"\\boxed{{{right if n < right % 11 else 9999}}}"

    rates = difficulty.pass_rates(measure(answers, tmp_path, said), problems, 10)
    assert rates["p0"] == 0.1
    assert rates["p9"] == 1.0
    assert rates["p10"] == 0.0
    assert len(rates) == CHUNK + 4
    assert instructions == {None}
    assert said == [(CHUNK, CHUNK + 4, "answer prompts"), (CHUNK + 4, CHUNK + 4, "answer prompts")]


def test_a_killed_run_asks_only_what_is_left(tmp_path):
    problems = [made(n) for n in range(2 * CHUNK + 4)]
    asked = []

    def answers(prompt, _):
        if len(asked) == 10 * CHUNK + 7:
            raise KeyboardInterrupt
        asked.append(prompt.question)
        return f"\\boxed{{{answer_of(prompt)}}}"

    with pytest.raises(KeyboardInterrupt):
        difficulty.pass_rates(measure(answers, tmp_path), problems, 10)
    asked.clear()
    rates = difficulty.pass_rates(measure(lambda prompt, _: asked.append(prompt.question) or "\\boxed{0}", tmp_path), problems, 10)
    assert len(asked) == 10 * (CHUNK + 4), "the first chunk had ended"
    assert [rates[f"p{n}"] for n in (0, CHUNK - 1, CHUNK, 2 * CHUNK + 3)] == [1.0, 1.0, 0.0, 0.0]


def test_the_judges_replies_are_kept_with_its_errors(tmp_path):
    asked = []

    def judge(prompts):
        asked.extend(prompts)
        return [DataError("no answer") if prompt == "b" else f"reply to {prompt}" for prompt in prompts]

    assert measure(None, tmp_path).asked("tag") is None
    for _ in range(2):
        first, second = measure(None, tmp_path, judge=judge).asked("tag")(["a", "b"])
        assert (first, str(second), type(second)) == ("reply to a", "no answer", DataError)
    assert asked == ["a", "b"], "nothing is asked twice"


def test_trivial_problems_go_down_to_a_share():
    rates = {f"p{n}": 1.0 for n in range(10)} | {"hard": 0.1, "edge": 0.9}
    dropped = difficulty.trivial(rates, above=0.9, keep=0.2, seed=0)
    assert len(dropped) == 8
    assert not {"hard", "edge"} & set(dropped)
    assert set(dropped.values()) == {"pass rate 1.00 is over 0.9"}
    assert difficulty.trivial(rates, 0.9, 1.0, 0) == {}
    assert len(difficulty.trivial(rates, 0.9, 0.0, 0)) == 10


def test_histogram_of_tenths():
    counts = difficulty.histogram({"a": 0.0, "b": 0.1, "c": 0.3, "d": 1.0, "e": 0.9})
    assert counts == {"0.0": 1, "0.1": 1, "0.2": 0, "0.3": 1, **{f"0.{n}": 0 for n in range(4, 9)}, "0.9": 2}
