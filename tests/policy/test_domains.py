"""Figures by domain and modality, by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.policy.domains import Outcome, by_domain, shares

ROWS = [
    Outcome("chart reading", "image", True, 10, "stop", 1.2),
    Outcome("chart reading", "image", False, 30, "length", 0.0),
    Outcome("logic", "text", True, 20, "stop", 1.0),
    Outcome("logic", "image", False, 40, "repeat", -0.1),
    Outcome("logic", "text", False, 999, "cut", 999.0),
]


def test_figures_by_hand() -> None:
    found = by_domain(ROWS)
    assert {
        name: found[f"domain/chart_reading/{name}"] for name in ("accuracy", "reward", "mean_tokens", "truncated", "repeat", "cut")
    } == {
        "accuracy": 0.5,
        "reward": 0.6,
        "mean_tokens": 20.0,
        "truncated": 0.5,
        "repeat": 0.0,
        "cut": 0.0,
    }
    assert found["domain/chart_reading/p95_tokens"] == pytest.approx(29.0)  # 10 + 0.95 * 20
    # the response that goes on counts in `cut` alone: logic has two that ended, text one
    assert found["domain/logic/mean_tokens"] == 30.0
    assert found["domain/logic/repeat"] == 0.5
    assert found["domain/logic/cut"] == pytest.approx(1 / 3)
    assert found["text/accuracy"] == 1.0
    assert found["text/cut"] == 0.5
    assert found["image/accuracy"] == pytest.approx(1 / 3)
    assert found["image/reward"] == pytest.approx(1.1 / 3)


def test_only_unfinished_responses_have_no_accuracy() -> None:
    assert by_domain(ROWS[4:]) == {"domain/logic/cut": 1.0, "text/cut": 1.0}
    assert by_domain([]) == {}


def test_names_are_fit_for_metrics() -> None:
    found = by_domain([Outcome("number theory (hard), §2", "text", True, 1, "stop", 1.0)])
    assert "domain/number_theory_hard_2/accuracy" in found


rows = st.lists(
    st.builds(
        Outcome, st.sampled_from(["a", "b c"]), st.sampled_from(["text", "image"]), st.booleans(), st.integers(1, 99),
        st.sampled_from(["stop", "length", "repeat"]), st.floats(-1, 2),
    ),
    min_size=1,
)  # fmt: skip


@settings(deadline=None)
@given(rows)
def test_the_whole_is_the_weighted_mean_of_its_parts(found: list[Outcome]) -> None:
    parts, whole = by_domain(found), shares(found)
    counts = {"domain/a": sum(row.domain == "a" for row in found), "domain/b_c": sum(row.domain == "b c" for row in found)}
    for name in ("accuracy", "reward", "mean_tokens", "truncated", "repeat"):
        mean = sum(count * parts[f"{group}/{name}"] for group, count in counts.items() if count) / len(found)
        assert mean == pytest.approx(whole[name], abs=1e-9)
