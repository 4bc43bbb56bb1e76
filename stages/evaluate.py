"""§3.1 and §3.3: one checkpoint on the held-out stand-in suites and on the real benchmarks.

Raw responses with their verdicts go to --generations, scores to --out. A question that cannot be asked is listed and
counts as wrong; a benchmark whose files or tools are not there has a reason in place of a score. A run that is killed goes on
where it stopped; several ranks share the questions."""

import argparse
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from stages.benchmarks.answering import draw_together, judge
from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.columns import benchmark_suites, cell, table_of
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.scores import stand_in_scores, write_generations
from stages.benchmarks.suites import inputs_suite, readable, stand_in_suites
from stages.data.files import read_records, write_json, write_text
from stages.data.records import Problem
from stages.models.about import about
from stages.models.size import count_parameters
from stages.rollout.asking import judge_of
from stages.rollout.engine import Engine
from stages.rollout.responder import EngineResponder
from stages.run.evaluating import Evaluate
from stages.run.params import Hardware, Model, read
from stages.run.phases import handed_on
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.sections import Judging, deciding
from stages.run.spool import stage_spool
from stages.run.state import state_folder

PATHS = {"model": "its folder", "problems": "held out (JSONL)", "out": "scores (JSON)", "generations": "responses (JSONL)"}


def main() -> None:
    """Evaluate the checkpoint in --model under the name given first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="name of the checkpoint in the results")
    for name, what in PATHS.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    args = parser.parse_args()
    note = handed_on(args.model)
    if note is None:
        evaluate(args)
    elif rank() == 0:
        write_text(args.generations, "")
        write_json(args.out, {"checkpoint": args.checkpoint, **note})
        print(f"{args.checkpoint} has the score of {note['same_as']}: it is that checkpoint ({', '.join(note['null'])}: null)")


def evaluate(args: argparse.Namespace) -> None:
    """Ask the command line's model everything, judge what it answers, and write both."""
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    wanted, batch = read("evaluate", Evaluate), read("hardware.generation_batch", int)
    held_out, parameters, known = read_records(args.problems, Problem), count_parameters(args.model), about(args.model)
    problems, not_asked = readable(held_out, known.pictures)
    judging = read("judge", Judging)
    asked = judge_of(judging, batch)
    suites = stand_in_suites(problems, decoding(wanted, wanted.samples), hardware.workers, asked)
    drawing = decoding(wanted, wanted.benchmark_samples)
    table, root = table_of(args.checkpoint), Path(wanted.root)
    rules = partial(Benchmark.for_table, table=table, samples=wanted.benchmark_samples)
    real, cells = benchmark_suites(
        wanted.benchmarks, root, wanted.limit, lambda _: drawing, rules, hardware.workers, pictures=known.pictures
    )
    asking = [suite for suite in map(inputs_suite, real) if suite is not None]
    # What is drawn together decides the random numbers of each response, so that the batch counts here.
    values = [seed, batch, deciding(hardware), model.model_dump(), deciding(wanted), judging.model_dump()]
    state = state_folder(f"evaluate-{args.checkpoint}", [args.model, args.problems, root], values)
    spool, every = stage_spool(f"evaluate@{args.checkpoint}"), [*suites, *real, *asking]
    responder = engine_responder(args.checkpoint, args.model, model, hardware)
    found = draw_together(responder, every, seed, state, lambda done, total: spool.progress(done, total, "responses"))
    if found is None:
        return
    drawn = {suite.name: responses for suite, responses in zip(every, found, strict=True)}
    answered = [judge(suite, drawn[suite.name]) for suite in suites]
    stand_ins = stand_in_scores(suites, answered)
    for suite in real:
        cells[suite.name], judged = cell(suite, drawn[suite.name], drawn.get(f"{suite.name}_inputs", ()))
        answered.append(judged)
    write_generations(args.generations, [*suites, *real], answered)
    scores = {"suites": stand_ins, "not_asked": not_asked, "benchmarks": cells, "settings": settings(wanted, model, seed)}
    named = {"checkpoint": args.checkpoint, "model": known.label, "parameters": parameters}
    write_json(args.out, named | scores)
    spool.log(0, {f"accuracy/{name}": score["accuracy"] for name, score in (stand_ins | cells).items() if "accuracy" in score})
    shutil.rmtree(state, ignore_errors=True)


def engine_responder(checkpoint: str, folder: Path, model: Model, hardware: Hardware) -> EngineResponder:
    """The checkpoint, loaded when there is something to ask."""

    def load() -> Engine:
        from stages.rollout.opening import load_engine

        return load_engine(folder, model, hardware)

    return EngineResponder(load, hardware.generation_batch, {"model": checkpoint, "batch": hardware.generation_batch})


def decoding(wanted: Evaluate, samples: int) -> Decoding:
    """Every suite of a run is drawn in one way."""
    return Decoding(wanted.temperature, wanted.top_p, samples, wanted.max_tokens, "evaluate of params.yaml")


def settings(wanted: Evaluate, model: Model, seed: int) -> dict[str, Any]:
    """How responses were drawn and judged."""
    sampling = {"temperature": wanted.temperature, "top_p": wanted.top_p, "max_tokens": wanted.max_tokens, "seed": seed}
    judged = {"instruction": model.instruction, "context": model.context}
    judged |= {name: value for name in ("system", "thinking") if (value := getattr(model, name)) is not None}
    return {**sampling, **judged, "samples": wanted.samples, "benchmark_samples": wanted.benchmark_samples}


if __name__ == "__main__":
    run(main)
