"""The health panel: golden cases of findings, the line of an iteration, staleness, memory; a healthy run is not stopped."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.policy.health import RULES, examine, first_values, panel, peak_memory, staleness
from stages.run.sections import Health

PROJECT = Path(__file__).parents[2]
CASES = [json.loads(line) for line in (PROJECT / "tests/cases/health.jsonl").read_text(encoding="utf-8").splitlines()]
LIMITS: dict[str, Any] = {
    "mismatch_kl": [0.01, 0.1],
    "ratio_p99": [1.5, 10.0],
    "entropy_share": [0.2, 0.02],
    "length_share": [0.3, 0.05],
    "reward_errors": [0.05, 0.5],
    "truncated": [0.5, None],
    "zero_signal": [0.9, None],
    "grad_norm": [100.0, None],
    "bad_steps": 3,
}


def limits(**changed: Any) -> Health:
    return Health(**{**LIMITS, **changed})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_cases(case: dict[str, Any]) -> None:
    found = examine(case["figures"], case["first"], case["last"], limits(**case["limits"]))
    assert [[finding.level, finding.figure] for finding in found] == case["found"], case["why"]


def test_a_finding_says_what_was_found_the_limit_and_what_to_do() -> None:
    (above,) = examine({"kl_rollout_trainer": 0.05}, {}, {}, limits())
    assert above.text == (
        "kl_rollout_trainer = 0.05 is above 0.01 (health.mismatch_kl): rollout engine and trainer disagree on the same weights; "
        "check that the engine took the last weights, its precision, chat template and picture tokens"
    )
    (below,) = examine({"mean_tokens": 10.0}, {"mean_tokens": 50.0}, {}, limits())
    assert below.text.startswith(
        "mean_tokens = 10 is below 15, 0.3 of its first value (health.length_share): responses have collapsed"
    )
    (broken,) = examine({"loss": math.nan}, {}, {}, limits())
    assert broken.level == "stop"
    assert broken.text.startswith("loss is nan, not a finite number")


def test_each_limit_of_an_iteration_has_its_rule() -> None:
    assert [*(rule.limit for rule in RULES), "bad_steps"] == list(Health.model_fields), "bad_steps is of the optimizer"


@pytest.mark.parametrize("name", ["long_rl", "short_rl"])
def test_the_committed_run_finds_nothing_that_stops(name: str) -> None:
    with (PROJECT / f"results/training/{name}.csv").open(encoding="utf-8") as file:
        rows = [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    first, last = {}, {}
    for row in rows:
        found = examine(row, first, last, limits())
        assert [finding for finding in found if finding.level == "stop"] == []
        first, last = {**row, **first}, row


figures = st.dictionaries(st.sampled_from([rule.figure for rule in RULES]), st.floats(0, 1e6))


@settings(deadline=None)
@given(figures, figures, figures)
def test_without_limits_nothing_is_found_and_a_stop_needs_two_iterations(
    now: dict[str, float], first: dict[str, float], last: dict[str, float]
) -> None:
    assert examine(now, first, last, limits(**{rule.limit: [None, None] for rule in RULES})) == []
    assert all(finding.level == "warn" for finding in examine(now, first, {}, limits()))
    twice = examine(now, first, now, limits())
    assert len(twice) == len(examine(now, first, {}, limits()))


def test_first_values_are_those_first_measured() -> None:
    rows = [{"step": 0, "reward": 0.1}, {"step": 1, "reward": 0.2, "entropy": 0.9}, {"step": 2, "entropy": 0.1}]
    assert first_values(rows) == {"step": 0, "reward": 0.1, "entropy": 0.9}
    assert first_values([]) == {}


def test_the_panel_is_one_line_and_a_line_for_each_finding() -> None:
    shown = {
        "reward": 0.65234, "accuracy": 0.6, "mean_tokens": 1234.4, "p95_tokens": 4096.0, "truncated": 0.1, "entropy": 0.0551,
        "kl_rollout_trainer": 1.86e-9, "zero_signal": 0.3125, "cut": 0.25, "reward_errors": 0.01, "ratio_p99": 1.0004,
        "staleness/0": 0.8, "grad_norm": 3.14, "peak_rss_mib": 1234.5,
        "rollout_tokens_per_second": 5678.2, "training_tokens_per_second": 12.0,
    }  # fmt: skip
    assert panel(12, shown) == (
        "iteration 12  reward 0.652  accuracy 0.600  tokens 1,234 (p95 4,096)  truncated 10%  cut 25%  errors 1%  "
        "entropy 0.0551  KL 1.9e-09 (ratio p99 1)  zero-signal 31%  on-policy 80%  gradient 3.1  rollout 5,678 tokens/s  "
        "training 12 tokens/s  memory 1,234 MiB"
    )
    assert panel(0, {"reward": 0.5}) == "iteration 0  reward 0.500"
    found = examine({"reward_errors": 0.2}, {}, {}, limits())
    assert panel(0, {"reward": 0.5}, found).splitlines()[1].startswith("  warn: reward_errors = 0.2 is above 0.05")


def test_staleness_by_hand() -> None:
    # 60 tokens of this iteration, 20 of the last, 15 three and 5 seven iterations old
    assert staleness([(0, 50), (1, 20), (3, 15), (0, 10), (7, 5)]) == {
        "staleness/0": 0.6,
        "staleness/1": 0.2,
        "staleness/2": 0.0,
        "staleness/3+": 0.2,
    }
    assert staleness([]) == staleness([(2, 0)]) == {}


def test_peak_memory_grows_with_what_is_held() -> None:
    before = peak_memory()["peak_rss_mib"]
    assert 10 < before < 1e6
    held = torch.ones(int((before + 64) * 2**20 / 4))
    assert peak_memory()["peak_rss_mib"] > before + 32
    del held
