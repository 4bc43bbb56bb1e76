"""`k15 generate`: responses of a local model, a hub model or an endpoint to the benchmarks, and their scores."""

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stages.benchmarks.generation import SCORES, Generated, Wanted, generate
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError
from stages.models.about import about as about_model
from stages.models.size import count_parameters
from stages.rollout.endpoint import KEY, Endpoint
from stages.rollout.engine import Engine
from stages.rollout.responder import EngineResponder, Responder
from stages.run.state import content_hash

ALL = "all"
NAMED = 20
"""Failures that are listed; more are counted."""
PROGRESS_SECONDS = 10.0
REQUESTS, ROWS = 16, 64
"""Responses at a time by default: requests to an endpoint, rows of the embedded engine."""
DESCRIPTION = f"""\
Ask a model the items of benchmarks, with the official prompts and pictures, and score what it answers.

OUT/<benchmark>.jsonl holds a row a response: id, sample, response, reasoning_content, finish, tokens, prompt_hash, settings, seed.
`k15 score` reads it as it is. OUT/{SCORES} holds the scores in the form of results/evaluations.
Killed or interrupted, the same command goes on where it stopped; responses drawn with other settings are refused.
Temperature, top-p, samples and tokens are each benchmark's own for short-CoT or long-CoT models, unless given here.
LiveCodeBench is asked the problems of table 2 with --protocol long, those of table 3 with short. Of Codeforces several samples are
voted on by test inputs that the model is asked for too (codeforces_inputs.jsonl), as in the report.
"""
EPILOG = f"""\
The model runs here, or behind --endpoint, an OpenAI-compatible address (/chat/completions is added to it). Its key stands in the
environment variable {KEY}; an address on this machine needs none. Requests that fail are tried again with back-off; those that
fail in the end are named, the exit code is then 1, and the same command asks them again; a benchmark with failed requests has no
score here (by `k15 score` they count as wrong). Thinking that an endpoint gives apart is
kept in reasoning_content and not scored; thinking within the response (<think>...</think>) stays there and is taken off.

examples:
  k15 generate all --data bench --limit 20 --model artifacts/models/long_rl --context 4096 --max-tokens 128 --out artifacts/own
  k15 generate math500,mmmu --data bench --endpoint http://127.0.0.1:8000/v1 --model served/model --out artifacts/served
  k15 generate aime2024 --protocol long --data bench --endpoint https://api.openai.com/v1 --model o1-mini --out artifacts/o1 \\
      --request '{{"max_tokens": null, "temperature": null, "top_p": null, "max_completion_tokens": 32768}}'
"""


def add_command(commands: Any) -> None:
    """The subcommand and what its command line may hold."""
    parser = commands.add_parser(
        "generate",
        help="ask a local model, a hub model or an endpoint the items of benchmarks, and score its responses",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmarks", metavar="BENCHMARK[,...]", help=f"{ALL}, or of {', '.join(BENCHMARKS)}")
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT", help="folder that holds a folder for each benchmark")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where responses and scores go")
    parser.add_argument("--name", metavar="NAME", help="of the column of scores (default: the last part of the model's name)")
    parser.add_argument("--limit", type=int, metavar="N", help="items of each benchmark, evenly spaced (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of all random numbers (default 0)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that compare answers (default 2)")
    parser.set_defaults(run=run)
    _model_options(parser.add_argument_group("model"))
    _drawing_options(parser.add_argument_group("how responses are drawn"))


def _model_options(group: Any) -> None:
    group.add_argument("--model", required=True, metavar="MODEL", help="a folder, a hub id, or the endpoint's name of the model")
    group.add_argument("--revision", metavar="COMMIT", help="commit of the hub id; a hub id without one is refused")
    group.add_argument(
        "--endpoint", metavar="URL", help="address of an OpenAI-compatible server, for example http://127.0.0.1:8000/v1"
    )
    group.add_argument(
        "--concurrency", type=int, metavar="C", help=f"requests, or rows here, at a time (default {REQUESTS}, or {ROWS} here)"
    )
    group.add_argument("--context", type=int, metavar="N", help="tokens of prompt and response together (default: the model's own)")
    group.add_argument("--request", metavar="JSON", help="fields for every request; null leaves a usual one out")
    group.add_argument("--retries", type=int, default=10, metavar="N", help="further tries of a request (default 10)")
    group.add_argument("--timeout", type=float, default=1800.0, metavar="S", help="seconds for a request (default 1800)")


def _drawing_options(group: Any) -> None:
    group.add_argument(
        "--protocol", choices=["short", "long"], default="short", help="whose defaults: short-CoT or long-CoT models'"
    )
    group.add_argument("--samples", type=int, metavar="K", help="responses to each item")
    group.add_argument("--temperature", type=float, metavar="T", help="0 is greedy")
    group.add_argument("--top-p", type=float, metavar="P")
    group.add_argument("--max-tokens", type=int, metavar="M", help="tokens of a response at most")


def run(args: argparse.Namespace) -> int:
    """Ask, score, report; the exit code: 0, or 1 when responses are missing."""
    wanted = _wanted(args)
    responder, parameters, about = _responder(args)
    if args.endpoint is None:
        wanted = replace(wanted, pictures=about_model(args.model, args.revision).pictures)
    name = args.name or Path(args.model.rstrip("/")).name
    found = generate(wanted, responder, args.out, name, parameters, about, Meter())
    for line in _complaints(found):
        print(line, file=sys.stderr)
    print("\n".join(_report(found)))
    print(json.dumps({**asdict(found.cost), "scores": str(args.out / SCORES)}))
    return 1 if found.failures else 0


def _wanted(args: argparse.Namespace) -> Wanted:
    names = list(BENCHMARKS) if args.benchmarks == ALL else args.benchmarks.split(",")
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise DataError(f"no benchmark {unknown[0]!r}; there are {ALL}, {', '.join(BENCHMARKS)}")
    given = {"samples": args.samples, "temperature": args.temperature, "top_p": args.top_p, "max_tokens": args.max_tokens}
    changes = {name: value for name, value in given.items() if value is not None}
    counts = {name: getattr(args, name) for name in ("limit", "samples", "max_tokens", "workers", "concurrency", "context")}
    wrong = next((name for name, value in counts.items() if value is not None and value < 1), None)
    if wrong is not None:
        raise DataError(f"--{wrong.replace('_', '-')} must be at least 1")
    if not changes.get("temperature", 0.0) >= 0 or not 0 < changes.get("top_p", 1.0) <= 1:
        raise DataError("--temperature must be at least 0, --top-p above 0 and at most 1")
    return Wanted(names, args.data, args.limit, args.protocol, args.seed, args.workers, changes)


def _responder(args: argparse.Namespace) -> tuple[Responder, int | None, dict[str, Any]]:
    """Return the responder, its number of weights (None where unknown) and further settings of the
    column. DataError for options that do not go together."""
    if args.endpoint is None:
        return _embedded(args)
    if args.revision is not None or args.context is not None:
        raise DataError("--revision and --context mean nothing with --endpoint; leave them out")
    fields = _fields(args.request or "{}")
    endpoint = Endpoint(args.endpoint, args.model, args.concurrency or REQUESTS, fields, args.retries, args.timeout)
    return endpoint, None, {"endpoint": args.endpoint}


def _embedded(args: argparse.Namespace) -> tuple[Responder, int | None, dict[str, Any]]:
    folder, batch = Path(args.model), args.concurrency or ROWS
    is_folder = folder.is_dir()
    if args.request is not None:
        raise DataError("--request means nothing without --endpoint; leave it out")
    if not is_folder and args.revision is None:
        raise DataError(f"--model {args.model}: no such folder, and a hub id needs --revision COMMIT, so that it can be repeated")

    def load() -> Engine:
        from stages.rollout.transformers_engine import open_engine

        return open_engine(args.model, None if is_folder else args.revision, args.context, batch)

    name, version = (folder.name, content_hash([folder])) if is_folder else (args.model, args.revision)
    settings = {"model": name, "version": version, "context": args.context, "batch": batch}
    return EngineResponder(load, batch, settings), count_parameters(folder) if is_folder else None, {}


def _fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"--request: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise DataError(f"--request: expected a JSON object, found {type(value).__name__}")
    return value


class Meter:
    """Tells on standard error how far the responses are."""

    def __init__(self) -> None:
        self.told = -PROGRESS_SECONDS

    def __call__(self, done: int, total: int) -> None:
        """A line now and then, and at the end."""
        if done == total or time.monotonic() - self.told >= PROGRESS_SECONDS:
            self.told = time.monotonic()
            print(f"{done} of {total} responses", file=sys.stderr, flush=True)


def _report(found: Generated) -> list[str]:
    """Lines for a reader."""
    lines = []
    for name, cell in found.cells.items():
        if "missing" not in cell:
            low, high = cell["ci95"]
            figures = f"{100 * cell['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}], n = {cell['n']}, k = {cell['k']}"
            lines.append(f"{BENCHMARKS[name].title} ({cell['metric']}): {figures}, {cell['mean_tokens']:.0f} tokens a response")
            if cell["excluded"]:
                first = cell["excluded"][0]
                lines.append(
                    f"  {len(cell['excluded'])} items could not be asked and count as wrong, first {first['id']}: {first['reason']}"
                )
    cost = found.cost
    lines.append(f"{cost.responses} responses: {cost.prompt_tokens} tokens in, {cost.tokens} out")
    return [*lines, f"{cost.uncounted} of them without a count of tokens"] if cost.uncounted else lines


def _complaints(found: Generated) -> list[str]:
    """What did not come."""
    if not found.failures:
        return []
    named = [f"failed: {line}" for line in found.failures[:NAMED]]
    return [*named, f"{found.cost.failed} responses failed; the same command asks them again"]
