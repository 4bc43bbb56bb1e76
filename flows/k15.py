"""The command `k15`: `init` writes the values of a run, `plan` and `doctor` look before it,
`replay` feeds MLflow later; `generate` asks a model the items of benchmarks, `score` scores
responses, `compare` compares two models, `verify` judges responses by the rules of RL's rewards."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows import doctor, generate, k15_compare, k15_init, k15_verify, plan, replay
from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import NAMED, SECONDS, Scored, score_file
from stages.data.files import DataError, write_text
from stages.run.program import run

JUDGED_TOGETHER = 8
"""Prompts that a checkpoint given as --judge answers side by side."""
_EPILOG = """\
A row of FILE.jsonl holds the benchmark's own id field (or `id`) and `response`: a text, null, or a list of k samples.
`generated_responses`, `completion`, `resp`, `completion_tail` and `code`, as published files call it, do as well. FILE may also be
an array, an object by id, samples of lm-evaluation-harness, a JSON log of inspect, or any of these as .gz. A row whose id no item
has is matched by its prompt (`prompt`, `question`, `problem`, `input`, `query`); how many were is said.
Rows of multiple-choice benchmarks, MMMU and MathVista may hold `extraction`, the answer taken out already, scored instead.
Rows of code benchmarks may hold `verdicts` or LiveCodeBench's `graded_list` (true, false, or right, wrong, error; one a
response), beside `response` or `output_list`: they stand, nothing is run, and `extracted` shows the program.

Codeforces takes one of three forms, and prints the percentile in CodeElo's table:
  a rating    one row a file, of any id: {"id": "o1-mini", "rating": 1578} or {"response": "1578"}; --data is a folder
              with sorted_ratings.json, or any file
  verdicts    rows {"id": "CONTEST/INDEX", "verdicts": [false, true]}, attempts in order; --data is a folder with
              contests.jsonl, a row a contest: {"contest_id", "icpc", "points": {index: points}, "rows": [[points, penalty,
              rating before], ...]} of every rated participant
  programs    rows {"id": "CONTEST/INDEX", "response": [...]}; beside contests.jsonl stands problems.jsonl, a row a problem:
              {"contest_id", "index", "statement", "tests": [{"input", "output"}, ...]}
With --rule vote the k programs to a problem are one attempt, as in the report: they run on test inputs that the same model wrote,
and of the largest group that prints the same the first one counts. The inputs are a row's `inputs` (a list of texts, or the
model's response with an input in each code block), else FILE_inputs.jsonl beside FILE.jsonl, as `k15 generate` writes it.

LiveCodeBench is scored on table 2's 64 problems; --rule 2408-2411 takes table 3's window, --rule all every problem.
MathVista prints the score by each of its rules as `scores_by_rule`. Scoring needs no pictures.
Whatever stands before the last </think> of a response is taken off first. The last line printed is one JSON object;
equal input gives equal output. Items without a row count as wrong.

example: k15 score mmlu --data bench --responses mmlu.jsonl --verdicts verdicts.jsonl
"""


def main() -> None:
    """Run the command given on the command line."""
    try:
        run(lambda: _main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)


def parser() -> argparse.ArgumentParser:
    """What the command line may hold."""
    top = argparse.ArgumentParser(prog="k15", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    k15_init.add_command(commands)
    plan.add_command(commands)
    doctor.add_command(commands)
    replay.add_command(commands)
    generate.add_command(commands)
    _add_score(commands)
    k15_compare.add(commands)
    k15_verify.add(commands)
    return top


def _add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="score the responses in a file by the rules of a benchmark's authors",
        description=f"Score responses by the rules of a benchmark's authors. Benchmarks:\n{_listing()}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    score.add_argument("benchmark", choices=list(BENCHMARKS), metavar="BENCHMARK", help=f"one of {', '.join(BENCHMARKS)}")
    score.add_argument(
        "--data", type=Path, required=True, metavar="PATH", help="the benchmark's folder, a root that holds it, or its data file"
    )
    score.add_argument("--responses", type=Path, required=True, metavar="FILE.jsonl", help="one row a response, or an item")
    score.add_argument(
        "--verdicts", type=Path, metavar="OUT.jsonl", help="write a row a response: id as given, correct, extracted, reason"
    )
    score.add_argument("--rule", metavar="NAME", help=f"another scoring rule than the default: {_rules()}")
    score.add_argument("--workers", type=int, default=2, metavar="N", help="processes that compare answers (default 2)")
    score.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help=f"limit of one comparison (default {SECONDS:g} s)"
    )
    score.add_argument(
        "--judge",
        metavar="MODEL",
        help="a model takes the answers out of the responses, as the authors' GPT-4 did (mathvista): a checkpoint folder, or the "
        "name of the model behind --judge-endpoint",
    )
    score.add_argument("--judge-endpoint", metavar="URL", help="OpenAI-compatible address of --judge; its key is in OPENAI_API_KEY")
    score.set_defaults(run=_score)


def _main(arguments: Sequence[str]) -> None:
    args = parser().parse_args(arguments)
    sys.exit(args.run(args))


def _score(args: argparse.Namespace) -> int:
    benchmark = _by_model(_chosen(args.benchmark, args.rule), args.judge, args.judge_endpoint)
    if args.workers < 1 or args.seconds <= 0:
        raise DataError("--workers must be at least 1 and --seconds above 0")
    start = time.monotonic()
    scored = score_file(benchmark, args.data, args.responses, args.workers, args.seconds)
    if args.verdicts is not None:
        write_text(args.verdicts, "".join(json.dumps(row) + "\n" for row in scored.verdicts))
    for line in (*_report(benchmark, scored), *_against_default(args, benchmark, scored)):
        print(line, flush=True)
    print(f"scored in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
    print(json.dumps(scored.result), flush=True)  # last, also where both streams go to one file
    return 0


def _against_default(args: argparse.Namespace, benchmark: Benchmark, scored: Scored) -> list[str]:
    """What the named rule, or the extracting model, changes; nothing by default, or where the rule takes other items."""
    usual = BENCHMARKS[args.benchmark]
    told = ("rule", "extraction", "split")
    if (
        (args.rule is None and args.judge is None)
        or benchmark.split != usual.split
        or all(getattr(usual, n) == getattr(benchmark, n) for n in told)
    ):
        return []
    other = score_file(usual, args.data, args.responses, args.workers, args.seconds)
    pairs = zip(scored.verdicts, other.verdicts, strict=True) if len(scored.verdicts) == len(other.verdicts) else ()
    differ = [str(mine["id"]) for mine, theirs in pairs if mine["correct"] != theirs["correct"]]
    points = scored.result["score"] - other.result["score"]
    scored.result["against_default"] = {"score": other.result["score"], "points": round(points, 2), "verdicts": len(differ)}
    return [
        f"against the default rule ({other.result['score']}): {points:+.2f} points, {len(differ)} verdicts differ"
        + (f": {_first(differ, len(differ))}" if differ else "")
    ]


def _chosen(name: str, rule: str | None) -> Benchmark:
    benchmark = BENCHMARKS[name]
    if rule is None:
        return benchmark
    if rule not in benchmark.rules:
        names = ", ".join(benchmark.rules) or "none"
        raise DataError(f"{benchmark.title} has no rule {rule!r} beside its default; it has {names}")
    return benchmark.rules[rule]


def _by_model(benchmark: Benchmark, model: str | None, endpoint: str | None) -> Benchmark:
    """The benchmark with the model that takes out answers, where one is named."""
    if model is None:
        if endpoint is not None:
            raise DataError("--judge-endpoint needs --judge, the name of the model behind it")
        return benchmark
    if benchmark.by_model is None:
        names = ", ".join(name for name, one in BENCHMARKS.items() if one.by_model)
        raise DataError(f"{benchmark.title}: no model takes out its answers; --judge is for {names}")
    from stages.rollout.asking import asking

    return benchmark.by_model(asking(model, endpoint, JUDGED_TOGETHER))


def _report(benchmark: Benchmark, scored: Scored) -> list[str]:
    """Lines for a reader, above the result."""
    result = scored.result
    low, high = result["ci95"]
    lines = [
        f"{benchmark.title} ({benchmark.metric}): {result['score']} [{low}, {high}], n = {result['n']}, k = {result['k']}",
        f"extraction: {benchmark.extraction}",
        f"rule: {benchmark.rule}",
    ]
    differences = {"this rule": benchmark.differs} if benchmark.differs else benchmark.differences()
    lines += [f"the default differs from {name}: {what}" for name, what in differences.items()]
    if result["part"] is not None:
        lines.append(f"only a part of the benchmark: {result['part']}")
    told = {
        "missing": "items without a response count as wrong",
        "duplicates": "rows of an id that an earlier row has are not scored",
        "unmatched": "rows belong to no item and are not scored",
    }
    if result["matched_by_prompt"]:
        lines.append(f"{result['matched_by_prompt']} rows were matched by the text of their prompt, the others by id")
    lines += [f"{result[name]} {what}: {_names(result, name)}" for name, what in told.items() if result[name]]
    if result.get("fallback"):
        counts = ", ".join(f"{name}: {count}" for name, count in result["fallbacks"].items())
        lines.append(f"{result['fallback']} responses were read by a fallback, not the official extraction ({counts})")
    if asked := result.get("extracted_by_model"):
        lines.append(f"{asked} answers were taken out of the responses by the model")
    if result["errors"]:
        ids = [str(row["id"]) for row in scored.verdicts if row["outcome"] == "error"]
        lines.append(f"{len(ids)} responses could not be judged (errors) and count as wrong: {_first(ids, len(ids))}")
    return lines


def _names(result: dict[str, Any], name: str) -> str:
    return _first(result[f"{name}_ids"], result[name])


def _first(names: Sequence[str], count: int) -> str:
    shown = ", ".join(json.dumps(name)[1:-1] for name in names[:NAMED])
    return f"{shown} and {count - NAMED} more" if count > NAMED else shown


def _listing() -> str:
    return "\n".join(f"  {name:<14} {one.title} ({one.metric}), {one.size} items: {one.split}" for name, one in BENCHMARKS.items())


def _rules() -> str:
    return "; ".join(f"{name}: {', '.join(one.rules)}" for name, one in BENCHMARKS.items() if one.rules) or "there is none"


if __name__ == "__main__":
    main()
