"""§3.1 and §3.3: one checkpoint on the held-out stand-in suites and on the real benchmarks.

Raw responses with their verdicts go to --generations, scores to --out. A question that cannot be asked is listed and
counts as wrong; a benchmark whose files are not there has a reason in place of a score."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.benchmarks.answering import Answered, Draw, answer
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scores import benchmark_score, rows, stand_in_scores
from stages.benchmarks.suites import Suite, benchmark_suite, stand_in_suites
from stages.data.files import DataError, read_records, write_json, write_text
from stages.data.records import Problem
from stages.models.size import count_parameters
from stages.rollout.engine import Engine
from stages.run.params import Evaluate, Hardware, Model, read
from stages.run.program import run
from stages.run.spool import stage_spool


def main() -> None:
    """Evaluate the checkpoint in --model under the name given first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="name of the checkpoint in the results")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--problems", type=Path, required=True, help="held-out problems (JSONL)")
    parser.add_argument("--out", type=Path, required=True, help="scores (JSON)")
    parser.add_argument("--generations", type=Path, required=True, help="raw responses (JSONL)")
    args = parser.parse_args()
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    wanted = read("evaluate", Evaluate)

    problems = read_records(args.problems, Problem)
    suites = stand_in_suites(problems, wanted.samples, hardware.workers)
    real, missing = benchmark_suites(wanted, hardware.workers)
    parameters = count_parameters(args.model)
    from stages.rollout.transformers_engine import load_engine

    engine = load_engine(args.model, model, hardware)
    draw = Draw(wanted.temperature, wanted.top_p, wanted.max_tokens, seed, hardware.generation_batch)
    answered = ask(engine, args.checkpoint, [*suites, *real], draw)
    result = {
        "checkpoint": args.checkpoint,
        "parameters": parameters,
        "settings": settings(wanted, model, draw),
        "suites": stand_in_scores(suites, answered[: len(suites)]),
        "benchmarks": benchmark_scores(real, answered[len(suites) :], decoding(wanted)) | missing,
    }
    write_generations(args.generations, [*suites, *real], answered, draw)
    write_json(args.out, result)
    scores = {
        **result["suites"],
        **{name: found for name, found in result["benchmarks"].items() if "missing" not in found},
    }
    spool = stage_spool(f"evaluate@{args.checkpoint}")
    spool.log(0, {f"accuracy/{name}": score["accuracy"] for name, score in scores.items()})


def ask(engine: Engine, checkpoint: str, suites: list[Suite], draw: Draw) -> list[list[Answered]]:
    """Judged responses of all suites, with live progress."""
    spool = stage_spool(f"evaluate@{checkpoint}")
    return answer(engine, suites, draw, lambda done, total: spool.progress(done, total, "responses"))


def benchmark_suites(wanted: Evaluate, workers: int) -> tuple[list[Suite], dict[str, dict[str, Any]]]:
    """The configured benchmarks that can be run, and the reason for every other one."""
    suites, missing = [], {}
    for name, benchmark in BENCHMARKS.items():
        reason = "not in evaluate.benchmarks of params.yaml"
        if name in wanted.benchmarks:
            try:
                suites.append(benchmark_suite(benchmark, Path(wanted.root), wanted.limit, wanted.benchmark_samples, workers))
                continue
            except DataError as error:
                reason = str(error)
                print(f"not scored: {benchmark.title}: {reason}", file=sys.stderr)
        missing[name] = {"missing": reason, "title": benchmark.title, "metric": benchmark.metric}
    return suites, missing


def benchmark_scores(suites: list[Suite], answered: list[list[Answered]], decoding: Decoding) -> dict[str, dict[str, Any]]:
    """Scores by name, with how they came about and whether only a part was run."""
    return {
        suite.name: {**benchmark_score(BENCHMARKS[suite.name], suite, found), "decoding": asdict(decoding)}
        for suite, found in zip(suites, answered, strict=True)
    }


def decoding(wanted: Evaluate) -> Decoding:
    """How the responses to every benchmark are drawn."""
    return Decoding(wanted.temperature, wanted.top_p, wanted.benchmark_samples, wanted.max_tokens, "evaluate of params.yaml")


def settings(wanted: Evaluate, model: Model, draw: Draw) -> dict[str, Any]:
    """How responses were drawn and judged."""
    sampling = {"temperature": draw.temperature, "top_p": draw.top_p, "max_tokens": draw.max_tokens, "seed": draw.seed}
    judged = {"math": "math-verify 0.9.0", "instruction": model.instruction, "context": model.context}
    return {**sampling, **judged, "samples": wanted.samples, "benchmark_samples": wanted.benchmark_samples}


def write_generations(path: Path, suites: list[Suite], answered: list[list[Answered]], draw: Draw) -> None:
    """All raw responses as JSONL, in the order of suites, questions and samples."""
    drawn = {"temperature": draw.temperature, "top_p": draw.top_p, "max_tokens": draw.max_tokens}
    lines = [row for suite, found in zip(suites, answered, strict=True) for row in rows(suite, found, drawn)]
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    run(main)
