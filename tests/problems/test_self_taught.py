"""Rows without a worked solution are solved by the model itself: asked for a long chain of thought, judged, kept when right."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import ended, ranks
from tiny import Tiny, params, problem, write_params

from stages import warm_up
from stages.data.files import DataError, read_records, write_records
from stages.data.records import CuratedProblem, Demonstration
from stages.problems import long_demonstrations
from stages.problems.self_taught import CHUNK, UNBOXED, Drawn, chosen, self_taught, unsolved
from stages.problems.teachers import ELICIT, demonstration
from stages.prompts.prompt import Prompt
from stages.rollout.chunks import Chunks
from stages.rollout.responder import EngineResponder
from stages.rollout.scripted import ScriptedEngine
from stages.run.optional import SelfTaught, WarmUp

LONG = "First, a plan: add them. Check: {n} + 0 = {n}. But wait, is it? Alternatively, count.\n\\boxed{{{n}}}"
Told = Callable[..., tuple[str, str]]


def drawing(**changed: Any) -> SelfTaught:
    return SelfTaught(**{"temperature": 1.0, "max_tokens": None, "per_prompt": 2, **changed})


def number_in(prompt: Prompt) -> int:
    return int(prompt.question.split()[2])


def answered(prompt: Prompt, n: int) -> str:
    """Right where the number is even; the second try of 4 repeats the first; 6 says more behind its box."""
    number = number_in(prompt)
    more = f" {n}" if number != 4 else ""
    return f"Try{more}. " + LONG.format(n=number if number % 2 == 0 else 99) + (" I hope that helps!" if number == 6 else "")


def drawn_from(problems: list[CuratedProblem], answers: Callable[[Prompt, int], str], folder: Path, **changed: Any) -> Drawn:
    responder = EngineResponder(lambda: ScriptedEngine(answers, 2000), 8, {})
    return self_taught(problems, drawing(**changed), responder, 3, 0, 2000, Chunks(folder))


def test_who_is_asked() -> None:
    """Neither a procedural problem nor one with a worked solution; of one set the one and the other."""
    mixed = [problem(0), problem(1, solution_long="So \\boxed{1}"), problem(2, source="procedural"), problem(3, solution_long="")]
    assert [one.id for one in unsolved(mixed)] == ["p0", "p3"]


def test_what_is_asked(tmp_path: Path) -> None:
    seen: list[Prompt] = []

    def answers(prompt: Prompt, _: int) -> str:
        seen.append(prompt)
        return LONG.format(n=1)

    drawn_from([problem(1), problem(2, verifier="judge")], answers, tmp_path)
    assert {one.question: one.instruction for one in seen} == {"What is 1 + 0?": ELICIT, "What is 2 + 0?": UNBOXED}
    assert "boxed" in ELICIT
    assert "boxed" not in UNBOXED
    assert len(seen) == 6


def test_cut_and_refused_tries_are_counted(tmp_path: Path) -> None:
    problems = [problem(1), problem(2, question=f"What is 2 + {'0' * 3000}?"), problem(3)]
    found = drawn_from(
        problems, lambda prompt, _: "x" * 200 if number_in(prompt) == 3 else LONG.format(n=1), tmp_path, max_tokens=120
    )
    assert found.counts == {"prompts": 3, "tries": 9, "cut": 3, "not_answered": 3}
    assert [row.id for row in found.rows] == ["p1-long-0", "p1-long-1", "p1-long-2"]
    assert found.rows[0].behaviours["planning"] > 0


def test_a_killed_run_asks_only_what_is_missing(tmp_path: Path) -> None:
    problems, calls = [problem(number) for number in range(2 * CHUNK + 1)], list[int]()

    def until(limit: int) -> Callable[[Prompt, int], str]:
        def answers(prompt: Prompt, n: int) -> str:
            if len(calls) == limit:
                raise KeyboardInterrupt
            calls.append(number_in(prompt))
            return answered(prompt, n)

        return answers

    with pytest.raises(KeyboardInterrupt):
        drawn_from(problems, until(3 * CHUNK + 5), tmp_path)
    calls.clear()
    again = drawn_from(problems, until(10_000), tmp_path)
    assert min(calls) == CHUNK, "the first chunk is there"
    assert again == drawn_from(problems, answered, tmp_path / "whole")


def test_what_is_kept() -> None:
    """All that was given; of the model's own two a problem, and none that goes on behind its box."""
    given = demonstration(problem(0), 0, "Given \\boxed{0}. And more")
    own = [demonstration(problem(2), number, f"{number} \\boxed{{2}}") for number in range(3)]
    own += [
        demonstration(problem(6), 0, "\\boxed{6} I hope that helps!"),
        demonstration(problem(8, verifier="judge"), 0, "8, I think"),
    ]
    kept = chosen([given, *own], Drawn(own, {}), drawing())
    assert [row.id for row in kept] == [given.id, "p2-long-0", "p2-long-1", "p8-long-0"]
    assert chosen([given, *own], Drawn([], {}), drawing()) == [given, *own]
    assert chosen([given], Drawn([], {}), None) == [given]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """The stage in a folder with thirteen problems and a scripted model: its error, "" without one, and what it printed."""
    monkeypatch.chdir(tmp_path)
    write_records(Path("set/problems.jsonl"), [problem(12, solution_long=LONG.format(n=12)), *map(problem, range(12))])
    Path("model").mkdir()
    monkeypatch.setattr(long_demonstrations, "_engine", lambda *_: ScriptedEngine(answered))
    words = ("--prompt-set", "set", "--model", "model", "--out", "out", "--report", "report", "--docs", "docs")
    monkeypatch.setattr(sys, "argv", ["warm_up", *words])

    def call(**changed: Any) -> tuple[str, str]:
        rules = {"min_rows": 5, "tries": 3, **changed}
        write_params(tmp_path, **{f"warm_up__{name}": value for name, value in rules.items()})
        try:
            warm_up.main()
        except DataError as error:
            return str(error), capsys.readouterr().out
        return "", capsys.readouterr().out

    return call


def test_rows_without_a_solution_are_solved_and_the_others_keep_theirs(told: Told) -> None:
    assert told()[0] == ""
    kept = read_records(Path("out/demonstrations.jsonl"), Demonstration)
    assert [row.problem_id for row in kept] == ["p12", "p0", "p0", "p2", "p2", "p4", "p8", "p8", "p10", "p10"]
    funnel = json.loads(Path("report/funnel.json").read_text())
    assert funnel["teacher"] == {"prompts": 12, "tries": 36, "cut": 0, "not_answered": 0}
    steps = {step["rule"]: (step["before"], step["after"]) for step in funnel["steps"]}
    # 36 tries and one solution; the tries of p4 are alike; six of twelve numbers are even: 5 x 3 + 1, and the solution.
    assert steps == {"repeated response": (37, 35), "not right": (35, 17), "behaviours in balance": (17, 10)}
    assert not list(Path("artifacts/state").rglob("*.json")), "nothing is left to go on with"


def test_what_is_drawn_is_kept_when_it_is_too_little(told: Told) -> None:
    """The error says what was tried and what to change; with a lower gate nothing is asked again."""
    error, _ = told(min_rows=11)
    assert error.startswith(
        "10 demonstrations of 13 prompts can be used, warm_up.min_rows asks for 11: of 37 tried 17 are right (45.9%). The model "
        "itself was asked 36 times: 0 answers were cut at their limit, 0 could not be given within model.context. Give the rows"
    )
    for remedy in ("worked solutions", "warm_up.teacher", "warm_up.tries", "self_taught.max_tokens", "sft.long: null"):
        assert remedy in error
    assert not Path("out/demonstrations.jsonl").exists()
    assert list(Path("artifacts/state/warm_up").rglob("self_taught/*.json"))
    long_demonstrations._engine = None  # type: ignore[assignment]
    assert told(min_rows=10)[0] == ""


def test_nothing_right(told: Told) -> None:
    write_records(Path("set/problems.jsonl"), [problem(number) for number in (1, 3, 5)])
    error, _ = told()
    assert error.startswith(
        "0 demonstrations of 3 prompts can be used, warm_up.min_rows asks for 5: of 9 tried 0 are right (0.0%)."
    )
    error, _ = told(self_taught=None)
    assert "of 0 tried 0 are right" in error
    assert "The model itself" not in error, "it was not asked"


def test_without_the_long_phase_nothing_is_made(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("needed.json").write_text(json.dumps({"idle": "sft.long is null"}))
    Path("report").mkdir()
    Path("report/validation.json").write_text("of an earlier run")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--needed", "needed.json"])
    assert told() == ("", "no demonstrations: sft.long is null\n")
    assert read_records(Path("out/demonstrations.jsonl"), Demonstration) == []
    assert json.loads(Path("report/funnel.json").read_text()) == {"steps": []}
    assert "sft.long is null" in Path("docs/index.html").read_text()
    assert not Path("report/validation.json").exists()


def test_the_default_run_asks_no_model() -> None:
    """Its problems are procedural: their solvers write, and no engine is loaded."""
    rules = WarmUp.model_validate(params()["warm_up"])
    assert rules.self_taught is not None
    assert {source["kind"] for source in params()["collect"]["sources"]} == {"procedural"}


def solve(tiny: Tiny, folder: Path) -> None:
    """On every rank: what a real model writes to more problems than a chunk holds."""
    import os

    from stages.rollout.opening import load_engine
    from stages.run.params import Hardware, Model

    tree = params(model__context=900)
    hardware, model = Hardware(**tree["hardware"]), Model(**tree["model"])
    responder = EngineResponder(lambda: load_engine(tiny.folder, model, hardware), 64, {})
    problems = [problem(number) for number in range(CHUNK + 6)]
    found = self_taught(problems, drawing(max_tokens=8), responder, 2, 0, 900, Chunks(folder / "state"))
    rows = [row.model_dump() for row in found.rows]
    (folder / f"told-{os.environ['RANK']}.json").write_text(json.dumps([rows, found.counts]))


def test_two_ranks_write_what_one_does(tiny: Tiny, tmp_path: Path) -> None:
    told = []
    for count in (1, 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number, process in enumerate(ranks(count, solve, folder, tiny, folder)):
            assert ended(process) == 0, (folder / f"rank{number}.txt").read_text()[-2000:]
        told += [(folder / f"told-{number}.json").read_text() for number in range(count)]
    assert told[0] == told[1] == told[2]
    assert json.loads(told[0])[1]["prompts"] == CHUNK + 6
