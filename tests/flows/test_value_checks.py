"""Values that run and are wrong all the same are named, with what to set; those that are right are not."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_repository import PROJECT

from flows import value_checks
from flows.plan import changed
from stages.run.params import Params, parsed

BIG = {"model.source": "Qwen/Qwen2.5-VL-3B-Instruct", "model.revision": "c"}
LONG = {f"{name}.max_tokens": 2048 for name in ("rl.long", "sample", "evaluate")}
SLOW = {
    **{f"sft.{phase}.learning_rate": 2e-5 for phase in ("short", "long", "shortest", "merged_rs")},
    **{f"{name}.learning_rate": 1e-6 for name in ("rl.long", "rl.short", "dpo")},
}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


def of(values: dict[str, Any]) -> Params:
    return parsed(changed(PROJECT, values))


def tiny(values: dict[str, Any]) -> list[str]:
    return list(value_checks.tiny_values(of(values), PROJECT))


def test_the_tiny_models_values_are_named_for_a_real_one() -> None:
    texts = tiny(BIG)
    assert "sft.short.learning_rate is 0.001, a rate of the tiny model; for 3.8 billion weights at most 0.0001" in texts[0]
    named = {text.split(" is ")[0] for text in texts}
    assert named == {*SLOW, *LONG, "model.context"}


def test_right_values_are_not_named_and_the_tiny_model_may_have_its_own() -> None:
    assert tiny({**BIG, **SLOW, **LONG, "model.context": 4096}) == []
    assert tiny({}) == []


def test_a_phase_that_is_off_is_not_named() -> None:
    assert not any("sft.short.learning_rate" in text for text in tiny({**BIG, "sft.short": None}))


def test_the_limits_follow_the_size() -> None:
    """1e-3 is what 135 million weights were fine-tuned with, and fifty times too much for 3 billion."""
    small = {"model.source": "HuggingFaceTB/SmolLM2-135M-Instruct", "model.revision": "c"}
    assert not any("sft.short." in text for text in tiny(small))
    assert any("sft.short." in text for text in tiny(BIG))


@pytest.mark.parametrize("segment, most, named", [(80, 320, False), (80, 321, True), (None, 10_000, False)])
def test_segments_must_reach_the_limit(segment: int | None, most: int, named: bool) -> None:
    """max_staleness is 4: 4 x 80 = 320."""
    params = of({"rollout.segment_tokens": segment, "rl.long.max_tokens": most, "rl.short.max_tokens": 80})
    texts = list(value_checks.staleness(params, PROJECT))
    assert bool(texts) == named
    if named:
        assert "generates the last 1 tokens at once" in texts[0]
        assert "set rollout.segment_tokens=81" in texts[0]


def rows(folder: Path, solved: int, count: int) -> dict[str, Any]:
    path = folder / "rows.jsonl"
    lines = [{"question": f"q{i}", "answer": "1", **({"solution": "so"} if i < solved else {})} for i in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = {"kind": "jsonl", "families": ["f"], "train": 5, "validation": 1, "heldout": 1, "path": "rows.jsonl"}
    return {"collect.root": str(folder), "collect.sources": [source]}


@pytest.mark.parametrize("solved, words", [(0, "10 of 10 rows have no"), (3, "7 of 10 rows have no"), (10, "")])
def test_rows_without_solutions(tmp_path: Path, solved: int, words: str) -> None:
    params = of(rows(tmp_path, solved, 10))
    texts = list(value_checks.solutions(params, PROJECT))
    assert [words in text and "samples the model itself" in text for text in texts] == ([True] if words else [])
    assert value_checks.unsolved_share(params, PROJECT) == (10 - solved) / 10
    alone = of({**rows(tmp_path, solved, 10), "warm_up.self_taught": None})
    assert ["makes no demonstration" in text for text in value_checks.solutions(alone, PROJECT)] == ([True] if words else [])


def test_a_teacher_needs_no_solutions(tmp_path: Path) -> None:
    teacher = {"file": "t", "endpoint": None, "model": None, "temperature": 1.0, "max_tokens": 9, "per_prompt": 1}
    params = of({**rows(tmp_path, 0, 10), "warm_up.teacher": teacher})
    assert list(value_checks.solutions(params, PROJECT)) == []


def test_a_limit_of_the_answers_that_difficulty_is_measured_on_is_named_where_it_is_short() -> None:
    """Without one (the default) answers have all of the context."""
    assert any("curate.max_tokens is 25" in text for text in tiny({**BIG, "curate.max_tokens": 25}))
    assert not any("curate.max_tokens" in text for text in tiny(BIG))


def test_a_text_only_model_and_pictures() -> None:
    qwen3 = {"model.source": "Qwen/Qwen3-4B", "model.revision": "0" * 40, "rl.long.image_share": 0.5}
    both = list(value_checks.pictures(of(qwen3), PROJECT))
    assert both[0].startswith("rl.long.image_share is 0.5 and Qwen/Qwen3-4B is a text-only model")
    assert "left out of chart, " in both[1]
    vision = qwen3 | {"model.source": "Qwen/Qwen2.5-VL-3B-Instruct"}
    assert list(value_checks.pictures(of(vision), PROJECT)) == []
    assert list(value_checks.pictures(of({"rl.long.image_share": 0.5}), PROJECT)) == []
