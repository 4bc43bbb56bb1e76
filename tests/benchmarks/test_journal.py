"""Raw responses on disk: nothing is asked twice, a kill costs nothing that was whole, another way of drawing is refused."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.answering import Drawn, draw
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.journal import Journal, prompt_hash
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.responses import match
from stages.benchmarks.suites import Asked, Suite
from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Sampling
from stages.rollout.responder import EngineResponder, Failure, Outcome, Refusal, Request, Response
from stages.rollout.scripted import ScriptedEngine


class KilledError(Exception):
    """In place of SIGKILL: nothing of ours catches it."""


class Stub:
    """Answers with the question, its seed and its sample; counts what it is asked; fails, refuses or dies where told."""

    def __init__(self, batch: int, dies_after: int = 10**9, strange: dict[str, Outcome] | None = None, model: str = "stub") -> None:
        self.batch, self.dies_after, self.strange = batch, dies_after, strange or {}
        self.settings = {"model": model}
        self.asked: list[str] = []

    def respond(self, requests: Sequence[Request], done: Callable[[int, list[Outcome]], None]) -> None:
        for index, request in enumerate(requests):
            if len(self.asked) >= self.dies_after:
                raise KilledError
            self.asked += [prompt.question for prompt in request.prompts for _ in range(request.samples)]
            done(index, [self._outcome(prompt, request) for prompt in request.prompts])

    def _outcome(self, prompt: Prompt, request: Request) -> Outcome:
        texts = [f"{prompt.question} {request.sampling.seed % 97} {number}" for number in range(request.samples)]
        return self.strange.get(prompt.question, tuple(Response(text, "stop", 3, 7) for text in texts))


DECODING = Decoding(0.6, 0.95, 2, 40, "this test")


def suite(name: str = "a", count: int = 5, decoding: Decoding = DECODING, prefix: str = "q", image: str | None = None) -> Suite:
    asked = tuple(Asked(f"{name}/{n}", Prompt(f"{prefix}{n}", image), f"{prefix}{n}", image, "1") for n in range(count))
    return Suite(name, False, "text", decoding, asked, lambda _: [], None)


def run(folder: Path, stub: Any, suites: list[Suite], seed: int = 0, together: bool = False) -> list[list[Drawn]]:
    files = {one.name: folder / ("all.jsonl" if together else f"{one.name}.jsonl") for one in suites}
    return draw(stub, suites, seed, Journal(files), lambda *_: None)


def texts(drawn: list[list[Drawn]]) -> list[list[list[str]]]:
    return [[[response.text for response in one.responses] for one in found] for found in drawn]


@pytest.mark.parametrize("batch", [1, 3, 4, 100])
@pytest.mark.parametrize("together", [False, True])
def test_after_a_kill_the_rest_is_asked_and_the_end_is_the_same(tmp_path: Path, batch: int, together: bool) -> None:
    suites = [suite("a"), suite("b", 3), suite("c", 2, replace(DECODING, samples=5))]
    whole = run(tmp_path / "whole", Stub(batch), suites, together=together)
    stub = Stub(batch, dies_after=9)
    with pytest.raises(KilledError):
        run(tmp_path / "killed", stub, suites, together=together)
    rest = Stub(batch)
    assert texts(run(tmp_path / "killed", rest, suites, together=together)) == texts(whole)
    assert len(stub.asked) + len(rest.asked) == (5 + 3) * 2 + 2 * 5, "nothing is asked twice"
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == (["all.jsonl"] if together else ["a.jsonl", "b.jsonl", "c.jsonl"])
    assert all((tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes() for name in names)


def test_a_torn_last_line_is_dropped_and_asked_again(tmp_path: Path) -> None:
    whole = run(tmp_path, Stub(1), [suite()])
    path = tmp_path / "a.jsonl"
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    stub = Stub(1)
    assert texts(run(tmp_path, stub, [suite()])) == texts(whole)
    assert stub.asked == ["q4"]
    assert path.read_bytes() == content


def test_a_batch_that_is_not_whole_is_drawn_again(tmp_path: Path) -> None:
    """Its responses come from one stream of random numbers: the second half alone would be another draw."""
    run(tmp_path, Stub(4), [suite()])
    path = tmp_path / "a.jsonl"
    content = path.read_bytes()
    path.write_bytes(b"".join(content.splitlines(keepends=True)[:5]))
    stub = Stub(4)
    run(tmp_path, stub, [suite()])
    assert stub.asked == ["q2", "q2", "q3", "q3", "q4", "q4"]
    assert path.read_bytes() == content


def test_what_is_complete_is_not_asked_at_all(tmp_path: Path) -> None:
    first = run(tmp_path, Stub(1), [suite()])
    stub = Stub(1)
    assert texts(run(tmp_path, stub, [suite()])) == texts(first)
    assert stub.asked == []

    def load() -> ScriptedEngine:
        raise AssertionError("the model is loaded for nothing")

    assert texts(run(tmp_path, EngineResponder(load, 1, {"model": "stub"}), [suite()])) == texts(first)


def test_failures_are_asked_again_and_refusals_are_not(tmp_path: Path) -> None:
    stub = Stub(1, strange={"q1": Failure("status 500"), "q3": Refusal("no picture")})
    (found,) = run(tmp_path, stub, [suite()])
    assert [(one.failures, one.excluded, len(one.responses)) for one in found] == [
        ((), None, 2), (("status 500",) * 2, None, 0), ((), None, 2), ((), "no picture", 0), ((), None, 2),
    ]  # fmt: skip
    again = Stub(1)
    (found,) = run(tmp_path, again, [suite()])
    assert again.asked == ["q1", "q1"]
    assert [one.excluded for one in found] == [None, None, None, "no picture", None]
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"a/{number}" for number in range(5) for _ in range(2)]
    refused = [row for row in rows if row["id"] == "a/3"]
    assert {(row["response"], row["finish"], row["reason"]) for row in refused} == {(None, "excluded", "no picture")}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"decoding": replace(DECODING, temperature=1.0)}, r"a.jsonl:1: 'a/0' was drawn with temperature = 0.6, now it is 1.0;"),
        ({"decoding": replace(DECODING, max_tokens=9)}, r"drawn with max_tokens = 40, now it is 9;"),
        ({"model": "other"}, r"drawn with model = 'stub', now it is 'other';"),
        ({"seed": 1}, r"drawn with seed = \d+, now it is \d+;"),
        ({"prefix": "Q"}, r"'a/0' was asked another prompt or other pictures; write to another folder"),
    ],
)
def test_another_way_of_drawing_is_refused_and_costs_nothing(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    run(tmp_path, Stub(1), [suite()])
    content = (tmp_path / "a.jsonl").read_bytes()
    stub = Stub(1, model=change.pop("model", "stub"))
    with pytest.raises(DataError, match=message):
        run(tmp_path, stub, [suite(**{name: value for name, value in change.items() if name != "seed"})], change.get("seed", 0))
    assert stub.asked == []
    assert (tmp_path / "a.jsonl").read_bytes() == content


def test_another_picture_of_the_same_name_is_another_prompt(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    hashes = []
    for content in (b"1", b"2", b"1"):
        picture.write_bytes(content)
        hashes.append(prompt_hash(Prompt("?", str(picture))))
    picture.unlink()
    hashes.append(prompt_hash(Prompt("?", str(picture))))
    assert hashes[0] == hashes[2]
    assert len(set(hashes)) == 3
    assert prompt_hash(Prompt("?", None, "")) != prompt_hash(Prompt("?", None, None))


def test_more_items_and_samples_go_on_where_each_response_stands_alone(tmp_path: Path) -> None:
    run(tmp_path, Stub(1), [suite(count=3, decoding=replace(DECODING, samples=1))])
    stub = Stub(1)
    run(tmp_path, stub, [suite()])
    assert sorted(stub.asked) == ["q0", "q1", "q2", "q3", "q3", "q4", "q4"]
    fewer = Stub(1)
    (found,) = run(tmp_path, fewer, [suite(count=2)])
    assert (fewer.asked, len(found)) == ([], 2)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 10, "what is not asked for now stays"


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"id": 1}\n', r"a.jsonl:1: no row of `k15 generate` \(its fields are others\); delete the line, or choose"),
        ("not json\n", "no row of `k15 generate`"),
        ('["a"]\n', "no row of `k15 generate`"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(line)
    with pytest.raises(DataError, match=message):
        run(tmp_path, Stub(1), [suite()])
    assert (tmp_path / "a.jsonl").read_text() == line


def test_whatever_a_model_writes_survives(tmp_path: Path) -> None:
    """Null bytes, lone surrogates, separators of lines that Python's splitlines knows and JSONL does not."""
    wild = "\0 \ud800 \u2028 \r\n \x1c \u202e" + "x" * 10_000
    stub = Stub(1, strange={"q0": (Response(wild, "stop", 1, 1, reasoning=wild),)})
    one = replace(DECODING, samples=1)
    run(tmp_path, stub, [suite(count=1, decoding=one)])
    ((found,),) = run(tmp_path, Stub(1), [suite(count=1, decoding=one)])
    assert found.responses == (Response(wild, "stop", 1, 1, reasoning=wild),)


def test_seeds_and_settings_are_told(tmp_path: Path) -> None:
    (found,) = run(tmp_path, Stub(1), [suite(count=1)])
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == [slot.seed for slot in found[0].slots]
    assert len({row["seed"] for row in rows}) == 2, "each response that is asked alone has a stream of its own"
    assert rows[0].items() >= {
        "benchmark": "a", "id": "a/0", "sample": 0, "finish": "stop", "reason": None, "reasoning_content": None,
        "prompt_tokens": 7, "tokens": 3, "settings": {"temperature": 0.6, "top_p": 0.95, "max_tokens": 40, "model": "stub"},
    }.items()  # fmt: skip
    assert Sampling(0.6, 0.95, 40, rows[0]["seed"]).seed < 2**63


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_scorer_finds_the_items_of_such_a_file(tmp_path: Path, name: str) -> None:
    """Whatever fields a benchmark's own rows have, ours are found by `id`."""
    bench = Path("../shared/bench")
    if not bench.exists():
        pytest.skip(f"{bench} is not here (published benchmark files)")
    items = BENCHMARKS[name].read_answers(bench).items[:40]
    asked = tuple(Asked(item.id, Prompt("q", None), "q", None, "1") for item in items)
    one = Suite(name, False, "text", replace(DECODING, samples=3), asked, lambda _: [], None)
    run(tmp_path, Stub(1), [one])
    matched = match(BENCHMARKS[name], items, tmp_path / f"{name}.jsonl")
    assert [len(given.texts) for given in matched.given.values()] == [3] * len(items)
    assert (matched.missing, matched.duplicates, matched.unmatched) == ([], [], [])
