"""The rules that ask a model: guessing (N = 8) and difficulty (10 samples), with a scripted engine."""

from dataclasses import replace

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
        asked.append((prompt.instruction, prompt.begun))
        return f"{{{answer_of(prompt) if prompt.question == 'What is 1 + 1?' and n == 7 else 99}}} because it is."

    problems = [made(0), made(1), made(2)]
    right = guessing.right_guesses(measure(answers, tmp_path), problems, 8)
    assert right == {"p0": 0, "p1": 1, "p2": 0}
    assert guessing.exclusions(problems, right, 8) == {"p1": "1 of 8 guesses without reasoning right, 1 are beyond chance"}
    assert set(asked) == {(guessing.BARE_ANSWER, "\\boxed")}
    assert len(asked) == 24
    table = guessing.by_family([*problems, made(3)], right, 8)["sums"]
    assert table == {"probed": 3, "hit": 1, "chance_of_hit": 0.0, "hits_needed": 1, "removed": 1, "different_answers": 4}


@pytest.mark.parametrize(
    ("answers", "chance", "needed", "why"),
    [
        (["0", "0", "1", "1"], 1 / 3, 5, "of 6 pairs 2 are equal: P(4 of 8 or more) = 0.259, P(5) = 0.088"),
        (["a"] * 5, 1.0, 1, "one answer only: guessing is all that it teaches"),
        ([str(n) for n in range(100)], 0.0, 1, "all answers differ: the report's rule, one hit removes"),
        (["a"], 0.0, 1, "one problem: nothing is known of chance"),
        ([str(n % 10) for n in range(1000)], 99 / 999, 3, "ten digits: P(2 of 8) = 0.187, P(3) = 0.038"),
        ([str(n % 100) for n in range(10000)], 99 / 9999, 1, "a hundred answers: P(1 of 8) = 0.077"),
    ],
)
def test_hits_beyond_chance(answers, chance, needed, why):
    assert guessing.blind_chance(answers) == pytest.approx(chance), why
    assert guessing.chance_of_hit(answers, 8) == pytest.approx(1 - (1 - chance) ** 8)
    assert guessing.hits_needed(answers, 8) == needed, why
    assert guessing.chance_of_hit(answers, 0) == 0.0
    assert guessing.hits_needed(answers, 0) == 1


def test_hits_by_chance_remove_nothing():
    problems = [made(n, answer=str(n % 10)) for n in range(100)]
    right = {f"p{n}": n % 5 for n in range(100)}
    assert set(guessing.exclusions(problems, right, 8)) == {f"p{n}" for n in range(100) if n % 5 >= 3}
    table = guessing.by_family(problems, right, 8)["sums"]
    assert (table["hit"], table["hits_needed"], table["removed"]) == (80, 3, 40)


def test_only_boxed_answers_are_guessed():
    problems = [made(n, verifier="code" if n % 2 else "integer") for n in range(10)]
    assert [problem.id for problem in guessing.probed(problems, 1.0, 0)] == ["p0", "p2", "p4", "p6", "p8"]


def test_a_thinking_tag_of_the_template_is_no_part_of_a_guess(tmp_path):
    right = guessing.right_guesses(measure(lambda *_: "<think>\n{2}", tmp_path), [made(1)], 1)
    assert right == {"p1": 1}


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

    rates = difficulty.pass_rates(measure(answers, tmp_path, said), problems, 10, 160)
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
        difficulty.pass_rates(measure(answers, tmp_path), problems, 10, None)
    asked.clear()
    rates = difficulty.pass_rates(
        measure(lambda prompt, _: asked.append(prompt.question) or "\\boxed{0}", tmp_path), problems, 10, None
    )
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


def test_an_answer_may_be_as_long_as_it_is(tmp_path):
    """Reasoning of 300 tokens before the box: whole without a limit, cut by one; a tenth of the context would cut it."""
    long = measure(lambda prompt, _: "so " * 100 + f"\\boxed{{{answer_of(prompt)}}}", tmp_path / "whole")
    assert difficulty.pass_rates(replace(long, context=400), [made(0)], 2, None) == {"p0": 1.0}
    cut = replace(long, context=400, chunks=Chunks(tmp_path / "cut"))
    assert difficulty.pass_rates(cut, [made(0)], 2, 300) == {"p0": 0.0}


def test_mean_pass_rate_by_family():
    problems = [made(0), made(1), made(2, family="charts")]
    rates = {"p0": 0.1, "p1": 0.5, "p2": 1.0}
    assert difficulty.by_family(problems, rates) == {
        "charts": {"problems": 1, "pass_rate": 1.0},
        "sums": {"problems": 2, "pass_rate": 0.3},
    }
