"""IF-Eval: published files load as they are, the four published figures of six models come out, each difference explained."""

import json
import re
import string
import time
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Item
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError
from stages.rollout.engine import Prompt
from stages.verifiers import natural_languages
from stages.verifiers.instruction_following import CHECKERS, followed, instruction, variants
from stages.verifiers.verdict import Verdict

IFEVAL = BENCHMARKS["ifeval"]
BENCH = Path("../shared/bench")
RUNS = Path("../shared/conformance/ifeval")
SCORED_WITH = BENCH / "ifeval/input_data.mifeval_2024-07.jsonl"
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
needs_runs = pytest.mark.skipif(not RUNS.exists() or not BENCH.exists(), reason=f"{RUNS} is not here (published IF-Eval verdicts)")
LETTER, LANGUAGE, CAPITAL = "keywords:letter_frequency", "language:response_language", "change_case:english_capital"
DIFFERENCES = {
    "CohereForAI__aya-23-8B": [("1122", LETTER, "strict", True), ("2596", LANGUAGE, "strict", False)],
    "Qwen__Qwen2.5-0.5B-Instruct-GPTQ-Int4": [
        *(("1122", LETTER, form, True) for form in ("strict", "loose")),
        *(("1129", LETTER, form, False) for form in ("strict", "loose")),
    ],
    "Qwen__Qwen2.5-7B-Instruct-GPTQ-Int4": [
        *(("1122", LETTER, "strict", True), ("1129", LETTER, "strict", True)),
        *(("3456", CAPITAL, "strict", True), ("3617", CAPITAL, "loose", True)),
    ],
    "claude-3-haiku-20240307": [
        *(("1645", CAPITAL, form, False) for form in ("strict", "loose")),
        *(("3456", CAPITAL, form, True) for form in ("strict", "loose")),
    ],
    "gpt-4o-2024-08-06": [("1122", LETTER, "strict", True)],
    "o1-mini-2024-09-12": [("1129", LETTER, "loose", True)],
}
"""(key, instruction, form, our verdict) where ours is not the published one. Of two kinds only. 1122 and 1129 ask for "#" and
"!", in whose place the code of 2024 put a letter drawn at random for each check; ours counts the character. The others ask
langdetect, which was not seeded: with some of the first SEEDS seeds it says what was published, with seed 0 the contrary."""
SEEDS = 40
Runs = dict[str, list[tuple[Item, dict[str, Any], Verdict]]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """All published responses, judged."""
    items = {item.id: item for item in IFEVAL.read_answers(SCORED_WITH).items}
    found: Runs = {}
    for path in sorted(RUNS.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        pairs = [(items[str(row["key"])], row["response"] or "") for row in rows]
        found[path.stem] = [
            (item, row, verdict) for (item, _), row, verdict in zip(pairs, rows, IFEVAL.judge(pairs, 2, 10), strict=True)
        ]
    return found


@needs_runs
def test_the_four_figures_of_every_model_are_within_0_4_of_the_published(runs: Runs) -> None:
    published = json.loads((RUNS / "expected.json").read_text())
    for model, judged in runs.items():
        average = IFEVAL.average([Judged(item, (verdict,)) for item, _, verdict in judged])
        assert average.figures == pytest.approx(published[model], abs=0.4), model
        assert round(100 * average.score.mean, 2) == average.figures["prompt_strict"]


@needs_runs
def test_every_difference_is_listed(runs: Runs) -> None:
    assert len(runs) >= 6
    assert {model: len(judged) for model, judged in runs.items()} == dict.fromkeys(runs, 541)
    for model in runs.keys() & DIFFERENCES.keys():
        assert [(item.id, name, form, mine) for item, name, form, mine, _ in differing(runs[model])] == DIFFERENCES[model], model


@needs_runs
def test_every_difference_is_explained(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published verdict comes out with some letter, or with some seed."""
    for model, judged in runs.items():
        for item, name, form, mine, response in differing(judged):
            arguments = dict(item.data["instructions"])[name]
            texts = variants(response) if form == "loose" else [response]
            found = set()
            if name == LETTER:
                assert arguments["letter"] not in string.ascii_letters, (model, item.id)
                for letter in string.ascii_lowercase:
                    found.add(any(followed(text, CHECKERS[name], {**arguments, "letter": letter}) for text in texts))
            for seed in range(SEEDS if name in (LANGUAGE, CAPITAL, "change_case:english_lowercase") else 0):
                monkeypatch.setattr(natural_languages, "SEED", seed)
                found.add(any(followed(text, CHECKERS[name], arguments) for text in texts))
            assert (not mine) in found, (model, item.id, name, form)


@needs_runs
def test_541_responses_take_less_than_twenty_seconds(runs: Runs) -> None:
    judged = max(runs.values(), key=lambda rows: sum(len(row["response"] or "") for _, row, _ in rows))
    start = time.monotonic()
    IFEVAL.judge([(item, row["response"] or "") for item, row, _ in judged], 2, 10)
    assert time.monotonic() - start < 20


@needs_runs
def test_no_published_response_is_an_error_and_equal_responses_have_equal_verdicts(runs: Runs) -> None:
    judged = runs[min(runs)]
    again = IFEVAL.judge([(item, row["response"] or "") for item, row, _ in judged], 1, 10)
    assert again == [verdict for _, _, verdict in judged]
    assert [row["key"] for rows in runs.values() for _, row, verdict in rows if verdict.outcome == "error"] == []


@needs_bench
@pytest.mark.parametrize(
    "name, asked, number",
    [
        ("input_data.jsonl", "at least 3 placeholders", 3),
        ("input_data.hf_google_IFEval.jsonl", "at least one placeholder", 3),
        ("input_data.mifeval_2024-07.jsonl", "at least one placeholder", 1),
    ],
)
def test_the_published_versions_differ_in_one_item(name: str, asked: str, number: int) -> None:
    loaded = IFEVAL.read_answers(BENCH / "ifeval" / name)
    assert (len(loaded.items), loaded.part) == (541, None)
    assert sum(len(item.data["instructions"]) for item in loaded.items) == 834
    item = next(item for item in loaded.items if item.id == "2785")
    assert asked in item.question
    assert dict(item.data["instructions"])["detectable_content:number_placeholders"] == {"num_placeholders": number}
    assert {name for item in loaded.items for name, _ in item.data["instructions"]} == set(CHECKERS)


@needs_bench
def test_the_current_version_is_the_default() -> None:
    assert IFEVAL.read(BENCH) == IFEVAL.read_answers(BENCH / "ifeval/input_data.jsonl")


def test_the_prompt_is_the_published_one_alone() -> None:
    assert IFEVAL.prompt(made({})) == Prompt("Say it.", None, instruction="")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kwargs": []}, "row 1: 1 instructions with 0 sets of arguments"),
        ({"instruction_id_list": ["a:b"]}, "row 1: unknown instruction 'a:b'"),
        ({"kwargs": [{"letter": "a"}]}, "row 1: punctuation:no_comma takes no arguments, found letter"),
        ({"prompt": " "}, "row 1 (id '1') has an empty question"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    row = {"key": 1, "prompt": "P", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    (tmp_path / "ifeval").mkdir()
    (tmp_path / "ifeval/input_data.jsonl").write_text(json.dumps(row | change))
    with pytest.raises(DataError, match=re.escape(message)):
        IFEVAL.read(tmp_path)


def test_the_hubs_file_with_its_nulls_loads(tmp_path: Path) -> None:
    row = {
        "key": 1,
        "prompt": "P",
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{"num_words": None, "keywords": None}],
    }
    (tmp_path / "ifeval").mkdir()
    (tmp_path / "ifeval/ifeval_input_data.jsonl").write_text(json.dumps(row))
    loaded = IFEVAL.read(tmp_path)
    assert loaded.items[0].data["instructions"] == [("punctuation:no_comma", {})]
    assert loaded.part == "the file holds 1 of 541 items"


def test_the_thinking_part_and_the_blank_lines_behind_it_are_not_judged() -> None:
    item = made({"startend:quotation": {}, "length_constraints:nth_paragraph_first_word": PARAGRAPH})
    (verdict,) = IFEVAL.judge([(item, '<think>So, one, two.</think>\n\n"Weekend."')], 1, 10)
    assert (verdict.outcome, verdict.details["strict"]) == ("right", [True, True])


def test_figures_by_hand() -> None:
    """All followed; one of two, and both loosely; an error; an item that nobody responded to."""
    item = made({"punctuation:no_comma": {}, "startend:quotation": {}})
    judged = [Judged(item, tuple(IFEVAL.judge([(item, text)], 1, 10))) for text in ('"Yes"', 'Yes:\n"No"', "x" * 1_000_001)]
    assert [one.verdicts[0].outcome for one in judged] == ["right", "wrong", "error"]
    assert judged[1].verdicts[0].reason == "not followed: startend:quotation"
    assert judged[1].verdicts[0].extracted == "1 of 2 followed"
    judged.append(Judged(item, (Verdict("wrong", None, "no response"),)))
    assert IFEVAL.average(judged).figures == {
        "prompt_strict": 25.0, "inst_strict": 37.5, "prompt_loose": 50.0, "inst_loose": 50.0,
    }  # fmt: skip


PARAGRAPH = {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "weekend"}


def made(instructions: dict[str, dict[str, Any]]) -> Item:
    checked = [instruction(name, arguments) for name, arguments in instructions.items()]
    return Item("1", "Say it.", None, "gold", "group", data={"instructions": checked})


def differing(judged: list[tuple[Item, dict[str, Any], Verdict]]) -> list[tuple[Item, str, str, bool, str]]:
    return [
        (item, name, form, mine, row["response"] or "")
        for item, row, verdict in judged
        for place, (name, _) in enumerate(item.data["instructions"])
        for form in ("strict", "loose")
        for mine in [verdict.details[form][place]]
        if mine != row[form][place]
    ]
