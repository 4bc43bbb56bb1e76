"""Responses that try to harm a scorer, and an item of each benchmark in its published format to try them on.

As a program (`python tests/benchmarks/hostile.py --seconds 20 --seed 0`, in the project's folder) it puts pieces of them
together at random, judges them by every benchmark of the registry, and ends with 1 when a scorer raised or took too long."""

import argparse
import csv
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.registry import BENCHMARKS

MILLION = 1_000_000
LIMIT = 30.0
"""Seconds from a response to its verdict, of which SECONDS are the worker's and the rest may start a new one."""
SECONDS = 2.0
EXECUTED = ("humaneval_mul", "livecodebench", "codeforces")
"""Benchmarks that run the response, or take verdicts: hostile programs are tested with the sandbox."""

_HARD = {"question": "q", "subject": "algebra", "level": 5, "image": "1.jpg", "options": []}
_VISTA = {"pid": "1", "question": "q", "image": "1.jpg", "unit": None, "query": "q", "question_type": "free_form", "metadata": {}}
_PRONOUN = {"span1_text": "a", "span1_index": 0, "span2_text": "b", "span2_index": 1}


def _rows(*rows: Mapping[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _csv(*rows: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


EXAMPLES: dict[str, tuple[str, str, str]] = {
    "math500": (
        "test.jsonl",
        _rows({"problem": "q", "answer": "\\frac{3}{7}", "subject": "Algebra", "level": 5, "unique_id": "1"}),
        "\\boxed{3/7}",
    ),
    "aime2024": ("test.jsonl", _rows({"id": 60, "problem": "q", "answer": "025"}), "\\boxed{25}"),
    "mathvision": ("test.jsonl", _rows({**_HARD, "id": "1", "answer": "\\frac{3}{7}"}), "\\boxed{3/7}"),
    "ifeval": (
        "input_data.jsonl",
        "",
        "I saw NASA, the FBI. [name] [city] *big* deal <<title>>",
    ),
    "mmlu": ("test/abstract_algebra_test.csv", _csv(["q", "one", "two", "three", "four", "D"]), "Answer: D"),
    "ceval": (
        "val/accountant_val.csv",
        _csv(["id", "question", "A", "B", "C", "D", "answer"], ["0", "q", "one", "two", "three", "four", "D"]),
        "答案是D。",
    ),
    "cluewsc": ("test_public.json", _rows({"target": _PRONOUN, "idx": 0, "label": "false", "text": "ab"}), "答案是B"),
    "mmmu": (
        "answer_dict_val.json",
        json.dumps(
            {
                "validation_Art_1": {"question_type": "short-answer", "ground_truth": "37.5"},
                "validation_Art_2": {"question_type": "multiple-choice", "ground_truth": "D"},
            }
        ),
        "The answer is 37.5.",
    ),
    "mathvista": (
        "testmini.json",
        json.dumps(
            {
                "1": {**_VISTA, "answer": "25", "answer_type": "integer", "choices": None, "precision": None},
                "2": {**_VISTA, "pid": "2", "answer": "3.75", "answer_type": "float", "choices": None, "precision": 2},
                "3": {**_VISTA, "pid": "3", "answer": "[3, 7]", "answer_type": "list", "choices": None, "precision": None},
            }
        ),
        "25",
    ),
}
"""For each benchmark: a file of its published format, what stands in it, and a right response to the item in it."""

_INSTRUCTIONS: dict[str, dict[str, object]] = {
    "change_case:capital_word_frequency": {"capital_frequency": 2, "capital_relation": "at least"},
    "detectable_content:number_placeholders": {"num_placeholders": 2},
    "detectable_format:title": {},
    "detectable_format:number_bullet_lists": {"num_bullets": 0},
    "detectable_format:number_highlighted_sections": {"num_highlights": 1},
    "keywords:existence": {"keywords": ["saw", "deal"]},
    "keywords:frequency": {"keyword": "saw", "frequency": 2, "relation": "less than"},
    "keywords:forbidden_words": {"forbidden_words": ["zebra"]},
    "keywords:letter_frequency": {"letter": "#", "let_frequency": 2, "let_relation": "less than"},
    "language:response_language": {"language": "en"},
    "length_constraints:number_sentences": {"num_sentences": 9_000_000, "relation": "less than"},
    "length_constraints:number_words": {"num_words": 9_000_000, "relation": "less than"},
    "length_constraints:number_paragraphs": {"num_paragraphs": 1},
}
_ONE_MORE = {"detectable_format:json_format": {}, "change_case:english_lowercase": {}, "change_case:english_capital": {}}


def examples(folder: Path) -> dict[str, tuple[Benchmark, list[Item], str]]:
    """Benchmarks of the registry with the items of their example and a right response, the files written to `folder`."""
    prompts = [
        {"key": key, "prompt": "q", "instruction_id_list": list(asked), "kwargs": list(asked.values())}
        for key, asked in ((1, _INSTRUCTIONS), (2, _ONE_MORE))
    ]
    found = {}
    for name in [name for name in BENCHMARKS if name not in EXECUTED]:
        file, text, right = EXAMPLES[name]
        path = folder / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or _rows(*prompts), encoding="utf-8")
        found[name] = (BENCHMARKS[name], BENCHMARKS[name].read_answers(folder).items, right)
    return found


HOSTILE: dict[str, str] = {
    "nothing": "",
    "blank": " \n\t ",
    "a million characters": "x" * MILLION,
    "a million digits": "9" * MILLION,
    "a boxed million digits": "\\boxed{" + "9" * MILLION + "}",
    "an integer too long for int": "\\boxed{" + "9" * 5000 + "}",
    "a bare integer too long for int": "9" * 5000,
    "an integer too long for a float": "\\boxed{" + "9" * 400 + "} is 1" + "0" * 399,
    "JSON with a long integer": "[" + "9" * 5000 + "]",
    "a thousand nested braces": "\\boxed{" + "{" * 1000 + "3" + "}" * 1000 + "}",
    "braces that never close": "\\boxed{" + "{" * MILLION,
    "a hundred thousand boxes": "\\boxed{" * 100_000 + "3" + "}" * 100_000,
    "hidden boxes": "oxe{}d{" * 100_000,
    "nested brackets": "[" * 500_000 + "]" * 500_000,
    "nested fractions": "\\boxed{" + "\\frac{" * 300 + "1" + "}{2}" * 300 + "}",
    "a power tower": "\\boxed{9^{9^{9^{9}}}}",
    "a Python tower": "\\boxed{9**9**9**9}",
    "a bare tower": "The answer is 9**9**9**9",
    "a factorial": "\\boxed{1000000!}",
    "exponents": "\\boxed{1e999999999} The answer is 1e999999999",
    "infinity": "\\boxed{inf} The answer is nan",
    "NUL": "\0\\boxed{\0}\0 Answer: \0",
    "lone surrogates": "\ud800\\boxed{\udfff} Answer: \udc00",
    "right to left": "\u202e\u200f\\boxed{\u202b3\u202c}\u202c Answer: \u200f",
    "other digits": "\\boxed{\u0663\u0662} \u00b2 The answer is \u2465",
    "other spaces": "\u2028\u2029\x85\x0b\x0c\\boxed{\u00a0}" * 1000,
    "ten megabytes on a line": "word " * 2_000_000,
    "ten megabytes and a box": "word " * 2_000_000 + "\\boxed{3}",
    "ten megabytes of addresses": "a@" * 5_000_000,
    "a million line breaks": "\n" * MILLION,
    "a million spaces": "a." + " " * MILLION + "b",
    "thinking without end": "<think>" * 100_000,
    "thinking ends again and again": "</think>" * 100_000,
    "an end of the program": "__import__('os')._exit(0)\n\\boxed{__import__('os').abort()}\nraise SystemExit",
    "a reply of its own": '["right", ""]\n\\boxed{"]\n["right", ""]\n}',
    "an end of the input": "\x04\x1a\x03\\boxed{\x04}",
    "format marks": "%s%n{0}{item}${HOME}`id`$(id)",
    "answers": "Answer: " * 100_000,
    "answers on one line": 'The answer is "' * 70_000,
    "answer is": "answer is " * 100_000,
    "is": "is " * 300_000,
    "equal signs": "=" * 500_000,
    "Chinese answers": "答案是" * 300_000,
    "options": "(A) " * 250_000,
    "commas": "1," * 500_000,
    "a tuple": "\\boxed{(" + "1," * 400_000 + "1)}",
    "dollars": "$" * MILLION,
    "backslashes": "\\" * MILLION,
    "commands": "\\text{" * 150_000,
    "roots": "\\boxed{" + "\\sqrt" * 200_000 + "}",
    "asterisks": "*" * MILLION,
    "angular brackets": "<" * MILLION,
    "opening brackets": "[" * MILLION,
    "dashes": "-" * MILLION,
    "periods": "." * MILLION,
    "marks": "!?" * 300_000,
    "sentences": "Aa. " * 250_000,
    "initials": "A. " * 100_000,
    "quotation marks": "\"'" * 500_000,
    "fences": "```json\n" * 100_000,
    "numbers": "1.5e5 " * 150_000,
    "signs": "-.-+" * 250_000,
    "zeros": "\\boxed{" + "0" * 1900 + "}" + "0" * MILLION,
}
"""By name. None of them is the answer to an example but for IF-Eval, whose instructions some may follow."""
PIECES = (
    *("\\boxed{", "}", "{", "</think>", "Answer: ", "The answer is ", "答案是", "(A)", "B", " C ", "D.", "25", "3/7", "37.5"),
    *("\\frac", "\\sqrt", "^", "**", "!", "e9", "=", "\\approx", "\\text{", "$", "\\", "|", "1,000", "[", "]", "(", ")"),
    *("<<", ">>", "-", "+", "*", "***", "******", "```", "\n", "\n\n", " ", "\t", "\0", "\ud800", "\udfff", "\u202e", "\u2028"),
    *("²", "٣", "é", "İ", "ß", "ﬁ", "a.", "Mr. ", "U.S. ", "'s", '"', "“", "https://", "@", "#", "%", "nan", "inf", "1e400"),
    *("0" * 50, "9" * 450, "i", "\\pi", "x"),
)


def response(generator: random.Random) -> str:
    """Pieces in a row, one of them perhaps many times."""
    pieces = [generator.choice(PIECES) for _ in range(generator.randint(1, 12))]
    place = generator.randrange(len(pieces))
    pieces[place] *= generator.choice((1, 1, 1, 3, 100, 20_000))
    return "".join(pieces)


def fuzz(seconds: float, seed: int, names: Sequence[str] = ()) -> tuple[int, list[str]]:
    """(responses judged, failures): each response by every benchmark, until the time is over."""
    generator = random.Random(seed)
    failures: list[str] = []
    judged = 0
    with tempfile.TemporaryDirectory() as folder:
        tried = {name: found for name, found in examples(Path(folder)).items() if not names or name in names}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = response(generator)
            for name, (benchmark, items, _) in tried.items():
                judged += 1
                failures += [f"{name}: {why}: {text[:300]!a} (seed {seed})" for why in [_fault(benchmark, items, text)] if why]
    return judged, failures


def _fault(benchmark: Benchmark, items: Sequence[Item], text: str) -> str | None:
    start = time.monotonic()
    try:
        verdicts = benchmark.judge([(item, text) for item in items], 1, SECONDS)
        json.dumps([[verdict.outcome, verdict.extracted, verdict.reason, dict(verdict.details)] for verdict in verdicts])
    except Exception as error:  # noqa: BLE001 - whatever a scorer raises is what is looked for
        return f"{type(error).__name__}: {error}"[:200]
    taken = time.monotonic() - start
    return f"{taken:.0f} s" if taken > LIMIT else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="BENCHMARK")
    given = parser.parse_args()
    judged, failures = fuzz(given.seconds, given.seed, given.only)
    print(f"{judged} responses judged, {len(failures)} failures", *failures[:20], sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
