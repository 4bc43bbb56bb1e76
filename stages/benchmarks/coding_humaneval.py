"""HumanEval-Mul (§3.1): HumanEval in eight languages, each program run with its tests in the sandbox.

The headline is the plain mean of the eight languages' pass@1, as in DeepSeek's tables. Pass rules are those of DeepSeek's runner
(stages/verifiers/languages.py) and one of ours: the tests must prove that they ran to their end. That makes three things stricter:
a program that ends with status 0 before its tests is wrong; a C# program that dies of another exception than a failed assertion is
wrong (the runner looks for "Fail" only); a JavaScript program may print nothing at all, as there.
`score_as_deepseek` goes without that rule."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from stages.benchmarks.benchmark import Item, Loaded, first_file, items_of, read_items
from stages.benchmarks.coding_fallbacks import fallback
from stages.benchmarks.coding_programs import STYLES, assembled, completed, extracted, with_word
from stages.benchmarks.tables import rows_of
from stages.data.files import DataError
from stages.rollout.engine import Prompt
from stages.verifiers.code_tests import ended, proven
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.programs import CompileError, compiled
from stages.verifiers.sandbox import Run, SandboxUnavailableError, why_unavailable
from stages.verifiers.verdict import Verdict

FILES = ("humaneval-python.jsonl", "humaneval-*.jsonl", "HumanEval.jsonl", "HumanEval.jsonl.gz", "*.parquet")
SIZE = 1280
PROMPT_SOURCE = "DeepSeek-Coder's instruction for chat models (github.com/deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval)"
INSTRUCTION = (
    "Please continue to complete the function. You are not allowed to modify the given code and do the completion only. "
    "Please return all completed function in a codeblock. Here is the given code to do completion:"
)
SECONDS = 10.0
"""Wall clock of a program; DeepSeek's runner gives 3, which on a busy machine fails right programs."""
_TYPESCRIPT_AGAIN = ("--target", "ES5", "--lib", "ES5,DOM,ScriptHost")
"""tsc's own defaults, tried when the first compilation or its run fails, as the runner does."""
_SPELLINGS = {"py": "python", "c++": "cpp", "c#": "cs", "csharp": "cs", "javascript": "js", "typescript": "ts", "bash": "sh"}


def load(path: Path) -> Loaded:
    """The files humaneval-LANGUAGE.jsonl of a folder: task_id, prompt, test. DataError names a file that is not there."""
    folder = path.parent if path.is_file() else path
    absent = [name for name in LANGUAGES if not (folder / f"humaneval-{name}.jsonl").exists()]
    if absent:
        named = ", ".join(f"humaneval-{name}.jsonl" for name in absent)
        raise DataError(f"{folder}: HumanEval-Mul needs all eight languages; {named} is not there; put the published files there")
    files = {name: folder / f"humaneval-{name}.jsonl" for name in LANGUAGES}
    items = [item for name, file in files.items() for item in read_items(file, _reader(name))]
    return Loaded(items, None, tuple(files.values()))


def load_answers(path: Path) -> Loaded:
    """The languages that are there; Python's also as HumanEval's own file (JSONL, packed, Parquet). A file is one language."""
    if path.is_file():
        files = {next((name for name in LANGUAGES if path.name == f"humaneval-{name}.jsonl"), "python"): path}
    else:
        files = {name: path / f"humaneval-{name}.jsonl" for name in LANGUAGES if (path / f"humaneval-{name}.jsonl").exists()}
        if "python" not in files:
            files = {"python": first_file(path, FILES[2:])} | files if _own(path) else files
    items = [item for name, file in files.items() for item in items_of(file, rows_of(file), _reader(name))]
    return Loaded(items, None, tuple(files.values()))


def prompt(item: Item) -> Prompt:
    """Instruction and the head of the function in a code block."""
    return Prompt(f"{INSTRUCTION}\n```{STYLES[item.group].fence}\n{item.question}\n```", None, instruction="")


def row_id(row: Mapping[str, Any]) -> str | None:
    """The id of a row: its `id` where that names a language, else language and task_id (or name)."""
    task = next((str(row[name]) for name in ("task_id", "name", "id") if row.get(name) is not None), None)
    if task is None:
        return None
    language = str(row.get("language") or row.get("lang") or "").lower()
    language = _SPELLINGS.get(language, language)
    if not language:
        head, _, rest = str(row["id"] if row.get("id") is not None else task).partition("/")
        return f"{head}/{rest}" if head in LANGUAGES and head != "python" else f"python/{_task(str(row.get('id') or task))}"
    return f"{language}/{_task(task) if language == 'python' else task.removeprefix(language + '/')}"


def unavailable() -> str | None:
    """What is missing of the sandbox and the eight tool chains."""
    reasons = [why_unavailable(), *(missing(name) for name in LANGUAGES)]
    return "; ".join(reason for reason in reasons if reason) or None


def language_unavailable(name: str) -> str | None:
    """What is missing to run the programs of one language."""
    return why_unavailable() or missing(name)


def score(
    pairs: Sequence[tuple[Item, str]], workers: int, _: float, judged: "Callable[[Item, str], Verdict] | None" = None
) -> list[Verdict]:
    """Right when the program passes its tests, by `judge` or another function of item and response. DataError where a program
    cannot be run."""
    reasons = [language_unavailable(name) for name in sorted({item.group for item, _ in pairs})]
    if any(reasons):
        raise DataError(f"HumanEval-Mul: {'; '.join(dict.fromkeys(reason for reason in reasons if reason))}")
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(lambda pair: (judged or judge)(*pair), pairs))


def judge(item: Item, response: str) -> Verdict:
    """The verdict of one response; where a fallback took its program, `details` names it."""
    other = fallback(item.group, item.question, response)
    if other is None:
        return _verdict(
            item, extracted(item.group, response), completed(item.group, item.question, response), secrets.token_hex(16)
        )
    verdict = _verdict(item, other.block, other.code, secrets.token_hex(16))
    return replace(verdict, details={"fallback": other.name})


def judge_as_deepseek(item: Item, response: str) -> Verdict:
    """The verdict of DeepSeek-Coder's runner: its own extraction, and no proof that the tests ran to their end. A program that
    ends with status 0 before its tests is right, and one in C# that dies of whatever does not print "Fail"."""
    return _verdict(item, extracted(item.group, response), completed(item.group, item.question, response), "")


score_as_deepseek = partial(score, judged=judge_as_deepseek)


def _verdict(item: Item, found: str | None, code: str, word: str) -> Verdict:
    try:
        reason = _failure(item, assembled(item.group, item.question, code), word)
    except CompileError as error:
        return Verdict("wrong", found, str(error))
    except SandboxUnavailableError as error:
        return Verdict("error", found, str(error))
    if reason is None:
        return Verdict("right", found, "passes its tests" if word else "passes by the runner's own rule")
    return Verdict("wrong", found, reason)


def _failure(item: Item, program: str, word: str) -> str | None:
    """Why the tests did not pass, None when they did. `word` is what they print at their end; "" asks for no such proof, but of
    Python, whose runner takes every early end for a failure."""
    if item.group == "python":
        return proven(program + "\n", item.gold, SECONDS)
    source = f"{program}\n{with_word(item.group, item.gold, word) if word else item.gold}"
    if item.group != "ts":
        options = ("-lcrypto", "-lssl") if item.group == "cpp" and "162" in item.id else ()
        return _tested(item.group, source, word, options)
    try:
        first = _tested("ts", source, word, ())
    except CompileError as error:
        first = str(error)
    return first and _tested("ts", source, word, _TYPESCRIPT_AGAIN)


def _tested(language: str, source: str, word: str, options: tuple[str, ...]) -> str | None:
    done = compiled(language, source, options).run(b"", SECONDS)
    if not _passes(language, done):
        return ended(done)
    printed = done.stdout.decode("utf-8", "replace").strip()
    if not printed.endswith(word):
        return "it ended before its tests did"
    return "it prints something" if language == "js" and printed != word else None


def _passes(language: str, done: Run) -> bool:
    """The runner's own rule."""
    if done.killed_for:
        return False
    if language == "js":
        return not done.stderr
    if language == "cs":
        return b"Fail" not in done.stderr
    return done.returncode == 0


def _reader(language: str) -> Callable[[Mapping[str, Any]], Item]:
    def item(row: Mapping[str, Any]) -> Item:
        task = _task(str(row["task_id"])) if language == "python" else str(row["task_id"])
        tests = str(row["test"])
        if language == "python" and row.get("entry_point") and not re.search(r"^check\(", tests, re.MULTILINE):
            tests += f"\ncheck({row['entry_point']})"
        if language != "python":
            with_word(language, tests, "")
        return Item(f"{language}/{task}", str(row["prompt"]), None, tests, language)

    return item


def _own(folder: Path) -> bool:
    return any(any(folder.glob(name)) for name in FILES[2:])


def _task(name: str) -> str:
    """HumanEval/23 for Python/23 and python/HumanEval/23."""
    return f"HumanEval/{name.rpartition('/')[2]}"
