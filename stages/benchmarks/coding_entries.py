"""The benchmarks of code (§3.1): HumanEval-Mul, LiveCodeBench, Codeforces."""

from collections.abc import Sequence
from dataclasses import replace

from stages.benchmarks import coding_ballots, coding_codeforces, coding_humaneval, coding_livecodebench, coding_rows
from stages.benchmarks.averages import Average, Judged, by_group, group_figure, macro, percent
from stages.benchmarks.benchmark import Benchmark, Item, field_id
from stages.benchmarks.coding_livecodebench import ALL, LONG, SHORT, Window
from stages.benchmarks.decoding import GREEDY, SAMPLED, averaged
from stages.benchmarks.statistics import accuracy
from stages.verifiers.languages import LANGUAGES


def mean_of_languages(judged: Sequence[Judged]) -> Average:
    """The plain mean of the languages' scores; beside it each language and the micro average."""
    figures = {group_figure(str(name)): percent(accuracy(rights).mean) for name, rights in by_group(judged, _group).items()}
    return Average(macro(judged, _group), {**figures, "micro": percent(accuracy([one.rights for one in judged]).mean)})


def rating_percentile(judged: Sequence[Judged]) -> Average:
    """The percentile of the rating; beside it the rating."""
    return Average(*coding_codeforces.percentile_of([(one.item, one.verdicts) for one in judged]))


def _group(item: Item) -> str:
    return item.group


_LIVE = Benchmark(
    name="livecodebench",
    title="LiveCodeBench",
    metric="Pass@1",
    modality="text",
    tables=(2, 3),
    size=LONG.size,
    split=f"release v5, contests from {LONG}",
    hub_id="livecodebench/code_generation_lite",
    revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
    origin="LiveCodeBench/submissions, commit 4d04b02a01c81b0a7207bafdcda35efad9e39b8c (questions and published verdicts)",
    files=coding_livecodebench.FILES,
    prompt_source=coding_livecodebench.PROMPT_SOURCE,
    shots=0,
    extraction="the text between the last two lines that hold three backticks, as in the authors' published runs",
    rule=(
        "all hidden tests pass by the rules of the authors' harness of January 2025 (testing_util.py), re-implemented in the "
        "sandbox, 6 s a test; mean over problems of the mean of k"
    ),
    short_cot=GREEDY,
    long_cot=averaged(SAMPLED, 8),
    load=coding_livecodebench.loader(LONG, tested=True),
    load_answers=coding_livecodebench.loader(LONG, tested=False),
    prompt=coding_livecodebench.prompt,
    score=coding_livecodebench.score,
    takes_verdicts=True,
    match_rows=coding_rows.match_graded,
    row_id=field_id("question_id"),
)


def _window(window: Window) -> Benchmark:
    return replace(
        _LIVE,
        size=window.size,
        split=f"release v5, contests from {window}",
        load=coding_livecodebench.loader(window, tested=True),
        load_answers=coding_livecodebench.loader(window, tested=False),
    )


_LATER = (
    "ours gives programs a plain text stream as standard input, as the harness of January 2025 did; that of May 2025 gives the "
    "whole input to every read and readlines, whatever was read before"
)
_HARNESSES = {
    "lcb-2025-01": _LIVE,
    "lcb-2025-05": replace(
        _LIVE, rule=_LIVE.rule.replace("January", "May"), score=coding_livecodebench.score_later, differs=_LATER
    ),
}
"""The same problems by each harness; they differ in what standard input is (stages/verifiers/sandboxed_tests.py)."""

_CODEFORCES = Benchmark(
    name="codeforces",
    title="Codeforces",
    metric="Percentile",
    modality="text",
    tables=(2,),
    size=0,
    split="contests of the user's own choice",
    hub_id="Qwen/CodeElo",
    revision=None,
    origin="QwenLM/CodeElo, commit 0bffc84f0477abe5fd641d4cb4c859318a572c70 (ratings of 717,421 users)",
    files=coding_codeforces.FILES,
    prompt_source=coding_codeforces.PROMPT_SOURCE,
    shots=0,
    extraction="the text between the last two lines that hold three backticks; or verdicts, or a rating, reached elsewhere",
    rule=(
        "rating by CodeElo's method from up to eight attempts a problem, percentile in CodeElo's table "
        "(the report's own table is unpublished)"
    ),
    short_cot=GREEDY,
    long_cot=averaged(SAMPLED, 8),
    load=coding_codeforces.load,
    load_answers=coding_codeforces.load_answers,
    prompt=coding_codeforces.prompt,
    score=coding_codeforces.score,
    takes_verdicts=True,
    match_rows=coding_rows.match_rating,
    average=rating_percentile,
)

_BALLOTS = replace(
    _CODEFORCES,
    rule=coding_ballots.RULE,
    score=coding_ballots.score,
    match_rows=coding_ballots.match_ballots,
    average=coding_ballots.percentile,
    inputs_prompt=coding_ballots.prompt,
    with_inputs=coding_ballots.with_inputs,
)

_HUMANEVAL = Benchmark(
    name="humaneval_mul",
    title="HumanEval-Mul",
    metric="Pass@1",
    modality="text",
    tables=(3,),
    size=coding_humaneval.SIZE,
    split="HumanEval (Python) and MultiPL-E's HumanEval in seven languages",
    hub_id="nuprl/MultiPL-E",
    revision="28441b6024e71d4a1c1c0f6bf171c935cd5a43f2",
    origin="deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval/data, commit 2f9fd85927c669dae3c0fbb2d607274023af243e",
    content="2ebfbb35a3e297251395b56356fb6d0089253325907ce8959e9edf3df1a09c8d",
    files=coding_humaneval.FILES,
    prompt_source=coding_humaneval.PROMPT_SOURCE,
    shots=0,
    extraction=(
        "the first code block of the language, from the asked function to the last brace of its indentation; where that lacks "
        "it, another fence, one left open, the text before a lone closing fence, or a bare body (ours, counted)"
    ),
    rule=(
        "the tests run to their end by the compile and pass rules of DeepSeek-Coder's runner, 10 s a program; "
        "plain mean of the eight languages' pass@1"
    ),
    short_cot=GREEDY,
    long_cot=SAMPLED,
    load=coding_humaneval.load,
    load_answers=coding_humaneval.load_answers,
    prompt=coding_humaneval.prompt,
    score=coding_humaneval.score,
    takes_verdicts=True,
    average=mean_of_languages,
    row_id=coding_humaneval.row_id,
    unavailable=coding_humaneval.unavailable,
    groups=tuple(LANGUAGES),
    group_unavailable=coding_humaneval.language_unavailable,
)

_DEEPSEEK = replace(
    _HUMANEVAL,
    extraction="the first code block of the language, from the asked function to the last brace of its indentation",
    rule=(
        'the compile and pass rules of DeepSeek-Coder\'s runner alone: in C# whatever does not print "Fail" passes, an exception '
        "too, elsewhere whatever ends with status 0; 10 s a program (3 there); plain mean of the eight languages' pass@1"
    ),
    differs=(
        "ours wants proof that the tests ran to their end and reads programs from other fences too; six C# programs of 158 of "
        'Qwen2.5-Coder-7B (3.8 points of C#, 0.5 of the headline) pass there by an exception without "Fail"'
    ),
    score=coding_humaneval.score_as_deepseek,
)

CODING: dict[str, Benchmark] = {
    "humaneval_mul": replace(_HUMANEVAL, rules={"deepseek": _DEEPSEEK}),
    "livecodebench": replace(
        _LIVE, rules={"2408-2411": _window(SHORT), "all": _window(ALL), **_HARNESSES}, table_rules={3: "2408-2411"}
    ),
    "codeforces": replace(_CODEFORCES, rules={"vote": _BALLOTS}, vote="vote"),
}
