"""From questions to judged answers: exclusions are listed and wrong, batches and progress add up, equal runs are equal."""

from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from made import made

from stages.benchmarks.answering import Answered, Progress, draw, judge
from stages.benchmarks.columns import benchmark_suites
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.journal import Journal
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scores import benchmark_score, rows, stand_in_scores, suite_score
from stages.benchmarks.suites import Suite, benchmark_suite, readable, stand_in_suites
from stages.data.files import DataError
from stages.data.records import Problem
from stages.rollout.engine import Prompt
from stages.rollout.responder import EngineResponder
from stages.rollout.scripted import ScriptedEngine


def decoding(samples: int) -> Decoding:
    return Decoding(1.0, 1.0, samples, 40, "this test")


def problem(number: int, family: str = "sums", **changes: Any) -> Problem:
    fields = {"id": f"{family}-{number}", "family": family, "question": f"{number} + 0?", "answer": str(number), "split": "heldout"}
    return made(number, **{**fields, **changes})


def right(prompt: Prompt, _: int) -> str:
    return f"\\boxed{{{prompt.question.split()[0]}}}"


def run(
    engine: ScriptedEngine, suites: list[Suite], seed: int = 0, batch: int = 4, progress: Progress = lambda *_: None
) -> list[list[Answered]]:
    """Nothing is kept: each call draws everything."""
    with TemporaryDirectory() as folder:
        journal = Journal({suite.name: Path(folder) / "responses.jsonl" for suite in suites})
        found = draw(EngineResponder(lambda: engine, batch, {"model": "scripted"}), suites, seed, journal, progress)
    return [judge(suite, one) for suite, one in zip(suites, found, strict=True)]


def test_suites_are_families_in_order_of_name() -> None:
    suites = stand_in_suites([problem(1, "b"), problem(2, "a"), problem(3, "b", image="x.png", modality="image")], decoding(1), 1)
    assert [(suite.name, suite.modality, len(suite.asked)) for suite in suites] == [("a", "text", 1), ("b", "mixed", 2)]


@pytest.mark.parametrize("name", ["overall", "text", "image"])
def test_a_family_may_not_be_called_like_a_pool(name: str) -> None:
    with pytest.raises(DataError, match=f"the family '{name}'"):
        stand_in_suites([problem(1, name)], decoding(1), 1)


def test_no_problems_is_an_error() -> None:
    with pytest.raises(DataError, match="no held-out problems"):
        stand_in_suites([], decoding(1), 1)


def test_scores_by_hand() -> None:
    """Four problems, k = 2: all right but problem 2, of which the second response is wrong, and 3, cut before its box."""

    def script(prompt: Prompt, n: int) -> str:
        if prompt.question.startswith("3"):
            return "x" * 100
        return "\\boxed{9}" if prompt.question.startswith("2") and n else right(prompt, n)

    suites = stand_in_suites([problem(n) for n in range(4)], decoding(2), 1)
    (found,) = run(ScriptedEngine(script), suites)
    score = suite_score(found, 2, True)
    assert score["accuracy"] == (1 + 1 + 0.5 + 0) / 4
    assert score["pass_at"] == {"1": 0.625, "2": 0.75}
    assert score["truncated"] == score["unparsed"] == 2 / 8
    assert score["mean_tokens"] == (6 * len("\\boxed{1}" + "E") + 2 * 40) / 8
    assert (score["n"], score["k"], score["errors"], score["excluded"]) == (4, 2, 0, [])
    assert score["ci95"][0] < score["accuracy"] < score["ci95"][1]


def test_a_question_over_the_context_is_listed_and_wrong_and_costs_no_other() -> None:
    problems = [problem(n, question=f"{n} + 0?" + "!" * (90 if n in (2, 5) else 0)) for n in range(7)]
    (found,) = run(ScriptedEngine(right, context=50), stand_in_suites(problems, decoding(1), 1), batch=7)
    score = suite_score(found, 1, True)
    assert score["accuracy"] == 5 / 7
    assert [entry["id"] for entry in score["excluded"]] == ["sums-2", "sums-5"]
    assert "over the context of 50" in score["excluded"][0]["reason"]
    assert score["unparsed"] == 0, "shares are over the responses that were drawn"


def test_a_suite_of_which_nothing_can_be_asked_scores_nothing() -> None:
    (found,) = run(ScriptedEngine(right, context=1), stand_in_suites([problem(1), problem(2)], decoding(3), 1))
    score = suite_score(found, 3, True)
    assert (score["accuracy"], score["mean_tokens"], len(score["excluded"])) == (0, 0, 2)


def test_pools_are_over_problems_not_over_suites() -> None:
    pictures = [problem(n, "charts", image="c.png", modality="image", answer="-1") for n in range(1)]
    suites = stand_in_suites([problem(n) for n in range(3)] + pictures, decoding(1), 1)
    scores = stand_in_scores(suites, run(ScriptedEngine(right), suites))
    assert {name: score["accuracy"] for name, score in scores.items()} == {
        "charts": 0.0, "sums": 1.0, "overall": 0.75, "text": 1.0, "image": 0.0,
    }  # fmt: skip
    assert scores["overall"]["modality"] == "mixed"
    assert all(score["stand_in"] for score in scores.values())


def test_without_pictures_there_is_no_picture_pool() -> None:
    suites = stand_in_suites([problem(1)], decoding(1), 1)
    assert set(stand_in_scores(suites, run(ScriptedEngine(right), suites))) == {"sums", "overall", "text"}


def test_progress_reaches_the_total_over_suites_of_different_k() -> None:
    suites = stand_in_suites([problem(n) for n in range(5)], decoding(2), 1)
    suites += stand_in_suites([problem(n, "other") for n in range(3)], decoding(1), 1)
    seen: list[tuple[int, int]] = []
    found = run(ScriptedEngine(right), suites, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (13, 13)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [[len(one.verdicts) for one in suite] for suite in found] == [[2] * 5, [1] * 3]


def test_every_batch_has_its_own_seed_and_equal_runs_are_equal() -> None:
    suites = stand_in_suites([problem(n) for n in range(9)], decoding(1), 1)
    first, second = (seeds(run(ScriptedEngine(right), suites)[0]) for _ in range(2))
    assert first == second
    assert [len(list(same)) for _, same in groupby(first)] == [4, 4, 1]
    assert set(seeds(run(ScriptedEngine(right), suites, seed=1)[0])).isdisjoint(first)


def seeds(answered: list[Answered]) -> list[int]:
    return [slot.seed for one in answered for slot in one.drawn.slots]


def test_more_samples_than_fit_into_a_batch_are_drawn_in_several() -> None:
    """Each batch draws from a stream of its own, or the engine would give the same samples again."""
    (suite,) = stand_in_suites([problem(1), problem(2)], decoding(10), 1)
    (found,) = run(ScriptedEngine(lambda _, n: f"\\boxed{{{n}}}"), [suite], batch=4)
    assert [[response.text[7] for response in one.drawn.responses] for one in found] == [list("0123012301")] * 2
    assert [len(list(same)) for _, same in groupby(seeds(found))] == [4, 4, 2] * 2


def test_rows_hold_everything_that_a_reader_needs() -> None:
    (suite,) = stand_in_suites([problem(1), problem(2, question="2" + "!" * 60)], decoding(1), 1)
    (found,) = run(ScriptedEngine(right, context=50), [suite])
    kept, excluded = rows(suite, found)
    assert kept.items() >= {
        "suite": "sums", "id": "sums-1", "question": "1 + 0?", "image": None, "gold": "1", "sample": 0, "finish": "stop",
        "text": "\\boxed{1}", "tokens": 10, "outcome": "right", "extracted": "1", "prompt_tokens": 6,
        "settings": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 40, "model": "scripted"},
    }.items()  # fmt: skip
    assert (excluded["finish"], excluded["outcome"], excluded["tokens"]) == ("excluded", "wrong", 0)
    assert kept["prompt_hash"] != excluded["prompt_hash"]
    assert kept.keys() == excluded.keys()


def test_a_limited_benchmark_is_spread_over_the_file_and_says_so(tmp_path: Path) -> None:
    lines = [f'{{"id": {n}, "problem": "{n} + 0?", "answer": "{n}"}}' for n in range(30)]
    (tmp_path / "aime2024").mkdir()
    (tmp_path / "aime2024/test.jsonl").write_text("\n".join(lines))
    whole = benchmark_suite(BENCHMARKS["aime2024"], tmp_path, None, decoding(1), 1)
    limited = benchmark_suite(BENCHMARKS["aime2024"], tmp_path, 3, decoding(1), 1)
    assert (len(whole.asked), whole.part) == (30, None)
    assert [asked.id for asked in limited.asked] == ["0", "10", "20"]
    assert limited.part == "limited to 3 of 30 items, evenly spaced"
    (found,) = run(ScriptedEngine(right), [limited])
    assert [one.verdicts[0].outcome for one in found] == ["right"] * 3, "each item meets its own gold answer"


def test_a_benchmark_is_averaged_as_its_authors_do(tmp_path: Path) -> None:
    """C-Eval: law 1 of 1, logic 1 of 3: the mean over subjects, 2/3, not that over questions, 1/2."""
    (tmp_path / "ceval/val").mkdir(parents=True)
    for subject, golds in {"law": "A", "logic": "ABB"}.items():
        lines = [f"{number},q,a,b,c,d,{gold}" for number, gold in enumerate(golds)]
        (tmp_path / f"ceval/val/{subject}_val.csv").write_text("\n".join(["id,question,A,B,C,D,answer", *lines]))
    suite = benchmark_suite(BENCHMARKS["ceval"], tmp_path, None, decoding(1), 1)
    (found,) = run(ScriptedEngine(lambda *_: "<think>B?</think>A", context=1000), [suite])
    score = benchmark_score(BENCHMARKS["ceval"], suite, found)
    assert score["accuracy"] == pytest.approx(2 / 3)
    assert (score["figures"]["micro"], score["n"], score["pass_at"]) == (50.0, 4, {"1": 0.5})


def test_an_item_that_cannot_be_asked_is_wrong_in_the_average(tmp_path: Path) -> None:
    (tmp_path / "aime2024").mkdir()
    lines = [f'{{"id": {n}, "problem": "{n} + 0?{"!" * 200 * n}", "answer": "{n}"}}' for n in range(2)]
    (tmp_path / "aime2024/test.jsonl").write_text("\n".join(lines))
    suite = benchmark_suite(BENCHMARKS["aime2024"], tmp_path, None, decoding(1), 1)
    (found,) = run(ScriptedEngine(right, context=150), [suite])
    score = benchmark_score(BENCHMARKS["aime2024"], suite, found)
    assert (score["accuracy"], len(score["excluded"])) == (0.5, 1)


def test_a_text_only_model_is_asked_about_no_picture() -> None:
    """A family of pictures has a reason in place of a score, one of both kinds is asked in part, and so says the pooled score."""
    shown = [problem(n, name, image="x.png", modality="image") for n, name in ((3, "scene"), (4, "both"), (5, "both"))]
    problems = [problem(1, "b"), problem(2, "both"), *shown]
    assert readable(problems, True) == (problems, {})
    kept, lacking = readable(problems, False)
    assert kept == problems[:2]
    assert lacking == {"scene": "text-only model", "both": "text-only model: 1 of 3 problems", "image": "text-only model"}
    assert readable(problems[:1], False) == (problems[:1], {})
    with pytest.raises(DataError, match=r"each of the 3 held-out problems has a picture, and this is a text-only model"):
        readable(shown, False)


def test_a_text_only_model_is_asked_no_benchmark_of_pictures(tmp_path: Path) -> None:
    """Whether its files are there or not."""
    names = ("mmlu", "mathvista")
    both, cells = (
        benchmark_suites(names, tmp_path, None, lambda one: one.short_cot, lambda one: one, 1, pictures=pictures)[1]
        for pictures in (True, False)
    )
    assert cells["mathvista"]["missing"] == "text-only model"
    assert cells["mmlu"] == both["mmlu"]
    assert both["mathvista"]["missing"] != "text-only model"
