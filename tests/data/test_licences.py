"""Sets for scoring only are refused by their names and by the words of their licence."""

import pytest

from stages.data.licences import REFUSED, forbidden


@pytest.mark.parametrize(
    "name",
    [
        "nuprl/MultiPL-E",
        "multipl_e",
        "humaneval_mul/humaneval-cpp.jsonl",
        "AI4Math/MathVista",
        "math_vista",
        "MMMU/MMMU_Pro",
        "mmmu_pro_test_images/items.jsonl",
        "mmmu",
    ],
)
def test_refused_by_name(name):
    assert forbidden(name)


@pytest.mark.parametrize("name", ["gsm8k", "mathvision-like", "math", "multiples", "commmunity", "tabmwp_dev1k"])
def test_others_pass(name):
    assert forbidden(name, licence="MIT") is None


def test_refused_by_licence():
    assert "forbids training" in forbidden("my-set", licence="BSD-3-Clause with Machine Learning Restriction")
    assert forbidden("my-set", licence="CC-BY-NC-SA-4.0") is None


def test_every_refusal_says_where_it_is_stated():
    assert all(refused.url.startswith("https://") and refused.why for refused in REFUSED)
