"""The benchmarks with pictures (§3.1)."""

from dataclasses import replace
from functools import partial

from stages.benchmarks import math_vision, math_vista, mmmu
from stages.benchmarks.benchmark import Benchmark, field_id
from stages.benchmarks.decoding import GREEDY, SAMPLED
from stages.benchmarks.math_vista_rules import IntegerRule
from stages.verifiers.verdict import Answer

_MATHVISTA = Benchmark(
    name="mathvista",
    title="MathVista-Test",
    metric="Pass@1",
    modality="image",
    tables=(2, 3),
    size=1000,
    split="testmini (the answers of test are not public, so the report's MathVista-Test can be nothing else)",
    hub_id="AI4Math/MathVista",
    revision="2b6ad69445fbb5695c9b165475e8decdbeb97747",
    origin="lupantech/MathVista, data/testmini.json, commit 53d525874bdde205128e6b160b7357a88277d479",
    content="0c8885c616f76173deeeb76e71ec0ec193151d6ef7974ad6bf0653575dce24ad",
    files=math_vista.FILES,
    prompt_source=math_vista.PROMPT_SOURCE,
    shots=0,
    extraction=math_vista.EXTRACTION,
    rule=math_vista.RULE,
    short_cot=GREEDY,
    long_cot=SAMPLED,
    load=math_vista.load,
    load_answers=math_vista.load_answers,
    prompt=math_vista.prompt,
    score=math_vista.score_current,
    score_extraction=math_vista.extraction_current,
    average=math_vista.average_current,
    row_id=field_id("pid"),
)

_PUBLISHED = replace(
    _MATHVISTA,
    rule=math_vista.PUBLISHED_RULE,
    differs=math_vista.DIFFERS,
    score=math_vista.score_published,
    score_extraction=math_vista.extraction_published,
    average=math_vista.average_published,
)


def _with_model(benchmark: Benchmark, rule: IntegerRule) -> Benchmark:
    def by_model(ask: Answer) -> Benchmark:
        return replace(benchmark, extraction=math_vista.BY_MODEL, score=partial(math_vista.score_by_model, rule, ask))

    return replace(benchmark, by_model=by_model)


VISION: dict[str, Benchmark] = {
    "mmmu": Benchmark(
        name="mmmu",
        title="MMMU-Val",
        metric="Pass@1",
        modality="image",
        tables=(2, 3),
        size=900,
        split="validation, 30 subjects of 30",
        hub_id="MMMU/MMMU",
        revision="98e6ac0cb9b7b2cd2c991b85a50762edc4aedc68",
        origin="MMMU-Benchmark/MMMU, mmmu/answer_dict_val.json, commit bb0b95a945998d91dfef37e969e07d49d1139438",
        files=mmmu.FILES,
        prompt_source=mmmu.PROMPT_SOURCE,
        shots=0,
        extraction=mmmu.EXTRACTION,
        rule=mmmu.RULE,
        short_cot=GREEDY,
        long_cot=SAMPLED,
        load=mmmu.load,
        load_answers=mmmu.load_answers,
        prompt=mmmu.prompt,
        score=mmmu.score,
        score_extraction=mmmu.score_extraction,
        average=mmmu.average,
        completed=mmmu.with_options_of,
    ),
    "mathvision": Benchmark(
        name="mathvision",
        title="MathVision-Full",
        metric="Pass@1",
        modality="image",
        tables=(2, 3),
        size=3040,
        split="test, all 3,040 items",
        hub_id="MathLLMs/MathVision",
        revision=None,
        origin="mathllm/MATH-V, data and images, commit a1f5cc3add200c0cd080fad463e500f44ef1fb41",
        content="36608758db6205692f59423316ba281a4e2e5f23286452ae31739ed4278133a8",
        files=math_vision.FILES,
        prompt_source=math_vision.PROMPT_SOURCE,
        shots=0,
        extraction="the authors' rules (github.com/mathllm/MATH-V, evaluation/): a closing letter, a stated number, the last box",
        rule="equal to the gold letter, value or option text, numbers rounded to two decimals (theirs too); mean over items",
        short_cot=GREEDY,
        long_cot=SAMPLED,
        load=math_vision.load,
        load_answers=math_vision.load_answers,
        prompt=math_vision.prompt,
        score=math_vision.score,
    ),
    "mathvista": _with_model(replace(_MATHVISTA, rules={"published": _with_model(_PUBLISHED, "published")}), "current"),
}
